// SPDX-License-Identifier: Apache-2.0
#include "config/validate.hpp"

#include "config/nearest.hpp"

#include <algorithm>
#include <set>

namespace leasehold::config {
namespace {

constexpr std::string_view template_name = "*";

// A template stands for every name that no pool has.
const Pool* find_pool(const Config& config, const std::string& name) {
    const Pool* other = nullptr;
    for (const Pool& pool : config.pools) {
        if (pool.name == name || std::ranges::find(pool.alias, name) != pool.alias.end()) return &pool;
        if (pool.name == template_name) other = &pool;
    }
    return other;
}

std::vector<std::string> pool_names(const Config& config) {
    std::vector<std::string> out;
    for (const Pool& pool : config.pools) {
        out.push_back(pool.name);
        out.insert(out.end(), pool.alias.begin(), pool.alias.end());
    }
    return out;
}

bool loopback(const std::string& host) { return host.starts_with("127.") || host == "::1"; }
bool wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

// --- pools -------------------------------------------------------------------------------------------------------

void check_names(const Config& config, Findings& findings) {
    std::set<std::string> taken;
    for (const Pool& pool : config.pools) taken.insert(pool.name);
    for (const Pool& pool : config.pools) {
        for (std::size_t i = 0; i < pool.alias.size(); ++i) {
            if (!taken.insert(pool.alias[i]).second) {
                findings.error(element(pool_key(pool, "alias"), i),
                               shown(pool.alias[i]) + " is the name or an alias of a pool already");
            }
        }
        if (pool.name == template_name && !pool.alias.empty())
            findings.error(pool_key(pool, "alias"), "a template has no other name");
    }
    if (taken.contains(config.admin.database)) {
        findings.error("admin.database", shown(config.admin.database) + " is the name or an alias of a pool too",
                       "the console and a pool cannot share a name");
    }
}

void check_modes(const Pool& pool, Findings& findings) {
    const auto no_effect = [&](const char* key, bool given, const char* why) {
        if (given && findings.has(pool_key(pool, key)))
            findings.warning(pool_key(pool, key), std::string("has no effect ") + why);
    };
    if (pool.mode == Mode::statement) {
        no_effect("transaction_idle_timeout", pool.transaction_idle_timeout.count() > 0,
                  "in statement mode, which has no transactions");
        no_effect("transaction_timeout", pool.transaction_timeout.count() > 0,
                  "in statement mode, which has no transactions");
    }
    if (pool.mode == Mode::session) {
        no_effect("pin_idle_timeout", pool.pin_idle_timeout.count() > 0, "in session mode, which has no pins");
    } else {
        no_effect("pool_reset_on_return", pool.pool_reset_on_return == ResetOnReturn::none,
                  "outside session mode: nothing dirty is ever shared");
    }
}

void check_pool(const Config& config, const Pool& pool, Findings& findings) {
    check_modes(pool, findings);
    const bool limited = pool.max_overflow >= 0 && pool.pool_size > 0;
    if (pool.pool_size > 0 && pool.min_idle > pool.pool_size) {
        findings.error(pool_key(pool, "min_idle"), "is larger than pool_size " + std::to_string(pool.pool_size),
                       "only pool_size idle backends are kept");
    }
    if (limited && pool.dial_parallel > pool.pool_size + pool.max_overflow &&
        findings.has(pool_key(pool, "dial_parallel"))) {
        findings.warning(pool_key(pool, "dial_parallel"), "is larger than pool_size and max_overflow together");
    }
    for (const HostPort& address : pool.url.hosts) {
        const auto server = config.servers.find(to_string(address));
        if (server == config.servers.end() || server->second.max_connections == 0) continue;
        if (pool.pool_size > server->second.max_connections) {
            findings.warning(pool_key(pool, "pool_size"),
                             "is larger than the " + std::to_string(server->second.max_connections) +
                                 " connections that servers allows to " + to_string(address));
        }
    }
    if (pool.transaction_idle_timeout.count() > 0 && pool.transaction_timeout.count() > 0 &&
        pool.transaction_idle_timeout > pool.transaction_timeout) {
        findings.warning(pool_key(pool, "transaction_idle_timeout"), "has no effect: transaction_timeout is shorter");
    }
    if (std::ranges::none_of(config.listen, [&](const Listen& listen) { return serves(listen, pool); }) &&
        !config.listen.empty() && !pool.url.dialect.empty()) {
        findings.warning("pools." + printable(pool.name), "no listener serves this pool",
                         "add - {dialect: " + std::string(pool.url.family()) + ", address: ...} to listen");
    }
}

// Who can log in at all?
void check_logins(const Config& config, const Pool& pool, Findings& findings) {
    if (pool.url.dialect.empty()) return;
    const bool by_users = std::ranges::any_of(
        config.users, [&](const User& user) { return user.pools.empty() || names(user.pools, pool); });
    if (pool.url.user.empty() && !by_users) {
        findings.warning(pool_key(pool, "url"), "names no user, and users has none for this pool: nobody can log in",
                         "write user:password@ in front of the host");
    }
    if (pool.url.password || pool.url.user.empty() || by_users) return;
    const bool closed = std::ranges::any_of(config.listen, [&](const Listen& listen) {
        return serves(listen, pool) && over_tcp(listen) && listen.auth != AuthMethod::trust &&
               listen.auth != AuthMethod::cert;
    });
    if (closed) {
        findings.warning(pool_key(pool, "url"), "has no password: nobody can log in to this pool over TCP",
                         "give the URL a password, or the listener auth: trust or cert");
    }
}

// --- listeners ---------------------------------------------------------------------------------------------------

void check_served(const Config& config, std::size_t index, Findings& findings) {
    const Listen& listen = config.listen[index];
    const std::string key = element("listen", index);
    const auto known = pool_names(config);
    for (std::size_t i = 0; i < listen.pools.size(); ++i) {
        const Pool* pool = find_pool(config, listen.pools[i]);
        const std::string at = element(key + ".pools", i);
        if (pool == nullptr) {
            findings.error(at, "there is no pool " + shown(listen.pools[i]), did_you_mean(listen.pools[i], known));
        } else if (!pool->url.dialect.empty() && !listen.dialect.empty() && listen.dialect != pool->url.family()) {
            findings.error(at, "the pool " + shown(pool->name) + " speaks " + std::string(pool->url.family()) +
                                   ", this listener " + listen.dialect);
        }
    }
    if (listen.default_pool.empty()) return;
    const Pool* pool = find_pool(config, listen.default_pool);
    if (pool == nullptr) {
        findings.error(key + ".default_pool", "there is no pool " + shown(listen.default_pool),
                       did_you_mean(listen.default_pool, known));
    } else if (!pool->url.dialect.empty() && !listen.dialect.empty() && !serves(listen, *pool)) {
        findings.error(key + ".default_pool",
                       "the pool " + shown(listen.default_pool) + " is not served by this listener");
    }
}

void check_auth(const Listen& listen, const std::string& key, Findings& findings) {
    if (listen.auth == AuthMethod::trust && over_tcp(listen) && !loopback(listen.host)) {
        findings.warning(key + ".auth", "trust on " + listen.host + " lets in everybody who reaches it",
                         "listen on 127.0.0.1, or choose scram");
    }
    if (listen.auth == AuthMethod::peer && over_tcp(listen)) {
        findings.error(key + ".auth", "peer asks the kernel who a client is, and needs a unix socket",
                       "write address: unix:/path");
    }
    if (listen.tls.mode != TlsMode::disable && !over_tcp(listen)) {
        findings.warning(key + ".tls", "has no effect: unix sockets are never encrypted");
    }
    const bool peer = listen.auth == AuthMethod::peer || (listen.auth == AuthMethod::automatic && !over_tcp(listen));
    const bool by_name = listen.auth == AuthMethod::cert || listen.tls.mode == TlsMode::verify_full;
    if (!listen.map.empty() && !peer && !(by_name && over_tcp(listen))) {
        findings.warning(key + ".map", "has no effect: it maps the names that peer and certificates tell",
                         "set auth: peer or cert, or tls: {mode: verify-full, ...}");
    }
    const bool verifies = listen.tls.mode == TlsMode::verify_ca || listen.tls.mode == TlsMode::verify_full;
    if (listen.auth == AuthMethod::cert && !over_tcp(listen)) {
        findings.error(key + ".auth", "cert needs client certificates, and unix sockets are never encrypted",
                       "choose peer");
    } else if (listen.auth == AuthMethod::cert && !verifies) {
        findings.error(key + ".auth", "cert needs client certificates", "set tls: {mode: verify-full, ...}");
    }
    if (listen.auth == AuthMethod::cleartext && over_tcp(listen) && listen.tls.mode < TlsMode::require) {
        findings.error(key + ".auth", "cleartext would send passwords readably",
                       "set tls: {mode: require, ...}, or choose scram");
    }
    if (listen.dialect == "mysql" && (listen.auth == AuthMethod::scram || listen.auth == AuthMethod::md5)) {
        findings.error(key + ".auth",
                       "is PostgreSQL's; MySQL clients log in by mysql_native_password or "
                       "caching_sha2_password, as they choose",
                       "remove the line");
    }
}

void check_listener(const Config& config, std::size_t index, Findings& findings) {
    const Listen& listen = config.listen[index];
    const std::string key = element("listen", index);
    check_served(config, index, findings);
    check_auth(listen, key, findings);
    const bool anything =
        std::ranges::any_of(config.pools, [&](const Pool& pool) { return listen.dialect == pool.url.family(); });
    const bool known = std::ranges::all_of(config.pools, [](const Pool& pool) { return !pool.url.dialect.empty(); });
    if (!anything && known && !config.pools.empty() && !listen.dialect.empty()) {
        findings.warning(key, "there is no " + listen.dialect + " pool to serve here",
                         "add one, or remove the listener");
    }
}

struct Bound {
    std::string host, key;
    std::uint16_t port;
};

bool collide(const Bound& a, const Bound& b) {
    if (a.port != b.port) return false;
    if (a.port == 0) return a.host == b.host;
    if (a.host == b.host) return true;
    const bool v6_a = a.host.find(':') != std::string::npos, v6_b = b.host.find(':') != std::string::npos;
    // [::] takes the port of IPv4 too where the system does not say otherwise.
    if (a.host == "::" || b.host == "::") return true;
    return v6_a == v6_b && (wildcard(a.host) || wildcard(b.host));
}

void check_collisions(const Config& config, Findings& findings) {
    std::vector<Bound> all;
    for (std::size_t i = 0; i < config.listen.size(); ++i) {
        const Listen& listen = config.listen[i];
        if (!listen.host.empty()) all.push_back({listen.host, element("listen", i) + ".address", listen.port});
    }
    if (config.admin.http_port != 0) all.push_back({config.admin.http_host, "admin.http", config.admin.http_port});
    if (config.admin.socket.starts_with('/')) all.push_back({config.admin.socket, "admin.socket", 0});
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (!collide(all[j], all[i])) continue;
            // The default of admin.http stands nowhere in the file: the listener is the one to be named.
            const bool nameless = !findings.has(all[i].key);
            findings.error(nameless ? all[j].key : all[i].key,
                           "the same address as " + (nameless ? all[i].key : all[j].key));
            break;
        }
    }
}

