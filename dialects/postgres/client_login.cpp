// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/client_login.hpp"

#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/tracker.hpp"

#include <algorithm>

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

}  // namespace

ClientLogin::ClientLogin(dialects::LoginParams params)
    : startup_({static_cast<std::size_t>(params.limits.max_startup_bytes),
                static_cast<std::size_t>(params.limits.max_settings_per_session)}) {}

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
    return request_;
}

wire::Exchange& ClientLogin::authentication(dialects::Credential credential) {
    auto why = unserved(startup_.startup());
    if (!why && credential.kind == dialects::Credential::Kind::refused) why = std::move(credential.refusal);
    if (why) {
        refusal_ = std::make_unique<Refusal>(std::move(*why));
        return *refusal_;
    }
    return authentication_.emplace(credential_of(std::move(credential)), startup_.startup().user, scram_keys());
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
    made.startup = startup_.startup().settings;
    made.parameters = parameters_for(facts, made.startup);
    made.mode = options.mode;
    made.disconnect_on_loss = options.disconnect_on_loss;
    made.prepared_per_client = options.prepared_per_client;
    made.max_statement_cache_bytes = options.max_statement_cache_bytes;
    return make_tracker(std::move(made));
}

}  // namespace leasehold::postgres
