// SPDX-License-Identifier: Apache-2.0
#include "daemon/router.hpp"

#include <algorithm>

namespace leasehold::daemon {
namespace {

std::string family(const config::Pool& pool) { return pool.url.dialect == "postgresql" ? "postgresql" : "mysql"; }

bool serves(const config::Listen& listen, const config::Pool& pool) {
    if (family(pool) != listen.dialect) return false;
    return listen.pools.empty() || std::ranges::find(listen.pools, pool.name) != listen.pools.end();
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t cost = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, cost});
        }
    }
    return row[b.size()];
}

// `trust` asks nothing; without a password nobody is admitted otherwise.
dialects::Credential credential_for(const config::Listen& listen, const std::optional<std::string>& secret,
                                    bool over_unix) {
    dialects::Credential credential;
    credential.method = listen.auth;
    const bool asks_nothing = listen.auth == config::AuthMethod::trust;
    (void)over_unix;  // `peer` comes with the listeners' other methods
    if (asks_nothing) {
        credential.kind = dialects::Credential::Kind::trust;
    } else if (secret) {
        credential.kind = dialects::Credential::Kind::password;
        credential.secret = *secret;
    }
    return credential;
}

}  // namespace

Router::Router(std::shared_ptr<const config::Config> config, std::vector<HomePtr> homes)
    : config_(std::move(config)), homes_(std::move(homes)) {
    for (const HomePtr& home : homes_) by_pool_and_user_[{home->name(), home->user}] = home;
}

const config::Pool* Router::find_pool(const config::Listen& listen, const std::string& name) const {
    for (const config::Pool& pool : config_->pools) {
        if (!serves(listen, pool)) continue;
        if (pool.name == name || std::ranges::find(pool.alias, name) != pool.alias.end()) return &pool;
    }
    return nullptr;
}

// MySQL clients may name no database: then the user's only pool, or the listener's default.
std::string Router::name_for(const config::Listen& listen, const dialects::LoginRequest& request) const {
    if (!request.database.empty()) return request.database;
    std::vector<std::string> own;
    for (const HomePtr& home : homes_) {
        if (serves(listen, home->settings) && home->user == request.user) own.push_back(home->name());
    }
    if (own.size() == 1) return own.front();
    return listen.default_pool;
}

Route Router::console(const config::Listen& listen, const dialects::LoginRequest& request, bool over_unix) const {
    Route route;
    route.kind = Route::Kind::console;
    const bool admin = std::ranges::find(config_->admin.users, request.user) != config_->admin.users.end();
    std::optional<std::string> secret;
    for (const config::User& user : config_->users) {
        if (user.name == request.user) secret = user.password;
    }
    for (const config::Pool& pool : config_->pools) {
        if (!secret && pool.url.user == request.user) secret = pool.url.password;
    }
    route.administrator = admin;
    if (!admin) secret.reset();  // others are refused as if they did not exist
    route.credential = credential_for(listen, secret, over_unix);
    if (!admin) route.credential.kind = dialects::Credential::Kind::none;
    return route;
}

Route Router::route(const config::Listen& listen, const dialects::LoginRequest& request, bool over_unix) const {
    if (request.database == config_->admin.database) return console(listen, request, over_unix);
    Route route;
    const std::string name = name_for(listen, request);
    if (name.empty()) {
        route.kind = Route::Kind::no_pool_named;
        return route;
    }
    const config::Pool* pool = find_pool(listen, name);
    if (pool == nullptr) {
        std::size_t best = 4;
        for (const config::Pool& other : config_->pools) {
            const std::size_t d = serves(listen, other) ? distance(name, other.name) : best;
            if (d < best) {
                best = d;
                route.suggestion = other.name;
            }
        }
        // Whoever has an account anywhere may learn the nearest name; the credential tells.
        std::optional<std::string> secret;
        for (const HomePtr& home : homes_) {
            if (!secret && serves(listen, home->settings) && home->user == request.user) secret = home->password;
        }
        route.credential = credential_for(listen, secret, over_unix);
        return route;
    }
    route.kind = Route::Kind::pool;
    const auto found = by_pool_and_user_.find({pool->name, request.user});
    if (found != by_pool_and_user_.end()) {
        route.home = found->second;
        route.credential = credential_for(listen, route.home->password, over_unix);
        return route;
    }
    for (const config::User& user : config_->users) {
        const bool allowed = user.pools.empty() || std::ranges::find(user.pools, pool->name) != user.pools.end();
        if (user.name != request.user || !user.as_pool || !allowed) continue;
        const auto shared = by_pool_and_user_.find({pool->name, pool->url.user});
        if (shared == by_pool_and_user_.end()) continue;
        route.home = shared->second;
        route.credential = credential_for(listen, user.password, over_unix);
        return route;
    }
    route.credential.method = listen.auth;
    return route;
}

std::vector<HomePtr> Router::served_by(const config::Listen& listen) const {
    std::vector<HomePtr> served;
    for (const HomePtr& home : homes_) {
        if (serves(listen, home->settings) && home->user == home->settings.url.user) served.push_back(home);
    }
    return served;
}

}  // namespace leasehold::daemon
