// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/connector.hpp"

#include "dialects/postgres/client_login.hpp"
#include "dialects/postgres/ear.hpp"
#include "dialects/postgres/seam.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

dialects::Facts facts_of(Parameters said) {
    auto facts = std::make_shared<dialects::ServerFacts>();
    const auto version =
        std::ranges::find(said, "server_version", [](const auto& parameter) { return parameter.first; });
    if (version != said.end()) facts->version = version->second;
    facts->parameters = std::move(said);
    return facts;
}

std::string key_of(const ClientLogin& login) { return KnownLogins::key(login.settings(), login.variant()); }

// A client's startup packet for a server of its own: user and database are the pool's, the rest is as it was sent.
Parameters replication_parameters(const Parameters& packet, const Parameters& ours) {
    Parameters made;
    for (const auto& [name, value] : packet) {
        const bool protocol = name == "user" || name == "database" || name.starts_with("_pq_.");
        if (!protocol) made.emplace_back(name, value);
    }
    for (const auto& [name, value] : ours) {
        const auto same = std::ranges::find(made, name, [](const auto& parameter) { return parameter.first; });
        if (same == made.end()) {
            made.emplace_back(name, value);
        } else if (name == "options") {
            same->second = value + " " + same->second;  // the client's come last and win
        }
    }
    return made;
}

}  // namespace

Connector::Connector(dialects::ConnectorParams params) : params_(std::move(params)), servers_(params_) {}

dialects::Facts Connector::facts() const noexcept {
    const std::lock_guard lock(mutex_);
    return facts_;
}

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
    return login;
}

// What other logins were told is not true any more when the server says something else now.
void Connector::publish(const Parameters& said) {
    dialects::Facts made = facts_of(said);
    const std::lock_guard lock(mutex_);
    if (facts_ && facts_->parameters != made->parameters) known_.clear();
    facts_ = std::move(made);
}

dialects::Facts Connector::facts_for(const dialects::Login& login) const {
    const std::string key = key_of(static_cast<const ClientLogin&>(login));
    dialects::Facts usual = facts();
    if (key.empty() || !usual) return usual;
    const KnownLogins::Parameters* known = known_.find(key);
    return known != nullptr ? facts_of(*known) : nullptr;
}

void Connector::remember(const dialects::Login& login, dialects::Facts said) {
    const std::string key = key_of(static_cast<const ClientLogin&>(login));
    const dialects::Facts usual = facts();
    if (key.empty() || !usual || !said) return;
    Parameters parameters = said->parameters;
    // A plain one is each login's own, and none is what the pool's backends are called.
    const auto named = [](const auto& parameter) { return parameter.first == "application_name"; };
    const auto ours = std::ranges::find_if(usual->parameters, named);
    const auto theirs = std::ranges::find_if(parameters, named);
    const bool asked = !is_plain_application_name(
        static_cast<const ClientLogin&>(login).settings().find("application_name").value_or(std::string_view()));
    if (!asked && ours != usual->parameters.end() && theirs != parameters.end()) theirs->second = ours->second;
    known_.remember(key, std::move(parameters));
}

wire::awaitable<pool::Connected> Connector::connect(pool::Variant variant, pool::Deadline deadline) {
    const VariantRef start = variants().find(variant);
    if (variant != 0 && !start) {
        pool::Connected none;
        none.error = wire::errc::unsupported;
        none.refused = true;
        none.sqlstate = "53400";
        none.message = "too many different sets of parameters that only a connection's start can set are in use";
        co_return none;
    }
    ServerLoginParams login = login_params();
    if (start) {
        for (const auto& setting : start->parameters) login.parameters.emplace_back(setting.name, setting.value);
    }
    Reached reached = co_await reach(std::move(login), variant, deadline);
    if (reached.connected.backend) publish(reached.said);
    // The client of such a variant is told what the server said to it, in the server's words.
    if (variant != 0 && reached.connected.refused && reached.refusal.from_server)
        reached.connected.message = reached.refusal.message;
    co_return std::move(reached.connected);
}

wire::awaitable<dialects::Replicating> Connector::connect_replication(const dialects::Login& login,
                                                                      pool::Deadline deadline) {
    ServerLoginParams params = login_params();
    params.parameters = replication_parameters(static_cast<const ClientLogin&>(login).packet(), params.parameters);
    Reached reached = co_await reach(std::move(params), 0, deadline);
    dialects::Replicating made;
    made.connected = std::move(reached.connected);
    made.refusal = std::move(reached.refusal);
    made.facts = facts_of(std::move(reached.said));
    made.seam = std::make_unique<Seam>();
    co_return made;
}

// In the database's own encoding: sessions of another one are not heard for.
wire::awaitable<dialects::Hearing> Connector::connect_ear(std::string mark_channel, pool::Deadline deadline) {
    ServerLoginParams login = login_params();
    login.parameters.front().second = "leasehold listen";
    login.parameters.emplace_back("client_encoding", "SQL_ASCII");
    Reached reached = co_await reach(std::move(login), 0, deadline);
    dialects::Hearing made;
    made.connected = std::move(reached.connected);
    if (made.connected.backend) made.ear = std::make_unique<Ear>(std::move(mark_channel));
    co_return made;
}

// A backend on the first server that lets us in and fits.
wire::awaitable<Connector::Reached> Connector::reach(ServerLoginParams params, pool::Variant variant,
                                                     pool::Deadline deadline) {
    Reached reached;
    pool::Connected& result = reached.connected;
    Servers::Found found = co_await servers_.find(std::move(params), deadline);
    if (!found.reached.transport) {
        result = dialects::not_connected(found.reached);
        if (found.reached.said.from_server) reached.refusal = std::move(found.reached.said);
        co_return reached;
    }
    const ServerLogin& login = *found.reached.login;
    reached.said = login.parameters();
    Backend::Login logged_in{found.server.address, std::move(found.cancel), login.pid(), login.parameters()};
    auto backend = std::make_unique<Backend>(std::move(found.reached.transport), std::move(found.reached.inbox),
                                             std::move(logged_in), variant, params_.prepared_per_backend);
    backend->share(asked_);
    result.backend = std::move(backend);
    result.quota = params_.quota_of(found.host);
    co_return reached;
}

}  // namespace leasehold::postgres
