// SPDX-License-Identifier: Apache-2.0
// The interface that both databases implement: logging clients in, following their sessions, dialling backends, and
// asking a server about itself. The daemon knows databases only through this header.
#pragma once

#include "config/model.hpp"
#include "dialects/wire/drive.hpp"
#include "dialects/wire/known_functions.hpp"
#include "dialects/wire/listener.hpp"
#include "dialects/wire/seam.hpp"
#include "dialects/wire/servers.hpp"
#include "dialects/wire/tracker.hpp"
#include "dialects/wire/transport.hpp"
#include "pool/backend.hpp"
#include "pool/connector.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::dialects {

template <class T>
using awaitable = wire::awaitable<T>;

// --- the client's login ---------------------------------------------------------------------------------------

// Key by which a client may cancel what its session runs: PostgreSQL's pid and secret (4 bytes in protocol 3.0, up to 256
// in 3.2); MySQL's connection id.
struct CancelKey {
    std::uint32_t id = 0;
    std::string secret;  // bytes
    friend auto operator<=>(const CancelKey&, const CancelKey&) = default;
};

struct LoginRequest {
    enum class Kind : std::uint8_t { session, cancel, closed };
    Kind kind = Kind::session;  // closed: the client went away in order before it said who it is
    std::string user;
    std::string database;  // what it asked for; PostgreSQL: the user's name when absent; may be empty on MySQL
    std::string application;
    CancelKey cancel{};
    std::string replication;  // PostgreSQL: "database", "true", ...; such a session has a connection of its own
    bool encrypted = false;
    std::string certified_name;           // the common name of a certificate that the listener's CA vouches for
    std::size_t cancel_secret_bytes = 4;  // how long a secret the client's protocol carries
};

// How a login is verified; made by the router from the configuration.
struct Credential {
    enum class Kind : std::uint8_t {
        password,  // `secret` is the clear text, a SCRAM verifier or a MySQL hash
        trust,     // nothing is asked, or the operating system or a certificate has answered
        none,      // nobody of that name: the exchange is played to its end, with an answer that takes the same time
        refused,   // nothing is asked and nobody admitted, because of `refusal`
    };
    Kind kind = Kind::none;
    std::string secret;
    wire::Diagnostics refusal{};
    config::AuthMethod method = config::AuthMethod::automatic;
};

// What a server said at login, kept per URL and user so that clients log in without a lease. Immutable once published.
struct ServerFacts {
    std::string version;                                          // "15.18", "10.11.19-MariaDB"
    std::vector<std::pair<std::string, std::string>> parameters;  // PostgreSQL's ParameterStatus
    std::uint64_t capabilities = 0;                               // MySQL
    std::uint8_t charset = 0;                                     // MySQL
    std::uint16_t status = 0;                                     // MySQL
};
using Facts = std::shared_ptr<const ServerFacts>;

struct SessionOptions {
    std::string identity{};    // "leasehold session 17": what errors of leasehold's own name, and the log has
    std::uint32_t number = 0;  // of its CancelKey
    wire::LeaseMode mode = wire::LeaseMode::transaction;
    bool disconnect_on_loss = false;
    std::size_t prepared_per_client = 1000;
    std::size_t max_settings = 1000;
    std::uint64_t max_statement_cache_bytes = 64ull << 20;
    std::string isolation_level;
    std::shared_ptr<wire::KnownFunctions> functions{};  // the pool's
};

struct LoginParams {
    Facts greeting;  // for servers that speak first
    CancelKey key{};
    config::Limits limits{};
    bool tls_offered = false;   // the greeting may ask for start_tls
    bool tls_required = false;  // whoever does not use it is refused
    std::string client_host{};  // as errors name it: an address, or "localhost"
    bool local = false;         // the client came over a unix socket
};

// Whose connection stands, and begins a session anew.
struct ReturningClient {
    std::string host{};  // as LoginParams has it
    bool local = false;  // likewise
    bool encrypted = false;
    std::string certified_name{};  // as LoginRequest has it
};

