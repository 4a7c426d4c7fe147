// SPDX-License-Identifier: Apache-2.0
// Capacity at the server level, shared by all pools (and threads) that dial the same host, held by RAII permits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace leasehold::pool {

class Quota;

class Permit {
  public:
    Permit() = default;
    Permit(Permit&&) noexcept;
    Permit& operator=(Permit&&) noexcept;
    ~Permit();
    explicit operator bool() const noexcept { return quota_ != nullptr; }
    [[nodiscard]] bool of(const Quota& quota) const noexcept { return quota_.get() == &quota; }

  private:
    friend class Quota;
    explicit Permit(std::shared_ptr<Quota> quota) noexcept;
    std::shared_ptr<Quota> quota_;
};

class Quota : public std::enable_shared_from_this<Quota> {
  public:
    explicit Quota(int limit);  // 0 or less: no limit
    [[nodiscard]] Permit try_acquire();
    void set_limit(int limit);
    [[nodiscard]] int limit() const noexcept;
    [[nodiscard]] int used() const noexcept;
    // Called (from whichever thread gives a permit back) once, when a place may have become free; the pool posts to
    // its own executor. Served first come first served.
    void when_free(std::function<void()> callback);

    // Pools that may hold idle backends while another one waits: `asked` is called (from any thread) when somebody
    // begins to wait, and the pool gives up an idle backend if contended() still holds when it gets round to it.
    using Membership = std::uint64_t;
    [[nodiscard]] Membership enlist(std::function<void()> asked);
    void withdraw(Membership membership);
    [[nodiscard]] bool contended() const;  // somebody waits in when_free()

  private:
    friend class Permit;
    void give_back() noexcept;

    mutable std::mutex mutex_;
    int limit_;
    int used_ = 0;
    std::vector<std::function<void()>> waiting_;
    std::map<Membership, std::function<void()>> members_;
    Membership last_ = 0;
};

}  // namespace leasehold::pool
