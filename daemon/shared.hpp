// SPDX-License-Identifier: Apache-2.0
// What all workers share: immutable after the start or safe to use from every thread. Outlives workers and sessions.
#pragma once

#include "daemon/cancel_registry.hpp"
#include "daemon/certificates.hpp"
#include "daemon/metrics/registry.hpp"
#include "daemon/operations.hpp"
#include "daemon/router.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <vector>

namespace leasehold::daemon {

namespace admin {
class Console;
}
class Homes;
class Worker;

struct Shared {
    std::shared_ptr<const config::Config> config;
    std::unique_ptr<Router> router;
    Certificates certificates;
    CancelRegistry cancels;
    metrics::Counter login_failures;
    boost::asio::thread_pool computing{2};  // PBKDF2 and the like: milliseconds each
    boost::asio::thread_pool lookups{1};    // the system's table of users, which a directory may serve slowly
    admin::Console* console = nullptr;
    Operations operations;
    Homes* homes = nullptr;
    std::vector<Worker*> workers;

    std::atomic<std::uint64_t> last_session{0};
    std::atomic<int> clients{0};
    std::atomic<bool> draining{false};
};

}  // namespace leasehold::daemon
