// SPDX-License-Identifier: Apache-2.0
// One search among the servers of a URL: whose turn it is, and until when, so that all of them fit into one deadline.
// Who is tried, and what is wanted of it, is the dialect's business. Worker thread only.
#pragma once

#include "dialects/wire/hosts.hpp"
#include "dialects/wire/transport.hpp"

namespace leasehold::wire {

class HostWalk {
  public:
    HostWalk(Executor executor, std::span<const std::string> names, Deadline deadline);

    [[nodiscard]] bool more() const noexcept { return next_ < turns_.size(); }
    // The next one has failed lately and is not due yet.
    [[nodiscard]] bool must_wait() const;
    struct Turn {
        std::size_t host = 0;
        Deadline until{};
    };
    // Waits until the next one is due, but not for long: of hosts that all fail one is tried soon. Only if more().
    [[nodiscard]] awaitable<Turn> next();

  private:
    Executor executor_;
    std::vector<HostTable::Turn> turns_;
    Deadline deadline_;
    std::size_t next_ = 0;
};

}  // namespace leasehold::wire