// --- the rest ----------------------------------------------------------------------------------------------------

void check_users(const Config& config, Findings& findings) {
    const auto known = pool_names(config);
    for (std::size_t i = 0; i < config.users.size(); ++i) {
        const User& user = config.users[i];
        const std::string key = element("users", i);
        for (std::size_t p = 0; p < user.pools.size(); ++p) {
            if (find_pool(config, user.pools[p]) != nullptr) continue;
            findings.error(element(key + ".pools", p), "there is no pool " + shown(user.pools[p]),
                           did_you_mean(user.pools[p], known));
        }
        for (std::size_t j = 0; j < i; ++j) {
            const User& other = config.users[j];
            const bool overlap = other.name == user.name && !user.name.empty() &&
                                 (user.pools.empty() || other.pools.empty() ||
                                  std::ranges::find_first_of(user.pools, other.pools) != user.pools.end());
            if (!overlap) continue;
            findings.error(key + ".name", "the user " + shown(user.name) + " stands twice for the same pool",
                           "the other is " + element("users", j));
            break;
        }
        for (const Pool& pool : config.pools) {
            const bool here = user.pools.empty() || names(user.pools, pool);
            if (here && !user.name.empty() && pool.url.user == user.name && pool.url.password &&
                *pool.url.password != user.password) {
                findings.warning(key + ".name", shown(user.name) + " is the own user of the URL of pool " +
                                                    shown(pool.name) + ", with another password");
            }
        }
        if (user.password.empty() && !findings.has(key + ".password")) {
            findings.warning(key, "has no password: this user can log in by trust, cert or peer only");
        }
    }
    std::vector<std::string> people;
    for (const User& user : config.users) people.push_back(user.name);
    for (const Pool& pool : config.pools) people.push_back(pool.url.user);
    const auto check_names = [&](const std::string& list, const std::vector<std::string>& names) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (std::ranges::find(people, names[i]) != people.end()) continue;
            findings.warning(element(list, i), "nobody of the name " + shown(names[i]) + " can log in",
                             did_you_mean(names[i], people));
        }
    };
    check_names("admin.users", config.admin.users);
    check_names("admin.stats_users", config.admin.stats_users);
}

