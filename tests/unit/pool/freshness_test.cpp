// SPDX-License-Identifier: Apache-2.0
// Which idle backends are still fit to be handed out: quiet, pinged, young enough, of the right generation.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolFreshness : public PoolTest {};
class PoolInvalidation : public PoolTest {};

TEST_F(PoolFreshness, PingsOneThatWasIdleForMoreThanASecond) {
    start();
    Script& backend = one_idle();
    now += 1001ms;
    EXPECT_FALSE(pool->try_checkout({}));
    EXPECT_EQ(backend.pings, 0);
    const auto visitor = arrive();
    EXPECT_EQ(backend.pings, 1);
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(connector->dials, 1);
}

TEST_F(PoolFreshness, DoesNotPingOneUsedWithinTheLastSecondNorAFreshOne) {
    start();
    Script& backend = one_idle();
    now += 1s;
    Lease lease = pool->try_checkout({});
    ASSERT_TRUE(lease);
    lease.checkin();
    EXPECT_EQ(backend.pings, 0);
}

TEST_F(PoolFreshness, PingsNoneWithoutPrePing) {
    Params params = defaults();
    params.pool_pre_ping = false;
    start(params);
    Script& backend = one_idle();
    now += 10min;
    Lease lease = pool->try_checkout({});
    ASSERT_TRUE(lease);
    lease.checkin();
    EXPECT_EQ(backend.pings, 0);
}

TEST_F(PoolFreshness, AFailedPingClosesTheOlderSiblingsAndDialsAnew) {
    start();
    const auto first = arrive(), second = arrive(), held = arrive();
    first->checkin();
    second->checkin();
    connector->backend(1).ping = failure();
    now += 5s;
    const auto visitor = arrive();
    EXPECT_TRUE(visitor->leased());
    EXPECT_TRUE(visitor->outcome->lease.fresh());
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_TRUE(connector->backend(1).closed);
    EXPECT_FALSE(connector->backend(2).closed);
    EXPECT_EQ(connector->dials, 4);
    EXPECT_EQ(events.closed(CloseReason::ping_failed), 1);
    EXPECT_EQ(events.closed(CloseReason::server_lost), 1);
    held->checkin();
    EXPECT_TRUE(connector->backend(2).closed);
    visitor->checkin();
    EXPECT_FALSE(connector->backend(3).closed);
}

TEST_F(PoolFreshness, AHungPingDoesNotHoldUpTheWaiterForLong) {
    start();
    Script& backend = one_idle();
    backend.hang = true;
    backend.close_opens_gate = false;
    now += 5s;
    const auto visitor = arrive();
    EXPECT_TRUE(visitor->waiting());
    pass(50ms);
    EXPECT_EQ(connector->dials, 1);
    pass(60ms);
    EXPECT_TRUE(visitor->leased());
    pass(2s);
    EXPECT_TRUE(backend.closed);
    EXPECT_EQ(events.closed(CloseReason::ping_failed), 1);
    backend.gate.open({});
    poll();
    EXPECT_EQ(pool->stats().open, 1);
}

TEST_F(PoolFreshness, PingsNoMoreThanAreWaitedFor) {
    start();
    const auto first = arrive(), second = arrive();
    first->checkin();
    second->checkin();
    connector->backend(0).hang = connector->backend(1).hang = true;
    now += 5s;
    const auto visitor = arrive();
    pass(10ms);
    EXPECT_EQ(connector->backend(0).pings + connector->backend(1).pings, 1);
    arrive();
    EXPECT_EQ(connector->backend(0).pings + connector->backend(1).pings, 2);
}

TEST_F(PoolFreshness, PrefersOneThatNeedsNoPingExceptInFifoOrder) {
    for (const bool lifo : {true, false}) {
        Params params = defaults();
        params.pool_use_lifo = lifo;
        start(params);
        const auto first = arrive(), second = arrive();
        Script& older = *connector->backends[connector->backends.size() - 2];
        older.fingerprint = 7;
        first->checkin();
        now += 800ms;
        second->checkin();
        now += 800ms;
        const auto visitor = arrive({0, 7});
        ASSERT_TRUE(visitor->leased());
        EXPECT_EQ(visitor->backend() == older.id, !lifo);
        EXPECT_EQ(older.pings, lifo ? 0 : 1);
        visitor->checkin();
        pool->dispose();
    }
}

