// SPDX-License-Identifier: Apache-2.0
#include "daemon/relay.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace leasehold::daemon {
namespace {

namespace asio = boost::asio;
using wire::Verdict;

// A client that pipelines while it waits for a lease is read on up to here, to see its end.
constexpr std::size_t watched_bytes = 256 * 1024;
// More than a tracker ever wants to see whole.
constexpr std::size_t unused_bytes = 2 * 1024 * 1024;

}  // namespace

Relay::Relay(wire::Transport& client, wire::Inbox inbox, wire::Tracker& tracker, pool::Pool& pool,
             std::span<std::uint8_t> buffer, Limits limits, std::uint64_t session, const metrics::Traffic* traffic)
    : client_(client), client_in_(std::move(inbox)), tracker_(tracker), pool_(pool), buffer_(buffer), limits_(limits),
      session_(session), traffic_(traffic) {}

Relay::~Relay() {
    client_.on_readable({});
    client_.on_writable({});
    if (backend_ == nullptr) return;
    backend_->transport().on_readable({});
    backend_->transport().on_writable({});
}

wire::awaitable<Relay::Outcome> Relay::next() {
    mode_ = Mode::running;
    outcome_.reset();
    if (stopping_ || (draining_ && !lease_)) {
        finish({Event::stop, {}});
    } else if (backend_ != nullptr && !tracker_.attached()) {
        finish({Event::align, {}});
    } else if (leaving_ && backend_ == nullptr) {
        finish({Event::close, {}});  // what was to be carried out behind the goodbye is lost
    } else if (std::exchange(audited_, false) && backend_ != nullptr) {
        go_on_audited();
    } else {
        if (backend_ != nullptr) arm_backend();  // behind an errand
        go_on();
    }
    if (!outcome_) {
        co_await asio::async_initiate<const asio::use_awaitable_t<wire::Executor>, void()>(
            [this](auto handler) { resume_ = [handler = std::move(handler)]() mutable { std::move(handler)(); }; },
            asio::use_awaitable_t<wire::Executor>{});
    }
    Outcome outcome = std::move(*outcome_);
    outcome_.reset();
    co_return outcome;
}

// Ends the run. The coroutine is resumed from the loop, so that callers may return through their own frames.
void Relay::finish(Outcome outcome) {
    if (outcome_) return;
    mode_ = Mode::stopped;
    client_.on_readable({});
    client_.on_writable({});
    if (backend_ != nullptr) {
        backend_->transport().on_readable({});
        backend_->transport().on_writable({});
    }
    outcome_ = std::move(outcome);
    if (resume_) asio::post(client_.executor(), [resume = std::move(resume_)]() mutable { resume(); });
}

void Relay::arm_client() {
    client_.on_readable([this] { client_readable(); });
}

void Relay::arm_backend() {
    backend_->transport().on_readable([this] { backend_readable(); });
}

// --- the client's side -----------------------------------------------------------------------------------------

void Relay::client_readable() {
    if (mode_ == Mode::watching) {
        if (client_in_.size() >= watched_bytes) return;
        const std::span<std::uint8_t> room = room_in(client_in_, 4096);
        if (room.empty()) return;
        const wire::Transport::Io io = client_.recv(room);
        client_in_.commit(room.size(), io.bytes);
        if (traffic_ != nullptr) traffic_->received(io.bytes);
        if (!io.error) {
            arm_client();
        } else if (!tracker_.ends_with_goodbye(client_in_.bytes())) {
            gone_ = true;
            if (on_gone_) on_gone_();
        }
        return;
    }
    if (mode_ != Mode::running) return;
    const bool behind_tail = !client_in_.empty();
    const std::span<std::uint8_t> room = behind_tail ? room_in(client_in_, buffer_.size()) : buffer_;
    if (room.empty()) return;
    const wire::Transport::Io io = client_.recv(room);
    if (behind_tail) client_in_.commit(room.size(), io.bytes);
    if (traffic_ != nullptr) traffic_->received(io.bytes);
    if (io.error) {
        // With a goodbye behind requests that wait for their turn it is no accident: they are carried out.
        if (tracker_.busy() && said_goodbye()) return;
        gone_ = true;
        finish({Event::client_gone, {}});
    } else if (io.would_block) {
        arm_client();
    } else if (behind_tail) {
        on_client(client_in_.bytes(), true);
    } else {
        on_client(wire::Bytes(buffer_).first(io.bytes), false);
    }
}

