// SPDX-License-Identifier: Apache-2.0
// Where one pool of one user lives: its worker, the pool itself, and what sessions on other threads may ask of it.
#pragma once

#include "config/model.hpp"
#include "dialects/dialect.hpp"
#include "pool/pool.hpp"

#include <atomic>
#include <memory>
#include <string>

namespace leasehold::daemon {

class Worker;

struct Home {
    // Immutable after the start, readable from every thread.
    config::Pool settings;
    std::string user;                     // the backend's user
    std::optional<std::string> password;  // of that user, for clients and for the backend
    const dialects::Dialect* dialect = nullptr;
    Worker* worker = nullptr;

    bool from_template = false;

    std::atomic<int> sessions{0};  // of one made from the template

    // The worker's thread only.
    wire::Clock::time_point unused_since = wire::Clock::now();
    std::unique_ptr<pool::Events> events;  // the pool reports to it to its end
    std::shared_ptr<dialects::Connector> connector;
    std::shared_ptr<pool::Pool> pool;
    std::shared_ptr<pool::Quota> quota;  // of its server
    int replicating = 0;                 // sessions with a replication connection of their own

    [[nodiscard]] const std::string& name() const noexcept { return settings.name; }
};
using HomePtr = std::shared_ptr<Home>;

struct Warmth {
    dialects::Facts facts;  // null: no server answered in time
    std::string message;    // then: why
    bool refused = false;   // the server refuses our login
    std::string sqlstate;   // the server's own, with refused
};
// The server's facts, from the cache or from a first backend. Runs on the home's worker; co_await it from there, or
// through co_spawn from another executor.
[[nodiscard]] wire::awaitable<Warmth> warm(HomePtr home);

}  // namespace leasehold::daemon
