// SPDX-License-Identifier: Apache-2.0
// What the daemon shows of itself: snapshots taken on each worker, registered as the console's tables.
#pragma once

#include "daemon/shared.hpp"

namespace leasehold::daemon {

namespace admin {
class Averages;
class QuarantineRecords;
class Tables;
}  // namespace admin
namespace metrics {
class Registry;
}

void register_tables(admin::Tables& tables, Shared& shared, admin::QuarantineRecords& records,
                     metrics::Registry& metrics, const admin::Averages& averages);
// Lets the pool's time-out say who holds its backends.
void describe_holders(Home& home);

}  // namespace leasehold::daemon
