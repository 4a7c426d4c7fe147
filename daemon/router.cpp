// SPDX-License-Identifier: Apache-2.0
#include "daemon/router.hpp"

#include "config/password_kind.hpp"

#include <algorithm>
#include <functional>
#include <random>

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

// `users` cannot say that a password is empty: without one there is none. A URL can, and MySQL has such accounts.
std::optional<std::string> unless_empty(const std::optional<std::string>& secret) {
    return secret && !secret->empty() ? secret : std::nullopt;
}

}  // namespace

std::optional<std::string> password_of(const config::Config& config, const config::Pool& pool,
                                       const std::string& user) {
    if (user == pool.url.user) return pool.url.password;
    const auto found = std::ranges::find(config.users, user, &config::User::name);
    return found == config.users.end() ? std::nullopt : std::optional(found->password);
}

Router::Router(std::shared_ptr<const config::Config> config, std::vector<HomePtr> homes)
    : config_(std::move(config)), homes_(std::move(homes)) {
    for (const HomePtr& home : homes_) {
        const auto pool = std::ranges::find(config_->pools, home->name(), &config::Pool::name);
        if (pool == config_->pools.end()) continue;
        entries_.push_back({home, &*pool, password_of(*config_, *pool, home->user)});
        by_pool_and_user_[{home->name(), home->user}] = entries_.back();
    }
    const auto imitate = [this](const std::optional<std::string>& secret) {
        using config::PasswordKind;
        const PasswordKind kind = config::password_kind(secret.value_or(""));
        const bool hash = kind == PasswordKind::native_hash || kind == PasswordKind::sha2_hash;
        if (kind != PasswordKind::none) decoys_.push_back(hash ? *secret : std::string());
    };
    for (const config::Pool& pool : config_->pools) {
        if (family(pool) == "mysql") imitate(pool.url.password);
    }
    for (const config::User& user : config_->users) imitate(user.password);
}

// The same at each login, and nobody outside can tell whose.
std::string Router::decoy(const std::string& user) const {
    static const std::string key = std::to_string(std::random_device()()) + std::to_string(std::random_device()());
    return decoys_.empty() ? std::string() : decoys_[std::hash<std::string>()(key + user) % decoys_.size()];
}

Account Router::account_of(const Entry& entry) {
    const bool own = entry.home->user == entry.pool->url.user;
    return {true, own ? entry.password : unless_empty(entry.password)};
}

const config::Pool* Router::find_pool(const config::Listen& listen, const std::string& name) const {
    const config::Pool* pattern = nullptr;
    for (const config::Pool& pool : config_->pools) {
        if (!serves(listen, pool)) continue;
        if (pool.name == "*") {
            pattern = &pool;
        } else if (pool.name == name || std::ranges::find(pool.alias, name) != pool.alias.end()) {
            return &pool;
        }
    }
    return pattern;
}

// The name that no pool has: a pool of the template's kind for the URL's user, or for one that logs in as itself.
Route Router::from_template(const config::Pool& pattern, const dialects::LoginRequest& request,
                            const std::string& database) const {
    Route route;
    route.kind = Route::Kind::pool;
    Account& account = route.account;
    account.known = request.user == pattern.url.user;
    if (account.known) {
        account.secret = pattern.url.password;
        route.user = pattern.url.user;
    }
    for (const config::User& user : config_->users) {
        const bool allowed = user.pools.empty() || std::ranges::find(user.pools, pattern.name) != user.pools.end();
        if (account.known || user.name != request.user || !allowed) continue;
        account = {true, unless_empty(user.password)};
        route.user = user.as_pool ? pattern.url.user : user.name;
    }
    if (!account.known) return route;
    route.from_template = true;
    route.database = database;
    return route;
}

// Clients of MySQL may name no database, and PostgreSQL's own programs for physical replication all say "replication":
// then it is the user's only pool (of those that admit replication, if there are any), or the listener's default.
std::string Router::name_for(const config::Listen& listen, const dialects::LoginRequest& request) const {
    const bool physical = !request.replication.empty() && request.replication != "database";
    const bool named = !request.database.empty() && (!physical || find_pool(listen, request.database) != nullptr);
    if (named) return request.database;
    std::vector<const config::Pool*> own = pools_of(listen, request.user);
    if (physical && std::ranges::any_of(own, [](const config::Pool* pool) { return pool->max_replication > 0; }))
        std::erase_if(own, [](const config::Pool* pool) { return pool->max_replication == 0; });
    if (own.size() == 1) return own.front()->name;
    return listen.default_pool.empty() ? request.database : listen.default_pool;
}

// Those that the user may have by name, in the file's order. The template has no name of its own.
std::vector<const config::Pool*> Router::pools_of(const config::Listen& listen, const std::string& user) const {
    std::vector<const config::Pool*> own;
    for (const config::Pool& pool : config_->pools) {
        if (!serves(listen, pool) || pool.name == "*") continue;
        if (of_pool(pool, user).account.known) own.push_back(&pool);
    }
    return own;
}

bool Router::administers(const std::string& user) const {
    return std::ranges::find(config_->admin.users, user) != config_->admin.users.end();
}