void Relay::on_client(wire::Bytes in, bool from_inbox) {
    std::size_t consumed = 0;
    for (;;) {
        const bool attached = tracker_.attached();
        const bool quiet = attached && !tracker_.busy();
        const bool starting = quiet && tracker_.status() == wire::TransactionStatus::idle;
        const Verdict verdict = from_client(in.subspan(consumed));
        consumed += verdict.consumed;
        const bool wrote = attached && !to_backend_.empty();
        if (wrote) {
            request_since_ = wire::Clock::now();
            cancel_again_at_ = {};
            if (quiet) {
                busy_since_ = request_since_;
                timing_request_ = tracker_.busy();
            }
            if (starting) {
                transaction_since_ = request_since_;
                timing_transaction_ = timing_request_;
            }
            ship_to_backend();
        }
        const bool client_open = ship_to_client();
        if (verdict.kind == Verdict::Kind::lease && acquire()) continue;
        keep_tail(in.subspan(consumed), from_inbox, consumed, client_in_);
        switch (verdict.kind) {
            case Verdict::Kind::close:
                if (!leave()) finish({Event::close, {}});
                return;
            case Verdict::Kind::fatal: finish({Event::fatal, {}}); return;
            case Verdict::Kind::lease: return;  // acquire() has finished the run
            case Verdict::Kind::own: finish({Event::own, {}}); return;
            case Verdict::Kind::unsure: ask_in_time(); break;
            case Verdict::Kind::errand: finish({client_open ? Event::errand : Event::client_gone, {}}); return;
            case Verdict::Kind::more:
            case Verdict::Kind::refused:
            case Verdict::Kind::lost: break;
            case Verdict::Kind::boundary:
                if (!client_open) break;
                boundary();
                return;
        }
        if (!client_open) {
            gone_ = true;
            finish({Event::client_gone, {}});
            return;
        }
        break;
    }
    // One side does not take more: stop reading the client until it does.
    const bool full = client_.unsent() > 0 && !gone_;
    if (full) flush_to_client();
    if (full || (backend_ != nullptr && backend_->transport().unsent() > 0)) return;
    arm_client_bounded();
}

bool Relay::said_goodbye() const noexcept {
    return !client_in_.empty() && tracker_.ends_with_goodbye(client_in_.bytes());
}

// Takes the client's bytes on, unless one of the sides has still to take what it was sent.
void Relay::go_on() {
    if (client_.unsent() > 0 && !gone_) {
        flush_to_client();
    } else if (leaving_ || (backend_ != nullptr && backend_->transport().unsent() > 0)) {
        return;
    } else if (!client_in_.empty() || tracker_.resumes()) {
        on_client(client_in_.bytes(), true);
    } else {
        arm_client();
    }
}

// A client may send on while its bytes wait for replies: only so far.
void Relay::arm_client_bounded() {
    if (client_in_.size() < unused_bytes || !tracker_.attached() || !tracker_.busy()) arm_client();
}

// A goodbye behind a request: a server would carry the request out before it reads on, and so it is here, with nobody
// left to be told of the outcome. False: nothing runs.
bool Relay::leave() {
    if (backend_ == nullptr || !tracker_.attached() || !tracker_.busy() || !tracker_.completes()) return false;
    leaving_ = true;
    client_.on_readable({});
    return true;
}

// A lease for the held request, if one is to be had and used at once; else the run is finished.
bool Relay::acquire() {
    if (draining_) {
        finish({Event::stop, {}});
        return false;
    }
    const pool::Wanted wanted{tracker_.variant(), tracker_.fingerprint(), session_};
    pool::Lease lease = pool_.try_checkout(wanted);
    if (!lease) {
        finish({Event::checkout, {}});
        return false;
    }
    take(std::move(lease));
    if (!backend_->aligned(tracker_)) {
        finish({Event::align, {}});
        return false;
    }
    attach();
    return true;
}

void Relay::take(pool::Lease lease) {
    lease_ = std::move(lease);
    backend_ = static_cast<dialects::Backend*>(&lease_.backend());  // pools of the daemon hold nothing else
    ++leases_;
    transaction_since_ = quiet_since_ = lease_.since();
    pinned_since_ = wire::Clock::time_point::min();
}

void Relay::attach() {
    tracker_.attach(backend_->lease_state());
    sent_mark_ = backend_->transport().sent();
    arm_backend();
}

// --- the backend's side ----------------------------------------------------------------------------------------

void Relay::backend_readable() {
    if (mode_ != Mode::running || backend_ == nullptr) return;
    wire::Inbox& inbox = backend_->inbox();
    const bool behind_tail = !inbox.empty();
    const std::span<std::uint8_t> room = behind_tail ? room_in(inbox, buffer_.size()) : buffer_;
    if (room.empty()) return;
    const wire::Transport::Io io = backend_->transport().recv(room);
    if (behind_tail) inbox.commit(room.size(), io.bytes);
    if (io.error) {
        backend_gone(io.error == wire::errc::closed ? "the server closed the connection" : io.error.message());
    } else if (io.would_block) {
        arm_backend();
    } else if (behind_tail) {
        on_backend(inbox.bytes(), true);
    } else {
        on_backend(wire::Bytes(buffer_).first(io.bytes), false);
    }
}

