// SPDX-License-Identifier: Apache-2.0
#include "daemon/homes.hpp"

#include "daemon/logging.hpp"
#include "daemon/router.hpp"
#include "daemon/worker.hpp"
#include "dialects/registry.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon {

Homes::Homes(std::shared_ptr<const config::Config> config, Furnish furnish)
    : config_(std::move(config)), furnish_(std::move(furnish)) {}

HomePtr Homes::make(std::shared_ptr<const config::Pool> pool, const std::string& user,
                    const std::optional<std::string>& password, Worker& worker) {
    auto home = std::make_shared<Home>(pool->name, user);
    home->dialect = dialects::find(pool->url.dialect);
    home->worker = &worker;
    furnish_(*home, std::move(pool), password);
    worker.add_home(home);
    return home;
}

void Homes::make_configured(std::span<Worker* const> workers) {
    const auto add = [&](const config::Pool& pool, const std::string& user,
                         const std::optional<std::string>& password) {
        Worker& worker = *workers[configured_.size() % workers.size()];
        configured_.push_back(make(std::shared_ptr<const config::Pool>(config_, &pool), user, password, worker));
    };
    for (const config::Pool& pool : config_->pools) {
        if (pool.name == "*") continue;
        add(pool, pool.url.user, pool.url.password);
        for (const config::User& user : config_->users) {
            const bool allowed = user.pools.empty() || std::ranges::find(user.pools, pool.name) != user.pools.end();
            if (allowed && !user.as_pool && user.name != pool.url.user) add(pool, user.name, user.password);
        }
    }
}

std::vector<HomePtr> Homes::all() const {
    std::vector<HomePtr> homes = configured_;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, home] : from_template_) homes.push_back(home);
    return homes;
}

HomePtr Homes::obtain(const std::string& database, const std::string& user, Worker& here) {
    const std::lock_guard lock(mutex_);
    const auto found = from_template_.find({database, user});
    if (found != from_template_.end()) {
        ++found->second->sessions;
        return found->second;
    }
    if (from_template_.size() >= static_cast<std::size_t>(config_->limits.max_template_pools)) return nullptr;
    const auto pattern = std::ranges::find(config_->pools, "*", &config::Pool::name);
    if (pattern == config_->pools.end()) return nullptr;
    auto pool = std::make_shared<config::Pool>(*pattern);
    pool->name = database;
    pool->url.database = database;
    HomePtr home = make(std::move(pool), user, password_of(*config_, *pattern, user), here);
    home->from_template = true;
    home->sessions = 1;
    from_template_.emplace(std::pair(database, user), home);
    log_info("pool_made", {{"pool", database}, {"user", user}, {"template", "*"}});
    return home;
}

void Homes::retire_idle(Worker& here) {
    const auto now = wire::Clock::now();
    std::vector<HomePtr> retired;
    for (const HomePtr& home : here.homes()) {
        if (!home->from_template) continue;
        const std::shared_ptr<const config::Pool> settings = home->settings();
        // Those that min_idle keeps open ahead of need are no use by themselves.
        if (home->sessions > 0 || std::cmp_greater(home->pool->stats().open, settings->min_idle)) {
            home->unused_since = now;
            continue;
        }
        if (now - home->unused_since < settings->idle_timeout) continue;
        const std::lock_guard lock(mutex_);
        if (home->sessions > 0) continue;  // somebody has just come
        from_template_.erase({home->name(), home->user});
        retired.push_back(home);
    }
    for (const HomePtr& home : retired) {
        log_info("pool_retired", {{"pool", home->name()}, {"user", home->user}, {"template", "*"}});
        here.remove_home(home);
    }
}

}  // namespace leasehold::daemon
