// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/pool_events.hpp"

#include "daemon/admin/records.hpp"
#include "daemon/logging.hpp"
#include "daemon/metrics/names.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::metrics {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

class PoolEventsTest : public testing::Test {
  protected:
    std::int64_t count(std::string_view name, Labels more = {}) const {
        more.emplace_back("pool", "orders");
        return registry.value(name, more).value_or(-1);
    }
    static pool::QuarantineRecord record() {
        pool::QuarantineRecord result;
        result.id = 40;
        result.pool = "orders";
        result.reason = pool::EndReason::client_gone;
        result.holder.session = 12;
        result.holder.client = "192.0.2.7:50000";
        result.holder.user = "app";
        result.holder.application = "checkout.py";
        result.holder.statements = {"UPDATE cart SET n = ?"};
        result.in_transaction = 1250ms;
        result.server_id = 4711;
        return result;
    }
    Registry registry{2};
    admin::QuarantineRecords records;
    CapturedLog log;
    PoolEvents events{registry, records, 1, "orders"};
};

TEST_F(PoolEventsTest, CountsAndLogsDials) {
    events.connect("db.internal:5432", 3200us);
    EXPECT_EQ(count(names::connects), 1);
    EXPECT_EQ(count(names::dial_seconds), 1);
    EXPECT_EQ(log.lines(), (Lines{"info event=connect pool=orders address=db.internal:5432 ms=3"}));
}

TEST_F(PoolEventsTest, TellsASaturatedServerFromABrokenOne) {
    events.connect_failed("db:5432", "too many clients already", true);
    events.connect_failed("db:5432", "Connection refused", false);
    events.connect_failed("db:5432", "Connection refused", false);
    EXPECT_EQ(count(names::connect_failures, {{"reason", "saturated"}}), 1);
    EXPECT_EQ(count(names::connect_failures, {{"reason", "error"}}), 2);
    EXPECT_EQ(log.lines(), (Lines{"warn event=connect_failed pool=orders address=db:5432 reason=saturated "
                                  "message=\"too many clients already\"",
                                  "warn event=connect_failed pool=orders address=db:5432 reason=error "
                                  "message=\"Connection refused\""}));
}

TEST_F(PoolEventsTest, SaysOnceThatAServerIsAwayAndOnceThatItIsBack) {
    PoolEvents other(registry, records, 0, "reports");
    for (int i = 0; i < 100; ++i) {
        events.connect_failed("db:5432", "db:5432: Connection refused", false);
        other.connect_failed("db:5432", "db:5432: Connection refused", false);
    }
    events.connect_failed("db:5432", "db:5432: the database system is starting up", false);
    events.connect_failed("db:5432", "db:5432: Connection refused", false);
    other.connect("db:5432", 1ms);
    events.connect("db:5432", 1ms);
    EXPECT_EQ(count(names::connect_failures, {{"reason", "error"}}), 102);
    EXPECT_EQ(log.lines(), (Lines{"warn event=connect_failed pool=orders address=db:5432 reason=error "
                                  "message=\"db:5432: Connection refused\"",
                                  "warn event=connect_failed pool=orders address=db:5432 reason=error "
                                  "message=\"db:5432: the database system is starting up\"",
                                  "info event=connect_recovered pool=reports address=db:5432",
                                  "info event=connect pool=reports address=db:5432 ms=1",
                                  "info event=connect_recovered pool=orders address=db:5432",
                                  "info event=connect pool=orders address=db:5432 ms=1"}));
}

TEST(Outages, AreNewsOnceUntilTheServerAnswers) {
    SeenOutages one, another;
    EXPECT_FALSE(one.over()) << "it was never away";
    for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(one.begin("db:1: refused"));
        EXPECT_FALSE(one.begin("db:1: refused"));
        EXPECT_FALSE(another.begin("db:1: refused"));
        EXPECT_TRUE(another.over());
        EXPECT_FALSE(one.over());
    }
    for (int i = 0; i < 100'000; ++i) (void)one.begin("invented " + std::to_string(i));
    EXPECT_TRUE(one.over());
    {
        SeenOutages removed;
        EXPECT_TRUE(removed.begin("db:2: refused"));
    }
    EXPECT_TRUE(one.begin("db:2: refused")) << "what nobody can end any more is forgotten";
}

TEST_F(PoolEventsTest, CountsLeasesWithoutLoggingThem) {
    events.checkout(0us);
    events.checkout(2ms);
    events.checkin(10ms);
    EXPECT_EQ(count(names::checkouts), 2);
    EXPECT_EQ(count(names::wait_seconds), 2);
    EXPECT_EQ(count(names::checkins), 1);
    EXPECT_EQ(count(names::lease_seconds), 1);
    EXPECT_EQ(log.lines(), Lines{});
}

