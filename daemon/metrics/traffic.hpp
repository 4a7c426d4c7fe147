// SPDX-License-Identifier: Apache-2.0
// What the sessions of a pool count: requests, transactions, their times, and bytes of the clients. One per pool object,
// on its worker's thread; a count is a load and a store.
#pragma once

#include "daemon/metrics/registry.hpp"

#include <map>
#include <string>
#include <string_view>

namespace leasehold::daemon::metrics {

// A pin's reason as a label: what a client chose (the variable of a SET) is left out.
[[nodiscard]] std::string_view pin_label(std::string_view pin) noexcept;
inline constexpr std::size_t most_pin_labels = 40;

class Traffic {
  public:
    Traffic(Registry& registry, int worker, const std::string& pool);

    void received(std::uint64_t bytes) const noexcept { received_.add(worker_, bytes); }
    void sent(std::uint64_t bytes) const noexcept { sent_.add(worker_, bytes); }
    void answered(std::uint64_t requests, std::uint64_t transactions) const noexcept {
        queries_.add(worker_, requests);
        if (transactions > 0) transactions_.add(worker_, transactions);
    }
    // A lease outlasts a boundary.
    void pinned(std::string_view pin) const;
    // State was found that no text told of.
    void leaked(std::string_view kind) const;
    void query(std::chrono::nanoseconds took) const noexcept { query_.observe(worker_, took); }
    void transaction(std::chrono::nanoseconds took) const noexcept { transaction_.observe(worker_, took); }

  private:
    const int worker_;
    mutable Scope scope_;  // reasons of pins come when they are met
    Counter transactions_, queries_, received_, sent_;
    Histogram query_, transaction_;
    mutable std::map<std::string, Counter, std::less<>> pins_, leaks_;  // by label
};

}  // namespace leasehold::daemon::metrics
