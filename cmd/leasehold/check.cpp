// SPDX-License-Identifier: Apache-2.0
// `leasehold check`: every problem of the file and, with --connect, what the servers behind the pools say. It needs no
// running daemon and changes nothing.
#include "cmd/leasehold/commands.hpp"
#include "cmd/leasehold/control/answer.hpp"

#include "config/password_kind.hpp"
#include "config/units.hpp"
#include "daemon/certificates.hpp"
#include "dialects/registry.hpp"

#include <algorithm>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>

namespace leasehold::cmd {
namespace {

using config::Pool;
using dialects::ServerReport;

// Servers asked at a time: a file with many pools must not look like a connect storm.
constexpr std::size_t at_a_time = 8;

std::string count(std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string summary(const config::Loaded& loaded) {
    const auto errors = static_cast<std::size_t>(
        std::ranges::count(loaded.problems, config::Problem::Severity::error, &config::Problem::severity));
    const std::size_t warnings = loaded.problems.size() - errors;
    std::string out = count(errors, "error") + ", " + count(warnings, "warning");
    if (loaded.config)
        out +=
            "; " + count(loaded.config->listen.size(), "listener") + ", " + count(loaded.config->pools.size(), "pool");
    return out;
}

// A hash in place of the password: trying it would be a failed login, which may lock the account.
bool holds_hash(const Pool& pool) {
    using config::PasswordKind;
    const PasswordKind kind = config::password_kind(pool.url.password.value_or(""));
    return kind == PasswordKind::scram_verifier || kind == PasswordKind::native_hash || kind == PasswordKind::sha2_hash;
}

ServerReport ask(const Pool& pool) {
    try {
        if (holds_hash(pool)) return {};
        const dialects::Dialect* dialect = dialects::find(pool.url.dialect);
        const auto timeout =
            std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(pool.dial_timeout));
        if (dialect != nullptr) return dialect->control()->report(pool.url, timeout);
    } catch (const std::exception& error) {
        ServerReport failed;
        failed.error = error.what();
        return failed;
    }
    ServerReport unknown;
    unknown.error = "no code for the dialect " + pool.url.dialect;
    return unknown;
}

std::vector<ServerReport> ask_all(const std::vector<Pool>& pools) {
    std::vector<ServerReport> out;
    for (std::size_t begin = 0; begin < pools.size(); begin += at_a_time) {
        std::vector<std::future<ServerReport>> asked;
        const std::size_t end = std::min(pools.size(), begin + at_a_time);
        for (std::size_t i = begin; i < end; ++i)
            asked.push_back(std::async(std::launch::async, ask, std::cref(pools[i])));
        for (auto& one : asked) out.push_back(one.get());
    }
    return out;
}

std::string milliseconds(std::chrono::microseconds duration) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(2) << static_cast<double>(duration.count()) / 1000 << " ms";
    return out.str();
}

// How many backends the pool may open at a time; 0: no limit.
int capacity(const Pool& pool) { return pool.max_overflow < 0 ? 0 : pool.pool_size + pool.max_overflow; }

std::vector<std::string> misfits(const config::Config& config, const Pool& pool, const ServerReport& report) {
    std::vector<std::string> out;
    const int admitted = report.max_connections - report.reserved_connections;
    const int wanted = capacity(pool);
    const auto server = config.servers.find(to_string(pool.url.hosts.front()));
    const int limited = server == config.servers.end() ? 0 : server->second.max_connections;
    if (report.max_connections > 0) {
        const std::string room = std::to_string(admitted) + " (" + std::to_string(report.max_connections) + " less " +
                                 std::to_string(report.reserved_connections) + " reserved)";
        if (wanted > admitted) {
            out.push_back("pool_size + max_overflow is " + std::to_string(wanted) + ", the server admits " + room +
                          "; lower them, or raise the server's max_connections");
        }
        if (wanted == 0 && limited == 0)
            out.push_back("the pool has no limit, the server admits " + room + "; give max_overflow a number");
        if (limited > admitted) {
            out.push_back("servers allows " + std::to_string(limited) + " connections, the server admits " + room);
        }
    }
    // What it has closed is noticed and replaced; that is a dial in front of somebody's statement.
    const bool kept_longer = pool.idle_timeout.count() == 0 || pool.idle_timeout > report.idle_limit;
    if (report.idle_limit.count() > 0 && kept_longer) {
        out.push_back("idle_timeout is " +
                      (pool.idle_timeout.count() == 0 ? "never" : config::render_duration(pool.idle_timeout)) +
                      ", the server closes idle connections after " + config::render_duration(report.idle_limit) +
                      "; set idle_timeout below it");
    }
    for (std::size_t i = 0; report.refuses_native && i < config.users.size(); ++i) {
        const config::User& user = config.users[i];
        const auto named = [&](const std::string& name) { return std::ranges::count(user.pools, name) > 0; };
        const bool here =
            user.pools.empty() || pool.name == "*" || named(pool.name) || std::ranges::any_of(pool.alias, named);
        if (!here || user.as_pool || config::password_kind(user.password) != config::PasswordKind::native_hash)
            continue;
        out.push_back("users[" + std::to_string(i) + "].password of " + user.name +
                      " is a mysql_native_password hash, and the server has no such plugin: this user cannot be "
                      "served; give the caching_sha2_password hash that the server keeps, or the password");
    }
    return out;
}

// What the pool's connections are made with, whatever the server offers today.
std::string encryption(const config::Url& url) {
    const bool mysql = url.family() == "mysql";
    const std::string key = mysql ? "ssl_mode" : "sslmode";
    if (!url.over_network()) return key + " has no meaning on a unix socket";
    const config::TlsMode mode = url.server_tls();
    std::string out = key + " " + std::string(mysql ? mysql_word(mode) : to_string(mode));
    if (!url.tls_mode()) out += " (the default)";
    const bool verified = mode > config::TlsMode::require || (!mysql && !url.option("sslrootcert").empty());
    if (mode < config::TlsMode::require)
        out += ": may be readable on its way";
    else if (!verified)
        out += ": encrypted, the server is not verified";
    return out;
}

bool print_report(const config::Config& config, const Pool& pool, const ServerReport& report) {
    std::cout << "pool " << pool.name << ": " << pool.url.render() << '\n';
    std::cout << "  " << encryption(pool.url) << '\n';
    if (holds_hash(pool)) {
        std::cout << "  not asked: the URL's password is a "
                  << config::to_string(config::password_kind(*pool.url.password))
                  << ", which logs in to no server until a client has shown the password\n";
        return true;
    }
    if (!report.reachable) {
        std::cout << "  unreachable: " << report.error << '\n';
        return false;
    }
    const std::string version = (report.family.empty() ? "" : report.family + " ") + report.version;
    std::cout << "  version " << version << ", round trip " << milliseconds(report.round_trip) << ", TLS "
              << (report.tls ? (report.tls_version.empty() ? std::string("on") : report.tls_version)
                             : std::string("off"))
              << '\n';
    if (report.max_connections > 0) {
        std::cout << "  max_connections " << report.max_connections;
        if (report.idle_limit.count() > 0)
            std::cout << ", idle connections are closed after " << config::render_duration(report.idle_limit);
        std::cout << '\n';
    }
    for (const std::string& misfit : misfits(config, pool, report)) std::cout << "  misfit: " << misfit << '\n';
    return true;
}

// Listeners whose pools' servers are of two families: no greeting is true of both.
bool print_mixed(const config::Config& config, const std::vector<ServerReport>& reports) {
    bool mixed = false;
    for (const config::Listen& listen : config.listen) {
        std::map<std::string, std::string> pool_of;  // by family, the first one
        for (std::size_t i = 0; i < reports.size(); ++i) {
            const Pool& pool = config.pools[i];
            const bool served = pool.url.family() == listen.dialect &&
                                (listen.pools.empty() || std::ranges::count(listen.pools, pool.name) > 0);
            if (served && !reports[i].family.empty()) pool_of.try_emplace(reports[i].family, pool.name);
        }
        if (pool_of.size() < 2) continue;
        mixed = true;
        const auto& [first, its_pool] = *pool_of.begin();
        const auto& [second, other_pool] = *std::next(pool_of.begin());
        std::cout << "listener " << (listen.port == 0 ? listen.host : listen.host + ":" + std::to_string(listen.port))
                  << ": serves " << first << " and " << second << " (pools " << its_pool << " and " << other_pool
                  << "), and its clients cannot be greeted as both; give each a listener, by pools:\n";
    }
    return mixed;
}

std::string as_json(const std::string& file, const config::Loaded& loaded) {
    std::string problems;
    for (const config::Problem& problem : loaded.problems) {
        const bool error = problem.severity == config::Problem::Severity::error;
        problems += std::string(problems.empty() ? "" : ", ") + R"({"severity": )" +
                    (error ? R"("error")" : R"("warning")") + R"(, "line": )" + std::to_string(problem.line) +
                    R"(, "column": )" + std::to_string(problem.column) + R"(, "key": )" + json_text(problem.key) +
                    R"(, "message": )" + json_text(problem.message) + R"(, "suggestion": )" +
                    json_text(problem.suggestion) + "}";
    }
    return R"({"file": )" + json_text(file) + R"(, "valid": )" + (loaded.config ? "true" : "false") +
           R"(, "problems": [)" + problems + "]}\n";
}

}  // namespace

