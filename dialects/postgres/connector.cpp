// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/connector.hpp"

#include "dialects/postgres/cancel.hpp"

namespace leasehold::postgres {
namespace {

// Delivers one cancel request. Owns all it needs: the backend may be closed meanwhile.
wire::awaitable<std::error_code> deliver_cancel(wire::Executor executor, ServerAddress address, std::uint32_t pid,
                                                std::string secret, pool::Deadline deadline) {
    wire::Dialled dialled = co_await wire::dial(executor, address.host, address.port, deadline);
    std::error_code ec = dialled.error;
    if (!ec) {
        Cancel exchange(pid, std::move(secret));
        wire::Inbox inbox;
        ec = co_await wire::drive(*dialled.transport, exchange, inbox, deadline);
    }
    co_return ec;
}

}  // namespace

Connector::Connector(dialects::ConnectorParams params) : params_(std::move(params)) {
    for (const config::HostPort& host : params_.url.hosts) {
        const bool local = host.host.starts_with('/');
        addresses_.push_back({local ? host.host + "/.s.PGSQL." + std::to_string(host.port) : host.host, host.port});
    }
    address_ = addresses_.front().text();
}

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
        auto cancel = [executor = params_.executor, address, pid = login.pid(), secret = login.secret()](
                          pool::Deadline until) { return deliver_cancel(executor, address, pid, secret, until); };
        Backend::Login logged_in{address, std::move(cancel), login.pid(), login.parameters()};
        result.backend = std::make_unique<Backend>(std::move(dialled.transport), std::move(inbox), std::move(logged_in),
                                                   variant, params_.prepared_per_backend);
        result.message.clear();
        co_return result;
    }
    co_return result;
}

}  // namespace leasehold::postgres
