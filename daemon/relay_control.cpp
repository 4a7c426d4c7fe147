// SPDX-License-Identifier: Apache-2.0
// The relay as others reach into it: limits of time at each tick, the end of a wait, a drain, a stop.
#include "daemon/relay.hpp"

#include <boost/asio/co_spawn.hpp>

namespace leasehold::daemon {
namespace {

using wire::Loss;

constexpr auto cancel_within = std::chrono::seconds(5);
constexpr auto cancel_again_after = std::chrono::seconds(1);
constexpr auto audit_again_after = std::chrono::seconds(1);
constexpr auto ask_when_idle_for = std::chrono::milliseconds(10);

std::string seconds(wire::Clock::duration passed) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(passed).count()) + " s";
}

}  // namespace

void Relay::tick(wire::Clock::time_point now) {
    if (mode_ != Mode::running || !lease_ || !tracker_.attached()) return;
    const auto passed = [now](std::chrono::milliseconds limit, wire::Clock::time_point since) {
        return limit.count() > 0 && now - since >= limit;
    };
    const bool in_transaction = tracker_.status() != wire::TransactionStatus::idle;
    const bool busy = tracker_.busy();
    if (in_transaction && !busy && passed(limits_.transaction_idle, quiet_since_)) {
        const std::string reason =
            "idle in transaction for " + seconds(now - quiet_since_) + " (transaction_idle_timeout)";
        finish({Event::lost, Loss{Loss::Kind::transaction_idle, reason, false}});
    } else if (in_transaction && passed(limits_.transaction, transaction_since_)) {
        const std::string reason =
            "transaction open for " + seconds(now - transaction_since_) + " (transaction_timeout)";
        finish({Event::lost, Loss{Loss::Kind::transaction_time, reason, false}});
    } else if (busy && limits_.query.count() > 0 && now - request_since_ >= limits_.query + limits_.cancel) {
        // Its client takes no more of the reply, or sends no more of a COPY; or the server does not listen.
        overran_ = true;
        const std::string reason =
            "a statement ran for " + seconds(now - request_since_) + " and could not be cancelled (query_timeout)";
        finish({Event::lost, Loss{Loss::Kind::transaction_time, reason, false}});
    } else if (busy && passed(limits_.query, request_since_) && now >= cancel_again_at_) {
        // Repeated: a request that comes between two statements of a pipeline hits nothing.
        cancel_again_at_ = now + cancel_again_after;
        boost::asio::co_spawn(client_.executor(), backend_->cancel(now + cancel_within),
                              [](const std::exception_ptr&, std::error_code) {});
    } else if (!in_transaction && !busy && !tracker_.pin().empty() && passed(limits_.pin_idle, quiet_since_)) {
        const std::string reason = "idle for " + seconds(now - quiet_since_) + " (pin_idle_timeout)";
        finish({Event::lost, Loss{Loss::Kind::pin_idle, reason, false}});
    } else if (boundary_held_) {
        cancel_finished();
    } else if (!in_transaction && !busy && now >= audit_again_at_ && pool_.stats().waiting > 0 &&
               backend_->transport().unsent() == 0 && backend_->inbox().empty() &&
               tracker_.audit() == wire::Tracker::Audit::possible) {
        // Somebody could use the backend: what pins may have gone by a way that was not seen.
        audit_again_at_ = now + audit_again_after;
        finish({Event::audit, {}});
    }
}

// At a boundary, pinned. False: the backend is asked first.
bool Relay::stays() {
    if (tracker_.audit() == wire::Tracker::Audit::due) {
        finish({Event::audit, {}});
        return false;
    }
    if (pinned_since_ == wire::Clock::time_point::min()) {
        pinned_since_ = transaction_since_;
        if (traffic_ != nullptr) traffic_->pinned(tracker_.pin());
    }
    arm_backend();
    return true;
}

// What came behind the backend's answer is the client's.
void Relay::go_on_audited() {
    if (tracker_.pin().empty() || backend_->inbox().empty()) return boundary();
    on_backend(backend_->inbox().bytes(), true);
    if (mode_ == Mode::running && !outcome_) go_on();
}

// The tracker does not know whether the lease may end here. The client's next request would tell; while it is idle, or
// somebody waits for a backend, the server is asked.
void Relay::ask_in_time() {
    if (pool_.stats().waiting > 0 && client_in_.empty()) {
        ask();
        return;
    }
    if (!ask_timer_) ask_timer_ = std::make_shared<boost::asio::steady_timer>(client_.executor());
    ask_timer_->expires_after(ask_when_idle_for);
    ask_timer_->async_wait([this, alive = std::weak_ptr(ask_timer_)](const boost::system::error_code& ec) {
        if (!ec && !alive.expired()) ask();
    });
}

void Relay::ask() {
    if (mode_ != Mode::running || backend_ == nullptr || !tracker_.attached()) return;
    tracker_.ask(to_backend_);
    if (!to_backend_.empty()) ship_to_backend();
}

void Relay::backend_gone(std::string reason) {
    backend_->mark_dead();
    wire::Loss loss;
    loss.kind = wire::Loss::Kind::backend;
    loss.reason = std::move(reason);
    loss.unwritten = backend_->transport().sent() == sent_mark_;
    finish({Event::lost, std::move(loss)});
}

