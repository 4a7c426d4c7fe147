// SPDX-License-Identifier: Apache-2.0
#include "config/values.hpp"

#include "config/units.hpp"

#include <array>
#include <cstdio>
#include <stdexcept>

namespace leasehold::config {
namespace {

constexpr std::string_view masked = "***";

// How a member reads in the file.
std::string said(const std::string& text) { return text; }
std::string said(bool truth) { return truth ? "true" : "false"; }
std::string said(int number) { return std::to_string(number); }
std::string said(Duration time) { return render_duration(time); }
std::string said(const std::optional<Duration>& time) { return time ? render_duration(*time) : "-1"; }
std::string said(const Url& url) { return url.render(); }
std::string said(std::uint64_t bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    while (unit + 1 < units.size() && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++unit;
    }
    return std::to_string(bytes) + units[unit];
}
std::string said(double share) {
    std::array<char, 32> digits{};
    std::snprintf(digits.data(), digits.size(), "%g%%", share * 100);
    return digits.data();
}
std::string said(const std::vector<std::string>& names) {
    std::string list = "[";
    for (const std::string& name : names) list += (list.size() > 1 ? ", " : "") + name;
    return list + "]";
}
std::string said(const std::map<std::string, std::string>& pairs) {
    std::string list = "{";
    for (const auto& [from, to] : pairs) list += (list.size() > 1 ? ", " : "") + from + ": " + to;
    return list + "}";
}
std::string said(Mode mode) {
    constexpr std::array words{"transaction", "session", "statement"};
    return words.at(static_cast<std::size_t>(mode));
}
std::string said(ResetOnReturn reset) {
    constexpr std::array words{"rollback", "commit", "none"};
    return words.at(static_cast<std::size_t>(reset));
}
std::string said(OnBackendLoss loss) { return loss == OnBackendLoss::error ? "error" : "disconnect"; }
std::string said(AuthMethod method) {
    constexpr std::array words{"", "scram", "md5", "cleartext", "cert", "peer", "trust"};
    return words.at(static_cast<std::size_t>(method));
}
std::string said(TlsMode mode) { return std::string(to_string(mode)); }
std::string said(LogLevel level) {
    constexpr std::array words{"trace", "debug", "info", "warn", "error"};
    return words.at(static_cast<std::size_t>(level));
}
std::string said(LogFormat format) { return format == LogFormat::text ? "text" : "json"; }

template <auto Member, class T>
std::string say(const T& part) {
    return said(part.*Member);
}

template <class T>
struct Says {
    std::string_view key;
    std::string (*text)(const T&);
};

const Says<Listen> listen_says[] = {
    {"dialect", say<&Listen::dialect>},
    {"address",
     [](const Listen& at) {
         return at.port == 0 ? "unix:" + at.host : to_string(HostPort{at.host, at.port});
     }},
    {"tls", nullptr},
    {"auth", say<&Listen::auth>},
    {"map", say<&Listen::map>},
    {"pools", say<&Listen::pools>},
    {"default_pool", say<&Listen::default_pool>},
};

const Says<Tls> tls_says[] = {
    {"mode", say<&Tls::mode>},
    {"cert", say<&Tls::cert>},
    {"key", say<&Tls::key>},
    {"client_ca", say<&Tls::client_ca>},
};

const Says<Pool> pool_says[] = {
    {"url", say<&Pool::url>},
    {"alias", say<&Pool::alias>},
    {"mode", say<&Pool::mode>},
    {"pool_size", say<&Pool::pool_size>},
    {"max_overflow", say<&Pool::max_overflow>},
    {"pool_timeout", say<&Pool::pool_timeout>},
    {"pool_recycle", say<&Pool::pool_recycle>},
    {"pool_pre_ping", say<&Pool::pool_pre_ping>},
    {"pool_use_lifo", say<&Pool::pool_use_lifo>},
    {"pool_reset_on_return", say<&Pool::pool_reset_on_return>},
    {"isolation_level", say<&Pool::isolation_level>},
    {"echo", say<&Pool::echo>},
    {"min_idle", say<&Pool::min_idle>},
    {"idle_timeout", say<&Pool::idle_timeout>},
    {"transaction_idle_timeout", say<&Pool::transaction_idle_timeout>},
    {"transaction_timeout", say<&Pool::transaction_timeout>},
    {"query_timeout", say<&Pool::query_timeout>},
    {"quarantine_timeout", say<&Pool::quarantine_timeout>},
    {"pin_idle_timeout", say<&Pool::pin_idle_timeout>},
    {"on_backend_loss", say<&Pool::on_backend_loss>},
    {"dial_parallel", say<&Pool::dial_parallel>},
    {"dial_timeout", say<&Pool::dial_timeout>},
    {"ping_timeout", say<&Pool::ping_timeout>},
    {"prepared_per_backend", say<&Pool::prepared_per_backend>},
    {"prepared_per_client", say<&Pool::prepared_per_client>},
    {"soft_hold", say<&Pool::soft_hold>},
    {"audit", say<&Pool::audit>},
    {"max_replication", say<&Pool::max_replication>},
};

const Says<User> user_says[] = {
    {"name", say<&User::name>},
    {"password", [](const User& user) { return user.password.empty() ? std::string() : std::string(masked); }},
    {"pools", say<&User::pools>},
    {"as", [](const User& user) { return std::string(user.as_pool ? "pool" : ""); }},
};

const Says<Admin> admin_says[] = {
    {"database", say<&Admin::database>},
    {"users", say<&Admin::users>},
    {"stats_users", say<&Admin::stats_users>},
    {"socket", say<&Admin::socket>},
    {"http",
     [](const Admin& admin) {
         return admin.http_port == 0 ? "off" : to_string(HostPort{admin.http_host, admin.http_port});
     }},
};

const Says<Log> log_says[] = {
    {"level", say<&Log::level>},
    {"target",
     [](const Log& log) {
         constexpr std::array words{"auto", "stderr", "journal"};
         return log.target == LogTarget::file ? log.file : words.at(static_cast<std::size_t>(log.target));
     }},
    {"format", say<&Log::format>},
    {"slow_statement", say<&Log::slow_statement>},
    {"slow_wait", say<&Log::slow_wait>},
    {"quarantine_keep_literals", say<&Log::quarantine_keep_literals>},
};

const Says<Limits> limits_says[] = {
    {"max_clients", say<&Limits::max_clients>},
    {"max_clients_per_user", say<&Limits::max_clients_per_user>},
    {"max_clients_per_address", say<&Limits::max_clients_per_address>},
    {"handshake_timeout", say<&Limits::handshake_timeout>},
    {"max_startup_bytes", say<&Limits::max_startup_bytes>},
    {"max_settings_per_session", say<&Limits::max_settings_per_session>},
    {"max_statement_cache_bytes", say<&Limits::max_statement_cache_bytes>},
    {"max_template_pools", say<&Limits::max_template_pools>},
};

const Says<Server> server_says[] = {{"max_connections", say<&Server::max_connections>}};

const Says<Config> top_says[] = {
    {"workers",
     [](const Config& config) { return config.workers == 0 ? std::string("auto") : std::to_string(config.workers); }},
    {"drain_timeout", say<&Config::drain_timeout>},
};

// What is said for the key; none for one whose parts speak for themselves. A key that nobody answers for is a mistake
// of ours.
template <class T, std::size_t N>
auto find(const Says<T> (&says)[N], std::string_view key) {
    for (const Says<T>& one : says) {
        if (one.key == key) return one.text;
    }
    throw std::logic_error("no value is known for the key " + std::string(key));
}

template <class T, std::size_t N>
void add(std::vector<InForce>& all, const std::string& prefix, Part part, const T& from, const Says<T> (&says)[N]) {
    for (const Key& key : keys(part)) {
        const auto text = find(says, key.name);
        if (text == nullptr) continue;
        all.push_back({prefix + std::string(key.name), text(from), std::string(key.fallback), key.reloadable});
    }
}

void add_lists(std::vector<InForce>& all, const Config& config, std::string_view key) {
    if (key == "listen") {
        for (std::size_t i = 0; i < config.listen.size(); ++i) {
            const std::string prefix = "listen[" + std::to_string(i) + "].";
            add(all, prefix, Part::listen, config.listen[i], listen_says);
            add(all, prefix + "tls.", Part::listen_tls, config.listen[i].tls, tls_says);
        }
    } else if (key == "pools") {
        for (const Pool& pool : config.pools) add(all, "pools." + pool.name + '.', Part::pool, pool, pool_says);
    } else if (key == "users") {
        for (std::size_t i = 0; i < config.users.size(); ++i) {
            add(all, "users[" + std::to_string(i) + "].", Part::user, config.users[i], user_says);
        }
    } else {
        for (const auto& [name, server] : config.servers) {
            add(all, "servers." + name + '.', Part::server, server, server_says);
        }
    }
}

}  // namespace

std::vector<InForce> values(const Config& config) {
    std::vector<InForce> all;
    for (const Key& key : keys(Part::top)) {
        if (key.name == "admin") {
            add(all, "admin.", Part::admin, config.admin, admin_says);
        } else if (key.name == "log") {
            add(all, "log.", Part::log, config.log, log_says);
        } else if (key.name == "limits") {
            add(all, "limits.", Part::limits, config.limits, limits_says);
        } else if (key.name == "listen" || key.name == "pools" || key.name == "users" || key.name == "servers") {
            add_lists(all, config, key.name);
        } else {
            all.push_back(
                {std::string(key.name), find(top_says, key.name)(config), std::string(key.fallback), key.reloadable});
        }
    }
    return all;
}

}  // namespace leasehold::config