TEST_F(PoolFreshness, AHungPingMakesItsSiblingsSuspect) {
    start();
    const auto first = arrive(), second = arrive(), third = arrive();
    first->checkin();
    second->checkin();
    connector->backend(1).hang = true;
    now += 5s;
    const auto visitor = arrive();
    connector->backend(0).hang = true;
    now += 1600ms;  // both pings and the grace are over before anybody looks
    pool->tick();
    EXPECT_TRUE(connector->backend(1).closed);
    third->checkin();
    EXPECT_TRUE(connector->backend(2).closed);
    EXPECT_EQ(events.hard_invalidations, 1);
    poll();
}

TEST_F(PoolFreshness, NeverLeasesOneThatIsNotQuiet) {
    start();
    Script& backend = one_idle();
    backend.quiet = false;
    now += 1ms;
    EXPECT_FALSE(pool->try_checkout({}));
    EXPECT_TRUE(backend.closed);
    EXPECT_EQ(events.closed(CloseReason::broken_while_idle), 1);
    EXPECT_TRUE(arrive()->leased());
}

TEST_F(PoolFreshness, AsksForQuietOnlyAfterAMillisecond) {
    start();
    Script& backend = one_idle();
    now += 900us;
    Lease lease = pool->try_checkout({});
    ASSERT_TRUE(lease);
    EXPECT_EQ(backend.quiet_asked, 0);
    lease.checkin();
    now += 1ms;
    lease = pool->try_checkout({});
    EXPECT_EQ(backend.quiet_asked, 1);
    lease.checkin();
}

// Between the last reply and the checkin the holder's thread may have stood still, while the server went away.
TEST_F(PoolFreshness, AsksForQuietByTheTimeOfTheLastReply) {
    start();
    Script& backend = one_idle();
    Lease lease = pool->try_checkout({});
    ASSERT_TRUE(lease);
    const auto heard = now;
    now += 2ms;
    lease.checkin(heard);
    lease = pool->try_checkout({});
    EXPECT_EQ(backend.quiet_asked, 1);
    ASSERT_TRUE(lease);
    lease.checkin(now + 1h);  // never later than now
    now += 2ms;
    backend.quiet = false;
    EXPECT_FALSE(pool->try_checkout({}));
    EXPECT_EQ(backend.quiet_asked, 2);
    EXPECT_EQ(events.closed(CloseReason::broken_while_idle), 1);
}

TEST_F(PoolFreshness, ABrokenIdleOneIsClosedAtOnce) {
    start();
    Script& backend = one_idle();
    pass(50ms);
    ASSERT_TRUE(backend.broken);
    backend.broken();
    EXPECT_TRUE(backend.closed);
    EXPECT_EQ(pool->stats().open, 0);
    EXPECT_EQ(events.closed(CloseReason::broken_while_idle), 1);
}

TEST_F(PoolFreshness, ALeasedOneIsNotWatched) {
    start();
    Script& backend = one_idle();
    pass(50ms);
    Lease lease = pool->try_checkout({});
    EXPECT_FALSE(backend.broken);
    lease.checkin();
    EXPECT_FALSE(backend.broken);  // not before it stays idle
    pass(50ms);
    EXPECT_TRUE(backend.broken);
}

TEST_F(PoolFreshness, RecyclesAtCheckoutWithinTheJitter) {
    start();
    Script& backend = one_idle();
    now += 54min - 1s;
    EXPECT_TRUE(arrive()->leased());
    EXPECT_FALSE(backend.closed);
    pool->dispose();

    start();
    Script& other = one_idle();
    now += 1h + 1s;
    EXPECT_FALSE(pool->try_checkout({}));
    EXPECT_TRUE(other.closed);
    EXPECT_EQ(other.pings, 0);
    EXPECT_EQ(events.closed(CloseReason::recycled), 1);
}

TEST_F(PoolFreshness, RecyclesAtCheckinAndNeverInUse) {
    start();
    const auto holder = arrive();
    pass(2h);
    EXPECT_FALSE(connector->backend(0).closed);
    holder->checkin();
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(events.closed(CloseReason::recycled), 1);
}

TEST_F(PoolFreshness, AFreshOneIsNotRecycledHoweverLongItsDialTook) {
    Params params = defaults();
    params.pool_recycle = Duration(0);
    start(params);
    connector->hang = true;
    const auto visitor = arrive();
    now += 100ms;
    connector->finish();
    poll();
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(connector->dials, 1);
    visitor->checkin();
    EXPECT_EQ(events.closed(CloseReason::recycled), 1);
}

