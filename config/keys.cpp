// SPDX-License-Identifier: Apache-2.0
#include "config/keys.hpp"

#include <array>

namespace leasehold::config {
namespace {

constexpr std::array top{
    Key{"listen", "list", "", true, "addresses that clients connect to"},
    Key{"workers", "auto or count", "auto", false, "threads that serve sessions; auto: one per processor"},
    Key{"pools", "map", "", true, "the databases that clients ask for, and the servers behind them"},
    Key{"users", "list", "[]", true, "who may log in besides the URLs' own users"},
    Key{"admin", "map", "", true, "console and status page"},
    Key{"log", "map", "", true, "what is logged, and where to"},
    Key{"limits", "map", "", true, "what a client may make grow"},
    Key{"drain_timeout", "duration", "30s", true, "how long a shutdown waits for running transactions"},
    Key{"servers", "map", "{}", true, "limits per server, for all pools together; by host:port"},
};

constexpr std::array listen{
    Key{"dialect", "postgresql | mysql", "", true, "the protocol spoken here"},
    Key{"address", "host:port or unix:/path", "", true, "where clients connect"},
    Key{"tls", "map", "", true, "encryption to clients"},
    Key{"auth", "scram | md5 | cleartext | cert | peer | trust", "", true,
        "how clients prove who they are; scram, on PostgreSQL's unix sockets peer"},
    Key{"map", "map", "{}", true, "peer and cert: system user or certificate's name to database user"},
    Key{"pools", "list of names", "[]", true, "which pools are served here; none named: all of the dialect"},
    Key{"default_pool", "name", "", true, "for clients that ask for a database that is no pool"},
};

constexpr std::array listen_tls{
    Key{"mode", "disable | allow | prefer | require | verify-ca | verify-full", "disable", true,
        "what is asked of clients"},
    Key{"cert", "path", "", true, "certificate chain, PEM"},
    Key{"key", "path", "", true, "private key, PEM"},
    Key{"client_ca", "path", "", true, "authorities of clients' certificates, PEM"},
};

constexpr std::array pool{
    Key{"url", "URL", "", true, "dialect[+driver]://user:password@host:port/database?key=value"},
    Key{"alias", "list of names", "[]", true, "further names of this pool"},
    Key{"mode", "transaction | session | statement", "transaction", true, "how long a client holds a backend"},
    Key{"pool_size", "count", "5", true, "idle backends kept at most; 0: no limit"},
    Key{"max_overflow", "count or -1", "10", true, "backends beyond it while in use; -1: no limit"},
    Key{"pool_timeout", "duration", "30s", true, "how long a client waits for a backend"},
    Key{"pool_recycle", "duration or -1", "1h", true, "age at which a backend is replaced; -1: never"},
    Key{"pool_pre_ping", "true or false", "true", true, "test a backend before it is leased"},
    Key{"pool_use_lifo", "true or false", "true", true, "lease the backend that came back last"},
    Key{"pool_reset_on_return", "rollback | commit | none", "rollback", true,
        "what ends a transaction that its client left in order"},
    Key{"isolation_level", "level", "", true, "applied to new backends"},
    Key{"echo", "true or false", "false", true, "log statements"},
    Key{"min_idle", "count", "0", true, "backends kept open ahead of need; 0: lazy"},
    Key{"idle_timeout", "duration", "10m", true, "after which an idle backend is closed; 0: never"},
    Key{"transaction_idle_timeout", "duration", "0", true, "after which an idle transaction is rolled back; 0: never"},
    Key{"transaction_timeout", "duration", "0", true, "after which any transaction is rolled back; 0: never"},
    Key{"query_timeout", "duration", "0", true, "after which a statement is cancelled; 0: never"},
    Key{"quarantine_timeout", "duration", "5s", true, "for proving a backend clean; then it is closed"},
    Key{"pin_idle_timeout", "duration", "0", true, "after which an unused pin is ended; 0: never"},
    Key{"on_backend_loss", "error | disconnect", "error", true,
        "what a client is told when its transaction's backend dies"},
    Key{"dial_parallel", "count", "2", true, "backends dialled at a time"},
    Key{"dial_timeout", "duration", "5s", true, "for one dial, login included"},
    Key{"ping_timeout", "duration", "1s", true, "for one pre-ping"},
    Key{"prepared_per_backend", "count", "200", true, "prepared statements kept on a backend"},
    Key{"prepared_per_client", "count", "1000", true, "prepared statements a client may have"},
    Key{"soft_hold", "duration", "100ms", true, "how long a lease is kept for a question about the last statement"},
    Key{"audit", "share", "1%", true, "leases looked at for hidden state"},
    Key{"max_replication", "count", "0", true, "replication connections; 0: none"},
};

constexpr std::array user{
    Key{"name", "text", "", true, "as the client says it"},
    Key{"password", "text", "", true, "clear text, a SCRAM verifier or a MySQL hash"},
    Key{"pools", "list of names", "[]", true, "which pools are open to this user; none named: all"},
    Key{"as", "pool", "", true, "pool: shares the backends of the URL's user"},
};

constexpr std::array admin{
    Key{"database", "name", "leasehold", true, "the console's name among the databases"},
    Key{"users", "list of names", "[]", true, "who may use the console, every command of it"},
    Key{"stats_users", "list of names", "[]", true, "who may look at the console and change nothing"},
    Key{"socket", "auto, off or path", "auto", true, "where the commands of the command line reach the daemon"},
    Key{"http", "host:port or off", "127.0.0.1:9187", true, "status page and metrics"},
};

constexpr std::array log{
    Key{"level", "trace | debug | info | warn | error", "info", true, "the least that is logged"},
    Key{"target", "auto | stderr | journal | /path", "auto", true, "auto: the journal under systemd, else stderr"},
    Key{"format", "text | json", "text", true, "of a line"},
    Key{"slow_statement", "duration", "0", true, "statements longer than this are logged; 0: none"},
    Key{"slow_wait", "duration", "0", true, "waits longer than this are logged; 0: none"},
    Key{"quarantine_keep_literals", "true or false", "false", true, "keep literals in recorded statements"},
};

constexpr std::array limits{
    Key{"max_clients", "count", "10000", true, "clients at a time"},
    Key{"max_clients_per_user", "count", "0", true, "0: no limit"},
    Key{"max_clients_per_address", "count", "0", true, "0: no limit"},
    Key{"handshake_timeout", "duration", "15s", true, "from connect to the end of the login"},
    Key{"max_startup_bytes", "size", "10KiB", true, "before the login has ended"},
    Key{"max_settings_per_session", "count", "1000", true, "settings carried for a session"},
    Key{"max_statement_cache_bytes", "size", "64MiB", true, "prepared statements' text, all clients together"},
    Key{"max_template_pools", "count", "100", true, "pools made from the template '*'"},
};

constexpr std::array server{
    Key{"max_connections", "count", "0", true, "0: the server's own, less the reserved ones"},
};

}  // namespace

std::span<const Key> keys(Part part) {
    switch (part) {
        case Part::top: return top;
        case Part::listen: return listen;
        case Part::listen_tls: return listen_tls;
        case Part::pool: return pool;
        case Part::user: return user;
        case Part::admin: return admin;
        case Part::log: return log;
        case Part::limits: return limits;
        case Part::server: return server;
    }
    return {};
}

std::vector<std::string_view> key_names(Part part) {
    std::vector<std::string_view> out;
    for (const Key& key : keys(part)) out.push_back(key.name);
    return out;
}

}  // namespace leasehold::config
