// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/dialect.hpp"

#include "dialects/postgres/backend.hpp"
#include "dialects/postgres/control.hpp"
#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/handshake.hpp"
#include "dialects/postgres/local_service.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

namespace leasehold::postgres {
namespace {

using Failure = dialects::Dialect::Failure;

// One for the process: both legs and all workers share what a password's derivation has cost once.
ScramKeyCache& scram_keys() {
    static ScramKeyCache cache;
    return cache;
}

ClientCredential credential_of(dialects::Credential credential) {
    ClientCredential made;
    switch (credential.kind) {
        case dialects::Credential::Kind::password: made.kind = ClientCredential::Kind::password; break;
        case dialects::Credential::Kind::trust: made.kind = ClientCredential::Kind::trust; break;
        case dialects::Credential::Kind::none: made.kind = ClientCredential::Kind::none; break;
    }
    switch (credential.method) {
        case config::AuthMethod::scram: made.method = ClientCredential::Method::scram; break;
        case config::AuthMethod::md5: made.method = ClientCredential::Method::md5; break;
        default: made.method = ClientCredential::Method::automatic; break;
    }
    made.secret = std::move(credential.secret);
    return made;
}

// The server's parameters, overlaid by what the client itself asked for in its startup packet.
Parameters parameters_for(const dialects::ServerFacts& facts, const Settings& startup) {
    Parameters parameters = facts.parameters;
    for (const Settings::Setting& setting : startup) {
        if (!is_carriable(setting.name)) continue;
        const auto same = [&](const auto& parameter) { return same_name(parameter.first, setting.name); };
        const auto found = std::ranges::find_if(parameters, same);
        if (found != parameters.end()) found->second = setting.value;
    }
    return parameters;
}

// Ends at once with what the client is to be told.
class Refusal final : public wire::Exchange {
  public:
    explicit Refusal(wire::Diagnostics why) { diagnostics_ = std::move(why); }
    [[nodiscard]] wire::Action resume(wire::Bytes, std::error_code) override {
        return wire::Action::done(0, make_error_code(wire::errc::unsupported));
    }
};

// What a startup packet may ask of a server that leasehold does not do.
std::optional<wire::Diagnostics> unserved(const Startup& startup) {
    if (!startup.replication.empty()) {
        return failure(Fault::unsupported_protocol,
                       "replication connections are not served: connect to the server itself");
    }
    if (!startup.unknown_switches.empty()) {
        return failure(Fault::unsupported_protocol,
                       "the startup option \"" + startup.unknown_switches.front() + "\" is not supported");
    }
    return std::nullopt;
}

class Login final : public dialects::Login {
  public:
    explicit Login(const config::Limits& limits)
        : startup_({static_cast<std::size_t>(limits.max_startup_bytes),
                    static_cast<std::size_t>(limits.max_settings_per_session)}) {}

    [[nodiscard]] wire::Exchange& greeting() override { return startup_; }

    [[nodiscard]] const dialects::LoginRequest& request() const noexcept override {
        const Startup& startup = startup_.startup();
        switch (startup.kind) {
            case Startup::Kind::session: request_.kind = dialects::LoginRequest::Kind::session; break;
            case Startup::Kind::cancel: request_.kind = dialects::LoginRequest::Kind::cancel; break;
            case Startup::Kind::closed: request_.kind = dialects::LoginRequest::Kind::closed; break;
        }
        request_.user = startup.user;
        request_.database = startup.database;
        request_.application = startup.settings.find("application_name").value_or("");
        request_.cancel = {startup.cancel_id, startup.cancel_secret};
        return request_;
    }

    [[nodiscard]] wire::Exchange& authentication(dialects::Credential credential) override {
        if (auto why = unserved(startup_.startup())) return refusal_.emplace(std::move(*why));
        return authentication_.emplace(credential_of(std::move(credential)), startup_.startup().user, scram_keys());
    }

    void welcome(const dialects::ServerFacts& facts, dialects::CancelKey key, wire::Writer& to_client) override {
        postgres::welcome(to_client, parameters_for(facts, startup_.startup().settings), key.id,
                          static_cast<std::uint32_t>(key.secret));
    }

    void refuse(const wire::Diagnostics& error, wire::Writer& to_client) override {
        error_response(to_client, Severity::fatal, error);
    }

    [[nodiscard]] std::unique_ptr<wire::Tracker> tracker(const dialects::ServerFacts& facts,
                                                         dialects::SessionOptions options) override {
        TrackerOptions made;
        made.user = startup_.startup().user;
        made.startup = startup_.startup().settings;
        made.parameters = parameters_for(facts, made.startup);
        made.mode = options.mode;
        made.disconnect_on_loss = options.disconnect_on_loss;
        made.prepared_per_client = options.prepared_per_client;
        made.max_statement_cache_bytes = options.max_statement_cache_bytes;
        return make_tracker(std::move(made));
    }

  private:
    ClientStartup startup_;
    mutable dialects::LoginRequest request_;
    std::optional<ClientAuthentication> authentication_;
    std::optional<Refusal> refusal_;
};

class Connector final : public dialects::Connector {
  public:
    explicit Connector(dialects::ConnectorParams params) : params_(std::move(params)) {
        for (const config::HostPort& host : params_.url.hosts) {
            const bool local = host.host.starts_with('/');
            addresses_.push_back({local ? host.host + "/.s.PGSQL." + std::to_string(host.port) : host.host, host.port});
        }
        address_ = addresses_.front().text();
    }

