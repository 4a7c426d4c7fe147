// SPDX-License-Identifier: Apache-2.0
// What sessions count of themselves: how they ended, which errors of leasehold's own they told their clients, which
// leases they lost. One for the process; the words that become labels are bounded.
#pragma once

#include "daemon/metrics/registry.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::daemon::metrics {

class Sessions {
  public:
    Sessions() = default;  // counts nothing
    explicit Sessions(Registry& registry);

    // `worker` is the calling worker's index.
    void ended(int worker, std::string_view reason) const noexcept;   // "closed", "client_gone", ...
    void told(int worker, std::string_view sqlstate) const noexcept;  // counted by its class
    void lost(int worker, std::string_view kind) const noexcept;      // wire::to_string(Loss::Kind)

  private:
    using Series = std::vector<std::pair<std::string_view, Counter>>;  // the last one counts what is not listed
    static void count(const Series& series, int worker, std::string_view word) noexcept;
    Series ends_, classes_, losses_;
};

}  // namespace leasehold::daemon::metrics
