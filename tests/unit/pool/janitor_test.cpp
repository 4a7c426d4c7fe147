// SPDX-License-Identifier: Apache-2.0
// What happens because time passes: waits that end, idle ones that go, min_idle that is kept.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolTimeout : public PoolTest {};
class PoolJanitor : public PoolTest {};

TEST_F(PoolTimeout, NamesPoolSizeOverflowTimeAndWhoHoldsTheBackends) {
    start();
    pool->on_timeout_describe([] { return std::string("3 in transactions, oldest 31 s, by app@10.0.0.1"); });
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    now += 1s;
    const auto waiter = arrive();
    pass(29990ms);
    EXPECT_TRUE(waiter->waiting());
    pass(10ms);
    ASSERT_EQ(waiter->error(), Checkout::Error::timeout);
    EXPECT_EQ(waiter->outcome->message,
              "pool orders: limit of size 2 overflow 1 reached, timed out after 30.00 s; 3 leased (the longest for "
              "31.00 s); 3 in transactions, oldest 31 s, by app@10.0.0.1");
    EXPECT_EQ(waiter->outcome->waited, 30s);
    EXPECT_EQ(events.timeouts, 1);
    EXPECT_EQ(pool->stats().waiting, 0);
}

TEST_F(PoolTimeout, EndsTheOldestWaitsOnly) {
    start();
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    const auto first = arrive();
    now += 10s;
    const auto second = arrive();
    pass(20s);
    EXPECT_EQ(first->error(), Checkout::Error::timeout);
    EXPECT_TRUE(second->waiting());
    EXPECT_EQ(pool->stats().oldest_wait, 20s);
    holders[0]->checkin();
    poll();
    EXPECT_TRUE(second->leased());
    EXPECT_EQ(second->outcome->waited, 20s);
}

TEST_F(PoolTimeout, SaysUnavailableWhenNoneIsOpenAndTheLastDialFailed) {
    start();
    connector->fail = unreachable;
    const auto waiter = arrive();
    pass(30s);
    ASSERT_EQ(waiter->error(), Checkout::Error::unavailable);
    EXPECT_EQ(waiter->outcome->message,
              "pool orders: no backend at db.test:5432 (size 2 overflow 1), timed out after 30.00 s; last dial: "
              "db.test:5432: connection refused");
}

TEST_F(PoolTimeout, IsATimeoutWhenOthersAreOpenThoughTheLastDialFailed) {
    start();
    const auto holder = arrive();
    connector->fail = saturated;
    const auto waiter = arrive();
    pass(30s);
    ASSERT_EQ(waiter->error(), Checkout::Error::timeout);
    EXPECT_NE(waiter->outcome->message.find("last dial: db.test:5432: too many clients already"), std::string::npos);
    EXPECT_NE(waiter->outcome->message.find("1 leased"), std::string::npos);
}

TEST_F(PoolTimeout, SaysThatThePoolIsPaused) {
    start();
    pool->pause();
    const auto waiter = arrive();
    pass(30s);
    ASSERT_EQ(waiter->error(), Checkout::Error::timeout);
    EXPECT_EQ(waiter->outcome->message, "pool orders: paused (size 2 overflow 1), timed out after 30.00 s");
}

TEST_F(PoolTimeout, OfTenThousandComesInOneTick) {
    start();
    connector->hang = true;
    std::vector<VisitorPtr> waiters;
    for (int i = 0; i < 10000; ++i) waiters.push_back(enqueue(*pool));
    poll();
    pass(30s);
    for (auto& waiter : waiters) ASSERT_FALSE(waiter->waiting());
    EXPECT_EQ(events.timeouts, 10000);
}

TEST_F(PoolJanitor, ClosesWhatWasIdleForTooLong) {
    start();
    const auto first = arrive(), second = arrive();
    first->checkin();
    now += 5min;
    second->checkin();
    pass(5min - 1s);
    EXPECT_EQ(pool->stats().checkedin, 2);
    pass(1s);
    EXPECT_EQ(pool->stats().checkedin, 1);
    EXPECT_TRUE(connector->backend(0).closed);
    pass(5min);
    EXPECT_EQ(pool->stats().open, 0);
    EXPECT_EQ(events.closed(CloseReason::idle_timeout), 2);
}

