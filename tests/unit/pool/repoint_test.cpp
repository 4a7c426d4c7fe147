// SPDX-License-Identifier: Apache-2.0
// A pool that is pointed at another server while the old one is in use, in doubt, or away.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolRepoint : public PoolTest {
  protected:
    std::shared_ptr<FakeConnector> other = std::make_shared<FakeConnector>(io);
};

TEST_F(PoolRepoint, ClosesIdleOnesAtOnceAndDialsTheNewServerOnly) {
    start();
    Script& old = one_idle();
    pool->repoint(other, nullptr);
    EXPECT_TRUE(old.closed);
    EXPECT_EQ(events.closed(CloseReason::repointed), 1);
    const auto visitor = arrive();
    EXPECT_TRUE(visitor->leased());
    EXPECT_EQ(connector->dials, 1);
    EXPECT_EQ(other->dials, 1);
    EXPECT_EQ(&pool->connector(), other.get());
}

TEST_F(PoolRepoint, LetsALeaseEndAndClosesItThen) {
    start();
    const auto visitor = arrive();
    EXPECT_FALSE(visitor->outcome->lease.outdated());
    pool->repoint(other, nullptr);
    EXPECT_TRUE(visitor->outcome->lease.outdated());
    EXPECT_FALSE(connector->backend(0).closed);
    visitor->checkin();
    poll();
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(events.closed(CloseReason::repointed), 1);
    EXPECT_EQ(pool->stats().open, 0);
    EXPECT_FALSE(arrive()->outcome->lease.outdated());
}

TEST_F(PoolRepoint, ServesThoseWhoWaitFromTheNewServer) {
    Params params = defaults();
    params.max_overflow = 0;
    start(params);
    const auto first = arrive(), second = arrive(), third = arrive();
    pool->repoint(other, nullptr);
    EXPECT_TRUE(third->waiting()) << "both places are still held";
    first->checkin();
    poll();
    EXPECT_TRUE(third->leased());
    EXPECT_EQ(other->dials, 1);
    EXPECT_EQ(connector->dials, 2);
    second->checkin();
}

TEST_F(PoolRepoint, CountsNoMoreOnADialToTheOldServer) {
    start();
    connector->hang = true;
    const auto visitor = arrive();
    pool->repoint(other, nullptr);
    poll();
    EXPECT_TRUE(visitor->leased());
    connector->finish();
    poll();
    ASSERT_EQ(connector->backends.size(), 1u);
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_EQ(pool->stats().open, 1);
}

TEST_F(PoolRepoint, ForgetsThatTheOldServerWasAwayOrRefused) {
    start();
    connector->fail = unreachable;
    const auto visitor = arrive();
    EXPECT_TRUE(visitor->waiting());
    EXPECT_FALSE(pool->stats().last_error.empty());
    pool->repoint(other, nullptr);
    poll();
    EXPECT_TRUE(visitor->leased()) << "no back-off is waited for";
    EXPECT_EQ(pool->stats().last_error, "");

    other->fail = refused;
    EXPECT_EQ(arrive()->error(), Checkout::Error::refused);
    pool->repoint(connector, nullptr);
    connector->fail = {};
    EXPECT_TRUE(arrive()->leased());
}

TEST_F(PoolRepoint, IgnoresTheEndOfTheOldServer) {
    start();
    const auto old = arrive();
    pool->repoint(other, nullptr);
    arrive()->checkin();
    pool->server_lost(old->outcome->lease);
    EXPECT_FALSE(other->backend(0).closed);
    EXPECT_EQ(pool->stats().checkedin, 1);
    old->outcome->lease.invalidate(CloseReason::server_lost);
    EXPECT_EQ(pool->stats().checkedin, 1);
}

TEST_F(PoolRepoint, LetsTheLadderEndAndReadmitsNothingOfTheOldServer) {
    start();
    const auto visitor = arrive();
    connector->backend(0).condition.in_transaction = true;
    connector->backend(0).hang = true;
    visitor->checkin(EndReason::client_gone);
    poll();
    pool->repoint(other, nullptr);
    EXPECT_FALSE(connector->backend(0).closed);
    connector->backend(0).gate.open({});
    poll();
    EXPECT_TRUE(connector->backend(0).closed);
    ASSERT_EQ(events.left.size(), 1u);
    EXPECT_EQ(events.left[0].outcome, "closed: repointed");
}

TEST_F(PoolRepoint, WaitsForNoResetButForACommit) {
    Params params = defaults();
    params.reset_on_return = ResetOnReturn::commit;
    start(params);
    const auto dirty = arrive(), open = arrive();
    connector->backend(0).condition.dirty = true;
    connector->backend(0).hang = true;
    connector->backend(1).condition.in_transaction = true;
    connector->backend(1).hang = true;
    dirty->checkin();
    open->checkin(EndReason::orderly);
    poll();
    pool->repoint(other, nullptr);
    EXPECT_TRUE(connector->backend(0).closed);
    EXPECT_FALSE(connector->backend(1).closed);
    connector->backend(1).gate.open({});
    poll();
    EXPECT_TRUE(connector->backend(1).committed);
    EXPECT_TRUE(connector->backend(1).closed);
    EXPECT_EQ(pool->stats().open, 0);
}

TEST_F(PoolRepoint, TakesPermitsOfTheNewServerAndGivesTheOldOnesBack) {
    const auto quota = std::make_shared<Quota>(1), roomy = std::make_shared<Quota>(2);
    start(defaults(), quota);
    const auto first = arrive(), second = arrive();
    EXPECT_TRUE(second->waiting()) << "the server has one place";
    pool->repoint(other, roomy);
    poll();
    EXPECT_TRUE(second->leased());
    EXPECT_EQ(quota->used(), 1);
    EXPECT_EQ(roomy->used(), 1);
    first->checkin();
    poll();
    EXPECT_EQ(quota->used(), 0);

    // The wake-up that the old quota owed goes to whoever else waits there.
    pool->repoint(connector, quota);
    poll();
    Permit taken = quota->try_acquire();
    const auto third = arrive();
    EXPECT_TRUE(third->waiting());
    pool->repoint(other, roomy);
    bool told_other = false;
    quota->when_free([&told_other] { told_other = true; });
    taken = Permit();
    poll();
    EXPECT_TRUE(told_other);
}

TEST_F(PoolRepoint, HasNoSayOverAPoolThatIsDisposedOf) {
    start();
    const auto visitor = arrive();
    bool drained = false;
    pool->dispose([&drained] { drained = true; });
    pool->repoint(other, nullptr);
    visitor->checkin();
    poll();
    EXPECT_TRUE(drained);
    EXPECT_EQ(other->dials, 0);
}

}  // namespace leasehold::pool::fakes
