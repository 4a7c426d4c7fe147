// SPDX-License-Identifier: Apache-2.0
// The last quarantines of the process, for SHOW QUARANTINE: entered when a backend is put on the ladder, completed when
// it leaves it. Any thread may call; nothing is written to disk.
#pragma once

#include "pool/events.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace leasehold::daemon::admin {

class QuarantineRecords {
  public:
    explicit QuarantineRecords(std::size_t capacity = 1000);

    // Keeps the record under an id of the process (pools number their own) and returns it. What a peer chose (its
    // statements, its names) is cut to a bounded length.
    std::uint64_t add(pool::QuarantineRecord record);
    // Completes the record of that id; nothing happens if it has been pushed out meanwhile.
    void complete(std::uint64_t id, pool::QuarantineRecord record);

    // Newest first.
    [[nodiscard]] std::vector<pool::QuarantineRecord> snapshot() const;
    [[nodiscard]] std::uint64_t total() const;  // since the start

  private:
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::deque<pool::QuarantineRecord> records_;  // ids without gaps, oldest first
    std::uint64_t last_ = 0;
};

}  // namespace leasehold::daemon::admin
