// SPDX-License-Identifier: Apache-2.0
// What the sessions of a pool count: requests, transactions, their times, and bytes of the clients. One per pool object,
// on its worker's thread; a count is a load and a store.
#pragma once

#include "daemon/metrics/registry.hpp"

#include <string>

namespace leasehold::daemon::metrics {

class Traffic {
  public:
    Traffic(Registry& registry, int worker, const std::string& pool);

    void received(std::uint64_t bytes) const noexcept { received_.add(worker_, bytes); }
    void sent(std::uint64_t bytes) const noexcept { sent_.add(worker_, bytes); }
    void answered(std::uint64_t requests, std::uint64_t transactions) const noexcept {
        queries_.add(worker_, requests);
        if (transactions > 0) transactions_.add(worker_, transactions);
    }
    void query(std::chrono::nanoseconds took) const noexcept { query_.observe(worker_, took); }
    void transaction(std::chrono::nanoseconds took) const noexcept { transaction_.observe(worker_, took); }

  private:
    const int worker_;
    Scope scope_;
    Counter transactions_, queries_, received_, sent_;
    Histogram query_, transaction_;
};

}  // namespace leasehold::daemon::metrics