TEST_F(PoolEventsTest, CountsTimeoutsResetsAndInvalidations) {
    events.timeout(30s);
    events.reset({});
    events.reset(std::make_error_code(std::errc::timed_out));
    events.invalidate(true);
    events.invalidate(false);
    EXPECT_EQ(count(names::timeouts), 1);
    EXPECT_EQ(count(names::resets, {{"outcome", "ok"}}), 1);
    EXPECT_EQ(count(names::resets, {{"outcome", "failed"}}), 1);
    EXPECT_EQ(count(names::invalidations, {{"kind", "soft"}}), 1);
    EXPECT_EQ(count(names::invalidations, {{"kind", "hard"}}), 1);
    ASSERT_EQ(log.lines().size(), 4u);
    EXPECT_EQ(log.lines()[0], "warn event=pool_timeout pool=orders waited_ms=30000");
    EXPECT_EQ(log.lines()[2], "info event=invalidate pool=orders kind=soft");
}

TEST_F(PoolEventsTest, CountsEveryClosingByItsReason) {
    for (int i = 0; i <= static_cast<int>(pool::CloseReason::repointed); ++i) {
        const auto reason = static_cast<pool::CloseReason>(i);
        events.close(reason, 100u + static_cast<unsigned>(i));
        EXPECT_EQ(count(names::closes, {{"reason", std::string(to_string(reason))}}), 1) << i;
    }
    EXPECT_EQ(log.lines()[0], "info event=close pool=orders reason=recycled server_pid=100");
}

TEST_F(PoolEventsTest, RecordsAQuarantineFromItsBeginningToItsEnd) {
    auto entry = record();
    events.quarantined(entry);
    ASSERT_EQ(records.snapshot().size(), 1u);
    EXPECT_EQ(records.snapshot()[0].outcome, "");
    entry.outcome = "readmitted";
    entry.took = 12ms;
    entry.rungs = "cancel drain rollback verify reset unread";
    events.released(entry);
    ASSERT_EQ(records.snapshot().size(), 1u);
    EXPECT_EQ(records.snapshot()[0].outcome, "readmitted");
    EXPECT_EQ(count(names::quarantines, {{"reason", std::string(to_string(pool::EndReason::client_gone))}}), 1);
    EXPECT_EQ(count(names::quarantine_outcomes, {{"outcome", "readmitted"}}), 1);
    EXPECT_EQ(count(names::quarantine_seconds), 1);
    const std::string reason(to_string(pool::EndReason::client_gone));
    EXPECT_EQ(log.lines(),
              (Lines{"info event=quarantine pool=orders id=1 reason=" + reason +
                         " session=12 client=192.0.2.7:50000 user=app application=checkout.py transaction_ms=1250 "
                         "server_pid=4711",
                     "info event=quarantine_end pool=orders id=1 reason=" + reason +
                         " session=12 user=app application=checkout.py transaction_ms=1250 outcome=readmitted ms=12 "
                         "rungs=\"cancel drain rollback verify reset unread\" server_pid=4711"}));
}

TEST_F(PoolEventsTest, WarnsOfABackendThatTheLadderCouldNotSave) {
    auto entry = record();
    events.quarantined(entry);
    entry.outcome = "closed: drain: timed out";
    events.released(entry);
    EXPECT_EQ(count(names::quarantine_outcomes, {{"outcome", "closed"}}), 1);
    EXPECT_TRUE(log.lines().back().starts_with("warn event=quarantine_end")) << log.lines().back();
}

TEST_F(PoolEventsTest, PutsNoStatementIntoTheLog) {
    auto entry = record();
    events.quarantined(entry);
    events.released(entry);
    for (const std::string& line : log.lines()) EXPECT_EQ(line.find("UPDATE"), std::string::npos) << line;
}

TEST_F(PoolEventsTest, RecordsATransactionWhoseConnectionBroke) {
    auto entry = record();
    entry.outcome = "closed: the server's connection was lost";
    events.lost(entry);
    ASSERT_EQ(records.snapshot().size(), 1u);
    EXPECT_EQ(records.snapshot()[0].outcome, entry.outcome);
    EXPECT_EQ(count(names::quarantine_outcomes, {{"outcome", "closed"}}), 0) << "it was on no ladder";
    EXPECT_EQ(log.lines(),
              Lines{"info event=transaction_lost pool=orders id=1 session=12 client=192.0.2.7:50000 user=app "
                    "application=checkout.py transaction_ms=1250 server_pid=4711"});
}

TEST_F(PoolEventsTest, KeepsTwoPoolsWithTheSameRecordIdsApart) {
    PoolEvents other(registry, records, 0, "stock", "reports");
    auto mine = record();
    auto theirs = record();
    theirs.pool = "stock";
    events.quarantined(mine);
    other.quarantined(theirs);
    mine.outcome = "readmitted";
    events.released(mine);
    const auto all = records.snapshot();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[1].outcome, "readmitted");
    EXPECT_EQ(all[0].outcome, "");
    other.connect("db:5432", 1ms);
    EXPECT_EQ(log.lines().back(), "info event=connect pool=stock user=reports address=db:5432 ms=1");
}

TEST_F(PoolEventsTest, TakesTheMetricsOfARemovedPoolAlong) {
    const std::size_t before = registry.size();
    {
        PoolEvents other(registry, records, 0, "gone");
        EXPECT_GT(registry.size(), before);
    }
    EXPECT_EQ(registry.size(), before);
}

}  // namespace
}  // namespace leasehold::daemon::metrics
