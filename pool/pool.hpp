// SPDX-License-Identifier: Apache-2.0
// A pool of one URL and user: who may have a backend now, who waits, and what becomes of one that comes back. All its
// members run on one worker (executor); time comes from a clock that tests can set, and from tick().
// Dispose of it before its io_context goes: a waiter that holds its pool keeps itself alive until it is told.
#pragma once

#include "pool/connector.hpp"
#include "pool/events.hpp"
#include "pool/lease.hpp"
#include "pool/params.hpp"
#include "pool/quota.hpp"
#include "pool/stats.hpp"

#include <functional>
#include <memory>

namespace leasehold::pool {

struct Wanted {
    Variant variant = 0;
    Fingerprint fingerprint = 0;
    std::uint64_t session = 0;  // who asks, for SHOW
};

struct Checkout {
    Lease lease;  // empty on error
    enum class Error : std::uint8_t {
        none,
        timeout,      // pool_timeout passed
        unavailable,  // pool_timeout passed, and the server could not be reached; message says why
        refused,      // the server refuses our login
        cancelled,    // by its own session
        closed,       // the pool is being disposed of
    };
    Error error = Error::none;
    std::string message;   // for the client; never a credential
    std::string sqlstate;  // the server's own for `refused`
    int number = 0;        // likewise
    std::chrono::microseconds waited{0};
};

using NowFunction = std::function<Clock::time_point()>;

class Pool : public std::enable_shared_from_this<Pool> {
  public:
    Pool(Executor executor, Params params, std::shared_ptr<Connector> connector, std::shared_ptr<Quota> server,
         Events& events, NowFunction now = &Clock::now);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // The fast path: an idle backend, fit to be handed out without any I/O, and nobody waiting. Empty otherwise.
    [[nodiscard]] Lease try_checkout(Wanted wanted, Holder* holder = nullptr);

    // First come first served. `ticket` (optional) lets the session take itself out of the queue by cancel().
    using Ticket = std::uint64_t;
    [[nodiscard]] awaitable<Checkout> checkout(Wanted wanted, Ticket* ticket = nullptr);
    // Without effect once the outcome is on its way: the session then gets a lease, and checks it in. Asio's
    // cancellation of the awaiting coroutine does the same.
    void cancel(Ticket ticket);

    // Called by the worker about every 50 ms: waiters past their time, idle_timeout, min_idle, back-off.
    void tick();

    void pause();  // no new lease
    void resume();
    [[nodiscard]] bool paused() const noexcept;
    void resize(Params params);  // the rules; all of them can change at run time
    // Another server, or another way to log in to it: idle backends are closed now, leased ones when they come back
    // (Lease::outdated() until then), dials under way count no more, and who waits is served from the new one.
    void repoint(std::shared_ptr<Connector> connector, std::shared_ptr<Quota> server);
    void invalidate(bool soft);  // hard: idle ones now, leased ones when they come back; soft: all when they come back
    void vacate();               // hard, and dials under way are given up; beside pause(): the pool runs empty
    void server_lost();          // a disconnect error that concerns the server: a new generation
    // The same, seen on `witness`: without effect if its generation is already known to be lost, so that a burst of
    // reports from one failure does not close what was dialled since.
    void server_lost(const Lease& witness);
    // What the server refused may go well now: a refusal that is remembered is not told to anybody any more.
    void forget_refusals();
    // No new lease; closes idle ones; calls `drained` when the last backend is gone.
    void dispose(std::function<void()> drained = {});

    [[nodiscard]] Stats stats() const;                       // size, checkedin, checkedout, overflow, waiting, ...
    [[nodiscard]] std::vector<BackendRow> backends() const;  // for SHOW SERVERS
    [[nodiscard]] std::vector<WaitingRow> waiting() const;   // for SHOW WAITERS; first the one whose turn is next
    [[nodiscard]] const Params& params() const noexcept;
    [[nodiscard]] Connector& connector() const noexcept;
    [[nodiscard]] Executor executor() const noexcept;
    // Who holds a lease, for SHOW and for the time-out's message ("12 in transactions, oldest 31 s, by ...").
    using Describe = std::function<std::string()>;
    void on_timeout_describe(Describe describe);

  private:
    friend class Lease;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace leasehold::pool
