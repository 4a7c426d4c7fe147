// SPDX-License-Identifier: Apache-2.0
#include "daemon/capacity.hpp"

#include "daemon/logging.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::daemon {
namespace {

constexpr auto ask_again_after = std::chrono::seconds(30);
constexpr auto ask_timeout = std::chrono::seconds(5);

std::string name_of(const config::Url& url) {
    const config::HostPort& host = url.hosts.front();
    return host.host + ":" + std::to_string(host.port);
}

}  // namespace

std::shared_ptr<Capacity::Host> Capacity::host_of(const config::Url& url) {
    const std::string name = name_of(url);
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Host>& host = hosts_[name];
    if (!host) {
        host = std::make_shared<Host>();
        const auto found = config_.servers.find(name);
        host->configured = found != config_.servers.end() && found->second.max_connections > 0;
        host->quota = std::make_shared<pool::Quota>(host->configured ? found->second.max_connections : 0);
    }
    return host;
}

std::shared_ptr<pool::Quota> Capacity::quota_for(const config::Url& url) { return host_of(url)->quota; }

void Capacity::learn(std::span<const HomePtr> homes) {
    const auto now = std::chrono::steady_clock::now();
    for (const HomePtr& home : homes) {
        const std::shared_ptr<const Terms> terms = home->terms();
        const config::Url& url = terms->settings->url;
        const std::shared_ptr<Host> host = host_of(url);
        const bool own_user = home->user == url.user && url.password.has_value();
        if (host->configured || host->known || host->asking || now < host->not_before || !own_user ||
            !terms->connector->facts())
            continue;
        host->asking = true;
        host->not_before = now + ask_again_after;
        boost::asio::post(control_, [home, host, settings = terms->settings] {
            const dialects::ServerReport report = home->dialect->control()->report(settings->url, ask_timeout);
            if (report.reachable && report.max_connections > 0) {
                const int admitted = std::max(1, report.max_connections - report.reserved_connections);
                host->quota->set_limit(admitted);
                host->known = true;
                log_info("server_capacity", {{"server", name_of(settings->url)},
                                             {"max_connections", report.max_connections},
                                             {"reserved", report.reserved_connections},
                                             {"admitted", admitted}});
            }
            host->asking = false;
        });
    }
}

void Capacity::stop() {
    control_.stop();
    control_.join();
}

}  // namespace leasehold::daemon
