// SPDX-License-Identifier: Apache-2.0
#include "daemon/roles.hpp"

#include "daemon/logging.hpp"
#include "daemon/worker.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::daemon {
namespace {

constexpr auto ask_timeout = std::chrono::seconds(2);
constexpr auto ask_every = std::chrono::seconds(2);
// A dial that was under way may have reached it before it had lost its role.
constexpr int gives_up = 3;

// The role that decides; empty: any server will do in the end.
std::string_view wanted_role(const config::Url& url) {
    if (url.hosts.size() < 2) return {};
    for (const std::string_view key : {"target_session_attrs", "role"}) {
        const std::string_view word = url.option(key);
        if (!word.empty() && word != "any" && word != "prefer-standby") return word;
    }
    return {};
}

}  // namespace

void Roles::look(std::span<const HomePtr> homes, Capacity& capacity) {
    for (const auto& [name, server] : watched_) server->homes.clear();
    for (const HomePtr& home : homes) {
        const std::shared_ptr<const Terms> terms = home->terms();
        const std::string_view role = wanted_role(terms->settings->url);
        if (!role.empty() && asks_as_itself(*home, *terms)) look(home, *terms, role, capacity);
    }
    std::erase_if(watched_, [](const auto& one) { return one.second->homes.empty(); });
    for (const auto& [name, server] : watched_) act(name, *server);
}

// Asked is who has connections of ours.
void Roles::look(const HomePtr& home, const Terms& terms, std::string_view role, Capacity& capacity) {
    const auto now = std::chrono::steady_clock::now();
    for (const config::HostPort& address : terms.settings->url.hosts) {
        if (capacity.quota_for(address)->used() == 0) continue;
        const std::string name = address.host + ":" + std::to_string(address.port) + " as " + std::string(role);
        std::shared_ptr<Watched>& server = watched_[name];
        if (!server) server = std::make_shared<Watched>();
        server->homes.emplace_back(home);
        if (now < server->ask_at || server->asking.exchange(true)) continue;
        server->ask_at = now + ask_every;
        config::Url alone = terms.settings->url;
        alone.hosts.assign(1, address);
        boost::asio::post(control_, [server, dialect = home->dialect, alone = std::move(alone)] {
            const dialects::ServerReport report = dialect->control()->report(alone, ask_timeout);
            // One that answers and has not the role says its version all the same.
            const bool unfit = !report.reachable && !report.version.empty();
            server->verdict = unfit ? Verdict::unfit : report.reachable ? Verdict::fits : Verdict::unknown;
            server->asking = false;
        });
    }
}

// Idle backends go now, leased ones at their next boundary. Those of a server that has the role are dialled again.
void Roles::act(const std::string& name, Watched& server) {
    if (server.verdict != Verdict::unfit) {
        if (server.verdict == Verdict::fits) server.given_up = 0;
        return;
    }
    if (server.given_up == gives_up) return;
    if (server.given_up++ == 0) log_warn("server_role_lost", {{"server", name}, {"pools", server.homes.size()}});
    for (const std::weak_ptr<Home>& one : server.homes) {
        const HomePtr home = one.lock();
        if (!home) continue;
        home->worker->post([home] {
            if (home->pool) home->pool->invalidate(false);
        });
    }
}

void Roles::stop() {
    control_.stop();
    control_.join();
}

}  // namespace leasehold::daemon