// Who may not use it is refused as if there were no such user.
Route Router::console(const dialects::LoginRequest& request) const {
    Route route;
    route.kind = Route::Kind::console;
    route.administrator = administers(request.user);
    const bool looks = std::ranges::find(config_->admin.stats_users, request.user) != config_->admin.stats_users.end();
    if (!route.administrator && !looks) return route;
    for (const config::User& user : config_->users) {
        if (user.name == request.user) route.account = {true, unless_empty(user.password)};
    }
    for (const config::Pool& pool : config_->pools) {
        if (!route.account.secret && pool.url.user == request.user) route.account = {true, pool.url.password};
    }
    return route;
}

Account Router::anywhere(const config::Listen& listen, const std::string& name) const {
    dialects::LoginRequest request;
    request.user = name;
    for (const config::Pool& pool : config_->pools) {
        if (!serves(listen, pool)) continue;
        const Route route = pool.name == "*" ? from_template(pool, request, {}) : of_pool(pool, name);
        if (route.account.known) return route.account;
    }
    return {};
}

Route Router::route(const config::Listen& listen, const dialects::LoginRequest& request,
                    const Identity& identity) const {
    Route route = find(listen, request);
    Admission admission = admit(listen, route.account, request, identity);
    route.credential = std::move(admission.credential);
    route.hint = std::move(admission.hint);
    if (route.credential.kind == dialects::Credential::Kind::none && listen.dialect == "mysql")
        route.credential.secret = decoy(request.user);
    return route;
}

Route Router::find(const config::Listen& listen, const dialects::LoginRequest& request) const {
    // What tools for PgBouncer ask for without being told so is the console too, unless it is a pool.
    const bool as_pgbouncer = request.database == "pgbouncer" && find_pool(listen, request.database) == nullptr;
    if (as_pgbouncer || request.database == config_->admin.database) return console(request);
    Route route;
    const std::string name = name_for(listen, request);
    if (name.empty()) {
        route.kind = Route::Kind::no_pool_named;
        route.account = anywhere(listen, request.user);
        for (const config::Pool* pool : pools_of(listen, request.user)) route.choice.push_back(pool->name);
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
        route.account = anywhere(listen, request.user);
        return route;
    }
    if (pool->name == "*") return from_template(*pool, request, name);
    return of_pool(*pool, request.user);
}

Route Router::of_pool(const config::Pool& pool, const std::string& user_name) const {
    Route route;
    route.kind = Route::Kind::pool;
    const auto found = by_pool_and_user_.find({pool.name, user_name});
    if (found != by_pool_and_user_.end()) {
        route.home = found->second.home;
        route.account = account_of(found->second);
        return route;
    }
    for (const config::User& user : config_->users) {
        const bool allowed = user.pools.empty() || std::ranges::find(user.pools, pool.name) != user.pools.end();
        if (user.name != user_name || !user.as_pool || !allowed) continue;
        const auto shared = by_pool_and_user_.find({pool.name, pool.url.user});
        if (shared == by_pool_and_user_.end()) continue;
        route.home = shared->second.home;
        route.account = {true, unless_empty(user.password)};
        return route;
    }
    return route;
}

std::string Router::objection(const config::Listen& listen, const std::string& user, const Home& home) const {
    const config::Pool* pool = find_pool(listen, home.name());
    const bool same_kind = pool != nullptr && home.from_template == (pool->name == "*");
    if (!same_kind) {
        const bool elsewhere =
            std::ranges::find(config_->pools, home.name(), &config::Pool::name) != config_->pools.end();
        return "pool \"" + home.name() + (elsewhere ? "\" is not served here any more" : "\" was removed") +
               " (leasehold's configuration changed)";
    }
    dialects::LoginRequest request;
    request.user = user;
    const Route route = home.from_template ? from_template(*pool, request, home.name()) : of_pool(*pool, user);
    if (!route.account.known) {
        return "user \"" + user + "\" may not use pool \"" + home.name() +
               "\" any more (leasehold's configuration changed)";
    }
    const bool same = home.from_template ? route.user == home.user : route.home.get() == &home;
    if (same) return {};
    return "user \"" + user +
           "\" is served by other connections now (leasehold's configuration changed); connect again";
}

std::string Router::console_objection(const std::string& user, bool administrator) const {
    dialects::LoginRequest request;
    request.user = user;
    const Route route = console(request);
    if (route.account.known && route.administrator == administrator) return {};
    return "what user \"" + user + "\" may do here was changed; connect again";
}

std::vector<Served> Router::served_by(const config::Listen& listen) const {
    std::vector<Served> served;
    for (const config::Pool& pool : config_->pools) {
        if (!serves(listen, pool)) continue;
        HomePtr home;
        for (const Entry& entry : entries_) {
            const bool own = entry.pool == &pool && entry.home->user == pool.url.user;
            if (entry.pool == &pool && (!home || own)) home = entry.home;
        }
        if (home || pool.name == "*")
            served.push_back(
                {server_name(pool.url), std::move(home), std::shared_ptr<const config::Pool>(config_, &pool)});
    }
    return served;
}

}  // namespace leasehold::daemon