TEST_F(PoolFreshness, NeverRecyclesWithoutAnAge) {
    Params params = defaults();
    params.pool_recycle = std::nullopt;
    start(params);
    const auto holder = arrive();
    now += 10000h;
    holder->checkin();
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolInvalidation, HardClosesIdleOnesNowAndLeasedOnesWhenTheyComeBack) {
    start();
    const auto idle = arrive(), held = arrive();
    idle->checkin();
    pool->invalidate(false);
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_FALSE(connector->backend(1).closed);
    held->checkin();
    EXPECT_TRUE(connector->backend(1).closed);
    EXPECT_EQ(events.closed(CloseReason::invalidated), 2);
    EXPECT_TRUE(arrive()->leased());
    EXPECT_EQ(events.hard_invalidations, 1);
}

TEST_F(PoolInvalidation, VacatingAPausedPoolGivesUpDialsAndCountsWhatIsStillToCome) {
    start();
    const auto idle = arrive(), held = arrive();
    idle->checkin();
    connector->hang = true;
    const auto visitor = arrive(), waiting = arrive();
    pool->pause();
    EXPECT_EQ(pool->stats().outdated, 0);
    pool->vacate();
    EXPECT_EQ(pool->stats().dialling, 0);
    EXPECT_EQ(pool->stats().checkedin, 0);
    EXPECT_EQ(pool->stats().open, visitor->leased() ? 2 : 1);
    EXPECT_EQ(pool->stats().outdated, pool->stats().open);
    for (const BackendRow& row : pool->backends()) EXPECT_TRUE(row.stale);
    held->checkin();
    if (visitor->leased()) visitor->checkin();
    EXPECT_EQ(pool->stats().open, 0);
    connector->hang = false;
    connector->finish();
    poll();
    EXPECT_EQ(pool->stats().open, 0);
    EXPECT_FALSE(waiting->leased());
    pool->resume();
    poll();
    EXPECT_TRUE(waiting->leased());
    EXPECT_EQ(pool->stats().outdated, 0);
}

TEST_F(PoolInvalidation, SoftReplacesEachAtItsNextCheckoutOrCheckin) {
    start();
    const auto idle = arrive(), held = arrive();
    idle->checkin();
    pool->invalidate(true);
    EXPECT_FALSE(connector->backend(0).closed);
    held->checkin();
    EXPECT_TRUE(connector->backend(1).closed);
    EXPECT_FALSE(pool->try_checkout({}));
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(events.closed(CloseReason::soft_invalidated), 2);
    EXPECT_EQ(events.soft_invalidations, 1);
}

TEST_F(PoolInvalidation, WhatIsDialledAfterwardsIsGood) {
    start();
    pool->invalidate(false);
    pool->invalidate(true);
    pool->server_lost();
    one_idle();
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolInvalidation, ADialBegunBeforeAnInvalidationIsOfTheOldWorld) {
    start();
    connector->hang = true;
    const auto visitor = arrive();
    pool->invalidate(false);
    connector->hang = false;
    connector->finish();
    poll();
    EXPECT_TRUE(connector->backend(0).closed);
    ASSERT_TRUE(visitor->leased());
    EXPECT_EQ(visitor->backend(), connector->backend(1).id);
}

TEST_F(PoolInvalidation, ALoginThatSucceedsAfterTheServerWasLostProvesItself) {
    start();
    connector->hang = true;
    const auto visitor = arrive();
    pool->server_lost();
    connector->finish();
    poll();
    EXPECT_TRUE(visitor->leased());
    visitor->checkin();
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolInvalidation, ALostServerTakesItsGenerationAlong) {
    start();
    const auto idle = arrive(), held = arrive();
    idle->checkin();
    pool->server_lost();
    EXPECT_TRUE(connector->backend(0).closed);
    connector->backend(1).condition.in_transaction = true;
    held->checkin(EndReason::client_gone);
    EXPECT_TRUE(connector->backend(1).closed);
    EXPECT_EQ(connector->backend(1).recovers, 0);
}

TEST_F(PoolInvalidation, ABurstOfReportsFromOneGenerationCountsOnce) {
    start();
    const auto first = arrive(), second = arrive();
    pool->server_lost(first->outcome->lease);
    first->outcome->lease.invalidate(CloseReason::server_lost);
    one_idle();
    pool->server_lost(second->outcome->lease);
    EXPECT_EQ(pool->stats().checkedin, 1);
    EXPECT_EQ(events.hard_invalidations, 1);
    second->checkin();
    EXPECT_EQ(connector->open(), 1);
}

}  // namespace leasehold::pool::fakes
