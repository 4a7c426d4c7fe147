// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/backend.hpp"

#include "dialects/postgres/align.hpp"
#include "dialects/postgres/audit.hpp"
#include "dialects/postgres/client_login.hpp"
#include "dialects/postgres/drain.hpp"
#include "dialects/postgres/finish.hpp"
#include "dialects/postgres/ping.hpp"
#include "dialects/postgres/replay.hpp"
#include "dialects/postgres/reset.hpp"

#include <optional>

namespace leasehold::postgres {
namespace {

using wire::awaitable;

}  // namespace

Backend::Backend(std::unique_ptr<wire::Transport> transport, wire::Inbox inbox, Login login, pool::Variant variant,
                 std::size_t prepared_limit)
    : transport_(std::move(transport)), inbox_(std::move(inbox)), login_(std::move(login)),
      address_(login_.address.text()), variant_(variant), lease_(prepared_limit),
      cancelling_(transport_->executor(), std::move(login_.cancel)), watch_(*transport_) {
    for (const auto& [name, value] : login_.parameters) {
        lease_.reported.set(name, value);
        lease_.defaults.set(name, value);
    }
}

Backend::~Backend() = default;

pool::Condition Backend::condition() const noexcept {
    pool::Condition condition;
    condition.dead = dead_ || !transport_->is_open();
    condition.half_message = !inbox_.empty() || transport_->unsent() > 0 || lease_.half_message();
    condition.outstanding = lease_.outstanding();
    condition.cancelling = cancelling_.underway();
    condition.in_transaction = lease_.status != 'I';
    condition.dirty = soiled_ || lease_.dirty || lease_.along;
    return condition;
}

bool Backend::quiet() noexcept { return !dead_ && inbox_.empty() && transport_->quiet(); }

awaitable<std::error_code> Backend::run(wire::Exchange& exchange, pool::Deadline deadline) {
    const std::error_code ec = co_await wire::drive(*transport_, exchange, inbox_, deadline);
    if (ec && ec != wire::errc::settings_refused) dead_ = true;
    co_return ec;
}

// A Query, which drops the unnamed statement.
awaitable<std::error_code> Backend::run(Round& round, pool::Deadline deadline) {
    lease_.unnamed = {};
    wire::Exchange& exchange = round;
    co_return co_await run(exchange, deadline);
}

awaitable<std::error_code> Backend::ping(pool::Deadline deadline) {
    Ping exchange;
    co_return co_await run(exchange, deadline);
}

awaitable<std::error_code> Backend::reset(pool::Deadline deadline) {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_reset")) {
        soiled_ = false;
        lease_.forget();
        co_return std::error_code{};
    }
#endif
    if (lease_.along && !soiled_ && !lease_.dirty) {
        Unlisten exchange;
        const std::error_code ec = co_await run(exchange, deadline);
        note(exchange.changes());
        lease_.along = false;
        co_return ec;
    }
    Reset exchange;
    const std::error_code ec = co_await run(exchange, deadline);
    note(exchange.changes());
    if (!ec && lease_.seeded) {
        Reseed reseed;
        if (const std::error_code failed = co_await run(reseed, deadline)) co_return failed;
        lease_.seeded = false;
    }
    if (!ec) {
        lease_.forget();
        soiled_ = false;
        // What a server that was reconfigured meanwhile now has for everybody.
        if (lease_.defaults.fingerprint() != lease_.reported.fingerprint()) lease_.defaults = lease_.reported;
    }
    co_return ec;
}

awaitable<std::error_code> Backend::finish(bool commit, pool::Deadline deadline) {
    Finish exchange(commit);
    const std::error_code ec = co_await run(exchange, deadline);
    note(exchange.changes());
    if (!ec) lease_.status = 'I';
    co_return ec;
}

awaitable<std::error_code> Backend::cancel(pool::Deadline deadline) {
    co_return co_await cancelling_.deliver(deadline);
}

awaitable<std::error_code> Backend::drain(pool::Deadline deadline) {
    std::optional<wire::Cancelling::Repetition> cancels;
    if (lease_.outstanding()) cancels.emplace(cancelling_.repeat(deadline));
    Drain exchange(lease_.unfinished);
    const std::error_code ec = co_await run(exchange, deadline);
    cancels.reset();
    note(exchange.changes());
    if (ec) co_return ec;
    if (exchange.status() != 0) lease_.status = exchange.status();
    lease_.unfinished = {};
    // Each request that is on its way must have arrived before a later statement may run.
    co_return co_await cancelling_.delivered(deadline);
}

// What the server reported while an exchange of our own ran.
void Backend::note(const Changes& changes) {
    for (const auto& [name, value] : changes) lease_.report(name, value);
}

