// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/connector.hpp"

#include "dialects/mysql/align.hpp"
#include "dialects/mysql/tracker.hpp"

namespace leasehold::mysql {
namespace {

// `compress=zlib` or `zstd`; `true`, as drivers have it, is the one that every server knows.
Compression asked_compression(const config::Url& url) noexcept {
    const std::string_view asked = url.option("compress");
    if (asked == "zstd") return Compression::zstd;
    return asked == "zlib" || asked == "true" ? Compression::zlib : Compression::none;
}

// Servers may have been told meanwhile to let us in.
constexpr auto keys_wanted_for = std::chrono::seconds(30);

dialects::Facts facts_of(const ServerLogin& login, std::string sql_mode, std::string tracked) {
    const Greeting& greeting = login.greeting();
    auto facts = std::make_shared<dialects::ServerFacts>();
    facts->version = plain_version(greeting.version);
    facts->parameters = {{"greeting_version", greeting.version},
                         {"sql_mode", std::move(sql_mode)},
                         {"tracked_variables", std::move(tracked)}};
    facts->capabilities = greeting.capabilities;
    facts->charset = greeting.charset;
    facts->status = login.status() & status::lasting;
    return facts;
}

}  // namespace

Connector::Connector(dialects::ConnectorParams params) : params_(std::move(params)), servers_(params_) {}

dialects::Facts Connector::facts() const noexcept {
    const std::lock_guard lock(mutex_);
    return facts_;
}

ServerLoginParams Connector::login_params(pool::Variant variant) const {
    ServerLoginParams login;
    login.user = params_.user;
    login.password = params_.password.value_or("");
    login.database = params_.url.database;
    login.capabilities = capabilities_of(variant);
    login.program_name = params_.application;
    {
        const std::lock_guard lock(mutex_);
        login.keys = keys_;
    }
    login.compression = asked_compression(params_.url);
    return login;
}

dialects::Facts Connector::greeted() const {
    const std::lock_guard lock(mutex_);
    return facts_ ? facts_ : greeted_;
}

// Of somebody else's login, who shares this pool with a hash of his own, they are of no use.
void Connector::learn(const std::string& keys) {
    const std::optional<LoginKeys> shown = parse_login_keys(keys);
    if (!shown || !belong(*shown, params_.password.value_or(""))) return;
    const std::lock_guard lock(mutex_);
    // A quick login shows less than a whole one did before.
    if (shown->password) keys_.password = shown->password;
    if (shown->native) keys_.native = shown->native;
    if (shown->sha2) keys_.sha2 = shown->sha2;
}

std::string Connector::learned() const {
    const std::lock_guard lock(mutex_);
    return to_string(keys_);
}

// A login that ends before its answer is an error to the server, and some errors later it blocks our host.
bool Connector::may_dial() const {
    const std::lock_guard lock(mutex_);
    return !keys_.empty() || pool::Clock::now() >= keys_wanted_until_;
}

void Connector::note_refusal(const ServerLogin& login) {
    if (!login.wants_keys()) return;
    dialects::Facts seen = facts_of(login, {}, {});
    const std::lock_guard lock(mutex_);
    keys_wanted_until_ = pool::Clock::now() + keys_wanted_for;
    greeted_ = std::move(seen);
}

void Connector::publish(const ServerLogin& login, std::string variables) {
    // The modes have no blank between them; behind one stands what clients are told of.
    const std::size_t blank = std::min(variables.find(' '), variables.size());
    std::string tracked = variables.substr(std::min(blank + 1, variables.size()));
    std::string sql_mode = variables.substr(0, blank);
    dialects::Facts facts = facts_of(login, std::move(sql_mode), std::move(tracked));
    const std::lock_guard lock(mutex_);
    facts_ = std::move(facts);
}

// What a new connection is asked and told; `message` receives the server's sql_mode, or what went wrong.
wire::awaitable<std::error_code> Connector::prepare(Backend* backend, std::string* message, pool::Deadline deadline) {
    auto& lease = static_cast<MysqlLease&>(backend->lease_state());
    Round round(lease.deprecate_eof());
    const bool tracks = (lease.capabilities & cap::session_track) != 0;
    // Behind a line's end the role that the login begins with, where the server has roles.
    std::string facts = "SELECT CONCAT(CONCAT_WS(' ',@@sql_mode";
    if (tracks) facts += ",@@session_track_system_variables";
    facts += lease.mariadb ? "),CHAR(10)/*M!100005 ,IFNULL(CURRENT_ROLE(),'')*/)"
                           : "),CHAR(10)/*!80000 ,IFNULL(CURRENT_ROLE(),'')*/)";
    round.command(Command::query, facts, true);
    Settings wanted = initial_settings(params_.isolation_level, lease.mariadb, lease.default_autocommit);
    wanted.charset = lease.held.charset;
    const Alignment plan = alignment(lease.held, wanted, lease.defaults());
    if (!plan.sql.empty()) round.command(Command::query, plan.sql);
    const std::size_t tracks_at = plan.sql.empty() ? 1 : 2;
    lease.tracks = (lease.capabilities & cap::session_track) != 0;
    if (lease.tracks) round.command(Command::query, track_statement(lease.mariadb));
    const std::error_code ec = co_await wire::drive(backend->transport(), round, backend->inbox(), deadline);
    if (round.failed_at() == tracks_at) lease.tracks = false;  // then the lexer is alone
    lease.tracking = lease.tracks;
    if (ec && round.failed_at() != tracks_at) {
        *message = round.diagnostics().message.empty() ? ec.message() : round.diagnostics().message;
        co_return ec;
    }
    if (round.status() != 0) lease.status = round.status();
    lease.held = std::move(wanted);
    const std::string& told = round.first_field();
    const std::size_t line = std::min(told.find('\n'), told.size());
    *message = told.substr(0, line);
    lease.login_role = told.substr(std::min(line + 1, told.size()));
    if (lease.login_role == "NONE") lease.login_role.clear();
    co_return std::error_code();
}

wire::awaitable<pool::Connected> Connector::connect(pool::Variant variant, pool::Deadline deadline) {
    pool::Connected result;
    if (!may_dial()) {
        result.error = wire::errc::authentication_failed;
        result.refused = true;
        result.message = servers_.name() + ": nobody has logged in as \"" + params_.user +
                         "\" since the start; a hash cannot dial by itself";
        co_return result;
    }
    ServerLoginParams params = login_params(variant);
    Servers::Found found = co_await servers_.find(std::move(params), deadline);
    Reached& reached = found.reached;
    if (!reached.transport) {
        if (reached.login) note_refusal(*reached.login);
        co_return dialects::not_connected(reached);
    }
    const ServerLogin& login = *reached.login;
    Backend::Login logged_in;
    logged_in.address = found.server.address;
    logged_in.cancel = std::move(found.cancel);
    logged_in.params = std::move(reached.params);
    logged_in.capabilities = login.capabilities();
    logged_in.charset = login.charset();
    logged_in.connection = login.greeting().connection_id;
    logged_in.status = login.status();
    logged_in.prepared = params_.prepared_per_backend;
    logged_in.mariadb = is_mariadb(login.greeting().version);
    auto backend =
        std::make_unique<Backend>(std::move(reached.transport), std::move(reached.inbox), std::move(logged_in));
    std::string said;
    const auto began = pool::Clock::now();
    result.error = co_await prepare(backend.get(), &said, deadline);
    if (result.error) {
        wire::host_table().failed(found.server.name, pool::Clock::now(), pool::Clock::now() - began);
        result.message = found.server.name + ": " + said;
        backend->close();
        co_return result;
    }
    publish(login, std::move(said));
    result.backend = std::move(backend);
    result.quota = params_.quota_of(found.host);
    co_return result;
}

}  // namespace leasehold::mysql