TEST_F(PoolJanitor, TrimsWhatIsIdleBeyondPoolSize) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 3;
    params.dial_parallel = 1;
    start(params);
    const auto first = arrive({1}), second = arrive({1});
    connector->hang = true;
    const auto waiter = arrive({2});
    first->checkin();  // kept, for somebody waits
    second->checkin();
    EXPECT_EQ(pool->stats().checkedin, 2);
    connector->finish();
    poll();
    ASSERT_TRUE(waiter->leased());
    pass(50ms);
    EXPECT_EQ(pool->stats().checkedin, 1);
    EXPECT_EQ(events.closed(CloseReason::overflow), 1);
}

TEST_F(PoolJanitor, DialsForMinIdleNeitherWhenPausedNorWhenRefused) {
    Params params = defaults();
    params.min_idle = 1;
    start(params);
    pool->pause();
    pass(50ms);
    EXPECT_EQ(connector->dials, 0);
    pool->resume();
    connector->fail = refused;
    pass(50ms);
    pass(50ms);
    EXPECT_EQ(connector->dials, 1);
    connector->fail = nullptr;
    pass(1s);
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolJanitor, KeepsIdleOnesForEverWithAnIdleTimeoutOfZero) {
    Params params = defaults();
    params.idle_timeout = Duration(0);
    start(params);
    one_idle();
    pass(1000h);
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolJanitor, KeepsMinIdleAndReplacesWhatBreaks) {
    Params params = defaults();
    params.min_idle = 2;
    start(params);
    pass(50ms);
    EXPECT_EQ(pool->stats().checkedin, 2);
    pass(10min);
    EXPECT_EQ(pool->stats().checkedin, 2);
    connector->backend(0).broken();
    EXPECT_EQ(pool->stats().checkedin, 1);
    pass(50ms);
    EXPECT_EQ(pool->stats().checkedin, 2);
    EXPECT_EQ(connector->dials, 3);
}

TEST_F(PoolJanitor, NeverExceedsPoolSizeForMinIdle) {
    Params params = defaults();
    params.min_idle = 2;
    start(params);
    const auto first = arrive(), second = arrive();
    pass(50ms);
    EXPECT_EQ(pool->stats().open, 2);
    first->checkin();
    pass(50ms);
    EXPECT_EQ(pool->stats().open, 2);
}

TEST_F(PoolJanitor, MinIdleRespectsBackOffAndDialParallel) {
    Params params = defaults();
    params.pool_size = 10;
    params.min_idle = 10;
    params.dial_parallel = 2;
    start(params);
    connector->fail = unreachable;
    pass(50ms);
    EXPECT_EQ(connector->dials, 2);
    pass(50ms);
    EXPECT_EQ(connector->dials, 2);
    connector->fail = nullptr;
    connector->hang = true;
    pass(100ms);
    EXPECT_EQ(connector->dials, 4);
}

TEST_F(PoolJanitor, MinIdleDialsTheVariantAskedForLast) {
    Params params = defaults();
    params.min_idle = 1;
    start(params);
    const auto holder = arrive({9});
    pass(50ms);
    ASSERT_EQ(pool->backends().size(), 2u);
    EXPECT_EQ(pool->backends()[1].variant, 9u);
    EXPECT_EQ(pool->backends()[1].state, "idle");
}

TEST_F(PoolJanitor, PingsAMinIdleOneThatNobodyUsedYet) {
    Params params = defaults();
    params.min_idle = 1;
    start(params);
    pass(50ms);
    pass(5min);
    const auto visitor = arrive();
    ASSERT_TRUE(visitor->leased());
    EXPECT_EQ(connector->backend(0).pings, 1);
    EXPECT_FALSE(visitor->outcome->lease.fresh());
}

TEST_F(PoolJanitor, StatsUseSqlAlchemysDefinitions) {
    Params params = defaults();
    params.pool_size = 5;
    params.max_overflow = 10;
    start(params);
    const auto first = arrive(), second = arrive();
    first->checkin();
    EXPECT_EQ(pool->stats().status(),
              "Pool size: 5  Connections in pool: 1 Current Overflow: -3 Current Checked out connections: 1");
    EXPECT_EQ(pool->stats().checkedout, pool->stats().size - pool->stats().checkedin + pool->stats().overflow);
}

}  // namespace leasehold::pool::fakes