void print_problems(const config::Loaded& loaded) {
    for (const config::Problem& problem : loaded.problems) std::cerr << problem.render() << '\n';
}

int check(const CheckOptions& options) {
    const config::Loaded loaded =
        config::load_file(options.config, config::Secrets::system(), daemon::check_tls_files, daemon::check_url_files);
    if (options.json) {
        const int code = print(as_json(options.config, loaded));
        return code != exit_ok || loaded.config ? code : exit_configuration;
    }
    print_problems(loaded);
    if (loaded.unreadable) return exit_configuration;
    std::cout << options.config << ": " << summary(loaded) << std::endl;
    if (!loaded.config) return exit_configuration;
    if (!options.connect) return exit_ok;
    const config::Config& config = *loaded.config;
    const auto reports = ask_all(config.pools);
    std::size_t reached = 0;
    bool failed = false;
    for (std::size_t i = 0; i < reports.size(); ++i) {
        failed = !print_report(config, config.pools[i], reports[i]) || failed;
        reached += reports[i].reachable ? 1 : 0;
    }
    const auto silent = static_cast<std::size_t>(std::ranges::count_if(config.pools, holds_hash));
    std::cout << reached << " of " << count(reports.size(), "server") << " reached"
              << (silent == 0 ? std::string() : ", " + std::to_string(silent) + " not asked") << '\n';
    if (print_mixed(config, reports)) return exit_configuration;
    return failed ? exit_unavailable : exit_ok;
}

}  // namespace leasehold::cmd
