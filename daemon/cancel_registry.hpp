// SPDX-License-Identifier: Apache-2.0
// From the key that a client was given at login to its session, wherever that lives now. Thread-safe.
#pragma once

#include "dialects/dialect.hpp"

#include <mutex>
#include <unordered_map>

namespace leasehold::daemon {

class Worker;

class CancelRegistry {
  public:
    // A key nobody has; ids are 31 bits (clients print them as signed), secrets random.
    [[nodiscard]] dialects::CancelKey issue(std::uint64_t session, Worker* worker);
    void move(const dialects::CancelKey& key, Worker* worker);
    void revoke(const dialects::CancelKey& key);

    struct Target {
        std::uint64_t session = 0;
        Worker* worker = nullptr;  // null: no such key
    };
    [[nodiscard]] Target find(const dialects::CancelKey& key) const;

  private:
    struct Holder {
        std::uint64_t secret = 0;
        Target target;
    };
    mutable std::mutex mutex_;
    std::unordered_map<std::uint32_t, Holder> holders_;
    std::uint32_t next_ = 0;
};

}  // namespace leasehold::daemon
