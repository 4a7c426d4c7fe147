// SPDX-License-Identifier: Apache-2.0
// What the workers tell the console about themselves: plain copies taken on the worker, read anywhere.
#pragma once

#include "config/model.hpp"
#include "dialects/wire/tracker.hpp"
#include "pool/events.hpp"
#include "pool/stats.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
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
    int replicating = 0;      // connections of replication sessions' own, beside the pool
    int server_limit = 0;     // of the server, for all pools together; 0: none
    bool disabled = false;
    std::shared_ptr<const config::Pool> settings;
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
    std::string local_address;  // of the listener
    std::uint16_t local_port = 0;
    SystemTime connected{};
    SystemTime requested{};                // when it last sent something for a backend; the epoch: never
    std::chrono::microseconds waiting{0};  // in the queue, up to now
    std::string application;
    std::string pin;                        // the reason, empty when not pinned
    std::string pin_statement;              // what made it, masked; empty: not known
    std::chrono::milliseconds pin_time{0};  // since when, up to now
    wire::TransactionStatus transaction = wire::TransactionStatus::idle;
    std::chrono::milliseconds transaction_time{0};
    std::uint64_t server_id = 0;  // of the backend it holds, 0: none
    std::string link;             // that backend's name (server_name), or empty
    bool running = false;         // a request's reply is due
    bool ending = false;          // it is told to go at the end of its lease
    bool encrypted = false;
};

struct ServerRow {
    std::string pool;
    std::string user;
    std::string application;
    pool::BackendRow backend;
};

[[nodiscard]] std::string_view to_string(ClientRow::State state) noexcept;

// What tells sessions and backends apart in the tables, for as long as the process lives: "c17", "orders/app#9".
[[nodiscard]] std::string client_name(std::uint64_t session);
[[nodiscard]] std::string server_name(const std::string& pool, const std::string& user, std::uint64_t id);

}  // namespace leasehold::daemon::admin
