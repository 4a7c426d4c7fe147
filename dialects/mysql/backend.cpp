// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/backend.hpp"

#include "dialects/mysql/align.hpp"
#include "dialects/mysql/drain.hpp"
#include "dialects/mysql/finish.hpp"
#include "dialects/mysql/ping.hpp"
#include "dialects/mysql/reset.hpp"
#include "dialects/mysql/seam.hpp"
#include "dialects/mysql/tracker.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace leasehold::mysql {
namespace {

using wire::awaitable;

// The server has no such database any more, or not for this user: sessions go on without a current one.
constexpr int no_such_database = 1049, no_access = 1044;
constexpr int unknown_collation = 1273;

}  // namespace

Backend::Backend(std::unique_ptr<wire::Transport> transport, wire::Inbox inbox, Login login)
    : transport_(std::move(transport)), inbox_(std::move(inbox)), login_(std::move(login)),
      address_(login_.address.text()), cancelling_(transport_->executor(), std::move(login_.cancel)),
      watch_(*transport_) {
    lease_.capabilities = login_.capabilities;
    lease_.charset = login_.charset;
    lease_.mariadb = login_.mariadb;
    lease_.status = login_.status;
    lease_.default_autocommit = (login_.status & status::autocommit) != 0;
    lease_.held.autocommit = lease_.default_autocommit;
    lease_.held.charset = lease_.charset;
    lease_.statements.limit(login_.prepared);
    lease_.login_database = login_.params.database;
}

Backend::~Backend() = default;

pool::Variant Backend::variant() const noexcept { return variant_of(login_.params.capabilities); }

pool::Condition Backend::condition() const noexcept {
    pool::Condition condition;
    condition.dead = dead_ || !transport_->is_open();
    condition.half_message = !inbox_.empty() || transport_->unsent() > 0 || lease_.half_sent ||
                             (lease_.reply.active() && lease_.reply.in_packet());
    condition.outstanding = lease_.outstanding();
    condition.cancelling = cancelling_.underway();
    condition.in_transaction = lease_.in_transaction();
    condition.dirty = lease_.dirty;
    return condition;
}

bool Backend::quiet() noexcept { return !dead_ && inbox_.empty() && transport_->quiet(); }

awaitable<std::error_code> Backend::run(wire::Exchange& exchange, pool::Deadline deadline) {
    const std::error_code ec = co_await wire::drive(*transport_, exchange, inbox_, deadline);
    if (ec && ec != wire::errc::settings_refused) dead_ = true;
    co_return ec;
}

awaitable<std::error_code> Backend::ping(pool::Deadline deadline) {
    Ping exchange(lease_.deprecate_eof());
    const std::error_code ec = co_await run(exchange, deadline);
    if (!ec) lease_.status = exchange.status();
    co_return ec;
}

awaitable<std::error_code> Backend::reset(pool::Deadline deadline) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_reset")) {
        lease_.forget();
        co_return std::error_code{};
    }
#endif
    std::vector<std::string> then;
    if (!lease_.held.role().empty()) then.push_back("SET ROLE " + lease_.role_as_sql());
    then.push_back(role_check(lease_.mariadb, lease_.login_role));
    if (!lease_.restoring().empty()) then.emplace_back(lease_.restoring());
    if (lease_.tracks) then.emplace_back(track_statement(lease_.mariadb));
    // After a reset MySQL has the server's character sets; MariaDB those of the handshake.
    if (!lease_.mariadb) std::ranges::copy(charset_statements(lease_.charset), std::back_inserter(then));
    Reset exchange(lease_.deprecate_eof(), then);
    const std::error_code ec = co_await run(exchange, deadline);
    if (!ec) {
        lease_.status = exchange.status();
        lease_.forget();
        lease_.held.forget_role();
        lease_.tracking = lease_.tracks;
        lease_.held.charset = lease_.charset;
    }
    co_return ec;
}

// A new session on the same connection, without a current database.
awaitable<std::error_code> Backend::change_user(pool::Deadline deadline) {
    ServerLoginParams params = login_.params;
    params.database.clear();
    params.capabilities = login_.capabilities;
    params.charset = login_.charset;
    params.secure = params.secure || transport_->encrypted();
    ChangeUser exchange(std::move(params));
    std::error_code ec = co_await run(exchange, deadline);
    if (ec) co_return ec;
    lease_.status = exchange.status();
    lease_.forget();
    if (!lease_.mariadb) lease_.held.forget_role();
    lease_.held.database = std::string();
    lease_.held.charset = lease_.charset;
    if (!lease_.restoring().empty()) {
        Round round(lease_.deprecate_eof());
        round.command(Command::query, lease_.restoring());
        ec = co_await run(round, deadline);
    }
    co_return ec;
}

awaitable<std::error_code> Backend::finish(bool commit, pool::Deadline deadline) {
    Finish exchange(commit, lease_.deprecate_eof());
    const std::error_code ec = co_await run(exchange, deadline);
    if (!ec) lease_.status = exchange.status();
    lease_.counts_of = MysqlLease::leaseholds;
    co_return ec;
}

