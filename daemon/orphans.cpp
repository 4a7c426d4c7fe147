// SPDX-License-Identifier: Apache-2.0
#include "daemon/orphans.hpp"

#include "daemon/logging.hpp"
#include "dialects/registry.hpp"

#include <algorithm>

namespace leasehold::daemon {
namespace {

constexpr auto ask_timeout = std::chrono::seconds(3);
constexpr auto ask_again_after = std::chrono::milliseconds(500);
constexpr auto give_up_after = std::chrono::minutes(5);

// True: the server has been asked.
bool end_those_of(const OrphansOfServer& server) {
    const dialects::Dialect* dialect = dialects::find(server.url.dialect);
    std::vector<dialects::Orphan> orphans;
    for (const OpenBackend& backend : server.backends)
        orphans.push_back({backend.server_id, backend.port, backend.since});
    const dialects::OrphansEnded ended = dialect->control()->end_orphans(server.url, orphans, ask_timeout);
    if (!ended.error.empty() && !ended.reachable) return false;
    const std::string name = config::to_string(server.url.hosts.front());
    const LogField fields[] = {{"server", name},
                               {"pool", server.backends.front().pool},
                               {"open", orphans.size()},
                               {"ended", ended.ended},
                               {"error", ended.error}};
    log(ended.error.empty() ? LogLevel::info : LogLevel::warn, "orphans_ended", fields);
    return true;
}

}  // namespace

std::vector<OrphansOfServer> orphans_by_server(const config::Config& config, const std::vector<OpenBackend>& found) {
    std::vector<OrphansOfServer> servers;
    for (const OpenBackend& backend : found) {
        auto pool = std::ranges::find(config.pools, backend.pool, &config::Pool::name);
        const bool from_template = pool == config.pools.end();
        if (from_template) pool = std::ranges::find(config.pools, "*", &config::Pool::name);
        // What another user's login opened is none that the URL's may end.
        if (pool == config.pools.end() || !pool->url.password || pool->url.user != backend.user) continue;
        config::Url url = pool->url;
        if (from_template) url.database = backend.pool;
        const auto named = std::ranges::find_if(url.hosts, [&backend](const config::HostPort& host) {
            if (host.unix_socket()) return backend.address.starts_with(host.host);
            return backend.address == host.host + ":" + std::to_string(host.port);
        });
        if (named == url.hosts.end()) continue;
        url.hosts = {config::HostPort(*named)};
        const auto same = std::ranges::find_if(servers, [&](const OrphansOfServer& one) {
            return one.url == url && one.backends.front().pool == backend.pool;
        });
        if (same == servers.end()) {
            servers.push_back({std::move(url), {backend}});
        } else {
            same->backends.push_back(backend);
        }
    }
    return servers;
}

void Orphans::end(std::vector<OrphansOfServer> servers) {
    if (servers.empty()) return;
    thread_ = std::thread([this, servers = std::move(servers)]() mutable { run(std::move(servers)); });
}

void Orphans::run(std::vector<OrphansOfServer> servers) {
    const auto until = std::chrono::steady_clock::now() + give_up_after;
    while (!servers.empty() && std::chrono::steady_clock::now() < until) {
        std::erase_if(servers, [](const OrphansOfServer& server) { return end_those_of(server); });
        std::unique_lock lock(mutex_);
        if (stopped_.wait_for(lock, ask_again_after, [this] { return over_; })) return;
    }
    for (const OrphansOfServer& server : servers) {
        log_warn("orphans_left", {{"server", config::to_string(server.url.hosts.front())},
                                  {"open", server.backends.size()},
                                  {"reason", "the server did not answer"}});
    }
}

void Orphans::stop() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    stopped_.notify_one();
    if (thread_.joinable()) thread_.join();
}

}  // namespace leasehold::daemon
