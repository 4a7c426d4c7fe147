// SPDX-License-Identifier: Apache-2.0
// Pause, resize, dispose, and a pool that goes while others still count on it.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolLifecycle : public PoolTest {};

TEST_F(PoolLifecycle, PausedGivesNoNewLeaseAndResumesInOrder) {
    start();
    const auto holder = arrive();
    pool->pause();
    EXPECT_TRUE(pool->paused());
    holder->checkin();
    EXPECT_FALSE(pool->try_checkout({}));
    const auto first = arrive(), second = arrive();
    pass(1s);
    EXPECT_TRUE(first->waiting());
    EXPECT_EQ(connector->dials, 1);
    pool->resume();
    poll();
    EXPECT_TRUE(first->leased());
    EXPECT_TRUE(second->leased());
    EXPECT_LT(first->order, second->order);
}

TEST_F(PoolLifecycle, PausedKeepsWhatADialBrings) {
    start();
    connector->hang = true;
    const auto visitor = arrive();
    pool->pause();
    connector->finish();
    poll();
    EXPECT_TRUE(visitor->waiting());
    EXPECT_EQ(pool->stats().checkedin, 1);
    pool->resume();
    poll();
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(connector->dials, 1);
}

TEST_F(PoolLifecycle, GrowingServesThoseWhoWait) {
    start();
    std::vector<VisitorPtr> visitors;
    for (int i = 0; i < 5; ++i) visitors.push_back(arrive());
    Params params = defaults();
    params.pool_size = 4;
    pool->resize(params);
    poll();
    for (auto& visitor : visitors) EXPECT_TRUE(visitor->leased());
}

TEST_F(PoolLifecycle, ShrinkingClosesIdleOnesNowAndTheRestOnReturn) {
    Params params = defaults();
    params.pool_size = 4;
    params.max_overflow = 0;
    start(params);
    std::vector<VisitorPtr> visitors{arrive(), arrive(), arrive(), arrive()};
    visitors[0]->checkin();
    const auto waiter = std::make_shared<Visitor>();
    params.pool_size = 2;
    pool->resize(params);
    EXPECT_EQ(connector->open(), 3);
    visitors[1]->checkin();
    EXPECT_EQ(connector->open(), 2);
    visitors[2]->checkin();
    visitors[3]->checkin();
    EXPECT_EQ(connector->open(), 2);
    EXPECT_EQ(events.closed(CloseReason::resized), 2);
}

TEST_F(PoolLifecycle, ShrinkingHoldsEvenWhenSomebodyWaits) {
    Params params = defaults();
    params.pool_size = 2;
    params.max_overflow = 0;
    start(params);
    const auto first = arrive(), second = arrive(), waiter = arrive();
    params.pool_size = 1;
    pool->resize(params);
    first->checkin();
    poll();
    EXPECT_TRUE(waiter->waiting());
    EXPECT_EQ(connector->open(), 1);
    second->checkin();
    poll();
    EXPECT_TRUE(waiter->leased());
}

TEST_F(PoolLifecycle, ResizingJudgesTheAgeOfWhatIsOpen) {
    start();
    one_idle();
    Params params = defaults();
    params.pool_recycle = 1min;
    pool->resize(params);
    now += 2min;
    EXPECT_FALSE(pool->try_checkout({}));
    EXPECT_EQ(events.closed(CloseReason::recycled), 1);
}

TEST_F(PoolLifecycle, DisposingTellsWaitersAndClosesTheRestAsItComesBack) {
    start();
    const auto idle = arrive(), first = arrive(), second = arrive();
    idle->checkin();
    bool drained = false;
    pool->pause();
    const auto waiter = arrive();
    pool->dispose([&] { drained = true; });
    poll();
    EXPECT_EQ(waiter->error(), Checkout::Error::closed);
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_FALSE(drained);
    EXPECT_EQ(arrive()->error(), Checkout::Error::closed);
    EXPECT_FALSE(pool->try_checkout({}));
    first->checkin();
    poll();
    EXPECT_FALSE(drained);
    second->outcome.reset();
    poll();
    EXPECT_TRUE(drained);
    EXPECT_EQ(connector->open(), 0);
}

