// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/holders.hpp"

#include "tests/unit/daemon/cells.hpp"

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;

LeaseRow lease() {
    LeaseRow row;
    row.pool = "orders";
    row.backend = {9, 4711, "db:5432", "leased", 90s, 31250ms, 33, 17, false, 0, 0};
    row.holder.id = 17;
    row.holder.user = "app";
    row.holder.address = "192.0.2.7";
    row.holder.port = 50000;
    row.holder.application = "checkout.py";
    row.holder.requested = new_year - 2s;
    row.statement = "UPDATE cart SET n = ?";
    return row;
}

TEST(LeasesTable, TellsWhoHoldsWhatSinceWhenAndWhatItRan) {
    LeaseRow held = lease();
    held.holder.transaction = wire::TransactionStatus::active;
    held.holder.transaction_time = 30s;
    auto row = by_name(leases_columns(), leases_rows({&held, 1}, new_year).at(0));
    EXPECT_EQ(row["database"], "orders");
    EXPECT_EQ(row["state"], "idle in transaction");
    EXPECT_EQ(row["addr"], "192.0.2.7");
    EXPECT_EQ(row["session"], "17");
    EXPECT_EQ(row["lease_time"], "2025-12-31 23:59:28 UTC");
    EXPECT_EQ(row["lease_seconds"], "31.250");
    EXPECT_EQ(row["transaction_time"], "2025-12-31 23:59:30 UTC");
    EXPECT_EQ(row["request_time"], "2025-12-31 23:59:58 UTC");
    EXPECT_EQ(row["statement"], "UPDATE cart SET n = ?");
    EXPECT_EQ(row["remote_pid"], "4711");
    EXPECT_EQ(row["pin"], "NULL");
}

TEST(LeasesTable, NamesEachState) {
    const auto state = [](const LeaseRow& row) {
        return by_name(leases_columns(), leases_rows({&row, 1}, new_year).at(0))["state"];
    };
    LeaseRow held = lease();
    EXPECT_EQ(state(held), "idle");
    held.holder.pin = "temporary table";
    EXPECT_EQ(state(held), "pinned");
    held.holder.transaction = wire::TransactionStatus::failed;
    EXPECT_EQ(state(held), "idle in transaction");
    held.holder.running = true;
    EXPECT_EQ(state(held), "running");
}

TEST(LeasesTable, ShowsALeaseOfLeaseholdsOwn) {
    LeaseRow own = lease();
    own.holder = {};
    auto row = by_name(leases_columns(), leases_rows({&own, 1}, new_year).at(0));
    EXPECT_EQ(row["state"], "internal");
    EXPECT_EQ(row["user"], "NULL");
    EXPECT_EQ(row["session"], "NULL");
}

TEST(WaitersTable, TellsWhoWaitsAndWhoseTurnIsNext) {
    WaiterRow waiter;
    waiter.pool = "orders";
    waiter.pool_user = "app";
    waiter.position = 3;
    waiter.waited = 2000300us;
    waiter.client.id = 17;
    waiter.client.user = "reports";
    auto row = by_name(waiters_columns(), waiters_rows({&waiter, 1}, new_year).at(0));
    EXPECT_EQ(row["position"], "3");
    EXPECT_EQ(row["wait_time"], "2025-12-31 23:59:57 UTC");
    EXPECT_EQ(row["wait"], "2");
    EXPECT_EQ(row["wait_us"], "300");
    EXPECT_EQ(row["pool_user"], "app");
    EXPECT_EQ(row["user"], "reports");
}

TEST(PinsTable, ShowsWhoKeepsABackendAndSinceWhen) {
    std::vector<LeaseRow> leases(3, lease());
    leases[0].holder.pin = "temporary object";
    leases[0].holder.pin_statement = "CREATE TEMP TABLE t (id int)";
    leases[0].holder.pin_time = 5min;
    leases[1].holder.pin = "LISTEN";  // in a transaction, which has not made it last yet
    leases[1].backend.in_state = 2s;
    const Rows rows = pins_rows(leases, SystemTime{} + 1h);
    ASSERT_EQ(rows.size(), 2u);
    auto row = by_name(pins_columns(), rows[0]);
    EXPECT_EQ(row["pin"], "temporary object");
    EXPECT_EQ(row["statement"], "CREATE TEMP TABLE t (id int)");
    EXPECT_EQ(row["pin_seconds"], "300.000");
    EXPECT_EQ(row["pin_time"], "1970-01-01 00:55:00 UTC");
    EXPECT_EQ(row["session"], by_name(leases_columns(), leases_rows(leases, SystemTime{})[0])["session"]);
    row = by_name(pins_columns(), rows[1]);
    EXPECT_EQ(row["pin"], "LISTEN");
    EXPECT_EQ(row["pin_seconds"], "2.000");
    EXPECT_EQ(row["statement"], leases[1].statement);
}

}  // namespace
}  // namespace leasehold::daemon::admin
