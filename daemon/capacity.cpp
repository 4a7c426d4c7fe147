// SPDX-License-Identifier: Apache-2.0
#include "daemon/capacity.hpp"

#include "config/password_kind.hpp"
#include "daemon/logging.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::daemon {
namespace {

constexpr auto ask_again_after = std::chrono::seconds(30);
constexpr auto ask_timeout = std::chrono::seconds(5);

std::string name_of(const config::HostPort& host) { return host.host + ":" + std::to_string(host.port); }

}  // namespace

bool asks_as_itself(const Home& home, const Terms& terms) {
    const config::Url& url = terms.settings->url;
    const auto kind = config::password_kind(url.password.value_or(""));
    const bool usable = kind == config::PasswordKind::clear_text || kind == config::PasswordKind::none;
    return home.user == url.user && url.password.has_value() && usable;
}

void Capacity::configure(const std::string& name, Host& host) const {
    const auto found = config_->servers.find(name);
    host.configured = found == config_->servers.end() ? 0 : found->second.max_connections;
    host.quota->set_limit(host.configured > 0 ? host.configured : host.learned);
}

void Capacity::configure(std::shared_ptr<const config::Config> config) {
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
    for (const auto& [name, host] : hosts_) configure(name, *host);
}

std::shared_ptr<Capacity::Host> Capacity::host_of(const std::string& name) {
    std::shared_ptr<Host>& host = hosts_[name];
    if (!host) {
        host = std::make_shared<Host>();
        host->quota = std::make_shared<pool::Quota>(0);
        configure(name, *host);
    }
    return host;
}

std::shared_ptr<pool::Quota> Capacity::quota_for(const config::HostPort& host) {
    const std::lock_guard lock(mutex_);
    return host_of(name_of(host))->quota;
}

void Capacity::learn(std::span<const HomePtr> homes) {
    for (const HomePtr& home : homes) {
        const std::shared_ptr<const Terms> terms = home->terms();
        if (!asks_as_itself(*home, *terms) || !terms->connector->facts()) continue;
        for (const config::HostPort& address : terms->settings->url.hosts) learn(home, *terms, address);
    }
}

// Of several servers those are asked that somebody has a connection to.
void Capacity::learn(const HomePtr& home, const Terms& terms, const config::HostPort& address) {
    const auto now = std::chrono::steady_clock::now();
    const config::Url& url = terms.settings->url;
    std::shared_ptr<Host> host;
    {
        const std::lock_guard lock(mutex_);
        host = host_of(name_of(address));
        if (host->configured > 0 || host->learned > 0 || host->asking || now < host->not_before) return;
        if (url.hosts.size() > 1 && host->quota->used() == 0) return;
        host->asking = true;
        host->not_before = now + ask_again_after;
    }
    config::Url alone = url;
    alone.hosts.assign(1, address);
    boost::asio::post(control_, [this, home, host, alone = std::move(alone)] {
        const dialects::ServerReport report = home->dialect->control()->report(alone, ask_timeout);
        const bool told = report.reachable && report.max_connections > 0;
        const int admitted = std::max(1, report.max_connections - report.reserved_connections);
        {
            const std::lock_guard lock(mutex_);
            host->asking = false;
            if (told) host->learned = admitted;
            if (told && host->configured == 0) host->quota->set_limit(admitted);
        }
        if (!told) return;
        log_info("server_capacity", {{"server", name_of(alone.hosts.front())},
                                     {"max_connections", report.max_connections},
                                     {"reserved", report.reserved_connections},
                                     {"admitted", admitted}});
    });
}

void Capacity::stop() {
    control_.stop();
    control_.join();
}

}  // namespace leasehold::daemon