TEST_F(PoolLifecycle, DisposingAnEmptyPoolSaysSoFromTheLoop) {
    start();
    int drained = 0;
    pool->dispose([&] { ++drained; });
    EXPECT_EQ(drained, 0);
    poll();
    EXPECT_EQ(drained, 1);
    pool->dispose([&] { ++drained; });
    poll();
    EXPECT_EQ(drained, 2);
}

TEST_F(PoolLifecycle, DisposingWhileDiallingClosesWhatTheDialBrings) {
    start();
    connector->hang = true;
    const auto visitor = arrive();
    bool drained = false;
    pool->dispose([&] { drained = true; });
    poll();
    EXPECT_EQ(visitor->error(), Checkout::Error::closed);
    EXPECT_TRUE(drained);
    connector->finish();
    poll();
    ASSERT_EQ(connector->backends.size(), 1u);
    EXPECT_TRUE(connector->backend(0).closed);
}

TEST_F(PoolLifecycle, DisposingLetsTheLadderAndACommitEndAndNotAReset) {
    Params params = defaults();
    params.reset_on_return = ResetOnReturn::commit;
    start(params);
    std::vector<VisitorPtr> holders{arrive(), arrive(), arrive()};
    for (std::size_t i = 0; i < 3; ++i) connector->backend(i).hang = true;
    connector->backend(0).condition.in_transaction = true;
    connector->backend(1).condition.in_transaction = true;
    connector->backend(2).condition.dirty = true;
    holders[0]->checkin(EndReason::client_gone);
    holders[1]->checkin(EndReason::orderly);
    holders[2]->checkin();
    poll();
    bool drained = false;
    pool->dispose([&] { drained = true; });
    poll();
    EXPECT_FALSE(connector->backend(0).closed);
    EXPECT_FALSE(connector->backend(1).closed);
    EXPECT_TRUE(connector->backend(2).closed);
    connector->backend(0).gate.open({});
    connector->backend(1).gate.open({});
    poll();
    EXPECT_TRUE(drained);
    EXPECT_EQ(events.left.at(0).outcome, "closed: disposed");
    EXPECT_TRUE(connector->backend(1).committed);
}

TEST_F(PoolLifecycle, DisposedBeforeItsWorkBeganItDoesNotBegin) {
    start();
    const auto holder = arrive();
    connector->backend(0).condition.dirty = true;
    holder->checkin();
    connector->hang = true;
    enqueue(*pool);
    pool->dispose();
    poll();
    EXPECT_EQ(connector->backend(0).resets, 0);
    EXPECT_EQ(connector->dials, 1);
}

TEST_F(PoolLifecycle, DestroyedWithWaitersTellsThemThatItIsClosed) {
    start();
    connector->hang = true;
    const auto first = arrive(), second = arrive();
    pool.reset();
    poll();
    EXPECT_EQ(first->error(), Checkout::Error::closed);
    EXPECT_EQ(second->error(), Checkout::Error::closed);
    connector->finish();
    connector->finish();
    poll();
    EXPECT_EQ(connector->open(), 0);
}

TEST_F(PoolLifecycle, DestroyedClosesItsIdleBackendsAndStopsWatchingThem) {
    start();
    Script& backend = one_idle();
    pass(50ms);
    pool.reset();
    EXPECT_TRUE(backend.closed);
    EXPECT_FALSE(backend.broken);
}

TEST_F(PoolLifecycle, DestroyedDuringAPingEndsQuietly) {
    start();
    Script& backend = one_idle();
    backend.hang = true;
    now += 5s;
    const auto visitor = arrive();
    pool.reset();
    poll();
    EXPECT_EQ(visitor->error(), Checkout::Error::closed);
    EXPECT_TRUE(backend.closed);
}

TEST_F(PoolLifecycle, TheLoopMayGoWhileEverythingHangs) {
    start();
    one_idle();
    connector->backend(0).hang = true;
    now += 5s;
    connector->hang = true;
    arrive();
    arrive();
    pool->dispose();  // and nothing is polled any more
}

}  // namespace leasehold::pool::fakes
