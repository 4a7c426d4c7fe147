// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/inventory.hpp"

#include "config/password_kind.hpp"
#include "config/values.hpp"
#include "daemon/admin/cells.hpp"

namespace leasehold::daemon::admin {
namespace {

struct Account {
    std::set<std::string> pools;  // which are open to it
    std::set<std::string> logins;
    std::string secret = "none";
};

std::string secret_of(const std::string& password) { return std::string(to_string(config::password_kind(password))); }

std::map<std::string, Account> accounts_of(const config::Config& config) {
    std::map<std::string, Account> accounts;
    for (const config::Pool& pool : config.pools) {
        if (pool.url.user.empty()) continue;
        Account& account = accounts[pool.url.user];
        account.pools.insert(pool.name);
        account.logins.insert("the URL's");
        if (pool.url.password) account.secret = secret_of(*pool.url.password);
    }
    for (const config::User& user : config.users) {
        Account& account = accounts[user.name];
        for (const config::Pool& pool : config.pools) {
            const bool open = user.pools.empty() || std::ranges::find(user.pools, pool.name) != user.pools.end();
            if (open) account.pools.insert(pool.name);
        }
        account.logins.insert(user.as_pool ? "as the URL's" : "its own");
        if (!user.password.empty()) account.secret = secret_of(user.password);
    }
    return accounts;
}

std::string console_of(const config::Config& config, const std::string& user) {
    const auto named = [&user](const std::vector<std::string>& names) {
        return std::ranges::find(names, user) != names.end();
    };
    return named(config.admin.users) ? "administer" : named(config.admin.stats_users) ? "read" : "no";
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
    clients += other.clients;
    logins += other.logins;
    console += other.console;
    waiting += other.waiting;
    leased += other.leased;
    pinned += other.pinned;
    replicating += other.replicating;
    for (const auto& [user, number] : other.by_user) by_user[user] += number;
    return *this;
}

const Columns& databases_columns() {
    static const Columns columns{
        {"name", Type::text},
        {"host", Type::text},
        {"port", Type::integer},
        {"database", Type::text},
        {"force_user", Type::text},
        {"pool_size", Type::integer},
        {"min_pool_size", Type::integer},
        {"reserve_pool", Type::integer},
        {"pool_mode", Type::text},
        {"max_connections", Type::integer},
        {"current_connections", Type::integer},
        {"paused", Type::integer},
        {"disabled", Type::integer},
        {"dialect", Type::text},
        {"alias", Type::text},
        {"pools", Type::integer},
        {"clients", Type::integer},
        {"url", Type::text},
    };
    return columns;
}

Rows databases_rows(std::span<const PoolRow> pools) {
    struct Database {
        const PoolRow* first = nullptr;
        int pools = 0, open = 0, clients = 0;
        bool paused = false, disabled = false;
    };
    std::map<std::string, Database> databases;
    for (const PoolRow& pool : pools) {
        Database& database = databases[pool.name];
        if (database.first == nullptr || (pool.settings && pool.user == pool.settings->url.user))
            database.first = &pool;
        ++database.pools;
        database.open += pool.stats.open;
        database.clients += pool.clients_active + pool.clients_waiting + pool.clients_idle;
        database.paused = database.paused || pool.stats.paused;
        database.disabled = database.disabled || pool.disabled;
    }
    Rows rows;
    for (const auto& [name, database] : databases) {
        if (!database.first->settings) continue;
        const config::Pool& pool = *database.first->settings;
        std::string hosts;
        for (const config::HostPort& host : pool.url.hosts) hosts += (hosts.empty() ? "" : ",") + host.host;
        const std::uint16_t port = pool.url.hosts.empty() ? std::uint16_t{0} : pool.url.hosts.front().port;
        rows.push_back({name, hosts, text(port), pool.url.database.empty() ? name : pool.url.database,
                        unless_empty(pool.url.user), text(pool.pool_size), text(pool.min_idle), text(pool.max_overflow),
                        database.first->mode, text(database.first->server_limit), text(database.open),
                        flag(database.paused), flag(database.disabled), pool.url.dialect,
                        unless_empty(listed(pool.alias)), text(database.pools), text(database.clients),
                        pool.url.render()});
    }
    return rows;
}

const Columns& users_columns() {
    static const Columns columns{
        {"name", Type::text},    {"pool_mode", Type::text}, {"pools", Type::text},      {"login", Type::text},
        {"console", Type::text}, {"password", Type::text},  {"clients", Type::integer},
    };
    return columns;
}

Rows users_rows(const config::Config& config, const Counts& counts) {
    Rows rows;
    for (const auto& [name, account] : accounts_of(config)) {
        const auto clients = counts.by_user.find(name);
        rows.push_back({name, std::nullopt, listed(account.pools), listed(account.logins), console_of(config, name),
                        account.secret, text(clients == counts.by_user.end() ? 0 : clients->second)});
    }
    return rows;
}

const Columns& config_columns() {
    // No more than PgBouncer's: exporters count them.
    static const Columns columns{
        {"key", Type::text}, {"value", Type::text}, {"default", Type::text}, {"changeable", Type::text}};
    return columns;
}

Rows config_rows(const config::Config& config) {
    Rows rows;
    for (const config::InForce& value : config::values(config)) {
        rows.push_back({value.key, value.value, value.fallback, yes(value.reloadable)});
    }
    // Exporters look it up by PgBouncer's name.
    const config::Key& most = config::key(config::Part::limits, "max_clients");
    rows.push_back(
        {"max_client_conn", text(config.limits.max_clients), std::string(most.fallback), yes(most.reloadable)});
    return rows;
}

const Columns& lists_columns() {
    static const Columns columns{{"list", Type::text}, {"items", Type::integer}};
    return columns;
}

Rows lists_rows(const config::Config& config, const Counts& counts, std::span<const PoolRow> pools) {
    std::set<std::string> names;
    int open = 0, leased = 0, idle = 0, quarantined = 0;
    for (const PoolRow& pool : pools) {
        names.insert(pool.name);
        open += pool.stats.open;
        leased += pool.stats.checkedout;
        idle += pool.stats.checkedin;
        quarantined += pool.stats.quarantined;
    }
    const std::vector<std::pair<std::string, std::size_t>> lists{
        {"databases", names.size()},
        {"users", accounts_of(config).size()},
        {"pools", pools.size()},
        {"free_clients", 0},  // nothing is kept of those that have gone
        {"used_clients", static_cast<std::size_t>(counts.clients)},
        {"login_clients", static_cast<std::size_t>(counts.logins)},
        {"free_servers", 0},
        {"used_servers", static_cast<std::size_t>(open + counts.replicating)},
        {"dns_names", 0},  // names are resolved anew for each dial
        {"dns_zones", 0},
        {"dns_queries", 0},
        {"dns_pending", 0},
        {"leases", static_cast<std::size_t>(leased)},
        {"idle_servers", static_cast<std::size_t>(idle)},
        {"quarantined_servers", static_cast<std::size_t>(quarantined)},
        {"waiting_clients", static_cast<std::size_t>(counts.waiting)},
        {"pinned_clients", static_cast<std::size_t>(counts.pinned)},
        {"replication_clients", static_cast<std::size_t>(counts.replicating)},
        {"console_clients", static_cast<std::size_t>(counts.console)},
    };
    Rows rows;
    for (const auto& [name, items] : lists) rows.push_back({name, text(items)});
    return rows;
}

const Columns& state_columns() {
    static const Columns columns{{"key", Type::text}, {"value", Type::text}};
    return columns;
}

Rows state_rows(const config::Config& config, const Daemon& daemon, std::span<const PoolRow> pools, SystemTime now) {
    const auto paused =
        static_cast<std::size_t>(std::ranges::count_if(pools, [](const PoolRow& pool) { return pool.stats.paused; }));
    const bool all_paused = !pools.empty() && paused == pools.size();
    return {
        {"active", yes(!daemon.draining && !all_paused)},
        {"paused", yes(all_paused)},
        {"suspended", "no"},
        {"draining", yes(daemon.draining)},
        {"paused_pools", text(paused)},
        {"version", LEASEHOLD_VERSION},
        {"pid", text(daemon.process)},
        {"workers", text(daemon.workers)},
        {"started", in_utc(daemon.started)},
        {"uptime_seconds", whole<std::chrono::seconds>(now - daemon.started)},
        {"config_file", config.file},
    };
}

}  // namespace leasehold::daemon::admin