// One client's login. Order: greeting() driven to its end; request(); then either authentication() driven to its end,
// welcome() and tracker(), or refuse() at any point. Exchanges live as long as the Login.
class Login {
  public:
    Login() = default;
    Login(const Login&) = delete;
    Login& operator=(const Login&) = delete;
    virtual ~Login() = default;

    [[nodiscard]] virtual wire::Exchange& greeting() = 0;
    [[nodiscard]] virtual const LoginRequest& request() const noexcept = 0;
    [[nodiscard]] virtual wire::Exchange& authentication(Credential credential) = 0;
    // The last bytes of a login that succeeded.
    virtual void welcome(const ServerFacts& facts, CancelKey key, wire::Writer& to_client) = 0;
    virtual void refuse(const wire::Diagnostics& error, wire::Writer& to_client) = 0;
    // What follows welcome() is framed by it, both ways; null: nothing of the kind was agreed.
    [[nodiscard]] virtual std::unique_ptr<wire::Codec> codec() const { return nullptr; }
    // After a login by SCRAM whose secret was a verifier: what logs in to a server that holds the same verifier. Opaque,
    // for Connector::learn(); empty otherwise.
    [[nodiscard]] virtual std::string recovered() const { return {}; }
    // Which backend the login's own parameters ask for, before there is a tracker.
    [[nodiscard]] virtual std::uint64_t variant() const noexcept { return 0; }
    [[nodiscard]] virtual std::uint64_t fingerprint() const noexcept { return 0; }
    // The session's tracker; takes over what the login learned (settings of the startup packet, capabilities).
    [[nodiscard]] virtual std::unique_ptr<wire::Tracker> tracker(const ServerFacts& facts, SessionOptions options) = 0;
};

// --- the console, in the client's protocol ----------------------------------------------------------------------

struct Column {
    std::string name;
    enum class Type : std::uint8_t { text, integer, real } type = Type::text;
};
struct Result {
    std::vector<Column> columns;  // none: a command without rows
    std::vector<std::vector<std::optional<std::string>>> rows;
    std::string tag;                     // "SHOW", "PAUSE"
    std::vector<std::string> notices{};  // said beside it
};

// Speaks the server's side of simple queries to a logged-in client whose commands leasehold itself answers.
class LocalService {
  public:
    LocalService() = default;
    LocalService(const LocalService&) = delete;
    LocalService& operator=(const LocalService&) = delete;
    virtual ~LocalService() = default;

    struct Command {
        enum class Kind : std::uint8_t { more, query, close, fatal } kind = Kind::more;
        std::size_t consumed = 0;
        std::string text;        // with query; answer it with result() or error() before the next call
        bool describes = false;  // only the columns are asked for: nothing may be carried out
    };
    // Answers by itself what is no query (Sync, COM_PING, SET that clients send at start).
    [[nodiscard]] virtual Command next(wire::Bytes in, wire::Outbox& to_client) = 0;
    virtual void result(const Result& result, wire::Outbox& to_client) = 0;
    virtual void error(const wire::Diagnostics& error, wire::Outbox& to_client) = 0;
    // Said while the answer is being waited for, in protocols that know such a thing.
    virtual void notice(const std::string&, wire::Outbox&) {}
};

// --- backends --------------------------------------------------------------------------------------------------

class Backend : public pool::Backend {
  public:
    [[nodiscard]] virtual wire::Transport& transport() noexcept = 0;
    [[nodiscard]] virtual wire::LeaseState& lease_state() noexcept = 0;
    // Bytes read and not consumed by the last exchange; empty between leases.
    [[nodiscard]] virtual wire::Inbox& inbox() noexcept = 0;

