// SPDX-License-Identifier: Apache-2.0
// A pool's rules, under the configuration's names and defaults.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace leasehold::pool {

using namespace std::chrono_literals;
using Duration = std::chrono::milliseconds;

// `none` also leaves what Condition::dirty reports, so it is given to a pool only where the next lessee is the same
// user in session mode.
enum class ResetOnReturn : std::uint8_t { rollback, commit, none };

struct Params {
    std::string name;
    int pool_size = 5;      // idle connections kept at most
    int max_overflow = 10;  // beyond it while in use; -1: no limit
    Duration pool_timeout = 30s;
    std::optional<Duration> pool_recycle = 1h;  // none: never
    bool pool_pre_ping = true;
    bool pool_use_lifo = true;
    ResetOnReturn reset_on_return = ResetOnReturn::rollback;
    int min_idle = 0;
    Duration idle_timeout = 10min;  // 0: never
    Duration quarantine_timeout = 5s;
    int dial_parallel = 2;
    Duration dial_timeout = 5s;
    Duration ping_timeout = 1s;
};

}  // namespace leasehold::pool
