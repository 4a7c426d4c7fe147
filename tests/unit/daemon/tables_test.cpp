// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/tables.hpp"

#include "daemon/admin/records.hpp"
#include "tests/unit/daemon/cells.hpp"

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;

std::string first_columns(const Columns& columns, std::size_t n) {
    std::string names;
    for (std::size_t i = 0; i < n; ++i) names += (i ? " " : "") + columns[i].name;
    return names;
}

TEST(PoolsTable, BearsPgbouncersColumnsFirst) {
    EXPECT_EQ(first_columns(pools_columns(), 12),
              "database user cl_active cl_waiting sv_active sv_idle sv_used sv_tested sv_login maxwait maxwait_us "
              "pool_mode");
}

TEST(PoolsTable, ShowsAPool) {
    PoolRow pool;
    pool.name = "orders";
    pool.user = "app";
    pool.mode = "transaction";
    pool.url = "postgresql://app:***@db:5432/orders";
    pool.clients_active = 12;
    pool.clients_waiting = 3;
    pool.clients_idle = 85;
    pool.pinned = 2;
    pool.stats.size = 5;
    pool.stats.checkedin = 1;
    pool.stats.checkedout = 12;
    pool.stats.overflow = 9;
    pool.stats.waiting = 4;
    pool.stats.dialling = 6;
    pool.stats.quarantined = 7;
    pool.stats.open = 28;  // two of them are pinged
    pool.stats.oldest_wait = 1250ms;
    auto row = by_name(pools_columns(), pools_rows({&pool, 1}).at(0));
    EXPECT_EQ(row["database"], "orders");
    EXPECT_EQ(row["cl_active"], "97") << "those that hold a lease and those that want none";
    EXPECT_EQ(row["cl_waiting"], "3");
    EXPECT_EQ(row["cl_idle"], "85");
    EXPECT_EQ(row["sv_active"], "12");
    EXPECT_EQ(row["sv_idle"], "1");
    EXPECT_EQ(row["sv_tested"], "9");
    EXPECT_EQ(row["sv_login"], "6");
    EXPECT_EQ(row["maxwait"], "1");
    EXPECT_EQ(row["maxwait_us"], "250000");
    EXPECT_EQ(row["overflow"], "9");
    EXPECT_EQ(row["waiting"], "4");
    EXPECT_EQ(row["pinned"], "2");
    EXPECT_EQ(row["status"], "ok");
    EXPECT_EQ(row["last_error"], "NULL");
    EXPECT_EQ(row["url"], "postgresql://app:***@db:5432/orders");
}

TEST(PoolsTable, NamesThePoolsStatus) {
    PoolRow pool;
    pool.stats.last_error = "db:5432: Connection refused";
    auto row = by_name(pools_columns(), pools_rows({&pool, 1}).at(0));
    EXPECT_EQ(row["status"], "failing");
    EXPECT_EQ(row["last_error"], "db:5432: Connection refused");
    pool.stats.paused = true;
    EXPECT_EQ(by_name(pools_columns(), pools_rows({&pool, 1}).at(0))["status"], "paused");
}

TEST(ClientsTable, ShowsASession) {
    ClientRow client;
    client.id = 17;
    client.dialect = "postgresql";
    client.user = "app";
    client.pool = "orders";
    client.state = ClientRow::State::active;
    client.address = "192.0.2.7";
    client.port = 50000;
    client.connected = new_year;
    client.waiting = 2000300us;
    client.application = "checkout.py";
    client.pin = "temporary table";
    client.transaction = wire::TransactionStatus::active;
    client.transaction_time = 31250ms;
    client.server_id = 4711;
    auto row = by_name(clients_columns(), clients_rows({&client, 1}).at(0));
    EXPECT_EQ(row["type"], "C");
    EXPECT_EQ(row["state"], "active");
    EXPECT_EQ(row["addr"], "192.0.2.7");
    EXPECT_EQ(row["port"], "50000");
    EXPECT_EQ(row["connect_time"], "2026-01-01 00:00:00 UTC");
    EXPECT_EQ(row["wait"], "2");
    EXPECT_EQ(row["wait_us"], "300");
    EXPECT_EQ(row["application_name"], "checkout.py");
    EXPECT_EQ(row["id"], "17");
    EXPECT_EQ(row["pin"], "temporary table");
    EXPECT_EQ(row["transaction"], "active");
    EXPECT_EQ(row["transaction_seconds"], "31.250");
    EXPECT_EQ(row["server_pid"], "4711");
}

TEST(ClientsTable, HasNullForWhatASessionHasNot) {
    const ClientRow client;
    auto row = by_name(clients_columns(), clients_rows({&client, 1}).at(0));
    EXPECT_EQ(row["state"], "login");
    EXPECT_EQ(row["pin"], "NULL");
    EXPECT_EQ(row["transaction"], "none");
    EXPECT_EQ(row["server_pid"], "NULL");
}

