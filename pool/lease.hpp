// SPDX-License-Identifier: Apache-2.0
// A backend in a session's hands. Move-only; dropped without checkin() it is invalidated: a connection is presumed
// dirty until an exchange has proven otherwise.
#pragma once

#include "pool/backend.hpp"
#include "pool/events.hpp"
#include "pool/quota.hpp"

#include <memory>

namespace leasehold::pool {

class Pool;
class Entry;

class Lease {
  public:
    Lease() = default;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();  // posts the invalidation; no I/O

    explicit operator bool() const noexcept { return entry_ != nullptr; }
    [[nodiscard]] Backend& backend() const noexcept;
    [[nodiscard]] Clock::time_point since() const noexcept;
    [[nodiscard]] bool fresh() const noexcept;     // dialled for this lease
    [[nodiscard]] bool outdated() const noexcept;  // the pool was pointed elsewhere since: it is closed when it returns

    // Gives it back; the checkin's checklist decides what becomes of the backend. Never waits.
    void checkin(EndReason reason, Holder holder = {});
    // Cheap path for the boundary of a healthy lease: no record is needed.
    void checkin();
    // Likewise; the holder has read its socket at that time.
    void checkin(Clock::time_point heard);
    // Closes it now, its place is free at once.
    void invalidate(CloseReason reason);
    // The connection broke; a transaction that `holder` had open on it goes on record.
    void lost(Holder holder);
    // The backend is the holder's for good, with its place at the server; its place in the pool is free at once.
    struct Detached {
        Permit permit;  // outlives the backend
        std::unique_ptr<Backend> backend;
    };
    [[nodiscard]] Detached detach();

  private:
    friend class Pool;
    Lease(std::shared_ptr<Pool> pool, Entry* entry) noexcept;
    std::shared_ptr<Pool> pool_;
    Entry* entry_ = nullptr;
};

}  // namespace leasehold::pool
