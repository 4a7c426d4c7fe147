// SPDX-License-Identifier: Apache-2.0
#include "config/keys.hpp"

#include <array>
#include <stdexcept>
#include <string>

namespace leasehold::config {
namespace {

using Holds = Key::Holds;

constexpr std::int64_t most_in_pool = 1'000'000;
constexpr std::int64_t most_clients = 10'000'000;
constexpr std::int64_t kib = 1024;

constexpr std::array top{
    Key{"listen", "list", "", true, "addresses that clients connect to"}
        .must_stand()
        .with(Holds::list, Part::listen)
        .explained("Addresses that clients connect to: a list of {dialect: postgresql | mysql, address: ...}. "
                   "127.0.0.1 is this machine only."),
    Key{"workers", "auto or count", "auto", false, "threads that serve sessions; auto: one per processor"}.between(
        1, 1024),
    Key{"pools", "map", "", true, "the databases that clients ask for, and the servers behind them"}
        .must_stand()
        .with(Holds::named, Part::pool, "orders")
        .explained("A pool's name is the database name that clients ask for. A pool named '*' is a template: "
                   "every other name gets a pool of its own from it, with that name as the database on the "
                   "server; after idle_timeout without clients it is gone."),
    Key{"users", "list", "[]", true, "who may log in besides the URLs' own users"}
        .with(Holds::list, Part::user)
        .explained("Who may log in besides the URLs' own users; each logs in to the backend as itself."),
    Key{"admin", "map", "", true, "console and status page"}
        .with(Holds::section, Part::admin)
        .explained("The console (a database of that name on every PostgreSQL listener), the socket that the "
                   "command line uses, and the status page."),
    Key{"log", "map", "", true, "what is logged, and where to"}.with(Holds::section, Part::log),
    Key{"limits", "map", "", true, "what a client may make grow"}.with(Holds::section, Part::limits),
    Key{"drain_timeout", "duration", "30s", true, "how long a shutdown waits for running transactions"},
    Key{"servers", "map", "{}", true, "limits per server, for all pools together; by host:port"}
        .with(Holds::named, Part::server, "127.0.0.1:5432")
        .explained("Limits per server, for all pools together; by default the server's own, less the connections "
                   "it reserves."),
};

constexpr std::array listen{
    Key{"dialect", "postgresql | mysql", "", true, "the protocol spoken here"}
        .must_stand()
        .shown_as("postgresql")
        .also_called("postgres | mariadb"),
    Key{"address", "host:port or unix:/path", "", true,
        "127.0.0.1:6432, \"[::1]:6432\" or unix:/run/leasehold/.s.PGSQL.6432"}
        .must_stand()
        .shown_as("127.0.0.1:6432"),
    Key{"auth", "scram | md5 | cleartext | cert | peer | trust", "", true,
        "how clients prove who they are; scram, on PostgreSQL's unix sockets peer"}
        .shown_as("scram")
        .explained("How a client proves who it is. scram, the default over TCP: by its password, never sent, and "
                   "bound to the TLS connection where there is one; md5: the older kind; cleartext: the password "
                   "itself, inside TLS; cert: by a certificate that client_ca signed, whose common name is the "
                   "user; peer, PostgreSQL's default on unix sockets: by the system user that runs it; trust: "
                   "not at all. MySQL clients name no method here: by "
                   "default they log in, on unix sockets too, by mysql_native_password or caching_sha2_password, "
                   "whichever they choose; cleartext, cert, peer and trust are theirs as well."),
    Key{"map", "map", "{}", true, "peer and cert: system user or certificate's name to database user"}.explained(
        "With peer and cert: {www-data: app} lets www-data log in as app; with a map, nobody it "
        "lacks."),
    Key{"pools", "list of names", "[]", true, "which pools are served here; none named: all of the dialect"},
    Key{"default_pool", "name", "", true, "for clients that ask for a database that is no pool; none by default"}
        .shown_as("orders"),
    Key{"tls", "map", "", true, "encryption to clients"}
        .with(Holds::section, Part::listen_tls)
        .explained("libpq's words from the other side. allow, prefer: TLS for those who ask for it; require: for "
                   "everybody; verify-ca: and a certificate that client_ca signed; verify-full: in which stands "
                   "the user's name. SIGHUP reads the files anew. Unix sockets have no TLS."),
};

constexpr std::array listen_tls{
    Key{"mode", "disable | allow | prefer | require | verify-ca | verify-full", "disable", true,
        "what is asked of clients"},
    Key{"cert", "path", "", true, "certificate chain, PEM"}.shown_as("/etc/leasehold/server.crt"),
    Key{"key", "path", "", true, "private key, PEM"}.shown_as("/etc/leasehold/server.key"),
    Key{"client_ca", "path", "", true, "authorities of clients' certificates, PEM"}.shown_as(
        "/etc/leasehold/clients.crt"),
};

constexpr std::array pool{
    Key{"url", "URL", "", true, "dialect[+driver]://user:password@host:port/database?key=value"}
        .must_stand()
        .is_secret()
        .shown_as("postgresql://app:change-me@127.0.0.1:5432/orders")
        .explained("As SQLAlchemy writes it: dialect[+driver]://user:password@host:port/database?key=value. "
                   "PostgreSQL's keys are libpq's: sslmode=disable | allow | prefer (the default) | require | "
                   "verify-ca | verify-full, sslrootcert=/path or system (verify-ca and verify-full need it: no "
                   "home directory is looked into), sslcert and sslkey, sslsni, sslnegotiation, channel_binding; "
                   "several hosts, separated by commas, are tried in order, those that were away lately last, "
                   "and target_session_attrs=any | read-write | read-only | primary | standby | prefer-standby "
                   "says which of them will do. MySQL's keys are its clients': ssl_mode=DISABLED | PREFERRED (the "
                   "default) | REQUIRED | VERIFY_CA | VERIFY_IDENTITY (sslMode is the same), ssl_ca=/path or system, "
                   "ssl_capath, ssl_crl, ssl_cert and ssl_key; ssl_ca alone means VERIFY_CA, and the drivers' ssl, "
                   "ssl_disabled, ssl_verify_cert, ssl_verify_identity and ssl_check_hostname are understood; "
                   "unix_socket=/path; compress=zlib | zstd | true (zlib) | false compresses what is between leasehold "
                   "and the server; of several hosts role=any | primary | replica says which will do, by their "
                   "read_only."),
    Key{"alias", "list of names", "[]", true, "further names of this pool"},
    Key{"mode", "transaction | session | statement", "transaction", true, "how long a client holds a backend"},
    Key{"pool_size", "count", "5", true, "idle backends kept at most; 0: no limit"}.between(0, most_in_pool),
    Key{"max_overflow", "count or -1", "10", true, "backends beyond it while in use; -1: no limit"}.between(
        -1, most_in_pool),
    Key{"pool_timeout", "duration", "30s", true, "how long a client waits for a backend"},
    Key{"pool_recycle", "duration or -1", "1h", true, "age at which a backend is replaced, jittered; -1: never"},
    Key{"pool_pre_ping", "true or false", "true", true,
        "test a backend before it is leased, unless it was used within the last second"},
    Key{"pool_use_lifo", "true or false", "true", true,
        "lease the backend that came back last; false: the one that is idle longest"},
    Key{"pool_reset_on_return", "rollback | commit | none", "rollback", true,
        "what ends a transaction that its client left in order"},
    Key{"isolation_level", "level", "", true,
        "READ COMMITTED, REPEATABLE READ, SERIALIZABLE, AUTOCOMMIT ...; the server's by default"},
    Key{"echo", "true or false", "false", true, "log statements"}.explained(
        "Log each statement in one line at level info, with its time and outcome: literals are masked, values of "
        "parameters are not "
        "shown."),
    Key{"min_idle", "count", "0", true, "backends kept open ahead of need; 0: lazy"}.between(0, most_in_pool),
    Key{"idle_timeout", "duration", "10m", true, "after which an idle backend is closed; 0: never"},
    Key{"transaction_idle_timeout", "duration", "0", true, "after which an idle transaction is rolled back; 0: never"},
    Key{"transaction_timeout", "duration", "0", true, "after which any transaction is rolled back; 0: never"},
    Key{"query_timeout", "duration", "0", true, "after which a statement is cancelled; 0: never"},
    Key{"quarantine_timeout", "duration", "5s", true, "for proving a backend clean; then it is closed"}.at_least(1),
    Key{"pin_idle_timeout", "duration", "0", true, "after which an unused pin is ended; 0: never"},
    Key{"on_backend_loss", "error | disconnect", "error", true,
        "what a client is told when its transaction's backend dies"},
    Key{"dial_parallel", "count", "2", true, "backends dialled at a time"}.between(1, most_in_pool),
    Key{"dial_timeout", "duration", "5s", true, "for one dial, login included"}.at_least(1),
    Key{"ping_timeout", "duration", "1s", true, "for one pre-ping"}.at_least(1),
    Key{"prepared_per_backend", "count", "200", true, "prepared statements kept on a backend"}.between(0, most_in_pool),
    Key{"prepared_per_client", "count", "1000", true, "prepared statements a client may have"}.between(0, most_in_pool),
    Key{"soft_hold", "duration", "100ms", true, "how long a lease is kept for a question about the last statement"},
    Key{"audit", "share", "1%", true,
        "calls of trusted functions that are looked at for hidden state; all: each lease"},
    Key{"max_replication", "count", "0", true, "replication connections; 0: none"}.between(0, most_in_pool),
};

constexpr std::array user{
    Key{"name", "text", "", true, "as the client says it"}.must_stand().shown_as("reports"),
    Key{"password", "text", "", true, "clear text, a SCRAM verifier or a MySQL hash; or !credential reports"}
        .is_secret()
        .shown_as("change-me"),
    Key{"pools", "list of names", "[]", true, "which pools are open to this user; none named: all"}.shown_as(
        "[orders]"),
    Key{"as", "pool", "", true, "pool: shares the backends of the URL's user"}.shown_as("pool"),
};

constexpr std::array admin{
    Key{"database", "name", "leasehold", true, "the console's name among the databases"},
    Key{"users", "list of names", "[]", true, "who may use the console, every command of it"},
    Key{"stats_users", "list of names", "[]", true, "who may look at the console and change nothing"},
    Key{"socket", "auto, off or path", "auto", true, "where `leasehold show` and the other commands reach the daemon"},
    Key{"http", "host:port or off", "127.0.0.1:9187", true, "status page and metrics"},
};

constexpr std::array log{
    Key{"level", "trace | debug | info | warn | error", "info", true, "the least that is logged"}.explained(
        "The least that is logged. At info logins, logouts, connects and the like are lines of their own up to twenty "
        "a second for one pool and user, and counted beyond that; at debug each is written."),
    Key{"target", "auto | stderr | journal | /path", "auto", true, "auto is the journal under systemd, else stderr"}
        .explained(
            "auto is the journal under systemd, else stderr. A file is appended to, and begun anew before the "
            "next line when it was moved or removed: logrotate needs no signal. In the journal each field is one "
            "of LEASEHOLD_POOL, LEASEHOLD_SESSION and so on."),
    Key{"format", "text | json", "text", true, "of a line"},
    Key{"slow_statement", "duration", "0", true, "statements longer than this are logged; 0: none"}.explained(
        "Statements that take longer are logged; 0: none. Literals are masked, values of parameters are not shown. In "
        "a pipeline a statement's time begins when the one in front of it has ended."),
    Key{"slow_wait", "duration", "0", true, "waits longer than this are logged; 0: none"}.explained(
        "Waits for a backend that take longer are logged, with the place in the queue and who holds the backends; 0: "
        "none."),
    Key{"quarantine_keep_literals", "true or false", "false", true, "keep literals in recorded statements"},
};

constexpr std::array limits{
    Key{"max_clients", "count", "10000", true, "clients at a time"}.between(1, most_clients),
    Key{"max_clients_per_user", "count", "0", true, "by the name they log in with; 0: no limit"}.between(0,
                                                                                                         most_clients),
    Key{"max_clients_per_address", "count", "0", true, "unix sockets: per system user; 0: no limit"}.between(
        0, most_clients),
    Key{"handshake_timeout", "duration", "15s", true, "from connect to the end of the login"}.at_least(1),
    // Less has no room for a startup packet; more would let strangers hold memory before they say who they are.
    Key{"max_startup_bytes", "size", "10KiB", true, "before the login has ended"}.between(512, kib* kib),
    Key{"max_settings_per_session", "count", "1000", true, "settings carried for a session"}.between(0, most_clients),
    Key{"max_statement_cache_bytes", "size", "64MiB", true, "prepared statements' text, all clients together"}.between(
        0, kib* kib* kib* kib),
    Key{"max_template_pools", "count", "100", true, "pools made from the template '*'"}.between(0, most_clients),
};

constexpr std::array server{
    Key{"max_connections", "count", "0", true, "0: the server's own, less the reserved ones"}.between(0, most_in_pool),
};

constexpr std::array types{
    ValueType{"list", "a list of maps: `- {key: value, ...}`"},
    ValueType{"map", "keys with values of their own"},
    ValueType{"list of names", "`[a, b]`, none twice; `[]` is none"},
    ValueType{"name", "a word, not empty"},
    ValueType{"text", "any text; quote what YAML would take for something else"},
    ValueType{"path", "a file's absolute path"},
    ValueType{"true or false", "these two words, without quotation marks"},
    ValueType{"count", "a whole number"},
    ValueType{"count or -1", "a whole number; -1 means without limit"},
    ValueType{"auto or count", "the word auto, or a whole number"},
    ValueType{"duration", "a number is seconds; or `250ms`, `30s`, `5m`, `1h`"},
    ValueType{"duration or -1", "a duration; -1 means never"},
    ValueType{"size", "`512B`, `10KiB`, `64MiB`, `1GiB`; a number is bytes"},
    ValueType{"share", "`1%` to `100%`, `0%` or `all`"},
    ValueType{"level", "READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ, SERIALIZABLE or AUTOCOMMIT"},
    ValueType{
        "URL",
        "as SQLAlchemy writes it: `dialect[+driver]://user:password@host:port/database?key=value`, percent-encoded"},
    ValueType{"pool", "the word pool"},
    ValueType{"host:port or unix:/path", "an address of this machine and a port, or a unix socket's path"},
    ValueType{"host:port or off", "an address of this machine and a port, or the word off"},
    ValueType{"auto, off or path", "the word auto, the word off, or an absolute path"},
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

const Key& key(Part part, std::string_view name) {
    for (const Key& found : keys(part)) {
        if (found.name == name) return found;
    }
    throw std::logic_error("no key of that part: " + std::string(name));
}

std::span<const ValueType> value_types() { return types; }

std::vector<std::string_view> choices(std::string_view rest) {
    std::vector<std::string_view> out;
    constexpr std::string_view bar = " | ";
    if (rest.find(bar) == std::string_view::npos) return out;
    for (std::size_t at = 0; at != std::string_view::npos;) {
        at = rest.find(bar);
        out.push_back(rest.substr(0, at));
        if (at != std::string_view::npos) rest.remove_prefix(at + bar.size());
    }
    return out;
}

}  // namespace leasehold::config
