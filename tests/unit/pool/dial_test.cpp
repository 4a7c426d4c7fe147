// SPDX-License-Identifier: Apache-2.0
// New backends: how many at a time, what happens when it fails, and who is told.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolDial : public PoolTest {};

TEST_F(PoolDial, KeepsToDialParallel) {
    Params params = defaults();
    params.pool_size = 20;
    params.dial_parallel = 2;
    start(params);
    connector->hang = true;
    std::vector<VisitorPtr> visitors;
    for (int i = 0; i < 10; ++i) visitors.push_back(arrive());
    EXPECT_EQ(connector->dials, 2);
    while (!connector->pending.empty()) {
        connector->finish();
        poll();
    }
    EXPECT_EQ(connector->most_under_way, 2);
    for (std::size_t i = 0; i < visitors.size(); ++i) EXPECT_EQ(visitors[i]->order, i + 1);
}

TEST_F(PoolDial, DialsNoMoreThanAreWaitedFor) {
    start();
    connector->hang = true;
    const auto first = arrive();
    EXPECT_EQ(connector->dials, 1);
    pass(50ms);
    EXPECT_EQ(connector->dials, 1);
    const auto second = arrive();
    EXPECT_EQ(connector->dials, 2);
}

TEST_F(PoolDial, BacksOffAfterFailuresFromATenthOfASecondToFive) {
    Params params = defaults();
    params.pool_timeout = 1h;
    start(params);
    connector->fail = unreachable;
    const auto visitor = arrive();
    EXPECT_EQ(connector->dials, 1);
    std::vector<Clock::duration> pauses;
    while (connector->dials < 12) {
        const auto dials = connector->dials;
        const auto began = now;
        while (connector->dials == dials) pass(10ms);
        pauses.push_back(now - began);
    }
    EXPECT_GE(pauses.front(), 100ms);
    EXPECT_LE(pauses.front(), 140ms);
    EXPECT_GE(pauses[1], 200ms);
    EXPECT_LE(pauses.back(), 5010ms);
    EXPECT_GE(pauses.back(), 4900ms);
    EXPECT_TRUE(visitor->waiting());
    EXPECT_EQ(pool->stats().last_error, "db.test:5432: connection refused");
    connector->fail = nullptr;
    pass(6s);
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(pool->stats().last_error, "");
}

TEST_F(PoolDial, ASuccessEndsTheBackOff) {
    start();
    connector->fail = unreachable;
    const auto first = arrive();
    pass(200ms);
    pass(400ms);
    connector->fail = nullptr;
    pass(1s);
    ASSERT_TRUE(first->leased());
    connector->fail = unreachable;
    const auto second = arrive();  // at once
    EXPECT_EQ(connector->dials, 5);
    connector->fail = nullptr;
    pass(130ms);  // and the shortest pause again
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolDial, ParallelFailuresOfOneOutageCountOnce) {
    start();
    connector->hang = true;
    arrive();
    arrive();
    arrive();
    connector->finish(unreachable());
    connector->finish(unreachable());
    connector->finish(unreachable());
    poll();
    EXPECT_EQ(connector->dials, 3);
    pass(130ms);
    EXPECT_EQ(connector->dials, 6);
}

TEST_F(PoolDial, AWaiterKeepsItsPlaceWhileTheServerIsSaturated) {
    start();
    const auto holder = arrive();
    connector->fail = saturated;
    const auto first = arrive(), second = arrive();
    EXPECT_TRUE(first->waiting());
    EXPECT_EQ(connector->dials, 2);
    holder->checkin();
    poll();
    EXPECT_TRUE(first->leased());
    EXPECT_TRUE(second->waiting());
    connector->fail = nullptr;
    pass(200ms);
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolDial, ARefusalIsToldToAllWhoWaitForTheSame) {
    start();
    connector->hang = true;
    std::vector<VisitorPtr> visitors;
    for (int i = 0; i < 6; ++i) visitors.push_back(arrive({1}));
    const auto other = arrive({2});
    connector->finish(refused());
    poll();
    for (auto& visitor : visitors) {
        EXPECT_EQ(visitor->error(), Checkout::Error::refused);
        EXPECT_EQ(visitor->outcome->message, "password authentication failed for user \"app\"");
        EXPECT_EQ(visitor->outcome->sqlstate, "28P01");
    }
    EXPECT_TRUE(other->waiting());
}

TEST_F(PoolDial, AfterARefusalDialsOnceASecond) {
    start();
    connector->fail = refused;
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(arrive()->error(), Checkout::Error::refused);
        now += 100ms;
    }
    EXPECT_EQ(connector->dials, 2);
    connector->fail = nullptr;
    now += 1s;
    EXPECT_TRUE(arrive()->leased());
}