awaitable<std::error_code> Backend::cancel(pool::Deadline deadline) {
    co_return co_await cancelling_.deliver(deadline);
}

awaitable<std::error_code> Backend::drain(pool::Deadline deadline) {
    std::optional<wire::Cancelling::Repetition> cancels;
    if (lease_.outstanding()) cancels.emplace(cancelling_.repeat(deadline));
    Drain exchange(lease_);
    const std::error_code ec = co_await run(exchange, deadline);
    cancels.reset();
    if (ec) co_return ec;
    // Each request that is on its way must have arrived before a later statement may run.
    co_return co_await cancelling_.delivered(deadline);
}

// The quarantine ladder. A rung that fails is the last; the pool closes the connection then.
awaitable<std::error_code> Backend::recover(pool::Deadline deadline, pool::RecoverSink& sink) {
    std::error_code ec;
    // A message or a file whose end will never come: nothing can follow it, and what was sent may not be half done.
    const bool cut = lease_.half_sent || !transport_->flush() || transport_->unsent() > 0;
    if (cut) {
        ec = make_error_code(wire::errc::unsupported);
        sink.rung(pool::Rung::drain, ec);
        co_return ec;
    }
    if (lease_.outstanding() || cancelling_.underway()) {
        ec = co_await cancel(deadline);
        sink.rung(pool::Rung::cancel, ec);
        if (ec) co_return ec;
        ec = co_await drain(deadline);
        sink.rung(pool::Rung::drain, ec);
        if (ec) co_return ec;
    }
    co_return co_await recover_drained(deadline, &sink);
}

void Backend::close() noexcept {
    if (!transport_->is_open()) return;
    if (!dead_ && !lease_.outstanding() && !lease_.half_sent && transport_->unsent() == 0) {
        wire::Writer goodbye;
        write_command(goodbye, Command::quit);
        (void)transport_->send(goodbye.bytes());
    }
    dead_ = true;
    transport_->close();
}

std::unique_ptr<wire::Seam> Backend::seam() const { return std::make_unique<Seam>(); }

bool Backend::aligned(const wire::Tracker& session) const noexcept {
    const Settings& wanted = static_cast<const Tracker&>(session).settings();
    if (static_cast<const Tracker&>(session).wants_clean(lease_)) return false;
    return (lease_.held == wanted && lease_.tracking == lease_.tracks) || lease_.plan_for(wanted).nothing();
}

awaitable<dialects::Backend::Aligned> Backend::align(wire::Tracker& session, pool::Deadline deadline) {
    Aligned result;
    auto& tracker = static_cast<Tracker&>(session);  // a pool of this dialect serves sessions of this dialect
    const Settings wanted = tracker.settings();
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_settings")) co_return result;
#endif
    Alignment plan = lease_.plan_for(wanted, tracker.wants_clean(lease_));
    if (plan.no_database) {
        result.error = co_await change_user(deadline);
        if (result.error) co_return result;
        plan = lease_.plan_for(wanted);
    }
    if (!plan.nothing()) {
        Align exchange(plan, lease_.deprecate_eof());
        result.error = co_await run(exchange, deadline);
        result.diagnostics = exchange.diagnostics();
        if (exchange.charset_refused() && result.diagnostics.number == unknown_collation) {
            // As in a login: then it is the server's own.
            plan.charset = 0;
            Align again(plan, lease_.deprecate_eof());
            result.error = co_await run(again, deadline);
            result.diagnostics = again.diagnostics();
        }
        if (exchange.role_refused()) {
            // As if it had been revoked under the session: it goes on with the rights of its login.
            Settings without = wanted;
            without.forget_role();
            lease_.forget();
            plan = lease_.plan_for(without, true);
            Align again(plan, lease_.deprecate_eof());
            result.error = co_await run(again, deadline);
            result.diagnostics = again.diagnostics();
            if (!result.error) lease_.status = again.status();
            if (!result.error) lease_.forget();
            if (!result.error) lease_.tracking = lease_.tracks;
            if (!result.error) lease_.held = without;
            co_return result;
        }
        if (!result.error) lease_.status = exchange.status();
        if (plan.reset && !result.error) lease_.forget();
        if (!result.error) lease_.tracking = lease_.tracks;
        const int number = result.diagnostics.number;
        if (exchange.database_refused() && (number == no_such_database || number == no_access)) {
            // As if it had been dropped under the session: it can name another.
            result = {};
            Settings without = wanted;
            without.database = std::string();
            result.error = co_await change_user(deadline);
            plan = lease_.plan_for(without);
            if (!result.error && !plan.nothing()) {
                Align again(plan, lease_.deprecate_eof());
                result.error = co_await run(again, deadline);
                result.diagnostics = again.diagnostics();
            }
            if (!result.error) {
                lease_.tracking = lease_.tracks;
                lease_.held = without;
                lease_.held.autocommit = wanted.autocommit;
            }
            co_return result;
        }
    }
    if (!result.error) lease_.held = wanted;
    co_return result;
}

}  // namespace leasehold::mysql
