// SPDX-License-Identifier: Apache-2.0
// The configuration as plain structs: what the YAML file says after defaults, secrets and units were resolved.
// Names and defaults are those of the reference (leasehold.yaml); no parsing here.
#pragma once

#include "config/url.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::config {

using Duration = std::chrono::milliseconds;
using namespace std::chrono_literals;

enum class Mode : std::uint8_t { transaction, session, statement };
enum class ResetOnReturn : std::uint8_t { rollback, commit, none };
enum class OnBackendLoss : std::uint8_t { error, disconnect };
enum class AuthMethod : std::uint8_t { automatic, scram, md5, cleartext, cert, peer, trust };
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogTarget : std::uint8_t { automatic, stderr_, journal, file };
enum class LogFormat : std::uint8_t { text, json };

struct Tls {
    TlsMode mode = TlsMode::disable;
    std::string cert, key, client_ca;
};

struct Listen {
    std::string dialect;     // "postgresql" or "mysql"
    std::string host;        // an address, or a unix socket's path (beginning with '/')
    std::uint16_t port = 0;  // 0 for unix sockets
    Tls tls;
    AuthMethod auth = AuthMethod::automatic;  // scram, on unix sockets peer; mysql: its plugins for passwords
    std::map<std::string, std::string> map;   // peer, cert: system user or common name → database user
    std::vector<std::string> pools;           // empty: all of its dialect
    std::string default_pool;
    int line = 0;  // where the file names it
};

struct Pool {
    std::string name;
    Url url;
    std::vector<std::string> alias;
    Mode mode = Mode::transaction;
    int pool_size = 5;
    int max_overflow = 10;  // -1: no limit
    Duration pool_timeout = 30s;
    std::optional<Duration> pool_recycle = 1h;  // none: never
    bool pool_pre_ping = true;
    bool pool_use_lifo = true;
    ResetOnReturn pool_reset_on_return = ResetOnReturn::rollback;
    std::string isolation_level;
    bool echo = false;
    int min_idle = 0;
    Duration idle_timeout = 10min;  // 0: never
    Duration transaction_idle_timeout{0};
    Duration transaction_timeout{0};
    Duration query_timeout{0};
    Duration quarantine_timeout = 5s;
    Duration pin_idle_timeout{0};
    OnBackendLoss on_backend_loss = OnBackendLoss::error;
    int dial_parallel = 2;
    Duration dial_timeout = 5s;
    Duration ping_timeout = 1s;
    int prepared_per_backend = 200;
    int prepared_per_client = 1000;
    Duration soft_hold = 100ms;
    double audit = 0.01;  // share of leases; 1: all
    int max_replication = 0;
    int line = 0;
};

struct User {
    std::string name;
    std::string password;            // clear text, a SCRAM verifier or a MySQL hash
    std::vector<std::string> pools;  // empty: all
    bool as_pool = false;            // `as: pool`: shares the URL's user
    int line = 0;
};

struct Admin {
    std::string database = "leasehold";
    std::vector<std::string> users;        // may do everything
    std::vector<std::string> stats_users;  // may look
    std::string socket = "auto";           // a path; "off"; "auto": control.sock in the service's runtime directory
    std::string http_host = "127.0.0.1";
    std::uint16_t http_port = 9187;  // `http: off` gives 0
    bool http_named = false;         // in the file: then it must be had, else the daemon goes on without
};

struct Log {
    LogLevel level = LogLevel::info;
    LogTarget target = LogTarget::automatic;
    std::string file;  // with target: file
    LogFormat format = LogFormat::text;
    Duration slow_statement{0}, slow_wait{0};
    bool quarantine_keep_literals = false;
};

struct Limits {
    int max_clients = 10000;
    int max_clients_per_user = 0;
    int max_clients_per_address = 0;
    Duration handshake_timeout = 15s;
    std::uint64_t max_startup_bytes = 10 * 1024;
    int max_settings_per_session = 1000;
    std::uint64_t max_statement_cache_bytes = 64ull * 1024 * 1024;
    int max_template_pools = 100;
};

struct Server {
    int max_connections = 0;  // 0: the server's own, less the reserved ones
};

struct Config {
    std::string file;
    std::vector<Listen> listen;
    int workers = 0;          // 0: auto
    std::vector<Pool> pools;  // in the file's order; the name "*" is the template
    std::vector<User> users;
    Admin admin;
    Log log;
    Limits limits;
    Duration drain_timeout = 30s;
    std::map<std::string, Server> servers;  // key "host:port"
};

}  // namespace leasehold::config
