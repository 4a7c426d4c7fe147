// SPDX-License-Identifier: Apache-2.0
// Where one pool of one user lives: its worker, the pool itself, and what sessions on other threads may ask of it.
#pragma once

#include "config/model.hpp"
#include "daemon/metrics/traffic.hpp"
#include "dialects/dialect.hpp"
#include "pool/pool.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace leasehold::daemon {

class JournaledBackends;
class Worker;

// What a reload may change of a home; immutable, replaced as a whole.
struct Terms {
    std::shared_ptr<const config::Pool> settings;  // of a pool made from the template: with its own name and database
    std::optional<std::string> password;           // of the backend's user
    std::shared_ptr<dialects::Connector> connector;
    std::shared_ptr<pool::Quota> quota;  // of its server
};

struct Home {
    Home(std::string pool_name, std::string backend_user)
        : user(std::move(backend_user)), name_(std::move(pool_name)) {}

    // Immutable once it is made, readable from every thread.
    const std::string user;  // the backend's
    const dialects::Dialect* dialect = nullptr;
    Worker* worker = nullptr;

    bool from_template = false;

    std::atomic<int> sessions{0};     // of one made from the template
    std::atomic<bool> echoes{false};  // `echo` of its settings

    // The worker's thread only.
    wire::Clock::time_point unused_since = wire::Clock::now();
    std::shared_ptr<JournaledBackends> journal;       // of the pool's backends
    std::unique_ptr<pool::Events> events;             // the pool reports to it to its end
    std::unique_ptr<metrics::Traffic> traffic;        // its sessions' counts
    std::shared_ptr<wire::KnownFunctions> functions;  // that its sessions have called
    std::shared_ptr<pool::Pool> pool;
    wire::Clock::time_point waits_told_since{};  // slow waits that the log describes, within a second
    unsigned waits_told = 0;
    int replicating = 0;   // sessions with a replication connection of their own
    bool retired = false;  // the configuration does not name it any more; it goes with its last session
    // Set when the pool is pointed at another server: how often, and when nobody may hold the old one any more.
    unsigned moves = 0;
    wire::Clock::time_point moved_out_by = wire::Clock::time_point::max();

    // From every thread; what is kept of it stays as it was then.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::shared_ptr<const Terms> terms() const;
    [[nodiscard]] std::shared_ptr<const config::Pool> settings() const { return terms()->settings; }
    [[nodiscard]] std::shared_ptr<dialects::Connector> connector() const { return terms()->connector; }
    void set_terms(Terms terms);

  private:
    const std::string name_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Terms> terms_ = std::make_shared<const Terms>();
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