TEST_F(PoolDial, ARefusalThatIsForgottenIsToldToNobody) {
    start();
    connector->fail = refused;
    EXPECT_EQ(arrive()->error(), Checkout::Error::refused);
    connector->fail = nullptr;
    pool->forget_refusals();
    EXPECT_TRUE(arrive()->leased());
}

TEST_F(PoolDial, ARefusalMakesRoomForTheDialOfAnotherVariantAtOnce) {
    Params params = defaults();
    params.dial_parallel = 1;
    start(params, std::make_shared<Quota>(1));
    connector->hang = true;
    const auto first = arrive({1}), second = arrive({2});
    EXPECT_EQ(connector->dials, 1);
    connector->finish(refused());
    poll();
    EXPECT_EQ(first->error(), Checkout::Error::refused);
    ASSERT_EQ(connector->dials, 2);
    connector->finish();
    poll();
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolDial, ALoginThatSucceedsEndsTheMemoryOfARefusal) {
    start();
    connector->hang = true;
    arrive();
    arrive();
    connector->finish(refused());
    poll();
    connector->finish();
    poll();
    connector->hang = false;
    const auto first = arrive(), second = arrive();
    EXPECT_TRUE(first->leased());
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolDial, ARefusedLoginDoesNotHoldUpWhatIsOpen) {
    start();
    const auto holder = arrive();
    connector->fail = refused;
    EXPECT_EQ(arrive()->error(), Checkout::Error::refused);
    holder->checkin();
    Lease lease = pool->try_checkout({});
    EXPECT_TRUE(lease);
    lease.checkin();
}

TEST_F(PoolDial, CountsAtTheServerThatWasReached) {
    auto first = std::make_shared<Quota>(5), second = std::make_shared<Quota>(2);
    start(defaults(), first);
    connector->reached = first;
    const auto early = arrive();
    EXPECT_EQ(first->used(), 1);
    connector->reached = second;  // a failover
    const auto moved = arrive(), next = arrive();
    EXPECT_TRUE(moved->leased() && next->leased());
    EXPECT_EQ(first->used(), 1) << "what is still open there";
    EXPECT_EQ(second->used(), 2);
    const auto waiting = arrive();
    EXPECT_EQ(connector->dials, 3) << "the server that serves has no place left";
    EXPECT_TRUE(waiting->waiting());
    moved->outcome->lease.invalidate(CloseReason::server_lost);
    poll();
    EXPECT_TRUE(waiting->leased());
    EXPECT_EQ(second->used(), 2);
}

TEST_F(PoolDial, IsTurnedBackByAServerWithoutAPlaceAndWaitsForOneThere) {
    auto first = std::make_shared<Quota>(5), second = std::make_shared<Quota>(1);
    start(defaults(), first);
    connector->reached = second;
    std::optional<Permit> other = second->try_acquire();
    const auto visitor = arrive();
    EXPECT_TRUE(visitor->waiting());
    ASSERT_EQ(connector->backends.size(), 1u);
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(first->used(), 0);
    EXPECT_EQ(second->used(), 1);
    other.reset();
    pass(1s);
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(second->used(), 1);
}

TEST_F(PoolDial, AFailedOneGivesItsPlaceBack) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    connector->fail = unreachable;
    const auto visitor = arrive();
    EXPECT_EQ(pool->stats().open, 0);
    connector->fail = nullptr;
    pass(200ms);
    EXPECT_TRUE(visitor->leased());
}

TEST_F(PoolDial, AHungOneDoesNotHoldItsPlaceAndItsLateBackendIsClosed) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    auto quota = std::make_shared<Quota>(5);
    start(params, quota);
    connector->hang = true;
    const auto visitor = arrive();
    pass(5s);
    EXPECT_EQ(pool->stats().open, 1);
    pass(600ms);
    EXPECT_EQ(pool->stats().open, 0);
    EXPECT_EQ(quota->used(), 1);  // the server may yet let it in
    pass(200ms);
    EXPECT_EQ(connector->dials, 2);
    connector->finish();
    poll();
    ASSERT_EQ(connector->backends.size(), 1u);
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_TRUE(visitor->waiting());
    EXPECT_EQ(quota->used(), 1);
    connector->finish();
    poll();
    EXPECT_TRUE(visitor->leased());
}

TEST_F(PoolDial, AThrowingConnectorIsAFailedDial) {
    start();
    connector->fail = []() -> Connected { throw std::runtime_error("scripted"); };
    const auto visitor = arrive();
    EXPECT_TRUE(visitor->waiting());
    EXPECT_EQ(pool->stats().last_error, "scripted");
    EXPECT_EQ(pool->stats().open, 0);
}

}  // namespace leasehold::pool::fakes
