// SPDX-License-Identifier: Apache-2.0
// What becomes of a backend that comes back, and of a lease that does not.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolCheckin : public PoolTest {};
class PoolLease : public PoolTest {};

TEST_F(PoolCheckin, KeepsPoolSizeIdleOnesAndClosesTheOverflow) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    for (auto& holder : holders) holder->checkin();
    EXPECT_EQ(pool->stats().checkedin, 2);
    EXPECT_EQ(connector->open(), 2);
    EXPECT_EQ(events.closed(CloseReason::overflow), 1);
}

TEST_F(PoolCheckin, HandsTheOverflowToWhoeverWaits) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    const auto waiter = arrive();
    for (auto& holder : holders) holder->checkin();
    poll();
    EXPECT_TRUE(waiter->leased());
    EXPECT_EQ(connector->dials, 3);
    waiter->checkin();
    EXPECT_EQ(connector->open(), 2);
}

TEST_F(PoolCheckin, ResetsADirtyOneBeforeItIsIdle) {
    start();
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.condition.dirty = true;
    backend.hang = true;
    holder->checkin();
    poll();
    EXPECT_EQ(backend.resets, 1);
    EXPECT_EQ(pool->stats().checkedin, 0);
    EXPECT_EQ(pool->stats().open, 1);
    EXPECT_EQ(pool->stats().quarantined, 1);
    EXPECT_FALSE(pool->try_checkout({}));
    backend.gate.open({});
    poll();
    EXPECT_EQ(pool->stats().checkedin, 1);
    EXPECT_EQ(events.resets, 1);
}

TEST_F(PoolCheckin, ResetsADirtyOneBeforeAWaiterGetsIt) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    const auto waiter = arrive();
    backend.condition.dirty = true;
    backend.hang = true;
    holder->checkin();
    poll();
    EXPECT_TRUE(waiter->waiting());
    backend.gate.open({});
    poll();
    ASSERT_TRUE(waiter->leased());
    EXPECT_FALSE(waiter->outcome->lease.fresh());
    EXPECT_EQ(backend.resets, 1);
}

TEST_F(PoolCheckin, CountsOnAResetForAWhileBeforeItDialsAnother) {
    start();
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.condition.dirty = true;
    backend.hang = true;
    holder->checkin();
    const auto waiter = arrive();
    EXPECT_EQ(connector->dials, 1);
    pass(200ms);
    EXPECT_EQ(connector->dials, 2);
    EXPECT_TRUE(waiter->leased());
    backend.gate.open({});
    poll();
}

TEST_F(PoolCheckin, ClosesWhatCouldNotBeReset) {
    start();
    const auto holder = arrive();
    connector->backend(0).condition.dirty = true;
    connector->backend(0).reset = failure();
    holder->checkin();
    const auto waiter = arrive();
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(events.closed(CloseReason::reset_failed), 1);
    EXPECT_TRUE(waiter->leased());
}

TEST_F(PoolCheckin, ClosesWhatIsStillDirtyAfterAReset) {
    start();
    const auto holder = arrive();
    connector->backend(0).condition.dirty = true;
    connector->backend(0).reset_cleans = false;
    holder->checkin();
    poll();
    EXPECT_TRUE(connector->backend(0).closed);
}

TEST_F(PoolCheckin, AnExchangeThatThrowsIsOneThatFailed) {
    start();
    const auto holder = arrive();
    connector->backend(0).condition.dirty = true;
    connector->backend(0).throws = true;
    holder->checkin();
    poll();
    EXPECT_EQ(events.closed(CloseReason::reset_failed), 1);
}

TEST_F(PoolCheckin, AHungResetDoesNotHoldItsPlace) {
    start();
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.condition.dirty = true;
    backend.hang = true;
    backend.close_opens_gate = false;
    holder->checkin();
    poll();
    pass(5s);
    EXPECT_FALSE(backend.closed);
    pass(1s);
    EXPECT_TRUE(backend.closed);
    EXPECT_EQ(pool->stats().open, 0);
    backend.gate.open({});
    poll();
    EXPECT_EQ(pool->stats().open, 0);
}

TEST_F(PoolCheckin, LeavesDirtyOnesAsTheyAreWithResetOnReturnNone) {
    Params params = defaults();
    params.reset_on_return = ResetOnReturn::none;
    start(params);
    const auto holder = arrive();
    connector->backend(0).condition.dirty = true;
    holder->checkin();
    EXPECT_EQ(pool->stats().checkedin, 1);
    EXPECT_EQ(connector->backend(0).resets, 0);
}