pool::Lease Relay::release() {
    if (backend_ != nullptr) {
        backend_->transport().on_readable({});
        backend_->transport().on_writable({});
        if (tracker_.dirty()) backend_->soil();
    }
    if (tracker_.attached()) tracker_.detach();
    if (timing_transaction_) count_times(wire::Clock::now(), true);
    backend_ = nullptr;
    boundary_held_ = false;
    return std::move(lease_);
}

void Relay::say(wire::Outbox& to_client) {
    if (to_client.empty()) return;
    if (traffic_ != nullptr && !gone_) traffic_->sent(to_client.size());
    if (!client_.send(to_client)) gone_ = true;
    to_client.clear();
}

// --- memory that is not to be had: one session ends, and nobody else notices --------------------------------------------

// What the tracker, the boxes and the backend's books hold may be half a change.
void Relay::starve() {
    starved_ = true;
    gone_ = true;
    to_client_.clear();
    to_backend_.clear();
    if (backend_ != nullptr) backend_->mark_dead();
    finish({Event::fatal, {}});
}

wire::Verdict Relay::from_client(wire::Bytes in) {
    try {
        return tracker_.from_client(in, to_backend_, to_client_);
    } catch (const std::bad_alloc&) {
        starve();
        return {wire::Verdict::Kind::fatal, 0};
    }
}

wire::Verdict Relay::from_backend(wire::Bytes in) {
    try {
        return tracker_.from_backend(in, to_client_, to_backend_);
    } catch (const std::bad_alloc&) {
        starve();
        return {wire::Verdict::Kind::fatal, 0};
    }
}

// Empty: the session is over.
std::span<std::uint8_t> Relay::room_in(wire::Inbox& inbox, std::size_t size) {
    try {
        return inbox.prepare(size);
    } catch (const std::bad_alloc&) {
        starve();
        return {};
    }
}

void Relay::keep_tail(wire::Bytes tail, bool from_inbox, std::size_t consumed, wire::Inbox& inbox) {
    if (from_inbox) {
        inbox.consume(consumed);
        if (inbox.empty()) inbox.release();
    } else if (!tail.empty()) {
        try {
            inbox.append(tail);
        } catch (const std::bad_alloc&) {
            starve();
        }
    }
}

// --- what is counted: a load and a store each, and no look at the clock that is not taken anyway ----------------------

void Relay::count_answers() noexcept {
    if (traffic_ == nullptr) return;
    const wire::Tracker::Counts& counts = tracker_.counts();
    if (counts.requests == counted_requests_ && counts.transactions == counted_transactions_) return;
    traffic_->answered(counts.requests - counted_requests_, counts.transactions - counted_transactions_);
    counted_requests_ = counts.requests;
    counted_transactions_ = counts.transactions;
}

// Nothing is outstanding; `over`: nor is a transaction open. One that is lost has had its time too.
void Relay::count_times(wire::Clock::time_point now, bool over) noexcept {
    if (timing_request_ && traffic_ != nullptr) traffic_->query(now - busy_since_);
    timing_request_ = false;
    if (!over) return;
    if (timing_transaction_ && traffic_ != nullptr) traffic_->transaction(now - transaction_since_);
    timing_transaction_ = false;
}

void Relay::watch_client(std::function<void()> gone) {
    on_gone_ = std::move(gone);
    if (on_gone_) {
        mode_ = Mode::watching;
        arm_client();
        if (client_.unsent() > 0) flush_to_client();
    } else {
        mode_ = Mode::stopped;
        client_.on_readable({});
        client_.on_writable({});
    }
}

void Relay::cancel_finished() {
    if (!boundary_held_ || mode_ != Mode::running || backend_ == nullptr || backend_->condition().cancelling) return;
    if (backend_->transport().unsent() > 0) return;
    boundary_held_ = false;
    if (!tracker_.busy() && tracker_.status() == wire::TransactionStatus::idle) boundary();
}

void Relay::heard() {
    if (mode_ == Mode::running && !outcome_ && !leaving_ && !gone_ && tracker_.resumes()) go_on();
}

void Relay::drain() {
    draining_ = true;
    if (mode_ != Mode::running) return;
    if (!lease_) {
        end_drained();
        return;
    }
    // A pinned session between its transactions has no boundary to wait for, unless its next request is there already.
    const bool between = !tracker_.busy() && tracker_.status() == wire::TransactionStatus::idle;
    if (between && client_in_.empty() && client_.quiet()) finish({Event::stop, {}});
}

// What the client has asked already is answered with the farewell, not overheard; and what waits for it comes first.
void Relay::end_drained() {
    if (!lease_) {
        if (client_in_.empty() && !tracker_.resumes()) {
            client_readable();
        } else {
            on_client(client_in_.bytes(), true);
        }
    }
    finish({Event::stop, {}});
}

void Relay::stop() {
    stopping_ = true;
    if (mode_ == Mode::running) finish({Event::stop, {}});
}

}  // namespace leasehold::daemon
