// SPDX-License-Identifier: Apache-2.0
// SHOW STATS and its kin: what the metrics say of each pool since the start, and its averages over the last minute.
#pragma once

#include "daemon/admin/table.hpp"
#include "daemon/metrics/registry.hpp"

#include <array>
#include <deque>

namespace leasehold::daemon::admin {

// PgBouncer's, in its order: transactions, queries, bytes from and to clients; then microseconds in transactions, in
// queries, and in waits for a backend.
inline constexpr std::size_t figures = 7;
using Figures = std::array<std::int64_t, figures>;
using PoolFigures = std::map<std::string, Figures, std::less<>>;  // by pool

[[nodiscard]] PoolFigures totals(const metrics::Registry& registry);

// Remembers the totals of the last minute. Thread-safe.
class Averages {
  public:
    using Time = std::chrono::steady_clock::time_point;
    void sample(const metrics::Registry& registry, Time now = std::chrono::steady_clock::now());  // every second or so
    // Per second: transactions, queries, bytes, waits; per transaction or query: their times. Since the oldest sample.
    [[nodiscard]] PoolFigures of(const PoolFigures& totals, Time now = std::chrono::steady_clock::now()) const;

  private:
    struct Sample {
        Time at;
        PoolFigures totals;
    };
    mutable std::mutex mutex_;
    std::deque<Sample> samples_;  // oldest first
};

// Registers STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS. All outlive the tables.
void register_stats(Tables& tables, const metrics::Registry& registry, const Averages& averages);

}  // namespace leasehold::daemon::admin
