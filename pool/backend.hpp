// SPDX-License-Identifier: Apache-2.0
// What the pool knows of a server connection. The dialects implement it; the pool never sees bytes. A backend lives on
// the worker (executor) of its pool, and only that thread touches it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>

namespace leasehold::pool {

using Executor = boost::asio::io_context::executor_type;
template <class T>
using awaitable = boost::asio::awaitable<T, Executor>;
using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// Opaque to the pool. Variant: what a connection start fixes (user, capability bits, start-only parameters).
// Fingerprint: the settings held at the moment.
using Variant = std::uint64_t;
using Fingerprint = std::uint64_t;

// The checkin's questions, in the order in which they are asked. A dialect that does not know an answer says true.
struct Condition {
    bool dead = false;          // closed, or an error was seen on it
    bool half_message = false;  // a message half read or half sent
    bool outstanding = false;   // replies not yet arrived
    bool cancelling = false;    // a cancel request on its way that could hit the next statement
    bool in_transaction = false;
    bool dirty = false;  // session state that reset() must remove
};

// The rungs of the quarantine ladder, reported by recover() as they end.
enum class Rung : std::uint8_t { cancel, drain, rollback, verify, reset, unread };
[[nodiscard]] std::string_view to_string(Rung rung) noexcept;

class RecoverSink {
  public:
    virtual ~RecoverSink() = default;
    virtual void rung(Rung rung, std::error_code outcome) = 0;
};

class Backend {
  public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;  // does no I/O; close() first

    [[nodiscard]] virtual Condition condition() const noexcept = 0;
    [[nodiscard]] virtual Variant variant() const noexcept = 0;
    [[nodiscard]] virtual Fingerprint fingerprint() const noexcept = 0;

    // Asked immediately before a checkout of one that was idle: nothing unread, not closed. One system call.
    [[nodiscard]] virtual bool quiet() noexcept = 0;
    // While idle: `broken` is called (once, from the loop) when the connection turns readable or closed. Empty: stop.
    virtual void watch(std::function<void()> broken) = 0;

    [[nodiscard]] virtual awaitable<std::error_code> ping(Deadline deadline) = 0;
    // Removes every trace of the last session (DISCARD ALL, COM_RESET_CONNECTION).
    [[nodiscard]] virtual awaitable<std::error_code> reset(Deadline deadline) = 0;
    // Ends a transaction that its session finished in order (`commit`: COMMIT, else ROLLBACK).
    [[nodiscard]] virtual awaitable<std::error_code> finish(bool commit, Deadline deadline) = 0;
    // The quarantine ladder: cancel the running statement, drain, ROLLBACK, verify, reset, verify nothing is unread.
    [[nodiscard]] virtual awaitable<std::error_code> recover(Deadline deadline, RecoverSink& sink) = 0;
    // Asks the server to end the running statement; returns when the request has been delivered and its connection
    // closed. condition().cancelling is true meanwhile.
    [[nodiscard]] virtual awaitable<std::error_code> cancel(Deadline deadline) = 0;
    // At once; says goodbye if that takes no waiting. Idempotent.
    virtual void close() noexcept = 0;

    [[nodiscard]] virtual std::uint64_t server_id() const noexcept = 0;  // the server's pid / thread id
    [[nodiscard]] virtual std::string_view address() const noexcept = 0;
};

}  // namespace leasehold::pool
