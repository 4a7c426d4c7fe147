// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/dialect.hpp"

#include "dialects/mysql/compression.hpp"
#include "dialects/mysql/connector.hpp"
#include "dialects/mysql/control.hpp"
#include "dialects/mysql/errors.hpp"
#include "dialects/mysql/greeting.hpp"
#include "dialects/mysql/handshake.hpp"
#include "dialects/mysql/local_service.hpp"
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using Failure = dialects::Dialect::Failure;

// Of ServerFacts::parameters.
std::string_view parameter(const dialects::ServerFacts& facts, std::string_view name) noexcept {
    const auto found = std::ranges::find(facts.parameters, name, &std::pair<std::string, std::string>::first);
    return found == facts.parameters.end() ? std::string_view() : std::string_view(found->second);
}

Greeting greeting_of(const dialects::ServerFacts* facts, std::uint32_t connection) {
    Greeting greeting;
    greeting.connection_id = connection;
    greeting.salt = make_salt();
    if (facts == nullptr) {
        // No server has answered yet. Whoever wants the console does not need one.
        greeting.version = "5.7.0-leasehold-" LEASEHOLD_VERSION;
        greeting.capabilities = cap::offered;
        greeting.charset = 45;  // utf8mb4
        greeting.status = status::autocommit;
        return greeting;
    }
    const std::string_view sent = parameter(*facts, "greeting_version");
    greeting.version = sent.empty() ? std::string_view(facts->version) : sent;
    greeting.capabilities = facts->capabilities;
    greeting.charset = facts->charset;
    greeting.status = static_cast<std::uint16_t>(facts->status & ~status::in_transaction);
    return greeting;
}

dialects::Facts common_facts_of(const std::vector<dialects::Facts>& servers) {
    std::vector<Greeting> greetings;
    for (const dialects::Facts& facts : servers) greetings.push_back(greeting_of(facts.get(), 0));
    const std::optional<Greeting> common = common_greeting(greetings);
    if (!common) return nullptr;
    if (servers.size() == 1) return servers.front();
    auto made = std::make_shared<dialects::ServerFacts>();
    made->version = plain_version(common->version);
    made->parameters = {{"greeting_version", common->version}};
    made->capabilities = common->capabilities;
    made->charset = common->charset;
    made->status = common->status;
    return made;
}

class Login final : public dialects::Login {
  public:
    explicit Login(const dialects::LoginParams& params)
        : greeting_(greeting_of(params.greeting.get(), params.key.id),
                    static_cast<std::size_t>(params.limits.max_startup_bytes),
                    {params.tls_offered, params.tls_required}),
          client_host_(params.client_host), local_(params.local) {}

    // COM_CHANGE_USER.
    Login(HandshakeResponse again, const Salt& salt, const dialects::ReturningClient& client)
        : greeting_(std::move(again), salt, tls_of(client)), client_host_(client.host), local_(client.local),
          again_(true) {}

    [[nodiscard]] wire::Exchange& greeting() override { return greeting_; }

    [[nodiscard]] const dialects::LoginRequest& request() const noexcept override {
        using Kind = dialects::LoginRequest::Kind;
        request_.kind = greeting_.left() ? Kind::closed : Kind::session;
        request_.user = greeting_.response().user;
        request_.database = greeting_.response().database;
        request_.application = greeting_.response().program_name;
        const std::optional<wire::TlsFacts>& tls = greeting_.tls();
        request_.encrypted = tls.has_value();
        request_.certified_name = tls && tls->peer_certified ? tls->peer_name : "";
        return request_;
    }

    [[nodiscard]] wire::Exchange& authentication(dialects::Credential credential) override {
        ClientCredential made;
        switch (credential.kind) {
            case dialects::Credential::Kind::password: made.kind = ClientCredential::Kind::password; break;
            case dialects::Credential::Kind::trust: made.kind = ClientCredential::Kind::trust; break;
            case dialects::Credential::Kind::refused: made.kind = ClientCredential::Kind::refused; break;
            case dialects::Credential::Kind::none: made.kind = ClientCredential::Kind::none; break;
        }
        made.secret = std::move(credential.secret);
        made.clear_text = credential.method == config::AuthMethod::cleartext;
        return authentication_.emplace(std::move(made), greeting_.hello(client_host_, local_));
    }

    [[nodiscard]] std::string recovered() const override {
        return authentication_ ? to_string(authentication_->recovered()) : std::string();
    }

    void welcome(const dialects::ServerFacts& facts, dialects::CancelKey, wire::Writer& to_client) override {
        Ok ok;
        ok.status = static_cast<std::uint16_t>(facts.status & ~status::in_transaction);
        write_ok(to_client, ok, next_sequence());
    }

    void refuse(const wire::Diagnostics& error, wire::Writer& to_client) override {
        // In place of a greeting there is no SQLSTATE yet.
        write_error(to_client, error, next_sequence(), greeting_.greeted());
    }

