// SPDX-License-Identifier: Apache-2.0
// Who holds a backend, who waits for one, and what pins: SHOW LEASES, WAITERS and PINS from the workers' snapshots. Pure.
#pragma once

#include "daemon/admin/tables.hpp"

namespace leasehold::daemon::admin {

struct LeaseRow {
    std::string pool;
    pool::BackendRow backend;
    ClientRow holder;       // id 0: leasehold itself
    std::string statement;  // the last, masked; empty: none yet, or not to be had
};

struct WaiterRow {
    std::string pool;
    std::string pool_user;
    int position = 0;  // from 1, in its queue
    std::chrono::microseconds waited{0};
    ClientRow client;  // id 0: leasehold itself
};

[[nodiscard]] const Columns& leases_columns();
[[nodiscard]] Rows leases_rows(std::span<const LeaseRow> leases, SystemTime now);

[[nodiscard]] const Columns& waiters_columns();
[[nodiscard]] Rows waiters_rows(std::span<const WaiterRow> waiters, SystemTime now);

[[nodiscard]] const Columns& pins_columns();
[[nodiscard]] Rows pins_rows(std::span<const LeaseRow> leases, SystemTime now);

}  // namespace leasehold::daemon::admin