// The quarantine ladder. A rung that fails is the last; the pool closes the connection then.
awaitable<std::error_code> Backend::recover(pool::Deadline deadline, pool::RecoverSink& sink) {
    std::error_code ec;
    soiled_ = true;  // whatever else is known of it
    const bool running = lease_.outstanding() || cancelling_.underway();
    if (running) {
        ec = co_await cancel(deadline);
        sink.rung(pool::Rung::cancel, ec);
        if (ec) co_return ec;
        ec = co_await cancelling_.delivered(deadline);
        if (ec) co_return ec;
    }
    if (running || lease_.half_message() || !inbox_.empty()) {
        // A message to the server whose end will never come: nothing can follow it.
        const bool cut = lease_.half_sent > 0 || !transport_->flush() || transport_->unsent() > 0;
        ec = cut ? make_error_code(wire::errc::unsupported) : std::error_code{};
        if (!ec) ec = co_await drain(deadline);
        sink.rung(pool::Rung::drain, ec);
        if (ec) co_return ec;
    }
    co_return co_await recover_drained(deadline, &sink);
}

void Backend::close() noexcept {
    if (!transport_->is_open()) return;
    if (!dead_ && !lease_.outstanding() && transport_->unsent() == 0) {
        wire::Writer goodbye;
        terminate(goodbye);
        (void)transport_->send(goodbye.bytes());
    }
    dead_ = true;
    transport_->close();
}

bool Backend::aligned(const wire::Tracker& session) const noexcept {
    const Settings& wanted = static_cast<const Tracker&>(session).settings();
    return lease_.held == wanted || replayable(lease_.held, wanted);
}

// A refusal counts when it is about the settings wanted alone: those that another session left may be in their way, or
// may not be taken back one by one.
awaitable<dialects::Backend::Aligned> Backend::bring(Settings wanted, pool::Deadline deadline) {
    Aligned result;
    for (bool again = true; again;) {
        again = false;
        Align exchange(lease_.held, wanted);
        result.error = co_await run(exchange, deadline);
        if (exchange.status() != 0 && exchange.status() != 'I') dead_ = true;
        note(exchange.changes());
        if (result.error) result.diagnostics = exchange.diagnostics();
        if (result.error != wire::errc::settings_refused || dead_ || lease_.held.empty()) break;
        const std::error_code ec = co_await reset(deadline);
        if (ec) {
            result.error = ec;
            break;
        }
        again = !wanted.empty();
        if (!again) result = {};
    }
    co_return result;
}

awaitable<dialects::Backend::Aligned> Backend::align(wire::Tracker& session, pool::Deadline deadline) {
    Aligned result;
    auto& tracker = static_cast<Tracker&>(session);  // a pool of PostgreSQL serves sessions of PostgreSQL
    const Settings wanted = tracker.settings();
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    if (switches::on("no_settings")) co_return result;
#endif
    result = co_await bring(wanted, deadline);
    // As the session spells it: the server may report another spelling of the same.
    if (!result.error) lease_.held = wanted;
    co_return result;
}

awaitable<std::error_code> Backend::audit(wire::Tracker& session, pool::Deadline deadline, wire::Outbox& to_client) {
    auto& tracker = static_cast<Tracker&>(session);
    const std::vector<std::string> along = tracker.along_channels();
    Audit exchange(lease_, tracker.suspects(), along, tracker.shown());
    const std::error_code ec = co_await wire::drive(*transport_, exchange, inbox_, deadline);
    note(exchange.changes());
    tracker.pass_notifications(exchange.notifications(), to_client);
    // One that may not or cannot tell is no reason to lose what the session has there.
    const bool refused = ec == wire::errc::server_error && exchange.status() == 'I';
    if (ec && !refused) {
        dead_ = true;
        co_return ec;
    }
    tracker.audited(refused ? nullptr : &exchange.found());
    co_return std::error_code();
}

awaitable<dialects::Backend::Tried> Backend::try_login(const dialects::Login& login, pool::Deadline deadline) {
    Tried result;
    Settings wanted = static_cast<const ClientLogin&>(login).settings();  // a pool of PostgreSQL has such clients
    if (!(lease_.held == wanted)) {
        const Aligned brought = co_await bring(wanted, deadline);
        if (brought.error) {
            result.error = brought.error;
            result.diagnostics = brought.diagnostics;
            co_return result;
        }
    }
    auto facts = std::make_shared<dialects::ServerFacts>();
    for (const auto& setting : lease_.reported) facts->parameters.emplace_back(setting.name, setting.value);
    facts->version = lease_.reported.find("server_version").value_or(std::string_view());
    // As the session will spell it, so that it finds the backend aligned.
    lease_.held = as_reported(std::move(wanted), facts->parameters);
    result.facts = std::move(facts);
    co_return result;
}

}  // namespace leasehold::postgres