    [[nodiscard]] std::unique_ptr<wire::Tracker> tracker(const dialects::ServerFacts& facts,
                                                         dialects::SessionOptions options) override {
        TrackerOptions made;
        made.mode = options.mode;
        made.disconnect_on_loss = options.disconnect_on_loss;
        made.prepared_per_client = options.prepared_per_client;
        made.max_statement_cache_bytes = static_cast<std::size_t>(options.max_statement_cache_bytes);
        made.max_settings = options.max_settings;
        made.functions = std::move(options.functions);
        made.capabilities = greeting_.response().capabilities & greeting_.greeting().capabilities;
        made.charset = greeting_.response().charset;
        made.status = facts.status;
        made.mariadb = is_mariadb(facts.version);
        made.sql_mode = parameter(facts, "sql_mode");
        made.tracked_variables = parameter(facts, "tracked_variables");
        made.isolation_level = std::move(options.isolation_level);
        made.application = greeting_.response().program_name;
        made.identity = std::move(options.identity);
        made.number = options.number;
        made.salt = authentication_ ? authentication_->salt() : greeting_.greeting().salt;
        return std::make_unique<Tracker>(std::move(made));
    }

    [[nodiscard]] std::unique_ptr<wire::Codec> codec() const override {
        if (again_) return nullptr;  // what there is goes on
        const HandshakeResponse& response = greeting_.response();
        const Compression algorithm = compression_of(response.capabilities & greeting_.greeting().capabilities);
        if (algorithm == Compression::none) return nullptr;
        return std::make_unique<Compressed>(Compressed::Role::server, algorithm, response.zstd_level);
    }

    [[nodiscard]] Capabilities capabilities() const noexcept {
        return greeting_.response().capabilities & greeting_.greeting().capabilities;
    }

    [[nodiscard]] ConsoleIdentity identity() const {
        return {greeting_.response().user + "@" + client_host_, greeting_.greeting().connection_id};
    }

  private:
    static std::optional<wire::TlsFacts> tls_of(const dialects::ReturningClient& client) {
        if (!client.encrypted) return std::nullopt;
        wire::TlsFacts facts;
        facts.peer_certified = !client.certified_name.empty();
        facts.peer_name = client.certified_name;
        return facts;
    }
    [[nodiscard]] std::uint8_t next_sequence() const noexcept {
        if (authentication_) return authentication_->next_sequence();
        return greeting_.next_sequence();
    }

    ClientGreeting greeting_;
    std::string client_host_;
    bool local_;
    bool again_ = false;
    mutable dialects::LoginRequest request_;
    std::optional<ClientAuthentication> authentication_;
};

class Dialect final : public dialects::Dialect {
  public:
    [[nodiscard]] std::string_view name() const noexcept override { return "mysql"; }
    [[nodiscard]] bool greets_first() const noexcept override { return true; }
    [[nodiscard]] dialects::Facts common_facts(const std::vector<dialects::Facts>& servers) const override {
        return common_facts_of(servers);
    }
    [[nodiscard]] std::string_view family(std::string_view version) const noexcept override {
        return family_of(version);
    }
    [[nodiscard]] std::unique_ptr<dialects::Login> login(dialects::LoginParams params) const override {
        return std::make_unique<Login>(params);
    }
    [[nodiscard]] std::unique_ptr<dialects::Login> login_again(const wire::Tracker& session,
                                                               const dialects::ReturningClient& client) const override {
        const TrackerOptions& was = static_cast<const Tracker&>(session).options();  // of this dialect
        const Bytes request = wire::as_bytes(session.errand().request);
        HandshakeResponse again = parse_change_user(request, was.capabilities).value_or(HandshakeResponse{});
        // The server's own, as servers do, whatever the client names.
        again.plugin = was.mariadb ? native_password : sha2_password;
        return std::make_unique<Login>(std::move(again), was.salt, client);
    }
    [[nodiscard]] std::unique_ptr<dialects::LocalService> local_service(dialects::Login& login) const override {
        const auto& known = static_cast<Login&>(login);  // of this dialect
        return std::make_unique<LocalService>(known.capabilities(), known.identity());
    }
    [[nodiscard]] std::unique_ptr<dialects::Connector> connector(dialects::ConnectorParams params) const override {
        return std::make_unique<Connector>(std::move(params));
    }
    [[nodiscard]] std::unique_ptr<dialects::Control> control() const override { return std::make_unique<Control>(); }

    [[nodiscard]] wire::Diagnostics failure(Failure kind, std::string message) const override {
        return mysql::failure(fault_of(kind), message);
    }

  private:
    static Fault fault_of(Failure kind) noexcept {
        switch (kind) {
            case Failure::no_such_pool: return Fault::no_such_pool;
            case Failure::no_pool_named: return Fault::no_pool_named;
            case Failure::too_many_clients: return Fault::too_many_clients;
            case Failure::too_many_clients_of_user: return Fault::too_many_clients_of_user;
            case Failure::pool_timeout_at_login: return Fault::pool_timeout_at_login;
            case Failure::pool_timeout: return Fault::pool_timeout;
            case Failure::server_unavailable: return Fault::server_unavailable;
            case Failure::starting_drain: return Fault::starting_drain;
            case Failure::shutting_down: return Fault::shutting_down;
            case Failure::killed: return Fault::killed;
            case Failure::handshake_timeout: return Fault::handshake_timeout;
            case Failure::not_permitted: return Fault::not_permitted;
            case Failure::internal: return Fault::internal;
            case Failure::settings_refused: return Fault::settings_refused;
            case Failure::syntax: return Fault::syntax;
            case Failure::cancelled: return Fault::query_cancelled;
            case Failure::no_such_session: return Fault::unknown_thread;
            case Failure::not_owner: return Fault::not_owner;
        }
        return Fault::internal;
    }
};

}  // namespace

std::unique_ptr<dialects::Dialect> make_dialect() { return std::make_unique<Dialect>(); }

}  // namespace leasehold::mysql
