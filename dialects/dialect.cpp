// SPDX-License-Identifier: Apache-2.0
#include "dialects/dialect.hpp"

namespace leasehold::dialects {

awaitable<std::error_code> Backend::audit(wire::Tracker&, pool::Deadline, wire::Outbox&) {
    co_return std::error_code();
}

awaitable<Backend::Tried> Backend::try_login(const Login&, pool::Deadline) { co_return Tried{}; }

awaitable<std::error_code> Backend::recover_drained(pool::Deadline deadline, pool::RecoverSink* sink) {
    std::error_code ec;
    if (condition().in_transaction) {
        ec = co_await finish(false, deadline);
        sink->rung(pool::Rung::rollback, ec);
        if (ec) co_return ec;
    }
    ec = co_await ping(deadline);
    sink->rung(pool::Rung::verify, ec);
    if (ec) co_return ec;
    ec = co_await reset(deadline);
    sink->rung(pool::Rung::reset, ec);
    if (ec) co_return ec;
    if (!quiet()) ec = make_error_code(wire::errc::protocol_violation);
    sink->rung(pool::Rung::unread, ec);
    co_return ec;
}

pool::Connected not_connected(const wire::Reached& reached) {
    pool::Connected result;
    result.error = reached.error;
    result.message = reached.message;
    result.saturated = reached.saturated;
    result.refused = reached.refused;
    // Our own doubts about a server are no affair of the client's: it would take them for its own password's.
    if (!reached.said.from_server) return result;
    result.sqlstate = reached.said.sqlstate;
    result.number = reached.said.number;
    return result;
}

std::unique_ptr<Login> Dialect::login_again(const wire::Tracker&, const ReturningClient&) const { return nullptr; }

awaitable<Replicating> Connector::connect_replication(const Login&, pool::Deadline) {
    Replicating none;
    none.connected.error = wire::errc::unsupported;
    none.connected.message = "this database has no replication connections";
    co_return none;
}

awaitable<Hearing> Connector::connect_ear(std::string, pool::Deadline) {
    Hearing none;
    none.connected.error = wire::errc::unsupported;
    none.connected.message = "this database announces nothing";
    co_return none;
}

}  // namespace leasehold::dialects
