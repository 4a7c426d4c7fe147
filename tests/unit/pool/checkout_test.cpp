// SPDX-License-Identifier: Apache-2.0
// Who gets which backend, and who has to wait for it.
#include "tests/unit/pool/fakes.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

namespace leasehold::pool::fakes {

class PoolCheckout : public PoolTest {};

TEST_F(PoolCheckout, DialsNothingBeforeSomebodyAsks) {
    start();
    pass(1s);
    EXPECT_EQ(connector->dials, 0);
    EXPECT_FALSE(pool->try_checkout({}));
    poll();
    EXPECT_EQ(connector->dials, 0);
}

TEST_F(PoolCheckout, DialsForTheFirstAndSaysThatItIsFresh) {
    start();
    const auto visitor = arrive();
    ASSERT_TRUE(visitor->leased());
    EXPECT_TRUE(visitor->outcome->lease.fresh());
    EXPECT_EQ(visitor->outcome->lease.since(), now);
    EXPECT_EQ(pool->stats().checkedout, 1);
}

TEST_F(PoolCheckout, ReusesAnIdleOneThatIsNotFreshAnyMore) {
    start();
    one_idle();
    Lease lease = pool->try_checkout({});
    ASSERT_TRUE(lease);
    EXPECT_FALSE(lease.fresh());
    EXPECT_EQ(connector->dials, 1);
    lease.checkin();
}

TEST_F(PoolCheckout, NeverOpensMoreThanSizeAndOverflow) {
    start();
    std::vector<VisitorPtr> visitors;
    for (int i = 0; i < 10; ++i) visitors.push_back(arrive());
    EXPECT_EQ(std::count_if(visitors.begin(), visitors.end(), [](auto& v) { return v->leased(); }), 3);
    EXPECT_EQ(connector->dials, 3);
    EXPECT_EQ(pool->stats().waiting, 7);
    EXPECT_EQ(pool->stats().overflow, 1);
}

TEST_F(PoolCheckout, CountsDialsUnderWayAgainstTheCapacity) {
    start();
    connector->hang = true;
    for (int i = 0; i < 10; ++i) arrive();
    EXPECT_EQ(connector->dials, 3);
    EXPECT_EQ(pool->stats().open, 3);
}

TEST_F(PoolCheckout, HasNoLimitWithAnOverflowOfMinusOne) {
    Params params = defaults();
    params.max_overflow = -1;
    start(params);
    std::vector<VisitorPtr> visitors;
    for (int i = 0; i < 100; ++i) visitors.push_back(arrive());
    EXPECT_EQ(connector->open(), 100);
    for (auto& visitor : visitors) visitor->checkin();
    EXPECT_EQ(connector->open(), 2);
}

TEST_F(PoolCheckout, ServesWaitersFirstComeFirstServed) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    std::vector<VisitorPtr> waiters;
    for (int i = 0; i < 5; ++i) waiters.push_back(arrive());
    for (int i = 0; i < 3; ++i) holders[i]->checkin();
    poll();
    waiters[0]->checkin();
    waiters[1]->checkin();
    poll();
    for (int i = 0; i < 5; ++i) {
        ASSERT_FALSE(waiters[i]->waiting()) << i;
        EXPECT_EQ(waiters[i]->error(), Checkout::Error::none);
        EXPECT_EQ(waiters[i]->order, 4u + i);
    }
}

TEST_F(PoolCheckout, HandsOverFromTheLoopAndNotInTheStackOfTheCheckin) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    const auto waiter = arrive();
    holders[0]->checkin();
    EXPECT_TRUE(waiter->waiting());
    EXPECT_EQ(pool->stats().waiting, 0);
    EXPECT_EQ(pool->stats().checkedout, 3);
    poll();
    EXPECT_TRUE(waiter->leased());
}

TEST_F(PoolCheckout, LetsNobodyOvertakeAWaiter) {
    start();
    connector->hang = true;
    const auto first = arrive();
    EXPECT_FALSE(pool->try_checkout({}));
    const auto second = arrive();
    connector->finish();
    poll();
    EXPECT_TRUE(first->leased());
    EXPECT_TRUE(second->waiting());
}

