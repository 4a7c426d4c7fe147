// SPDX-License-Identifier: Apache-2.0
// Capacity at the server level: permits by RAII, shared by pools and by threads.
#include "tests/unit/pool/fakes.hpp"

#include <thread>

namespace leasehold::pool::fakes {

TEST(QuotaPermits, AreGivenUpToTheLimitAndComeBackByDestruction) {
    const auto quota = std::make_shared<Quota>(2);
    Permit first = quota->try_acquire();
    {
        const Permit second = quota->try_acquire();
        EXPECT_TRUE(first && second);
        EXPECT_FALSE(quota->try_acquire());
        EXPECT_EQ(quota->used(), 2);
    }
    EXPECT_EQ(quota->used(), 1);
    Permit moved = std::move(first);
    EXPECT_EQ(quota->used(), 1);
    moved = quota->try_acquire();
    EXPECT_EQ(quota->used(), 1);
    Permit& same = moved;
    moved = std::move(same);
    EXPECT_EQ(quota->used(), 1);
    moved = Permit();
    EXPECT_EQ(quota->used(), 0);
}

TEST(QuotaPermits, AreWithoutLimitAtZeroAndStillCounted) {
    const auto quota = std::make_shared<Quota>(0);
    std::vector<Permit> permits;
    for (int i = 0; i < 1000; ++i) permits.push_back(quota->try_acquire());
    EXPECT_TRUE(permits.back());
    EXPECT_EQ(quota->used(), 1000);
}

TEST(QuotaPermits, WakeWaitersInTheirOrderOnce) {
    const auto quota = std::make_shared<Quota>(1);
    Permit permit = quota->try_acquire();
    std::vector<int> woken;
    quota->when_free([&] { woken.push_back(1); });
    quota->when_free([&] { woken.push_back(2); });
    EXPECT_TRUE(quota->contended());
    permit = Permit();
    EXPECT_EQ(woken, std::vector<int>{1});
    permit = quota->try_acquire();
    permit = Permit();
    EXPECT_EQ(woken, (std::vector<int>{1, 2}));
    EXPECT_FALSE(quota->contended());
}

TEST(QuotaPermits, AnnounceAtOnceWhatIsFreeAlready) {
    const auto quota = std::make_shared<Quota>(1);
    int woken = 0;
    quota->when_free([&] { ++woken; });
    EXPECT_EQ(woken, 1);
}

TEST(QuotaPermits, ARaisedLimitWakesEverybody) {
    const auto quota = std::make_shared<Quota>(1);
    const Permit permit = quota->try_acquire();
    int woken = 0;
    quota->when_free([&] { ++woken; });
    quota->when_free([&] { ++woken; });
    quota->set_limit(1);
    EXPECT_EQ(woken, 0);
    quota->set_limit(3);
    EXPECT_EQ(woken, 2);
}

TEST(QuotaPermits, ALoweredLimitWakesNobodyBeforeThereIsRoom) {
    const auto quota = std::make_shared<Quota>(2);
    Permit first = quota->try_acquire(), second = quota->try_acquire();
    quota->set_limit(1);
    int woken = 0;
    quota->when_free([&] { ++woken; });
    first = Permit();
    EXPECT_EQ(woken, 0);
    second = Permit();
    EXPECT_EQ(woken, 1);
}

TEST(QuotaPermits, AreNeverOvergivenToThreads) {
    const auto quota = std::make_shared<Quota>(3);
    std::atomic<int> held = 0;
    std::atomic<int> most = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int turn = 0; turn < 2000; ++turn) {
                const Permit permit = quota->try_acquire();
                if (!permit) continue;
                const int now = ++held;
                int seen = most;
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                --held;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_LE(most, 3);
    EXPECT_EQ(quota->used(), 0);
}

class PoolQuota : public PoolTest {
  protected:
    std::shared_ptr<Pool> another(std::shared_ptr<Quota> quota, std::string name = "reports") {
        Params params = defaults();
        params.name = std::move(name);
        return std::make_shared<Pool>(io.get_executor(), params, connector, std::move(quota), events,
                                      [this] { return now; });
    }
};

TEST_F(PoolQuota, HoldsForTwoPoolsTogether) {
    const auto quota = std::make_shared<Quota>(3);
    start(defaults(), quota);
    const auto other = another(quota);
    std::vector<VisitorPtr> visitors{arrive(), arrive(), arrive(*other), arrive(*other)};
    EXPECT_EQ(connector->open(), 3);
    EXPECT_TRUE(visitors[3]->waiting());
    EXPECT_EQ(quota->used(), 3);
    visitors[0]->outcome->lease.invalidate(CloseReason::detached);
    poll();
    EXPECT_TRUE(visitors[3]->leased());
    EXPECT_EQ(connector->open(), 3);
    other->dispose();
}

TEST_F(PoolQuota, AnotherPoolsIdleOneYieldsToWhoeverWaits) {
    const auto quota = std::make_shared<Quota>(1);
    start(defaults(), quota);
    one_idle();
    const auto other = another(quota);
    const auto visitor = arrive(*other);
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(events.closed(CloseReason::yielded), 1);
    EXPECT_EQ(connector->open(), 1);
    other->dispose();
}

TEST_F(PoolQuota, OneThatBecomesIdleLaterYieldsToo) {
    const auto quota = std::make_shared<Quota>(1);
    start(defaults(), quota);
    const auto holder = arrive();
    const auto other = another(quota);
    const auto visitor = arrive(*other);
    EXPECT_TRUE(visitor->waiting());
    holder->checkin();
    pass(50ms);
    EXPECT_TRUE(visitor->leased());
    other->dispose();
}

TEST_F(PoolQuota, OnlyAsManyYieldAsAreNeeded) {
    const auto quota = std::make_shared<Quota>(4);
    start(defaults(), quota);
    const auto other = another(quota), third = another(quota, "third");
    const auto a = arrive(), b = arrive(), c = arrive(*other), d = arrive(*other);
    a->checkin();
    b->checkin();
    c->checkin();
    d->checkin();
    const auto visitor = arrive(*third);
    poll();
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(events.closed(CloseReason::yielded), 1);
    pass(50ms);
    other->tick();
    EXPECT_EQ(events.closed(CloseReason::yielded), 1);
    other->dispose();
    third->dispose();
}

TEST_F(PoolQuota, IsHandedOnFromAnIdleOneOfAnotherVariant) {
    const auto quota = std::make_shared<Quota>(1);
    start(defaults(), quota);
    one_idle({1});
    EXPECT_TRUE(arrive({2})->leased());
    EXPECT_EQ(events.closed(CloseReason::variant_evicted), 1);
    EXPECT_EQ(quota->used(), 1);
}

TEST_F(PoolQuota, IsNamedWhenItWasTheLimit) {
    const auto quota = std::make_shared<Quota>(1);
    start(defaults(), quota);
    const auto holder = arrive(), waiter = arrive();
    pass(30s);
    EXPECT_EQ(waiter->outcome->message,
              "pool orders: limit of the server's 1 connections reached (size 2 overflow 1), timed out after 30.00 s; "
              "1 leased (the longest for 30.00 s)");
}

TEST_F(PoolQuota, AWakeUpThatIsNotNeededAnyMoreIsPassedOn) {
    const auto quota = std::make_shared<Quota>(1);
    Permit permit = quota->try_acquire();
    start(defaults(), quota);
    const auto gone = another(quota, "gone");
    const auto other = another(quota);
    const auto first = arrive();
    auto lost = gone;
    const auto of_the_gone = arrive(*gone);
    const auto second = arrive(*other);
    pool->cancel(first->ticket);
    permit = Permit();
    poll();
    EXPECT_TRUE(of_the_gone->leased());
    of_the_gone->outcome->lease.invalidate(CloseReason::detached);
    poll();
    EXPECT_TRUE(second->leased());
    gone->dispose();
    other->dispose();
}

TEST_F(PoolQuota, WakesThePoolAgainTheNextTime) {
    const auto quota = std::make_shared<Quota>(1);
    start(defaults(), quota);
    for (int turn = 0; turn < 3; ++turn) {
        Permit permit = quota->try_acquire();
        const auto visitor = arrive();
        EXPECT_TRUE(visitor->waiting());
        permit = Permit();
        poll();
        ASSERT_TRUE(visitor->leased());
        visitor->outcome->lease.invalidate(CloseReason::detached);
    }
}

TEST_F(PoolQuota, AWakeUpForAPoolThatIsGoneReachesTheNext) {
    const auto quota = std::make_shared<Quota>(1);
    Permit permit = quota->try_acquire();
    start(defaults(), quota);
    auto gone = another(quota, "gone");
    const auto told_closed = arrive(*gone);
    const auto waiter = arrive();
    gone.reset();
    permit = Permit();
    poll();
    EXPECT_EQ(told_closed->error(), Checkout::Error::closed);
    EXPECT_TRUE(waiter->leased());
}

TEST_F(PoolQuota, PermitsComeBackFromEveryClosing) {
    const auto quota = std::make_shared<Quota>(10);
    start(defaults(), quota);
    const auto a = arrive(), b = arrive(), c = arrive();
    EXPECT_EQ(quota->used(), 3);
    a->outcome.reset();
    b->checkin(EndReason::settings_refused);
    c->checkin();
    poll();
    EXPECT_EQ(quota->used(), 1);
    pool->dispose();
    EXPECT_EQ(quota->used(), 0);
    start(defaults(), quota);
    connector->fail = unreachable;
    arrive();
    EXPECT_EQ(quota->used(), 0);
}

}  // namespace leasehold::pool::fakes