TEST_F(PoolCheckin, RollsBackAnUnfinishedTransactionWhateverResetOnReturnSays) {
    for (const auto setting : {ResetOnReturn::rollback, ResetOnReturn::commit, ResetOnReturn::none}) {
        Params params = defaults();
        params.reset_on_return = setting;
        start(params);
        const auto holder = arrive();
        Script& backend = *connector->backends.back();
        backend.condition.in_transaction = true;
        holder->checkin(EndReason::client_gone);
        poll();
        EXPECT_EQ(backend.recovers, 1);
        EXPECT_EQ(backend.finishes, 0);
        EXPECT_EQ(pool->stats().checkedin, 1);
        pool->dispose();
    }
}

TEST_F(PoolCheckin, CommitsAfterAnOrderlyEndIfToldTo) {
    Params params = defaults();
    params.reset_on_return = ResetOnReturn::commit;
    start(params);
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.condition.in_transaction = true;
    backend.condition.dirty = true;
    holder->checkin(EndReason::orderly);
    poll();
    EXPECT_EQ(backend.finishes, 1);
    EXPECT_TRUE(backend.committed);
    EXPECT_EQ(backend.recovers, 0);
    EXPECT_EQ(backend.resets, 1);
    EXPECT_EQ(pool->stats().checkedin, 1);
    EXPECT_TRUE(events.entered.empty());
}

TEST_F(PoolCheckin, QuarantinesWhatCouldNotBeCommitted) {
    Params params = defaults();
    params.reset_on_return = ResetOnReturn::commit;
    start(params);
    const auto holder = arrive();
    Script& backend = connector->backend(0);
    backend.condition.in_transaction = true;
    backend.finish = failure();
    Holder who;
    who.user = "app";
    holder->checkin(EndReason::orderly, who);
    poll();
    EXPECT_EQ(backend.recovers, 1);
    ASSERT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.left[0].holder.user, "app");
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolCheckin, ClosesADeadOneAndDialsForTheWaiter) {
    Params params = defaults();
    params.max_overflow = 0;
    params.pool_size = 1;
    start(params);
    const auto holder = arrive();
    const auto waiter = arrive();
    connector->backend(0).condition.dead = true;
    holder->checkin(EndReason::backend_lost);
    poll();
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_TRUE(waiter->leased());
}

TEST_F(PoolCheckin, ClosesOneThatRefusedSettings) {
    start();
    arrive()->checkin(EndReason::settings_refused);
    EXPECT_EQ(events.closed(CloseReason::settings_refused), 1);
}

TEST_F(PoolLease, DroppedWithoutCheckinClosesTheBackendFromTheLoop) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    auto holder = arrive();
    const auto waiter = arrive();
    holder->outcome.reset();
    EXPECT_FALSE(connector->backend(0).closed);
    poll();
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(events.closed(CloseReason::lease_dropped), 1);
    EXPECT_TRUE(waiter->leased());
}

TEST_F(PoolLease, InvalidateFreesThePlaceAtOnce) {
    start();
    const auto holder = arrive();
    holder->outcome->lease.invalidate(CloseReason::detached);
    EXPECT_FALSE(holder->outcome->lease);
    EXPECT_EQ(pool->stats().open, 0);
    EXPECT_EQ(events.closed(CloseReason::detached), 1);
}

TEST_F(PoolLease, MovesAndGivesUpWhatItHeldBefore) {
    start();
    auto first = arrive(), second = arrive();
    Lease lease = std::move(first->outcome->lease);
    EXPECT_FALSE(first->outcome->lease);
    Lease& same = lease;
    lease = std::move(same);
    ASSERT_TRUE(lease);
    const auto kept = second->backend();
    lease = std::move(second->outcome->lease);
    poll();
    EXPECT_EQ(lease.backend().server_id(), kept);
    EXPECT_EQ(events.closed(CloseReason::lease_dropped), 1);
    lease.checkin();
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolLease, KeepsItsPoolAlive) {
    start();
    auto holder = arrive();
    std::weak_ptr<Pool> weak = pool;
    pool.reset();
    EXPECT_FALSE(weak.expired());
    holder->checkin();
    EXPECT_TRUE(weak.expired());
    EXPECT_TRUE(connector->backend(0).closed);
}

TEST_F(PoolLease, OutlivedByNothingWhenTheLoopIsDestroyed) {
    start();
    auto holder = arrive();
    holder->outcome.reset();  // its invalidation is posted and never runs
    pool.reset();
}

TEST_F(PoolLease, NamesItsHolderInTheRows) {
    start();
    one_idle();
    Holder who;
    who.session = 42;
    Lease lease = pool->try_checkout({}, &who);
    ASSERT_EQ(pool->backends().size(), 1u);
    EXPECT_EQ(pool->backends()[0].session, 42u);
    EXPECT_EQ(pool->backends()[0].state, "leased");
    EXPECT_EQ(pool->backends()[0].leases, 2u);
    lease.checkin();
    EXPECT_EQ(pool->backends()[0].session, 0u);
    EXPECT_EQ(pool->backends()[0].state, "idle");
}

}  // namespace leasehold::pool::fakes