    [[nodiscard]] wire::awaitable<pool::Connected> connect(pool::Variant variant, pool::Deadline deadline) override;
    [[nodiscard]] std::string_view address() const noexcept override { return address_; }
    [[nodiscard]] dialects::Facts facts() const noexcept override {
        const std::lock_guard lock(mutex_);
        return facts_;
    }

  private:
    [[nodiscard]] ServerLoginParams login_params() const;
    void publish(const ServerLogin& login);

    dialects::ConnectorParams params_;
    std::vector<ServerAddress> addresses_;
    std::string address_;
    mutable std::mutex mutex_;  // over facts_
    dialects::Facts facts_;
};

ServerLoginParams Connector::login_params() const {
    ServerLoginParams login;
    login.database = params_.url.database;
    const std::string_view application = params_.url.option("application_name");
    login.parameters.emplace_back("application_name",
                                  application.empty() ? params_.application : std::string(application));
    const std::string_view options = params_.url.option("options");
    if (!options.empty()) login.parameters.emplace_back("options", options);
    if (!params_.isolation_level.empty() && params_.isolation_level != "AUTOCOMMIT") {
        login.parameters.emplace_back("default_transaction_isolation", params_.isolation_level);
    }
    login.credential.user = params_.user;
    login.credential.password = params_.password;
    return login;
}

void Connector::publish(const ServerLogin& login) {
    auto facts = std::make_shared<dialects::ServerFacts>();
    facts->version = login.parameter("server_version");
    facts->parameters = login.parameters();
    const std::lock_guard lock(mutex_);
    facts_ = std::move(facts);
}

wire::awaitable<pool::Connected> Connector::connect(pool::Variant variant, pool::Deadline deadline) {
    pool::Connected result;
    for (const ServerAddress& address : addresses_) {
        wire::Dialled dialled = co_await wire::dial(params_.executor, address.host, address.port, deadline);
        if (dialled.error) {
            result.error = dialled.error;
            result.message = std::move(dialled.message);
            continue;
        }
        ServerLogin login(login_params(), scram_keys());
        wire::Inbox inbox;
        result.error = co_await wire::drive(*dialled.transport, login, inbox, deadline, params_.computing);
        if (result.error) {
            const wire::Diagnostics& said = login.diagnostics();
            result.message = address.text() + ": " + (said.message.empty() ? result.error.message() : said.message);
            result.sqlstate = said.sqlstate;
            result.saturated = result.error == wire::errc::server_saturated;
            result.refused = said.from_server && (result.error == wire::errc::authentication_failed ||
                                                  result.error == wire::errc::server_error);
            if (result.saturated || result.refused) co_return result;
            continue;
        }
        publish(login);
        Backend::Login logged_in{address, login.pid(), login.secret(), login.parameters()};
        result.backend = std::make_unique<Backend>(std::move(dialled.transport), std::move(inbox), std::move(logged_in),
                                                   variant, params_.prepared_per_backend);
        result.message.clear();
        co_return result;
    }
    co_return result;
}

class Dialect final : public dialects::Dialect {
  public:
    [[nodiscard]] std::string_view name() const noexcept override { return "postgresql"; }
    [[nodiscard]] bool greets_first() const noexcept override { return false; }
    [[nodiscard]] std::unique_ptr<dialects::Login> login(dialects::Facts, dialects::CancelKey,
                                                         const config::Limits& limits) const override {
        return std::make_unique<Login>(limits);
    }
    [[nodiscard]] std::unique_ptr<dialects::LocalService> local_service(dialects::Login&) const override {
        return std::make_unique<LocalService>();
    }
    [[nodiscard]] std::unique_ptr<dialects::Connector> connector(dialects::ConnectorParams params) const override {
        return std::make_unique<Connector>(std::move(params));
    }
    [[nodiscard]] std::unique_ptr<dialects::Control> control() const override { return std::make_unique<Control>(); }

    [[nodiscard]] wire::Diagnostics failure(Failure kind, std::string message) const override {
        return postgres::failure(fault_of(kind), message);
    }

  private:
    static Fault fault_of(Failure kind) noexcept {
        switch (kind) {
            case Failure::no_such_pool:
            case Failure::no_pool_named: return Fault::no_such_pool;
            case Failure::too_many_clients: return Fault::too_many_clients;
            case Failure::pool_timeout_at_login: return Fault::pool_timeout_at_login;
            case Failure::pool_timeout: return Fault::pool_timeout;
            case Failure::server_unavailable: return Fault::server_unavailable;
            case Failure::shutting_down: return Fault::shutting_down;
            case Failure::killed: return Fault::killed;
            case Failure::handshake_timeout: return Fault::handshake_timeout;
            case Failure::not_permitted: return Fault::not_permitted;
            case Failure::internal: return Fault::internal;
            case Failure::settings_refused: return Fault::settings_refused;
            case Failure::syntax: return Fault::syntax;
            case Failure::cancelled: return Fault::query_cancelled;
        }
        return Fault::internal;
    }
};

}  // namespace

std::unique_ptr<dialects::Dialect> make_dialect() { return std::make_unique<Dialect>(); }

}  // namespace leasehold::postgres