    struct Aligned {
        std::error_code error{};  // settings_refused: the backend must be closed, the session is told
        wire::Diagnostics diagnostics{};
    };
    // Whether the session may have the backend as it is: it holds the session's settings, or lacks only such as the
    // tracker sends in front of the first request. Fingerprints alone are a preference: a client could search for two
    // sets of one.
    [[nodiscard]] virtual bool aligned(const wire::Tracker& session) const noexcept {
        return fingerprint() == session.fingerprint();
    }
    // Makes the backend hold the session's settings.
    [[nodiscard]] virtual awaitable<Aligned> align(wire::Tracker& session, pool::Deadline deadline) = 0;
    // Makes the backend hold what a login's parameters ask for; on success `facts` is what it then says of itself (null:
    // what the connector knows is true for every login).
    struct Tried {
        std::error_code error{};  // settings_refused: the diagnostics are the server's
        wire::Diagnostics diagnostics{};
        Facts facts;
    };
    [[nodiscard]] virtual awaitable<Tried> try_login(const Login& login, pool::Deadline deadline);
    // Tells the session's tracker what state of the session the backend holds, where that pins it (wire::Tracker::audit()).
    // What comes for the client meanwhile is put into `to_client`. An error: the backend is lost.
    [[nodiscard]] virtual awaitable<std::error_code> audit(wire::Tracker& session, pool::Deadline deadline,
                                                           wire::Outbox& to_client);
    // Where messages end in what it sends once it is a session's own (Verdict::own); null: it never is.
    [[nodiscard]] virtual std::unique_ptr<wire::Seam> seam() const { return nullptr; }
    // The session made state that reset() must remove before the next lessee.
    virtual void soil() noexcept = 0;
    // The state a session saw last on this connection was lost in the middle; no exchange may run on it but recover().
    virtual void mark_dead() noexcept = 0;

  protected:
    // The ladder's rungs behind drain, which are the same in every protocol.
    [[nodiscard]] awaitable<std::error_code> recover_drained(pool::Deadline deadline, pool::RecoverSink* sink);
};

// What a pool is told of a search that found no server.
[[nodiscard]] pool::Connected not_connected(const wire::Reached& reached);

// A connection of one session's own, whose bytes are relayed unread from its login on.
struct Replicating {
    pool::Connected connected;  // with a dialects::Backend that is no pool's
    wire::Diagnostics refusal;  // the server's own words, when it said any
    Facts facts;
    std::unique_ptr<wire::Seam> seam;  // of what the server sends
};

// A connection of leasehold's own that hears what the server announces to the sessions of a database.
struct Hearing {
    pool::Connected connected;       // with a dialects::Backend that is no pool's
    std::unique_ptr<wire::Ear> ear;  // reads what it sends, and nobody else
};

class Connector : public pool::Connector {
  public:
    // Null until the first backend logged in; renewed by each new one.
    [[nodiscard]] virtual Facts facts() const noexcept = 0;
    // What can be said to a client that speaks second; it may be known before any backend has logged in.
    [[nodiscard]] virtual Facts greeted() const { return facts(); }
    // What a server says to a client with this login's parameters; null when nobody has tried them yet (try_login).
    [[nodiscard]] virtual Facts facts_for(const Login&) const { return facts(); }
    virtual void remember(const Login&, Facts) {}
    // For a login that asks for replication, with its parameters as they are. The login outlives it.
    [[nodiscard]] virtual awaitable<Replicating> connect_replication(const Login& login, pool::Deadline deadline);
    // `mark_channel`: the ear's before this one; empty: it had none.
    [[nodiscard]] virtual awaitable<Hearing> connect_ear(std::string mark_channel, pool::Deadline deadline);
    // A client's login recovered what dials the backend (Login::recovered()). Thread-safe.
    virtual void learn(const std::string&) {}
    // What learn() was given and holds, for the connector that takes this one's place. Thread-safe.
    [[nodiscard]] virtual std::string learned() const { return {}; }
    // Reads certificates and keys anew; those that connect from now on use them. The error names the file, and then the
    // old ones stay. Thread-safe.
    [[nodiscard]] virtual std::string reload_certificates() { return {}; }
};

struct ConnectorParams {
    wire::Executor executor;
    config::Url url;
    std::string user;  // another user than the URL's logs in as itself
    std::optional<std::string> password;
    std::string application;  // how our backends are told apart: "leasehold <pool>"
    std::string isolation_level;
    std::size_t prepared_per_backend = 200;
    boost::asio::thread_pool* computing = nullptr;
    std::vector<std::shared_ptr<pool::Quota>> quotas{};  // of the URL's hosts, in their order; empty: nobody counts

