// SPDX-License-Identifier: Apache-2.0
// The ladder as the pool sees it: a place occupied, a record at both ends, a deadline that is the pool's own.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolQuarantine : public PoolTest {
  protected:
    Holder who() {
        Holder holder;
        holder.session = 7;
        holder.client = "10.0.0.1:5000";
        holder.user = "app";
        holder.statements = {"UPDATE t SET a = ?"};
        holder.transaction_since = now - 3s;
        return holder;
    }
};

TEST_F(PoolQuarantine, RecordsWhoLeftATransactionAndReadmitsTheBackend) {
    start();
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.condition.in_transaction = true;
    backend.hang = true;
    holder->checkin(EndReason::client_gone, who());
    ASSERT_EQ(events.entered.size(), 1u);
    EXPECT_EQ(events.entered[0].outcome, "");
    EXPECT_EQ(events.entered[0].pool, "orders");
    EXPECT_EQ(events.entered[0].holder.client, "10.0.0.1:5000");
    EXPECT_EQ(events.entered[0].in_transaction, 3s);
    EXPECT_EQ(events.entered[0].server_id, backend.id);
    EXPECT_EQ(events.entered[0].reason, EndReason::client_gone);
    poll();
    EXPECT_EQ(pool->stats().quarantined, 1);
    EXPECT_EQ(pool->stats().open, 1);
    now += 40ms;
    backend.gate.open({});
    poll();
    ASSERT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.left[0].id, events.entered[0].id);
    EXPECT_EQ(events.left[0].outcome, "readmitted");
    EXPECT_EQ(events.left[0].rungs, "cancel drain rollback verify reset unread");
    EXPECT_EQ(events.left[0].took, 40ms);
    EXPECT_EQ(events.left[0].holder.statements.size(), 1u);
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolQuarantine, RecordsTheSessionEvenOfACheckinThatNamedNobody) {
    start();
    const auto holder = arrive({0, 0, 42});
    connector->backend(0).condition.cancelling = true;
    holder->checkin();
    ASSERT_EQ(events.entered.size(), 1u);
    EXPECT_EQ(events.entered[0].holder.session, 42u);
    EXPECT_EQ(events.entered[0].reason, EndReason::finished);
}

TEST_F(PoolQuarantine, CountsAgainstTheCapacityAndServesTheWaiterAfterwards) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    const auto holder = arrive();
    const auto waiter = arrive();
    Script& backend = connector->backend(0);
    backend.condition.outstanding = true;
    backend.hang = true;
    holder->checkin(EndReason::client_gone);
    poll();
    EXPECT_TRUE(waiter->waiting());
    EXPECT_EQ(connector->dials, 1);
    backend.gate.open({});
    poll();
    EXPECT_TRUE(waiter->leased());
    EXPECT_EQ(connector->dials, 1);
}

TEST_F(PoolQuarantine, ClosesWhatFailsARungAndSaysWhich) {
    start();
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.rungs = {{Rung::cancel, {}}, {Rung::drain, std::make_error_code(std::errc::timed_out)}};
    backend.recover = std::make_error_code(std::errc::timed_out);
    holder->checkin(EndReason::killed);
    poll();
    EXPECT_TRUE(backend.closed);
    ASSERT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.left[0].rungs, "cancel drain");
    EXPECT_EQ(events.left[0].outcome, "closed: drain: Connection timed out");
    EXPECT_EQ(events.closed(CloseReason::quarantine_failed), 1);
    EXPECT_EQ(pool->stats().open, 0);
}

TEST_F(PoolQuarantine, BelievesTheConditionMoreThanTheLadder) {
    for (bool Condition::*flag : {&Condition::dead, &Condition::half_message, &Condition::outstanding,
                                  &Condition::cancelling, &Condition::in_transaction, &Condition::dirty}) {
        start();
        const auto holder = arrive();
        Script& backend = *connector->backends.back();
        backend.recover_cleans = false;
        holder->checkin(EndReason::client_gone);
        backend.condition.*flag = true;
        poll();
        EXPECT_TRUE(backend.closed);
        EXPECT_EQ(events.left.back().outcome, "closed: not clean afterwards");
        pool->dispose();
    }
}

TEST_F(PoolQuarantine, AHungLadderIsClosedByThePoolItself) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    const auto holder = arrive();
    const auto waiter = arrive();
    Script& backend = connector->backend(0);
    backend.condition.in_transaction = true;
    backend.hang = true;
    backend.close_opens_gate = false;  // not even closing wakes it
    holder->checkin(EndReason::client_gone);
    poll();
    pass(5s);
    EXPECT_FALSE(backend.closed);
    pass(600ms);
    EXPECT_TRUE(backend.closed);
    ASSERT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.left[0].outcome, "closed: timed out");
    EXPECT_TRUE(waiter->leased());
    backend.gate.open({});  // its late answer changes nothing
    poll();
    EXPECT_EQ(events.left.size(), 1u);
    EXPECT_EQ(pool->stats().open, 1);
}

TEST_F(PoolQuarantine, ClosingAHungOneWakesItsCoroutine) {
    start();
    const auto holder = arrive();
    connector->backend(0).hang = true;
    holder->checkin(EndReason::client_gone);
    poll();
    pass(6s);
    EXPECT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.closes.size(), 1u);
}

TEST_F(PoolQuarantine, AProvenOneStillLeavesByTheRulesOfThePool) {
    start();
    const auto holder = arrive();
    holder->checkin(EndReason::client_gone);
    pool->invalidate(true);
    poll();
    ASSERT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.left[0].outcome, "closed: soft_invalidated");
    EXPECT_EQ(events.closed(CloseReason::soft_invalidated), 1);
}

TEST_F(PoolQuarantine, AThrowingLadderIsAFailedOne) {
    start();
    const auto holder = arrive();
    connector->backend(0).throws = true;
    holder->checkin(EndReason::client_gone);
    poll();
    EXPECT_EQ(events.closed(CloseReason::quarantine_failed), 1);
}

TEST_F(PoolQuarantine, OfAPoolThatIsGoneEndsQuietly) {
    start();
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.hang = true;
    holder->checkin(EndReason::client_gone);
    poll();
    pool.reset();
    EXPECT_TRUE(backend.closed);
    poll();
}

}  // namespace leasehold::pool::fakes
