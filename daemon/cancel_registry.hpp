// SPDX-License-Identifier: Apache-2.0
// From the key that a client was given at login to its session, wherever that lives now. Thread-safe.
#pragma once

#include "dialects/dialect.hpp"

#include <chrono>
#include <mutex>
#include <unordered_map>

namespace leasehold::daemon {

class Worker;

// A server that does not take a cancel within this time is not waited for.
inline constexpr std::chrono::seconds cancel_wait(10);

class CancelRegistry {
  public:
    // The session's own id, unless a session before it has that number: ids are 31 bits (clients print them as signed),
    // secrets random bytes.
    [[nodiscard]] dialects::CancelKey issue(std::uint64_t session, Worker* worker, std::size_t secret_bytes = 4);
    // Another key for the same session, `old` is void from now on: a longer secret, or the backend's own id, which a
    // session of another server may have too.
    [[nodiscard]] dialects::CancelKey reissue(const dialects::CancelKey& old, std::uint32_t id,
                                              std::size_t secret_bytes);
    void move(const dialects::CancelKey& key, Worker* worker);
    void revoke(const dialects::CancelKey& key);

    struct Target {
        std::uint64_t session = 0;
        Worker* worker = nullptr;  // null: no such key
    };
    [[nodiscard]] Target find(const dialects::CancelKey& key) const;
    // By the id that leasehold gave it, without its secret: for those whose right to it is looked at elsewhere.
    [[nodiscard]] Target find(std::uint32_t id) const;

  private:
    struct Holder {
        std::string secret;
        Target target;
        bool issued = true;  // the id is leasehold's
    };
    using Holders = std::unordered_multimap<std::uint32_t, Holder>;
    [[nodiscard]] static Holders::const_iterator locate(const Holders& holders, const dialects::CancelKey& key);

    mutable std::mutex mutex_;
    Holders holders_;
};

}  // namespace leasehold::daemon
