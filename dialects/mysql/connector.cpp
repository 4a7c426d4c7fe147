// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/connector.hpp"

#include "dialects/mysql/align.hpp"
#include "dialects/mysql/cancel.hpp"
#include "dialects/mysql/compression.hpp"
#include "dialects/mysql/tracker.hpp"

namespace leasehold::mysql {
namespace {

// Delivers one KILL QUERY. Owns all it needs: the backend may be closed meanwhile.
wire::awaitable<std::error_code> deliver_cancel(wire::Executor executor, wire::ServerAddress address,
                                                ServerLoginParams login, std::uint32_t connection,
                                                pool::Deadline deadline) {
    wire::Dialled dialled = co_await wire::dial(executor, address.host, address.port, deadline);
    std::error_code ec = dialled.error;
    if (!ec) {
        Cancel exchange(std::move(login), connection);
        wire::Inbox inbox;
        ec = co_await wire::drive(*dialled.transport, exchange, inbox, deadline);
    }
    co_return ec;
}

// `compress=zlib` or `zstd`; `true`, as drivers have it, is the one that every server knows.
Compression asked_compression(const config::Url& url) noexcept {
    const std::string_view asked = url.option("compress");
    if (asked == "zstd") return Compression::zstd;
    return asked == "zlib" || asked == "true" ? Compression::zlib : Compression::none;
}

}  // namespace

Connector::Connector(dialects::ConnectorParams params) : params_(std::move(params)) {
    for (const config::HostPort& host : params_.url.hosts) {
        const bool folder = host.host.starts_with('/') && !host.host.ends_with(".sock");
        // A unix socket by its own path, or the usual name in a folder.
        addresses_.push_back({folder ? host.host + "/mysqld.sock" : host.host, host.port});
    }
    const std::string_view socket = params_.url.option("unix_socket");
    if (!socket.empty()) addresses_.assign(1, {std::string(socket), 0});
    if (!addresses_.empty()) address_ = addresses_.front().text();
}

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
    login.compression = asked_compression(params_.url);
    return login;
}

void Connector::publish(const ServerLogin& login, std::string variables) {
    // The modes have no blank between them; behind one stands what clients are told of.
    const std::size_t blank = std::min(variables.find(' '), variables.size());
    std::string tracked = variables.substr(std::min(blank + 1, variables.size()));
    std::string sql_mode = variables.substr(0, blank);
    const Greeting& greeting = login.greeting();
    auto facts = std::make_shared<dialects::ServerFacts>();
    facts->version = plain_version(greeting.version);
    facts->parameters = {{"greeting_version", greeting.version},
                         {"sql_mode", std::move(sql_mode)},
                         {"tracked_variables", std::move(tracked)}};
    facts->capabilities = greeting.capabilities;
    facts->charset = greeting.charset;
    facts->status = login.status();
    const std::lock_guard lock(mutex_);
    facts_ = std::move(facts);
}

// What a new connection is asked and told; `message` receives the server's sql_mode, or what went wrong.
wire::awaitable<std::error_code> Connector::prepare(Backend* backend, std::string* message, pool::Deadline deadline) {
    auto& lease = static_cast<MysqlLease&>(backend->lease_state());
    Round round(lease.deprecate_eof());
    const bool tracks = (lease.capabilities & cap::session_track) != 0;
    round.command(Command::query,
                  tracks ? "SELECT CONCAT_WS(' ', @@sql_mode, @@session_track_system_variables)" : "SELECT @@sql_mode",
                  true);
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
    *message = round.first_field();
    co_return std::error_code();
}

wire::awaitable<pool::Connected> Connector::connect(pool::Variant variant, pool::Deadline deadline) {
    pool::Connected result;
    for (const wire::ServerAddress& address : addresses_) {
        wire::Dialled dialled = co_await wire::dial(params_.executor, address.host, address.port, deadline);
        if (dialled.error) {
            result.error = dialled.error;
            result.message = std::move(dialled.message);
            continue;
        }
        ServerLoginParams params = login_params(variant);
        params.secure = address.host.starts_with('/');
        ServerLogin login(params);
        wire::Inbox inbox;
        result.error = co_await wire::drive(*dialled.transport, login, inbox, deadline, params_.computing);
        if (result.error) {
            const wire::Diagnostics& said = login.diagnostics();
            result.message = address.text() + ": " + (said.message.empty() ? result.error.message() : said.message);
            result.sqlstate = said.sqlstate;
            result.saturated = result.error == wire::errc::server_saturated;
            result.refused = result.error == wire::errc::unsupported ||
                             (said.from_server && (result.error == wire::errc::authentication_failed ||
                                                   result.error == wire::errc::server_error));
            if (result.saturated || result.refused) co_return result;
            continue;
        }
        if (params.compression != Compression::none) {
            auto codec = std::make_unique<Compressed>(Compressed::Role::client, params.compression);
            dialled.transport->compress(std::move(codec), std::exchange(inbox, wire::Inbox()));
        }
        const std::string backend_peer = dialled.transport->peer();
        Backend::Login logged_in;
        logged_in.address = address;
        wire::ServerAddress server = wire::reached(address, backend_peer);
        logged_in.cancel = [executor = params_.executor, address = std::move(server), params,
                            connection = login.greeting().connection_id](pool::Deadline until) {
            return deliver_cancel(executor, address, params, connection, until);
        };
        logged_in.params = std::move(params);
        logged_in.capabilities = login.capabilities();
        logged_in.charset = login.charset();
        logged_in.connection = login.greeting().connection_id;
        logged_in.status = login.status();
        logged_in.prepared = params_.prepared_per_backend;
        logged_in.mariadb = is_mariadb(login.greeting().version);
        auto backend = std::make_unique<Backend>(std::move(dialled.transport), std::move(inbox), std::move(logged_in));
        std::string said;
        result.error = co_await prepare(backend.get(), &said, deadline);
        if (result.error) {
            result.message = address.text() + ": " + said;
            backend->close();
            continue;
        }
        publish(login, std::move(said));
        result.backend = std::move(backend);
        result.message.clear();
        co_return result;
    }
    co_return result;
}

}  // namespace leasehold::mysql
