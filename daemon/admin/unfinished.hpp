// SPDX-License-Identifier: Apache-2.0
// Transactions that their applications left open, for SHOW LEAKS: one record for a pool, an application and a statement's
// shape, with how often and for how long. Any thread may call; nothing is written to disk.
#pragma once

#include "daemon/admin/snapshot.hpp"
#include "pool/events.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::daemon::admin {

// What a transaction is known by, of its statements with their literals masked: the first that writes or locks, else the
// last that is no BEGIN, SET or the like; with lists of any length, and parameters, as one `?`.
[[nodiscard]] std::string shape_of(const std::vector<std::string>& masked);

struct UnfinishedRecord {
    SystemTime at{};  // the last time
    std::string pool{}, application{}, statement{};
    pool::Holder last{};  // who it was then; no statements
    std::uint64_t times = 0;
    std::chrono::milliseconds open{0}, longest{0};       // all of them together; one of them
    std::map<pool::EndReason, std::uint64_t> reasons{};  // how they ended
    struct Hour {
        std::int64_t number = 0;
        std::uint64_t times = 0;
    };
    std::array<Hour, 24> hours{};  // by the hour's number modulo 24

    [[nodiscard]] std::uint64_t last_day(SystemTime now) const noexcept;
};

class UnfinishedRecords {
  public:
    explicit UnfinishedRecords(std::size_t capacity = 1000);

    // Of a lease that ended in a transaction; others, and those whose end was no doing of the application's, are none.
    void add(const pool::QuarantineRecord& record);
    [[nodiscard]] std::vector<UnfinishedRecord> snapshot() const;  // the most frequent first

  private:
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::list<UnfinishedRecord> records_;  // the one that was met longest ago first
};

// The process's. Never destroyed: sessions may end until it is gone.
[[nodiscard]] UnfinishedRecords& unfinished_records();

}  // namespace leasehold::daemon::admin