TEST_F(PoolCheckout, GivesTheBackendOfACancelledWaitersDialToTheNext) {
    start();
    connector->hang = true;
    const auto first = arrive();
    pool->cancel(first->ticket);
    const auto second = arrive();
    EXPECT_EQ(first->error(), Checkout::Error::cancelled);
    EXPECT_EQ(connector->dials, 1);
    connector->finish();
    poll();
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolCheckout, KeepsTheBackendOfADialThatNobodyWaitsForAnyMore) {
    start();
    connector->hang = true;
    const auto visitor = arrive();
    pool->cancel(visitor->ticket);
    connector->finish();
    poll();
    EXPECT_EQ(pool->stats().checkedin, 1);
    Lease lease = pool->try_checkout({});
    ASSERT_TRUE(lease);
    EXPECT_FALSE(lease.fresh());
    lease.checkin();
}

TEST_F(PoolCheckout, ACancelledWaiterLosesItsPlaceAndNoOtherDoes) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    std::vector<VisitorPtr> waiters{arrive(), arrive(), arrive()};
    pool->cancel(waiters[1]->ticket);
    pool->cancel(waiters[1]->ticket);
    pool->cancel(4711);
    holders[0]->checkin();
    holders[1]->checkin();
    poll();
    EXPECT_TRUE(waiters[0]->leased());
    EXPECT_EQ(waiters[1]->error(), Checkout::Error::cancelled);
    EXPECT_TRUE(waiters[2]->leased());
}

TEST_F(PoolCheckout, ACancellationAfterTheHandOverComesTooLate) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    const auto waiter = arrive();
    holders[0]->checkin();
    pool->cancel(waiter->ticket);
    poll();
    ASSERT_TRUE(waiter->leased());
    waiter->checkin();
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolCheckout, AWaiterCancelledDuringItsPingLeavesTheBackendIdle) {
    start();
    Script& backend = one_idle();
    now += 10s;
    backend.hang = true;
    const auto visitor = arrive();
    EXPECT_EQ(backend.pings, 1);
    pool->cancel(visitor->ticket);
    backend.gate.open({});
    poll();
    EXPECT_EQ(visitor->error(), Checkout::Error::cancelled);
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolCheckout, AsiosCancellationTakesAWaiterOutOfTheQueue) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    asio::cancellation_signal signal;
    auto visitor = std::make_shared<Visitor>();
    bool ended = false;
    asio::co_spawn(io, visit(pool.get(), {}, visitor, &told),
                   asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended = true; }));
    poll();
    EXPECT_EQ(pool->stats().waiting, 1);
    signal.emit(asio::cancellation_type::terminal);
    poll();
    EXPECT_TRUE(ended);
    EXPECT_EQ(pool->stats().waiting, 0);
}

TEST_F(PoolCheckout, TakesTheLatestReturnedByDefault) {
    start();
    const auto first = arrive(), second = arrive();
    const auto latest = second->backend();
    first->checkin();
    second->checkin();
    Lease lease = pool->try_checkout({});
    EXPECT_EQ(lease.backend().server_id(), latest);
    lease.checkin();
}

TEST_F(PoolCheckout, TakesTheLongestIdleWithoutLifo) {
    Params params = defaults();
    params.pool_use_lifo = false;
    start(params);
    const auto first = arrive(), second = arrive();
    const auto longest = first->backend();
    first->checkin();
    second->checkin();
    Lease lease = pool->try_checkout({});
    EXPECT_EQ(lease.backend().server_id(), longest);
    lease.checkin();
}

TEST_F(PoolCheckout, PrefersAMatchingFingerprint) {
    start();
    const auto first = arrive(), second = arrive();
    connector->backend(0).fingerprint = 7;
    connector->backend(1).fingerprint = 8;
    first->checkin();
    second->checkin();
    Lease seven = pool->try_checkout({0, 7});
    EXPECT_EQ(seven.backend().fingerprint(), 7u);
    Lease other = pool->try_checkout({0, 7});
    EXPECT_EQ(other.backend().fingerprint(), 8u);
    seven.checkin();
    other.checkin();
}

TEST_F(PoolCheckout, TenThousandWaitersAreServedInOrder) {
    Params params = defaults();
    params.pool_timeout = 1h;
    start(params);
    std::vector<VisitorPtr> visitors;
    for (int i = 0; i < 10000; ++i) visitors.push_back(enqueue(*pool));
    poll();
    EXPECT_EQ(pool->stats().waiting, 9997);
    for (std::size_t i = 0; i < visitors.size(); ++i) {
        ASSERT_TRUE(visitors[i]->leased()) << i;
        ASSERT_EQ(visitors[i]->order, i + 1);
        visitors[i]->checkin();
        poll();
    }
    EXPECT_EQ(pool->stats().waiting, 0);
    EXPECT_EQ(connector->dials, 3);
}

}  // namespace leasehold::pool::fakes
