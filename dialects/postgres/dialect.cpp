// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/dialect.hpp"

#include "dialects/postgres/client_login.hpp"
#include "dialects/postgres/connector.hpp"
#include "dialects/postgres/control.hpp"
#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/local_service.hpp"

namespace leasehold::postgres {
namespace {

class Dialect final : public dialects::Dialect {
  public:
    [[nodiscard]] std::string_view name() const noexcept override { return "postgresql"; }
    [[nodiscard]] bool greets_first() const noexcept override { return false; }
    [[nodiscard]] std::vector<std::string> tls_protocols() const override { return {"postgresql"}; }
    [[nodiscard]] std::unique_ptr<dialects::Login> login(dialects::LoginParams params) const override {
        return std::make_unique<ClientLogin>(std::move(params));
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
            case Failure::no_such_session: return Fault::refused_here;
            case Failure::not_owner: return Fault::not_permitted;
        }
        return Fault::internal;
    }
};

}  // namespace

std::unique_ptr<dialects::Dialect> make_dialect() { return std::make_unique<Dialect>(); }

}  // namespace leasehold::postgres
