// SPDX-License-Identifier: Apache-2.0
#include "config/diff.hpp"

#include <algorithm>
#include <array>

namespace leasehold::config {
namespace {

using Keys = std::vector<std::string>;

// A key and whether two structs agree on it.
template <class T>
struct Field {
    std::string_view key;
    bool (*same)(const T&, const T&);
};

template <auto Member, class T>
bool same(const T& a, const T& b) {
    return a.*Member == b.*Member;
}

template <auto Section, auto Member>
bool same_in(const Config& a, const Config& b) {
    return a.*Section.*Member == b.*Section.*Member;
}

constexpr std::array pool_fields{
    Field<Pool>{"url", same<&Pool::url>},
    Field<Pool>{"alias", same<&Pool::alias>},
    Field<Pool>{"mode", same<&Pool::mode>},
    Field<Pool>{"pool_size", same<&Pool::pool_size>},
    Field<Pool>{"max_overflow", same<&Pool::max_overflow>},
    Field<Pool>{"pool_timeout", same<&Pool::pool_timeout>},
    Field<Pool>{"pool_recycle", same<&Pool::pool_recycle>},
    Field<Pool>{"pool_pre_ping", same<&Pool::pool_pre_ping>},
    Field<Pool>{"pool_use_lifo", same<&Pool::pool_use_lifo>},
    Field<Pool>{"pool_reset_on_return", same<&Pool::pool_reset_on_return>},
    Field<Pool>{"isolation_level", same<&Pool::isolation_level>},
    Field<Pool>{"echo", same<&Pool::echo>},
    Field<Pool>{"min_idle", same<&Pool::min_idle>},
    Field<Pool>{"idle_timeout", same<&Pool::idle_timeout>},
    Field<Pool>{"transaction_idle_timeout", same<&Pool::transaction_idle_timeout>},
    Field<Pool>{"transaction_timeout", same<&Pool::transaction_timeout>},
    Field<Pool>{"query_timeout", same<&Pool::query_timeout>},
    Field<Pool>{"quarantine_timeout", same<&Pool::quarantine_timeout>},
    Field<Pool>{"pin_idle_timeout", same<&Pool::pin_idle_timeout>},
    Field<Pool>{"on_backend_loss", same<&Pool::on_backend_loss>},
    Field<Pool>{"dial_parallel", same<&Pool::dial_parallel>},
    Field<Pool>{"dial_timeout", same<&Pool::dial_timeout>},
    Field<Pool>{"ping_timeout", same<&Pool::ping_timeout>},
    Field<Pool>{"prepared_per_backend", same<&Pool::prepared_per_backend>},
    Field<Pool>{"prepared_per_client", same<&Pool::prepared_per_client>},
    Field<Pool>{"soft_hold", same<&Pool::soft_hold>},
    Field<Pool>{"audit", same<&Pool::audit>},
    Field<Pool>{"max_replication", same<&Pool::max_replication>},
};

constexpr std::array listen_fields{
    Field<Listen>{"dialect", same<&Listen::dialect>},
    Field<Listen>{"tls",
                  [](const Listen& a, const Listen& b) {
                      return a.tls.mode == b.tls.mode && a.tls.cert == b.tls.cert && a.tls.key == b.tls.key &&
                             a.tls.client_ca == b.tls.client_ca;
                  }},
    Field<Listen>{"auth", same<&Listen::auth>},
    Field<Listen>{"map", same<&Listen::map>},
    Field<Listen>{"pools", same<&Listen::pools>},
    Field<Listen>{"default_pool", same<&Listen::default_pool>},
};

constexpr std::array user_fields{
    Field<User>{"password", same<&User::password>}, Field<User>{"pools", same<&User::pools>},
    Field<User>{"as", [](const User& a, const User& b) { return a.as_pool == b.as_pool; }}};

constexpr std::array settings{
    Field<Config>{"workers", same<&Config::workers>},
    Field<Config>{"admin.database", same_in<&Config::admin, &Admin::database>},
    Field<Config>{"admin.users", same_in<&Config::admin, &Admin::users>},
    Field<Config>{"admin.stats_users", same_in<&Config::admin, &Admin::stats_users>},
    Field<Config>{"admin.socket", same_in<&Config::admin, &Admin::socket>},
    Field<Config>{"admin.http",
                  [](const Config& a, const Config& b) {
                      return a.admin.http_host == b.admin.http_host && a.admin.http_port == b.admin.http_port;
                  }},
    Field<Config>{"log.level", same_in<&Config::log, &Log::level>},
    Field<Config>{
        "log.target",
        [](const Config& a, const Config& b) { return a.log.target == b.log.target && a.log.file == b.log.file; }},
    Field<Config>{"log.format", same_in<&Config::log, &Log::format>},
    Field<Config>{"log.slow_statement", same_in<&Config::log, &Log::slow_statement>},
    Field<Config>{"log.slow_wait", same_in<&Config::log, &Log::slow_wait>},
    Field<Config>{"log.quarantine_keep_literals", same_in<&Config::log, &Log::quarantine_keep_literals>},
    Field<Config>{"limits.max_clients", same_in<&Config::limits, &Limits::max_clients>},
    Field<Config>{"limits.max_clients_per_user", same_in<&Config::limits, &Limits::max_clients_per_user>},
    Field<Config>{"limits.max_clients_per_address", same_in<&Config::limits, &Limits::max_clients_per_address>},
    Field<Config>{"limits.handshake_timeout", same_in<&Config::limits, &Limits::handshake_timeout>},
    Field<Config>{"limits.max_startup_bytes", same_in<&Config::limits, &Limits::max_startup_bytes>},
    Field<Config>{"limits.max_settings_per_session", same_in<&Config::limits, &Limits::max_settings_per_session>},
    Field<Config>{"limits.max_statement_cache_bytes", same_in<&Config::limits, &Limits::max_statement_cache_bytes>},
    Field<Config>{"limits.max_template_pools", same_in<&Config::limits, &Limits::max_template_pools>},
    Field<Config>{"drain_timeout", same<&Config::drain_timeout>},
};

template <class T, std::size_t N>
Keys different(const T& a, const T& b, const std::array<Field<T>, N>& fields) {
    Keys out;
    for (const auto& field : fields) {
        if (!field.same(a, b)) out.emplace_back(field.key);
    }
    return out;
}

template <class T, class NameOf, std::size_t N>
Changes compare(const std::vector<T>& before, const std::vector<T>& after, NameOf name_of,
                const std::array<Field<T>, N>& fields) {
    Changes out;
    const auto find = [&](const std::vector<T>& all, const std::string& name) {
        return std::ranges::find_if(all, [&](const T& one) { return name_of(one) == name; });
    };
    for (const T& old : before) {
        if (find(after, name_of(old)) == after.end()) out.removed.push_back(name_of(old));
    }
    for (const T& fresh : after) {
        const auto old = find(before, name_of(fresh));
        if (old == before.end()) {
            out.added.push_back(name_of(fresh));
        } else if (Keys changed = different(*old, fresh, fields); !changed.empty()) {
            out.changed.push_back({name_of(fresh), std::move(changed)});
        }
    }
    return out;
}

std::string listener_name(const Listen& listen) {
    return listen.port == 0 ? listen.host : to_string(HostPort{listen.host, listen.port});
}

// A user may stand several times, for different pools.
std::string user_name(const User& user) {
    std::string out = user.name;
    for (const std::string& pool : user.pools) out += "/" + pool;
    return out;
}

std::string rendered(std::string_view title, const Changes& changes) {
    if (changes.empty()) return {};
    std::string out(title);
    for (const std::string& name : changes.added) out += " +" + name;
    for (const std::string& name : changes.removed) out += " -" + name;
    for (const Change& change : changes.changed) {
        out += " ~" + change.name + "(";
        for (std::size_t i = 0; i < change.keys.size(); ++i) out += (i > 0 ? ", " : "") + change.keys[i];
        out += ")";
    }
    return out + " ";
}

}  // namespace

Diff diff(const Config& before, const Config& after) {
    Diff out;
    out.pools = compare(
        before.pools, after.pools, [](const Pool& pool) { return pool.name; }, pool_fields);
    out.listeners = compare(before.listen, after.listen, listener_name, listen_fields);
    out.users = compare(before.users, after.users, user_name, user_fields);
    out.settings = different(before, after, settings);
    for (const auto& [name, server] : before.servers) {
        const auto other = after.servers.find(name);
        if (other == after.servers.end() || other->second.max_connections != server.max_connections)
            out.settings.push_back("servers." + name);
    }
    for (const auto& [name, server] : after.servers) {
        if (!before.servers.contains(name)) out.settings.push_back("servers." + name);
    }
    return out;
}

std::string Diff::render() const {
    if (empty()) return "nothing";
    std::string out = rendered("pools", pools) + rendered("listeners", listeners) + rendered("users", users);
    if (!settings.empty()) {
        out += "settings";
        for (const std::string& key : settings) out += " " + key;
    }
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

}  // namespace leasehold::config
