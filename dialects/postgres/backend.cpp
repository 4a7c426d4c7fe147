// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/backend.hpp"

#include "dialects/postgres/align.hpp"
#include "dialects/postgres/cancel.hpp"
#include "dialects/postgres/drain.hpp"
#include "dialects/postgres/finish.hpp"
#include "dialects/postgres/ping.hpp"
#include "dialects/postgres/reset.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace leasehold::postgres {
namespace {

using wire::awaitable;
using Timer = boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor>;

// Counts a cancel request from its start to its end, however it ends.
struct Underway {
    explicit Underway(std::shared_ptr<int> of) : count(std::move(of)) { ++*count; }
    ~Underway() { --*count; }
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;
    std::shared_ptr<int> count;
};

// Delivers one cancel request. Owns all it needs: the backend may be closed meanwhile.
awaitable<std::error_code> deliver_cancel(wire::Executor executor, Backend::Login login,
                                          std::shared_ptr<int> cancelling, pool::Deadline deadline) {
    const Underway counted(std::move(cancelling));
    wire::Dialled dialled = co_await wire::dial(executor, login.address.host, login.address.port, deadline);
    std::error_code ec = dialled.error;
    if (!ec) {
        Cancel exchange(login.pid, login.secret);
        wire::Inbox inbox;
        ec = co_await wire::drive(*dialled.transport, exchange, inbox, deadline);
    }
    co_return ec;
}

// A cancel request hits nothing when it comes before its statement has begun, and only one statement of several: it is
// repeated until the drain is over, less often where the server takes its time.
awaitable<void> keep_cancelling(wire::Executor executor, Backend::Login login, std::shared_ptr<int> cancelling,
                                std::shared_ptr<bool> over, pool::Deadline deadline) {
    auto pause = std::chrono::milliseconds(20);
    for (;;) {
        Timer timer(executor, pause);
        co_await timer.async_wait(boost::asio::use_awaitable_t<wire::Executor>{});
        if (*over || wire::Clock::now() >= deadline) co_return;
        (void)co_await deliver_cancel(executor, login, cancelling, deadline);
        if (*over) co_return;
        pause = std::min(pause * 2, std::chrono::milliseconds(80));
    }
}

}  // namespace

std::string ServerAddress::text() const { return host.starts_with('/') ? host : host + ":" + std::to_string(port); }

Backend::Backend(std::unique_ptr<wire::Transport> transport, wire::Inbox inbox, Login login, pool::Variant variant,
                 std::size_t prepared_limit)
    : transport_(std::move(transport)), inbox_(std::move(inbox)), login_(std::move(login)),
      address_(login_.address.text()), variant_(variant), lease_(prepared_limit) {
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
    condition.cancelling = *cancelling_ > 0;
    condition.in_transaction = lease_.status != 'I';
    condition.dirty = soiled_ || lease_.dirty;
    return condition;
}

bool Backend::quiet() noexcept { return !dead_ && inbox_.empty() && transport_->quiet(); }

void Backend::watch(std::function<void()> broken) {
    watcher_ = std::move(broken);
    if (watcher_) {
        arm_watch();
    } else {
        transport_->on_readable({});
    }
}

// A transport may call without cause; only what is there to be read, or the end, is one.
void Backend::arm_watch() {
    transport_->on_readable([this] {
        if (quiet()) {
            arm_watch();
            return;
        }
        const std::function<void()> broken = std::move(watcher_);
        if (broken) broken();
    });
}

awaitable<std::error_code> Backend::run(wire::Exchange& exchange, pool::Deadline deadline) {
    const std::error_code ec = co_await wire::drive(*transport_, exchange, inbox_, deadline);
    if (ec && ec != wire::errc::settings_refused) dead_ = true;
    co_return ec;
}

awaitable<std::error_code> Backend::ping(pool::Deadline deadline) {
    Ping exchange;
    co_return co_await run(exchange, deadline);
}

awaitable<std::error_code> Backend::reset(pool::Deadline deadline) {
    Reset exchange;
    const std::error_code ec = co_await run(exchange, deadline);
    note(exchange.changes());
    if (!ec) {
        lease_.forget();
        soiled_ = false;
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
    co_return co_await deliver_cancel(transport_->executor(), login_, cancelling_, deadline);
}

awaitable<std::error_code> Backend::drain(pool::Deadline deadline) {
    const auto over = std::make_shared<bool>(false);
    if (lease_.outstanding()) {
        boost::asio::co_spawn(transport_->executor(),
                              keep_cancelling(transport_->executor(), login_, cancelling_, over, deadline),
                              [](const std::exception_ptr&) {});
    }
    Drain exchange(lease_.unfinished);
    const std::error_code ec = co_await run(exchange, deadline);
    *over = true;
    note(exchange.changes());
    if (ec) co_return ec;
    if (exchange.status() != 0) lease_.status = exchange.status();
    lease_.unfinished = {};
    co_return co_await cancels_delivered(deadline);
}

// Each request that is on its way must have arrived before a later statement may run.
awaitable<std::error_code> Backend::cancels_delivered(pool::Deadline deadline) {
    while (*cancelling_ > 0) {
        Timer timer(transport_->executor(), std::chrono::milliseconds(2));
        co_await timer.async_wait(boost::asio::use_awaitable_t<wire::Executor>{});
        if (wire::Clock::now() >= deadline) co_return make_error_code(wire::errc::timed_out);
    }
    co_return std::error_code{};
}

// What the server reported while an exchange of our own ran.
void Backend::note(const Changes& changes) {
    for (const auto& [name, value] : changes) lease_.report(name, value);
}

// The quarantine ladder. A rung that fails is the last; the pool closes the connection then.
awaitable<std::error_code> Backend::recover(pool::Deadline deadline, pool::RecoverSink& sink) {
    std::error_code ec;
    const bool running = lease_.outstanding() || *cancelling_ > 0;
    if (running) {
        ec = co_await cancel(deadline);
        sink.rung(pool::Rung::cancel, ec);
        if (ec) co_return ec;
        ec = co_await cancels_delivered(deadline);
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
    if (lease_.status != 'I') {
        ec = co_await finish(false, deadline);
        sink.rung(pool::Rung::rollback, ec);
        if (ec) co_return ec;
    }
    ec = co_await ping(deadline);
    sink.rung(pool::Rung::verify, ec);
    if (ec) co_return ec;
    ec = co_await reset(deadline);
    sink.rung(pool::Rung::reset, ec);
    if (ec) co_return ec;
    if (!quiet()) ec = make_error_code(wire::errc::protocol_violation);
    sink.rung(pool::Rung::unread, ec);
    co_return ec;
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
    return lease_.held == static_cast<const Tracker&>(session).settings();
}

awaitable<dialects::Backend::Aligned> Backend::align(wire::Tracker& session, pool::Deadline deadline) {
    Aligned result;
    auto& tracker = static_cast<Tracker&>(session);  // a pool of PostgreSQL serves sessions of PostgreSQL
    const Settings wanted = tracker.settings();
    Align exchange(lease_.held, wanted);
    result.error = co_await run(exchange, deadline);
    if (result.error) {
        result.diagnostics = exchange.diagnostics();
        co_return result;
    }
    // As the session spells it: the server may report another spelling of the same.
    for (const auto& [name, value] : exchange.changes()) lease_.reported.set(name, value);
    lease_.held = wanted;
    co_return result;
}

}  // namespace leasehold::postgres
