// SPDX-License-Identifier: Apache-2.0
// What all workers share, safe to use from every thread. Outlives workers and sessions.
#pragma once

#include "daemon/cancel_registry.hpp"
#include "daemon/certificates.hpp"
#include "daemon/hubs.hpp"
#include "daemon/metrics/sessions.hpp"
#include "daemon/operations.hpp"
#include "daemon/places.hpp"
#include "daemon/refusals.hpp"
#include "daemon/router.hpp"
#include "daemon/standing.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace leasehold::daemon {

namespace admin {
class Console;
}
class Homes;
class Worker;

// What one reading of the configuration file gave: immutable, replaced as a whole by a reload. Whoever keeps one, or a
// part of its configuration, keeps it as it was.
struct Generation {
    std::shared_ptr<const config::Config> config;
    std::shared_ptr<const Router> router;
};
using GenerationPtr = std::shared_ptr<const Generation>;

struct Shared {
    explicit Shared(metrics::Registry& registry) : refusals(registry), hubs(registry) {}

    // From every thread. Two calls may give two generations: take one where parts of it must fit together.
    [[nodiscard]] GenerationPtr current() const {
        const std::lock_guard lock(mutex_);
        return generation_;
    }
    [[nodiscard]] std::shared_ptr<const config::Config> config() const { return current()->config; }
    [[nodiscard]] std::shared_ptr<const Router> router() const { return current()->router; }
    void publish(Generation next) {
        auto made = std::make_shared<const Generation>(std::move(next));
        const std::lock_guard lock(mutex_);
        generation_.swap(made);
    }

    Certificates certificates;
    CancelRegistry cancels;
    metrics::Counter login_failures;
    metrics::Sessions counts;
    boost::asio::thread_pool computing{2};  // PBKDF2 and the like: milliseconds each
    boost::asio::thread_pool lookups{1};    // the system's table of users, which a directory may serve slowly
    boost::asio::thread_pool reports{1};    // the console's rows, made of what the workers tell
    admin::Console* console = nullptr;
    Operations operations;
    Standing standing;
    Homes* homes = nullptr;
    Greetings* greetings = nullptr;
    std::vector<Worker*> workers;

    std::atomic<std::uint64_t> last_session{0};
    Places places;
    const Refusals refusals;
    Hubs hubs;
    std::uint64_t descriptors = 0;  // that may be open
    std::atomic<bool> draining{false};

  private:
    mutable std::mutex mutex_;  // over generation_
    GenerationPtr generation_ = std::make_shared<const Generation>();
};

}  // namespace leasehold::daemon