void Relay::on_backend(wire::Bytes in, bool from_inbox) {
    const Verdict verdict = from_backend(in);
    count_answers();  // before the client can know: who asks for the figures then finds them
    if (!tracker_.busy()) {
        quiet_since_ = wire::Clock::now();
        count_times(quiet_since_, tracker_.status() == wire::TransactionStatus::idle);
    }
    if (!to_backend_.empty()) ship_to_backend();
    const bool client_open = ship_to_client();
    keep_tail(in.subspan(verdict.consumed), from_inbox, verdict.consumed, backend_->inbox());
    if (!tracker_.busy()) sent_mark_ = backend_->transport().sent();
    if (verdict.kind == Verdict::Kind::fatal) {
        backend_->mark_dead();
        finish({Event::fatal, {}});
        return;
    }
    if (verdict.kind == Verdict::Kind::lost) {
        backend_gone("the server ended the connection");
        return;
    }
    if (verdict.kind == Verdict::Kind::refused) {
        backend_->mark_dead();
        finish({Event::lost, wire::Loss{wire::Loss::Kind::settings, "a setting was refused", false}});
        return;
    }
    if (leaving_ && (!tracker_.busy() || !tracker_.completes())) {
        finish({Event::close, {}});
        return;
    }
    if (!client_open) {
        gone_ = true;
        if (!leaving_ && !said_goodbye()) {  // else it is carried out all the same
            finish({Event::client_gone, {}});
            return;
        }
    }
    if (verdict.kind == Verdict::Kind::boundary) {
        boundary();
        return;
    }
    if (verdict.kind == Verdict::Kind::unsure) ask_in_time();
    if (client_.unsent() > 0 && !gone_) {
        // The client does not take more: stop reading the server until it does.
        flush_to_client();
        return;
    }
    arm_backend();
    // The tracker may have held the client's bytes until these replies had passed.
    if (!client_in_.empty() && !leaving_) on_client(client_in_.bytes(), true);
}

void Relay::boundary() {
    if (backend_->condition().cancelling || backend_->transport().unsent() > 0) {
        // The late cancel could hit the next lessee; and what is left of a failed COPY must be on its way first.
        boundary_held_ = true;
        arm_backend();
        if (client_.unsent() > 0 && !gone_) flush_to_client();
        arm_client();
        return;
    }
    if (!tracker_.pin().empty()) {
        if (!stays()) return;
    } else if (tracker_.dirty()) {
        pool::Lease lease = release();
        lease.checkin(quiet_since_);
    } else {
        backend_->transport().on_readable({});
        backend_->transport().on_writable({});
        tracker_.detach();
        backend_ = nullptr;
        lease_.checkin(quiet_since_);  // the reply that was told since may have let its client kill the server
    }
    if (draining_) {
        end_drained();
        return;
    }
    go_on();
}

// --- writing ---------------------------------------------------------------------------------------------------

bool Relay::ship_to_client() {
    if (to_client_.empty()) return true;
    if (traffic_ != nullptr && !gone_) traffic_->sent(to_client_.size());
    const bool open = gone_ || client_.send(to_client_);
    to_client_.clear();
    return open;
}

void Relay::ship_to_backend() {
    // An error here shows up, with the server's own last words before it, when the backend is read.
    wire::Transport& server = backend_->transport();
    (void)server.send(to_backend_);
    to_backend_.clear();
    if (server.unsent() > 0) server.on_writable([this] { backend_writable(); });
}

void Relay::flush_to_client() {
    client_.on_writable([this] { client_writable(); });
}

void Relay::client_writable() {
    if (mode_ == Mode::stopped) return;
    const bool open = client_.flush();
    if (open && client_.unsent() > 0) {
        flush_to_client();
    } else if (mode_ == Mode::watching) {
        return;  // an end is seen by reading
    } else if (!open) {
        gone_ = true;  // also behind a goodbye: a large result that nobody takes is given up
        finish({Event::client_gone, {}});
    } else {
        if (backend_ != nullptr) arm_backend();
        go_on();
    }
}

void Relay::backend_writable() {
    if (mode_ != Mode::running || backend_ == nullptr) return;
    wire::Transport& server = backend_->transport();
    if (!server.flush()) {
        backend_gone("the server closed the connection");
    } else if (server.unsent() > 0) {
        server.on_writable([this] { backend_writable(); });
    } else {
        if (boundary_held_) cancel_finished();
        if (backend_ != nullptr && mode_ == Mode::running) go_on();
    }
}

}  // namespace leasehold::daemon
