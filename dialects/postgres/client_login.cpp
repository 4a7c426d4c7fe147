// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/client_login.hpp"

#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/known_logins.hpp"
#include "dialects/postgres/tracker.hpp"

namespace leasehold::postgres {
namespace {

ClientCredential credential_of(dialects::Credential credential) {
    ClientCredential made;
    switch (credential.kind) {
        case dialects::Credential::Kind::password: made.kind = ClientCredential::Kind::password; break;
        case dialects::Credential::Kind::trust: made.kind = ClientCredential::Kind::trust; break;
        case dialects::Credential::Kind::refused:
        case dialects::Credential::Kind::none: made.kind = ClientCredential::Kind::none; break;
    }
    switch (credential.method) {
        case config::AuthMethod::scram: made.method = ClientCredential::Method::scram; break;
        case config::AuthMethod::md5: made.method = ClientCredential::Method::md5; break;
        case config::AuthMethod::cleartext: made.method = ClientCredential::Method::cleartext; break;
        default: made.method = ClientCredential::Method::automatic; break;
    }
    made.secret = std::move(credential.secret);
    return made;
}

// What the server says to a client with these settings; a plain application_name is the client's own business.
Parameters parameters_for(const dialects::ServerFacts& facts, const Settings& startup) {
    Parameters parameters = facts.parameters;
    const auto application = startup.find("application_name");
    if (!application || !is_plain_application_name(*application)) return parameters;
    for (auto& [name, value] : parameters) {
        if (same_name(name, "application_name")) value = *application;
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

}  // namespace

ClientLogin::ClientLogin(dialects::LoginParams params)
    : startup_({static_cast<std::size_t>(params.limits.max_startup_bytes),
                static_cast<std::size_t>(params.limits.max_settings_per_session)},
               {params.tls_offered, params.tls_required}),
      tls_offered_(params.tls_offered) {}

const dialects::LoginRequest& ClientLogin::request() const noexcept {
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
    request_.replication = startup.replication;
    request_.encrypted = startup.tls.has_value();
    request_.certified_name = startup.tls && startup.tls->peer_certified ? startup.tls->peer_name : "";
    request_.cancel_secret_bytes = startup.minor_version >= 2 ? long_secret : shortest_secret;
    return request_;
}

wire::Exchange& ClientLogin::authentication(dialects::Credential credential) {
    if (start_only_.empty()) start_only_ = take_start_only(startup_.startup().settings);
    if (credential.kind == dialects::Credential::Kind::refused) {
        refusal_ = std::make_unique<Refusal>(std::move(credential.refusal));
        return *refusal_;
    }
    const std::optional<wire::TlsFacts>& tls = startup_.startup().tls;
    ClientChannel channel;
    channel.encrypted = tls.has_value();
    // Where clear text is configured without TLS on offer it is on a unix socket; the configuration allows no other.
    channel.readable = !channel.encrypted && tls_offered_;
    if (tls) channel.server_end_point = tls->server_end_point;
    return authentication_.emplace(credential_of(std::move(credential)), startup_.startup().user, scram_keys(),
                                   std::move(channel));
}

std::string ClientLogin::recovered() const {
    return authentication_ && authentication_->recovered() ? to_string(*authentication_->recovered()) : std::string();
}

// Not before the client is authenticated: numbers are few.
std::uint64_t ClientLogin::variant() const noexcept {
    if (start_only_.empty()) return 0;
    if (!variant_) variant_ = variants().intern(start_only_);
    return variant_ ? variant_->id : Variants::none_left;
}

void ClientLogin::welcome(const dialects::ServerFacts& facts, dialects::CancelKey key, wire::Writer& to_client) {
    postgres::welcome(to_client, parameters_for(facts, startup_.startup().settings), key.id, key.secret);
}

void ClientLogin::refuse(const wire::Diagnostics& error, wire::Writer& to_client) {
    error_response(to_client, Severity::fatal, error);
}

std::unique_ptr<wire::Tracker> ClientLogin::tracker(const dialects::ServerFacts& facts,
                                                    dialects::SessionOptions options) {
    TrackerOptions made;
    made.user = startup_.startup().user;
    made.parameters = parameters_for(facts, settings());
    made.startup = as_reported(settings(), made.parameters);
    made.variant = variant();
    made.variant_kept = variant_;
    made.mode = options.mode;
    made.identity = std::move(options.identity);
    made.disconnect_on_loss = options.disconnect_on_loss;
    made.prepared_per_client = options.prepared_per_client;
    made.max_settings = options.max_settings;
    made.functions = std::move(options.functions);
    made.max_statement_cache_bytes = options.max_statement_cache_bytes;
    return make_tracker(std::move(made));
}

}  // namespace leasehold::postgres
