// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/unfinished.hpp"

#include "daemon/admin/leaks.hpp"
#include "tests/unit/daemon/cells.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;

constexpr SystemTime noon{std::chrono::seconds(1'767'268'800)};  // 2026-01-01 12:00 UTC

pool::QuarantineRecord left(std::string application, std::string shape, std::chrono::milliseconds open = 31s,
                            pool::EndReason reason = pool::EndReason::client_gone, SystemTime at = noon) {
    pool::QuarantineRecord record;
    record.at = at;
    record.pool = "shop";
    record.reason = reason;
    record.in_transaction = open;
    record.holder.session = 17;
    record.holder.client = "192.0.2.7:50000";
    record.holder.user = "app";
    record.holder.application = std::move(application);
    record.holder.shape = std::move(shape);
    record.holder.in_transaction = true;
    return record;
}

TEST(ShapeOfATransaction, IsItsFirstWriteElseItsLastStatement) {
    EXPECT_EQ(shape_of({"BEGIN", "SELECT ?", "UPDATE cart SET n = ?", "SELECT a FROM b"}), "UPDATE cart SET n = ?");
    EXPECT_EQ(shape_of({"BEGIN", "SELECT ? FROM a", "SELECT ? FROM b", "SET x = ?"}), "SELECT ? FROM b");
    EXPECT_EQ(shape_of({"BEGIN", "SELECT a FROM b FOR UPDATE", "SELECT ?"}), "SELECT a FROM b FOR UPDATE");
    EXPECT_EQ(shape_of({"BEGIN"}), "BEGIN");
    EXPECT_EQ(shape_of({"start transaction", "insert into t values (?)"}), "insert into t values (?)");
    EXPECT_EQ(shape_of({}), "");
    EXPECT_EQ(shape_of({"", ""}), "");
}

TEST(ShapeOfATransaction, IsTheSameForListsOfAnyLengthAndEitherProtocol) {
    EXPECT_EQ(shape_of({"UPDATE t SET a = $1 WHERE b IN ($2, $3,$12)"}), "UPDATE t SET a = ? WHERE b IN (?)");
    EXPECT_EQ(shape_of({"UPDATE t SET a = ? WHERE b IN (?)"}), "UPDATE t SET a = ? WHERE b IN (?)");
    EXPECT_EQ(shape_of({"INSERT INTO t VALUES (?, ?), (?,?) , (?, ?)"}), "INSERT INTO t VALUES (?)");
    EXPECT_EQ(shape_of({"INSERT INTO t VALUES (?, b), (?, "}), "INSERT INTO t VALUES (?, b), (?, ");
    EXPECT_EQ(shape_of({"INSERT $"}), "INSERT $");
}

TEST(UnfinishedRecords, GroupByApplicationAndShape) {
    UnfinishedRecords records;
    records.add(left("report.py", "SELECT ?"));
    for (int i = 0; i < 40; ++i) records.add(left("checkout.py", "UPDATE cart SET n = ?", i % 2 == 0 ? 30s : 32s));
    records.add(left("checkout.py", "UPDATE stock SET n = ?", 1s, pool::EndReason::killed));
    const auto all = records.snapshot();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].times, 40u);
    EXPECT_EQ(all[1].statement, "UPDATE stock SET n = ?");
    const Rows rows = leaks_rows(all, {}, noon);
    ASSERT_EQ(rows[0].size(), leaks_columns().size());
    auto row = by_name(leaks_columns(), rows[0]);
    EXPECT_EQ(row["application_name"], "checkout.py");
    EXPECT_EQ(row["kind"], "open transaction");
    EXPECT_EQ(row["what"], "client_gone 40");
    EXPECT_EQ(row["statement"], "UPDATE cart SET n = ?");
    EXPECT_EQ(row["times"], "40");
    EXPECT_EQ(row["last_day"], "40");
    EXPECT_EQ(row["mean_ms"], "31000");
    EXPECT_EQ(row["longest_ms"], "32000");
    EXPECT_EQ(row["time"], "2026-01-01 12:00:00 UTC");
}

TEST(UnfinishedRecords, CountTheLastDayByHours) {
    UnfinishedRecords records;
    for (int hour = 0; hour < 48; ++hour) {
        records.add(left("a", "b", 1s, pool::EndReason::client_gone, noon + std::chrono::hours(hour)));
    }
    const UnfinishedRecord record = records.snapshot().at(0);
    EXPECT_EQ(record.times, 48u);
    EXPECT_EQ(record.last_day(noon + 47h), 24u);
    EXPECT_EQ(record.last_day(noon + 57h), 14u);
    EXPECT_EQ(record.last_day(noon + 100h), 0u);
    EXPECT_EQ(record.last_day(noon - 1000h), 24u) << "the clock was set back";
}

TEST(UnfinishedRecords, BlameNobodyForWhatNoApplicationDid) {
    UnfinishedRecords records;
    for (const auto reason :
         {pool::EndReason::drained, pool::EndReason::backend_lost, pool::EndReason::query_timeout}) {
        records.add(left("a", "b", 1s, reason));
    }
    auto pinned = left("a", "b");
    pinned.holder.in_transaction = false;
    records.add(pinned);
    EXPECT_TRUE(records.snapshot().empty());
}

TEST(UnfinishedRecords, AreBoundedInNumberAndLength) {
    UnfinishedRecords records(3);
    for (int i = 0; i < 100; ++i) records.add(left("a" + std::to_string(i), "b"));
    ASSERT_EQ(records.snapshot().size(), 3u);
    EXPECT_EQ(records.snapshot()[0].application, "a99");
    records.add(left(std::string(10'000, 'x'), std::string(10'000, 'y')));
    const auto kept = records.snapshot().front();
    EXPECT_LT(kept.application.size(), 300u);
    EXPECT_LT(kept.statement.size(), 1100u);
}

}  // namespace
}  // namespace leasehold::daemon::admin
