// SPDX-License-Identifier: Apache-2.0
// What sessions leave behind, for SHOW LEAKS. State that no text told of: one record for a pool, function and kind, with how often. Any
// thread may call; nothing is written to disk.
#pragma once

#include "daemon/admin/tables.hpp"
#include "daemon/admin/unfinished.hpp"
#include "pool/events.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace leasehold::daemon::admin {

struct LeakRecord {
    SystemTime at{};     // the last time
    std::string pool{};  // who, what and where, then
    pool::Holder holder{};
    std::string function{}, kind{}, what{}, statement{};
    std::uint64_t times = 1;
};

class LeakRecords {
  public:
    explicit LeakRecords(std::size_t capacity = 1000);

    // Those of one pool, function, kind and setting are one. What peers chose is cut to a bounded length.
    void add(LeakRecord record);
    [[nodiscard]] std::vector<LeakRecord> snapshot() const;  // newest first

  private:
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::deque<LeakRecord> records_;  // the one that was met longest ago first
};

// The process's. Never destroyed: sessions may end until it is gone.
[[nodiscard]] LeakRecords& leak_records();

[[nodiscard]] const Columns& leaks_columns();
// Transactions left open first, then state that was left.
[[nodiscard]] Rows leaks_rows(const std::vector<UnfinishedRecord>& unfinished, const std::vector<LeakRecord>& records,
                              SystemTime now);

}  // namespace leasehold::daemon::admin
