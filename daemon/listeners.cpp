// SPDX-License-Identifier: Apache-2.0
#include "daemon/listeners.hpp"

#include "daemon/logging.hpp"
#include "daemon/worker.hpp"
#include "dialects/registry.hpp"

#include <unistd.h>
#include <algorithm>

namespace leasehold::daemon {
namespace {

constexpr std::string_view unix_prefix = "unix:";  // as address_of() has it

}  // namespace

Listeners::Prepared::~Prepared() {
    for (const auto& [address, descriptor] : opened_) ::close(descriptor);
}

// An address of ours that keeps this one from being bound: "*:6432" and "127.0.0.1:6432" cannot be open side by side.
std::string Listeners::own_rival(const config::Listen& listen) const {
    const std::string port = ":" + std::to_string(listen.port);
    const auto rival = std::ranges::find_if(
        places_, [&](const auto& place) { return listen.port != 0 && place.first.ends_with(port); });
    return rival == places_.end() ? std::string() : rival->first;
}

Listeners::Prepared Listeners::prepare(const config::Config& config) const {
    Prepared prepared;
    for (const config::Listen& listen : config.listen) {
        const std::string address = address_of(listen);
        if (places_.contains(address)) continue;
        const Opened opened = passed_ != nullptr ? passed_->open(listen) : open_listener(listen);
        if (opened.error.empty()) {
            prepared.opened_[address] = opened.descriptor;
            continue;
        }
        std::string error = opened.error;
        const std::string rival = own_rival(listen);
        if (!rival.empty()) {
            error += " (leasehold itself listens on " + rival +
                     " now: if that is the reason, restart, or take that one out in a reload before)";
        }
        if (listen.line > 0) error = config.file + ":" + std::to_string(listen.line) + ": listen: " + error;
        prepared.errors.push_back(std::move(error));
    }
    return prepared;
}

void Listeners::commit(const std::shared_ptr<const config::Config>& config, Prepared prepared) {
    std::map<std::string, std::vector<Share>> before = std::exchange(places_, {});
    closes_for_drain_.clear();
    for (const config::Listen& entry : config->listen) {
        const std::string address = address_of(entry);
        const std::shared_ptr<const config::Listen> listen(config, &entry);
        const dialects::Dialect& dialect = *dialects::find(entry.dialect);
        std::vector<Share>& shares = places_[address];
        closes_for_drain_[address] = entry.dialect != "postgresql" || (passed_ != nullptr && passed_->has(entry));
        const auto known = before.find(address);
        if (known != before.end()) {
            shares = std::move(known->second);
            before.erase(known);
            for (const Share& share : shares) {
                share->worker()->post([share, listen, &dialect] { share->change(listen, dialect); });
            }
            continue;
        }
        const std::size_t lobby_places = std::max<std::size_t>(64, logins_per_listener / workers_.size());
        const int descriptor = prepared.opened_.at(address);
        for (Worker* worker : workers_) {
            shares.push_back(std::make_shared<Listener>(*worker, listen, dialect, descriptor, lobby_places));
            worker->post([share = shares.back()] { share->start(); });
        }
        log_info("listening", {{"listen", address}, {"dialect", entry.dialect}});
    }
    for (auto& [address, shares] : before) {
        close(shares, true);
        // A passed socket's file is the service manager's.
        const bool ours = passed_ == nullptr || !passed_->has_address(address);
        if (ours && address.starts_with(unix_prefix)) ::unlink(address.c_str() + unix_prefix.size());
        log_info("listening_ended", {{"listen", address}});
    }
}

void Listeners::close() {
    for (auto& [address, shares] : places_) close(shares, false);
    places_.clear();
}

void Listeners::close_for_drain() {
    for (auto& [address, shares] : places_) {
        if (closes_for_drain_[address]) close(shares, false);
    }
}

void Listeners::close(std::vector<Share>& shares, bool accept_first) {
    for (Share& share : shares) {
        Worker* worker = share->worker();
        worker->post([share = std::move(share), worker, accept_first]() mutable {
            if (accept_first) share->accept_waiting();
            share->close();
            // What its socket has had to say already is on its way to it: it goes after that.
            worker->post([share = std::move(share)] {});
        });
    }
    shares.clear();
}

}  // namespace leasehold::daemon
