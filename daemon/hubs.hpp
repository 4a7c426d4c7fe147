// SPDX-License-Identifier: Apache-2.0
// The connections that hear what servers announce: one for each database, whoever of its sessions asked first. From every
// thread.
#pragma once

#include "daemon/home.hpp"
#include "daemon/metrics/registry.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace leasehold::daemon {

class Hub;

// What sessions with one hub have in common: servers and database, not the account.
[[nodiscard]] std::string hub_key(const Home& home);

class Hubs {
  public:
    explicit Hubs(metrics::Registry& registry);
    ~Hubs();
    Hubs(const Hubs&) = delete;
    Hubs& operator=(const Hubs&) = delete;

    [[nodiscard]] std::shared_ptr<Hub> obtain(const HomePtr& home);
    // The next one who asks gets another.
    void forget(const Hub& hub);
    [[nodiscard]] std::vector<std::shared_ptr<Hub>> all() const;
    void clear();  // when no worker runs any more

    // Of all hubs.
    const metrics::Counter notifications, losses;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Hub>> hubs_;
};

}  // namespace leasehold::daemon