TEST(ServersTable, ShowsABackend) {
    ServerRow server;
    server.pool = "orders";
    server.user = "app";
    server.application = "leasehold orders";
    server.backend = {9, 4711, "[::1]:5432", "leased", 90s, 1500ms, 33, 17, true, 0, 0};
    auto row = by_name(servers_columns(), servers_rows({&server, 1}, new_year + 90s).at(0));
    EXPECT_EQ(row["type"], "S");
    EXPECT_EQ(row["state"], "active");
    EXPECT_EQ(row["addr"], "[::1]");
    EXPECT_EQ(row["port"], "5432");
    EXPECT_EQ(row["connect_time"], "2026-01-01 00:00:00 UTC");
    EXPECT_EQ(row["remote_pid"], "4711");
    EXPECT_EQ(row["age_seconds"], "90");
    EXPECT_EQ(row["state_seconds"], "1");
    EXPECT_EQ(row["leases"], "33");
    EXPECT_EQ(row["session"], "17");
    EXPECT_EQ(row["ptr"], "orders/app#9");
    EXPECT_EQ(row["link"], "c17");
    EXPECT_EQ(row["close_needed"], "1");
}

TEST(ServersTable, ShowsABackendThatIsStillBeingDialled) {
    ServerRow server;
    server.backend.state = "dialling";
    server.backend.address = "/run/postgresql";
    auto row = by_name(servers_columns(), servers_rows({&server, 1}, new_year).at(0));
    EXPECT_EQ(row["state"], "login");
    EXPECT_EQ(row["addr"], "/run/postgresql");
    EXPECT_EQ(row["port"], "0");
    EXPECT_EQ(row["remote_pid"], "NULL");
    EXPECT_EQ(row["session"], "NULL");
}

TEST(QuarantineTable, TellsWhoDidWhatAndWhatBecameOfIt) {
    QuarantineRecords records;
    pool::QuarantineRecord record;
    record.at = new_year;
    record.pool = "orders";
    record.reason = pool::EndReason::killed;
    record.holder.client = "192.0.2.7:50000";
    record.holder.user = "app";
    record.holder.application = "checkout.py";
    record.holder.session = 17;
    record.holder.statements = {"BEGIN", "UPDATE cart SET n = ?"};
    record.in_transaction = 31250ms;
    const auto id = records.add(record);
    auto row = by_name(quarantine_columns(), quarantine_rows(records.snapshot()).at(0));
    EXPECT_EQ(row["time"], "2026-01-01 00:00:00 UTC");
    EXPECT_EQ(row["addr"], "192.0.2.7:50000");
    EXPECT_EQ(row["reason"], to_string(pool::EndReason::killed));
    EXPECT_EQ(row["transaction_ms"], "31250");
    EXPECT_EQ(row["statements"], "BEGIN; UPDATE cart SET n = ?");
    EXPECT_EQ(row["outcome"], "on the ladder");
    EXPECT_EQ(row["took_ms"], "NULL");
    record.outcome = "readmitted";
    record.took = 7ms;
    records.complete(id, record);
    row = by_name(quarantine_columns(), quarantine_rows(records.snapshot()).at(0));
    EXPECT_EQ(row["outcome"], "readmitted");
    EXPECT_EQ(row["took_ms"], "7");
}

TEST(QuarantineTable, SaysInAWordWhatBecameOfWhatWasOpen) {
    const auto ended = [](bool in_transaction, std::string rungs, std::string outcome) {
        pool::QuarantineRecord record;
        record.holder.in_transaction = in_transaction;
        record.rungs = std::move(rungs);
        record.outcome = std::move(outcome);
        return by_name(quarantine_columns(), quarantine_rows({&record, 1}).at(0))["ended"];
    };
    EXPECT_EQ(ended(true, "", ""), "on the ladder");
    EXPECT_EQ(ended(true, "rollback verify reset unread", "readmitted"), "rolled back");
    EXPECT_EQ(ended(true, "cancel drain rollback verify reset unread", "readmitted"), "cancelled, rolled back");
    EXPECT_EQ(ended(false, "cancel drain rollback verify reset unread", "readmitted"), "cancelled");
    EXPECT_EQ(ended(false, "rollback verify reset unread", "readmitted"), "clean");
    EXPECT_EQ(ended(true, "rollback verify reset unread", "closed: recycled"), "rolled back");
    EXPECT_EQ(ended(true, "rollback verify", "closed: verify: timed out"), "closed");
    EXPECT_EQ(ended(true, "", "closed: the server's connection was lost"), "closed");
}

TEST(TableTimes, AreInUtc) {
    EXPECT_EQ(in_utc(new_year - 1ms), "2025-12-31 23:59:59 UTC");
    EXPECT_EQ(in_utc(new_year - 1ms, true), "2025-12-31 23:59:59.999 UTC");
}

}  // namespace
}  // namespace leasehold::daemon::admin
