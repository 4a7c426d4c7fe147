// SPDX-License-Identifier: Apache-2.0
// The per-byte path of one session: a callback state machine that reads one side, asks the tracker, and writes the
// other. It serves request after request by itself as long as fitting backends are to be had at once; whatever needs
// more than that (waiting for a lease, aligning settings, an end of any kind) is an Outcome for the session's coroutine.
#pragma once

#include "daemon/metrics/traffic.hpp"
#include "dialects/dialect.hpp"
#include "pool/pool.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>

namespace leasehold::daemon {

class Relay {
  public:
    enum class Event : std::uint8_t {
        checkout,     // the held request needs a backend and none is free: take() one, or refuse()
        align,        // a lease was taken whose settings differ: align it and attach()
        audit,        // the backend is to say what it holds of the session: audit() it, then audited()
        own,          // the held request makes the backend the session's own: release() and take_input(), or refuse()
        close,        // the client took its leave
        client_gone,  // FIN or RST
        fatal,        // the tracker gave the session up; its last words are sent
        lost,         // the lease is lost (`loss`); lose() it
        stop,         // somebody asked for the session's end
        errand,       // the tracker wants something that is none of the relay's business: next() when it is done
    };
    struct Outcome {
        Event event = Event::stop;
        wire::Loss loss{};
    };
    // What ends a transaction or a statement by time; zero: never.
    struct Limits {
        std::chrono::milliseconds transaction_idle{0}, transaction{0}, query{0}, pin_idle{0};
        std::chrono::milliseconds cancel{5000};  // a statement that is cancelled has so long to end
    };

    // All references outlive the relay: client and tracker are the session's, `buffer` is the worker's (shared by all
    // its relays, used within one callback only), `traffic` is the pool's (null: nobody counts).
    Relay(wire::Transport& client, wire::Inbox inbox, wire::Tracker& tracker, pool::Pool& pool,
          std::span<std::uint8_t> buffer, Limits limits, std::uint64_t session,
          const metrics::Traffic* traffic = nullptr);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    ~Relay();

    // Runs until an outcome. After checkout and align the request is held; next() goes on where it stopped.
    [[nodiscard]] wire::awaitable<Outcome> next();

    void take(pool::Lease lease);  // holds it, not yet attached
    void attach();                 // the lease is aligned: the tracker may use it
    [[nodiscard]] dialects::Backend* backend() const noexcept { return backend_; }
    [[nodiscard]] pool::Lease release();  // gives the lease up, tracker detached; the caller ends it
    // What the client sent and the tracker has not taken; the relay is over then.
    [[nodiscard]] wire::Inbox take_input() noexcept { return std::exchange(client_in_, wire::Inbox()); }
    // The backend has said what it holds; next() ends the lease if that is nothing.
    void audited() noexcept { audited_ = true; }
    // Bytes of our own for the client, outside a relay step.
    void say(wire::Outbox& to_client);
    // While a lease is waited for: reads on, so that a client's end is seen; calls `gone` then.
    void watch_client(std::function<void()> gone);

    // From the worker's tick and from other sessions' requests.
    void tick(wire::Clock::time_point now);
    void stop();   // at once
    void drain();  // at the end of the lease
    void cancel_finished();
    void heard();  // the tracker has something for the client that no reply brings
    void set_limits(Limits limits) noexcept { limits_ = limits; }

    [[nodiscard]] bool leased() const noexcept { return static_cast<bool>(lease_); }
    // It goes on until its lease ends.
    [[nodiscard]] bool drains() const noexcept { return draining_ && !stopping_; }
    // The pool has been pointed at another server since the lease began.
    [[nodiscard]] bool outdated() const noexcept { return lease_ && lease_.outdated(); }
    [[nodiscard]] bool gone() const noexcept { return gone_; }
    // A statement went on beyond its time although it was cancelled; that was the loss.
    [[nodiscard]] bool overran() const noexcept { return overran_; }
    // There was no memory for what it had to keep: its end, without a word.
    [[nodiscard]] bool starved() const noexcept { return starved_; }
    [[nodiscard]] wire::Clock::time_point transaction_since() const noexcept { return transaction_since_; }
    // When the client last sent something for its backend; its epoch: never.
    [[nodiscard]] wire::Clock::time_point request_since() const noexcept { return request_since_; }
    // Since when the lease outlasts its boundaries; min(): it does not.
    [[nodiscard]] wire::Clock::time_point pinned_since() const noexcept { return pinned_since_; }
    [[nodiscard]] std::uint64_t leases() const noexcept { return leases_; }

  private:
    enum class Mode : std::uint8_t { stopped, running, watching };

    void arm_client();
    void arm_backend();
    void client_readable();
    void backend_readable();
    void client_writable();
    void backend_writable();
    void on_client(wire::Bytes in, bool from_inbox);
    void on_backend(wire::Bytes in, bool from_inbox);
    [[nodiscard]] bool acquire();
    void arm_client_bounded();
    void go_on();
    [[nodiscard]] bool said_goodbye() const noexcept;
    void flush_to_client();
    [[nodiscard]] bool leave();
    void boundary();
    [[nodiscard]] bool stays();
    void go_on_audited();
    void ask_in_time();
    void ask();
    void keep_tail(wire::Bytes tail, bool from_inbox, std::size_t consumed, wire::Inbox& inbox);
    [[nodiscard]] bool ship_to_client();
    void ship_to_backend();
    void starve();
    [[nodiscard]] wire::Verdict from_client(wire::Bytes in);
    [[nodiscard]] wire::Verdict from_backend(wire::Bytes in);
    [[nodiscard]] std::span<std::uint8_t> room_in(wire::Inbox& inbox, std::size_t size);
    void backend_gone(std::string reason);
    void finish(Outcome outcome);
    void end_drained();
    void count_answers() noexcept;
    void count_times(wire::Clock::time_point now, bool over) noexcept;

    wire::Transport& client_;
    wire::Inbox client_in_;
    wire::Tracker& tracker_;
    pool::Pool& pool_;
    std::span<std::uint8_t> buffer_;
    Limits limits_;
    std::uint64_t session_;  // for the pool's books
    const metrics::Traffic* traffic_;
    std::uint64_t counted_requests_ = 0, counted_transactions_ = 0;

    pool::Lease lease_;
    dialects::Backend* backend_ = nullptr;  // lease_'s, null without one
    wire::Outbox to_client_, to_backend_;
    std::function<void()> on_gone_;
    std::optional<Outcome> outcome_;
    wire::Callback resume_;
    Mode mode_ = Mode::stopped;
    bool gone_ = false;
    bool stopping_ = false;
    bool draining_ = false;
    bool leaving_ = false;  // the client said goodbye behind a request that still runs
    bool audited_ = false;
    bool overran_ = false;
    bool starved_ = false;
    bool boundary_held_ = false;                                // a boundary came while a cancel was on its way
    bool timing_request_ = false, timing_transaction_ = false;  // since busy_since_, transaction_since_
    std::uint64_t sent_mark_ = 0;  // of the backend's transport, when nothing was outstanding
    std::uint64_t leases_ = 0;
    wire::Clock::time_point transaction_since_{}, quiet_since_{}, request_since_{}, busy_since_{};
    wire::Clock::time_point pinned_since_ = wire::Clock::time_point::min(), audit_again_at_{};
    wire::Clock::time_point cancel_again_at_{};             // query_timeout
    std::shared_ptr<boost::asio::steady_timer> ask_timer_;  // made when a tracker is unsure for the first time
};

}  // namespace leasehold::daemon
