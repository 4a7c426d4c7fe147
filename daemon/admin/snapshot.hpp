// SPDX-License-Identifier: Apache-2.0
// What the workers tell the console about themselves: plain copies taken on the worker, read anywhere.
#pragma once

#include "dialects/wire/tracker.hpp"
#include "pool/events.hpp"
#include "pool/stats.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace leasehold::daemon::admin {

using SystemTime = std::chrono::system_clock::time_point;

struct PoolRow {
    std::string name;
    std::string user;  // as whom its backends are logged in
    std::string mode;  // "transaction", "session", "statement"
    std::string url;   // rendered with the password hidden
    pool::Stats stats;
    int clients_active = 0;   // sessions that hold a lease
    int clients_waiting = 0;  // sessions in its queue
    int clients_idle = 0;     // logged in, without a lease
    int pinned = 0;           // leases that do not end at the next boundary
};

struct ClientRow {
    enum class State : std::uint8_t { login, idle, waiting, active, replication };
    std::uint64_t id = 0;  // the session's
    std::string dialect;
    std::string user;
    std::string pool;            // the database it asked for, empty before it said so
    State state = State::login;  // active: holds a lease
    std::string address;         // "192.0.2.7", or "unix"
    std::uint16_t port = 0;
    SystemTime connected{};
    std::chrono::microseconds waiting{0};  // in the queue, up to now
    std::string application;
    std::string pin;  // the reason, empty when not pinned
    wire::TransactionStatus transaction = wire::TransactionStatus::idle;
    std::chrono::milliseconds transaction_time{0};
    std::uint64_t server_id = 0;  // of the backend it holds, 0: none
};

struct ServerRow {
    std::string pool;
    std::string user;
    std::string application;
    pool::BackendRow backend;
};

[[nodiscard]] std::string_view to_string(ClientRow::State state) noexcept;

}  // namespace leasehold::daemon::admin