    [[nodiscard]] std::shared_ptr<pool::Quota> quota_of(std::size_t host) const {
        return host < quotas.size() ? quotas[host] : nullptr;
    }
};

// --- the control plane -----------------------------------------------------------------------------------------

// An ordinary client of the database, by the vendor's library, blocking: call it on the control threads only.
struct ServerReport {
    bool reachable = false;
    std::string error;  // never a credential
    std::string version;
    std::string family;  // as Dialect::family() says it
    std::chrono::microseconds round_trip{0};
    bool tls = false;
    std::string tls_version;
    int max_connections = 0;
    int reserved_connections = 0;
    std::chrono::seconds idle_limit{0};  // the server closes idle connections after this; 0: never
    bool refuses_native = false;         // MySQL: without mysql_native_password
};
// A connection of a process of ours that is gone, by which nobody else's is meant.
struct Orphan {
    std::uint64_t server_id = 0;
    std::uint16_t port =
        0;  // its own, as the server sees it; 0 over a unix socket: `since` and the server's clock tell
    std::int64_t since = 0;  // seconds since 1970
};
struct OrphansEnded {
    bool reachable = false;
    std::string error;  // never a credential
    int ended = 0;      // of those that were still there
};
class Control {
  public:
    Control() = default;
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;
    virtual ~Control() = default;
    [[nodiscard]] virtual ServerReport report(const config::Url& url, std::chrono::seconds timeout) = 0;
    // Of the URL's first server and its user.
    [[nodiscard]] virtual OrphansEnded end_orphans(const config::Url& url, const std::vector<Orphan>& orphans,
                                                   std::chrono::seconds timeout) = 0;
};

// ---------------------------------------------------------------------------------------------------------------

class Dialect {
  public:
    Dialect() = default;
    Dialect(const Dialect&) = delete;
    Dialect& operator=(const Dialect&) = delete;
    virtual ~Dialect() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    // The server speaks first (MySQL): its greeting needs facts before the client says who it is.
    [[nodiscard]] virtual bool greets_first() const noexcept = 0;
    // The names of its protocol in ALPN.
    [[nodiscard]] virtual std::vector<std::string> tls_protocols() const { return {}; }
    // Facts that are true of all these servers, for a greeting; null: of none. Those of another family than the first
    // one's do not count.
    [[nodiscard]] virtual Facts common_facts(const std::vector<Facts>& servers) const {
        return servers.empty() ? nullptr : servers.front();
    }
    // "MariaDB": of a server that calls itself so. Two families do not share a greeting.
    [[nodiscard]] virtual std::string_view family(std::string_view /*version*/) const noexcept { return name(); }
    [[nodiscard]] virtual std::unique_ptr<Login> login(LoginParams params) const = 0;
    // A login anew, as the errand of `session` asks for it, which ends then. Its greeting is over. Null in dialects whose
    // trackers never ask.
    [[nodiscard]] virtual std::unique_ptr<Login> login_again(const wire::Tracker& session,
                                                             const ReturningClient& client) const;
    [[nodiscard]] virtual std::unique_ptr<LocalService> local_service(Login& login) const = 0;
    [[nodiscard]] virtual std::unique_ptr<Connector> connector(ConnectorParams params) const = 0;
    [[nodiscard]] virtual std::unique_ptr<Control> control() const = 0;

    // leasehold's own errors in the dialect's codes (dialects/<db>/errors).
    enum class Failure : std::uint8_t {
        no_such_pool,
        too_many_clients,
        too_many_clients_of_user,  // the message is the user's name
        pool_timeout_at_login,
        pool_timeout,
        server_unavailable,
        starting_drain,  // to a login
        shutting_down,   // to a session
        killed,
        handshake_timeout,
        not_permitted,
        internal,
        settings_refused,
        syntax,
        cancelled,
        no_pool_named,
        no_such_session,  // the message is its number
        not_owner,        // likewise
    };
    [[nodiscard]] virtual wire::Diagnostics failure(Failure kind, std::string message) const = 0;
};

}  // namespace leasehold::dialects