void check_admin(const Config& config, Findings& findings) {
    const Admin& admin = config.admin;
    const bool loopback =
        admin.http_host == "localhost" || admin.http_host == "::1" || admin.http_host.starts_with("127.");
    if (admin.http_port == 0 || loopback) return;
    findings.warning("admin.http",
                     "everybody who reaches " + shown(admin.http_host) +
                         " sees users, clients and statements (masked) there, without a password",
                     "use 127.0.0.1, or let a firewall choose who gets there");
}

void check_servers(const Config& config, Findings& findings) {
    std::vector<std::string> known;
    for (const Pool& pool : config.pools) {
        for (const HostPort& address : pool.url.hosts) known.push_back(to_string(address));
    }
    for (const auto& [name, server] : config.servers) {
        if (std::ranges::find(known, name) != known.end()) continue;
        findings.warning("servers." + name, "no pool's URL names this server", did_you_mean(name, known));
    }
}

}  // namespace

std::string element(std::string_view list, std::size_t index) {
    return std::string(list) + "[" + std::to_string(index) + "]";
}
std::string pool_key(const Pool& pool, std::string_view key) {
    return "pools." + printable(pool.name) + "." + std::string(key);
}

bool over_tcp(const Listen& listen) { return !listen.host.starts_with('/'); }

bool names(const std::vector<std::string>& list, const Pool& pool) {
    const auto named = [&](const std::string& name) { return std::ranges::find(list, name) != list.end(); };
    return pool.name == template_name || named(pool.name) || std::ranges::any_of(pool.alias, named);
}

bool serves(const Listen& listen, const Pool& pool) {
    if (listen.dialect != pool.url.family()) return false;
    if (listen.pools.empty()) return true;
    return names(listen.pools, pool);
}

void validate(const Config& config, Findings& findings) {
    check_names(config, findings);
    for (const Pool& pool : config.pools) {
        check_pool(config, pool, findings);
        check_logins(config, pool, findings);
    }
    for (std::size_t i = 0; i < config.listen.size(); ++i) check_listener(config, i, findings);
    check_collisions(config, findings);
    check_users(config, findings);
    check_secrets(config, findings);
    check_servers(config, findings);
    check_admin(config, findings);
}

}  // namespace leasehold::config
