// SPDX-License-Identifier: Apache-2.0
// What operators have decided about pools by name: paused, closed to new clients. It holds for pools that are made later,
// too, and outlives reloads; the pools themselves are told by daemon/commands. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

namespace leasehold::daemon {

class Standing {
  public:
    // An empty name: all pools, those to come included. False: it was so already.
    bool pause(const std::string& pool);
    bool resume(const std::string& pool);
    bool disable(const std::string& pool);
    bool enable(const std::string& pool);
    // The configuration does not know it any more: one that bears its name later begins anew.
    void forget(const std::string& pool);

    [[nodiscard]] bool paused(const std::string& pool) const;
    [[nodiscard]] bool disabled(const std::string& pool) const;

  private:
    mutable std::mutex mutex_;
    bool all_paused_ = false;
    std::map<std::string, bool> paused_;  // those of which it is said by name, after what was said of all
    std::set<std::string> disabled_;
};

}  // namespace leasehold::daemon
