// SPDX-License-Identifier: Apache-2.0
#include "daemon/homes.hpp"

#include "daemon/logging.hpp"
#include "daemon/router.hpp"
#include "daemon/worker.hpp"
#include "dialects/registry.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon {
namespace {

bool admits(const config::User& user, const config::Pool& pool) {
    return user.pools.empty() || std::ranges::find(user.pools, pool.name) != user.pools.end();
}

// Who logs in to the backends of a pool: the URL's user first.
std::vector<std::string> backend_users(const config::Config& config, const config::Pool& pool) {
    std::vector<std::string> users{pool.url.user};
    for (const config::User& user : config.users) {
        if (admits(user, pool) && !user.as_pool && user.name != pool.url.user) users.push_back(user.name);
    }
    return users;
}

}  // namespace

Worker& Homes::least_loaded(std::span<Worker* const> workers) const {
    const auto load = [this](const Worker* worker) {
        return std::ranges::count(configured_, worker, [](const HomePtr& home) { return home->worker; });
    };
    return **std::ranges::min_element(workers, {}, load);
}

Homes::Adoption Homes::adopt(std::shared_ptr<const config::Config> config, std::span<Worker* const> workers) {
    Adoption adoption;
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
    const wire::Clock::duration drain_timeout = config_->drain_timeout;
    std::vector<HomePtr> before = std::exchange(configured_, {});
    std::vector<std::pair<std::shared_ptr<const config::Pool>, std::string>> missing;
    for (const config::Pool& pool : config_->pools) {
        if (pool.name == "*") continue;
        const std::shared_ptr<const config::Pool> settings(config_, &pool);
        for (const std::string& user : backend_users(*config_, pool)) {
            const auto found = std::ranges::find_if(before, [&](const HomePtr& home) {
                return home && home->name() == pool.name && home->user == user &&
                       home->dialect == dialects::find(pool.url.dialect);
            });
            if (found == before.end()) {
                missing.emplace_back(settings, user);
                continue;
            }
            configured_.push_back(std::exchange(*found, nullptr));
            adoption.steps.push_back({configured_.back(), settings, password_of(*config_, pool, user), drain_timeout});
        }
    }
    for (const auto& [settings, user] : missing) {
        configured_.push_back(make(settings, user, password_of(*config_, *settings, user), least_loaded(workers)));
        adoption.made.push_back(configured_.back());
    }
    for (HomePtr& home : before) {
        if (home) adoption.steps.push_back({std::move(home), nullptr, std::nullopt, drain_timeout});
    }
    for (auto it = from_template_.begin(); it != from_template_.end();) {
        std::shared_ptr<const config::Pool> settings = from_pattern(it->first.first, it->first.second);
        if (settings && dialects::find(settings->url.dialect) != it->second->dialect) settings.reset();
        std::optional<std::string> password;
        if (settings) password = password_of(*config_, *settings, it->second->user);
        adoption.steps.push_back({it->second, settings, password, drain_timeout});
        it = settings ? std::next(it) : from_template_.erase(it);
    }
    return adoption;
}

std::vector<HomePtr> Homes::configured() const {
    const std::lock_guard lock(mutex_);
    return configured_;
}

std::vector<HomePtr> Homes::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<HomePtr> homes = configured_;
    for (const auto& [name, home] : from_template_) homes.push_back(home);
    return homes;
}

bool Homes::bears(const std::string& name) const {
    return std::ranges::any_of(all(), [&](const HomePtr& home) { return home->name() == name; });
}

std::shared_ptr<const config::Pool> Homes::from_pattern(const std::string& database, const std::string& user) const {
    const auto pattern = std::ranges::find(config_->pools, "*", &config::Pool::name);
    if (pattern == config_->pools.end()) return nullptr;
    for (const config::Pool& pool : config_->pools) {
        if (pool.url.family() != pattern->url.family()) continue;
        if (pool.name == database || std::ranges::find(pool.alias, database) != pool.alias.end()) return nullptr;
    }
    const std::vector<std::string> users = backend_users(*config_, *pattern);
    if (std::ranges::find(users, user) == users.end()) return nullptr;
    auto pool = std::make_shared<config::Pool>(*pattern);
    pool->name = database;
    pool->url.database = database;
    return pool;
}

Homes::Obtained Homes::obtain(const std::string& database, const std::string& user, Worker& here) {
    const std::lock_guard lock(mutex_);
    const auto found = from_template_.find({database, user});
    if (found != from_template_.end()) {
        ++found->second->sessions;
        return {found->second};
    }
    if (from_template_.size() >= static_cast<std::size_t>(config_->limits.max_template_pools)) return {nullptr, true};
    std::shared_ptr<const config::Pool> pool = from_pattern(database, user);
    if (!pool) return {};
    const std::optional<std::string> password = password_of(*config_, *pool, user);
    HomePtr home = make(std::move(pool), user, password, here);
    home->from_template = true;
    home->sessions = 1;
    here.add_home(home);
    from_template_.emplace(std::pair(database, user), home);
    log_info("pool_made", {{"pool", database}, {"user", user}, {"template", "*"}});
    return {home};
}

void Homes::retire_idle(Worker& here) {
    const auto now = wire::Clock::now();
    std::vector<HomePtr> retired;
    for (const HomePtr& home : here.homes()) {
        if (!home->from_template || home->retired) continue;
        const std::shared_ptr<const config::Pool> settings = home->settings();
        // Those that min_idle keeps open ahead of need are no use by themselves.
        if (home->sessions > 0 || std::cmp_greater(home->pool->stats().open, settings->min_idle)) {
            home->unused_since = now;
            continue;
        }
        if (now - home->unused_since < settings->idle_timeout) continue;
        const std::lock_guard lock(mutex_);
        if (home->sessions > 0) continue;  // somebody has just come
        const auto found = from_template_.find({home->name(), home->user});
        if (found == from_template_.end() || found->second != home) continue;  // a reload takes it away
        from_template_.erase(found);
        retired.push_back(home);
    }
    for (const HomePtr& home : retired) {
        log_info("pool_retired", {{"pool", home->name()}, {"user", home->user}, {"template", "*"}});
        here.retire(home);
    }
}

}  // namespace leasehold::daemon
