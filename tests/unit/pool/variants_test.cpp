// SPDX-License-Identifier: Apache-2.0
// Backends of several variants in one pool: never mixed up, sharing one capacity and one queue.
#include "tests/unit/pool/fakes.hpp"

namespace leasehold::pool::fakes {

class PoolVariants : public PoolTest {};

TEST_F(PoolVariants, NeverHandsOutAnotherVariant) {
    start();
    one_idle({1});
    EXPECT_FALSE(pool->try_checkout({2}));
    const auto visitor = arrive({2});
    ASSERT_TRUE(visitor->leased());
    EXPECT_EQ(visitor->outcome->lease.backend().variant(), 2u);
    EXPECT_EQ(connector->open(), 2);
}

TEST_F(PoolVariants, ClosesTheLongestIdleOfAnotherVariantWhenThePoolIsFull) {
    Params params = defaults();
    params.max_overflow = 0;
    start(params);
    const auto first = arrive({1}), second = arrive({1});
    second->checkin();
    first->checkin();
    const auto visitor = arrive({2});
    ASSERT_TRUE(visitor->leased());
    EXPECT_TRUE(connector->backend(1).closed);
    EXPECT_FALSE(connector->backend(0).closed);
    EXPECT_EQ(events.closed(CloseReason::variant_evicted), 1);
    EXPECT_EQ(connector->open(), 2);
}

TEST_F(PoolVariants, EvictsABackendThatComesBackWhileAnotherVariantWaits) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    const auto holder = arrive({1});
    const auto other = arrive({2}), same = arrive({1});
    holder->checkin();
    poll();
    EXPECT_TRUE(other->leased());
    EXPECT_TRUE(same->waiting());
    other->checkin();
    poll();
    EXPECT_TRUE(same->leased());
    EXPECT_EQ(connector->dials, 3);
    EXPECT_EQ(connector->open(), 1);
}

TEST_F(PoolVariants, ServesAWaiterWhoseVariantIsIdleWhileTheFirstHasItsDial) {
    start();
    const auto holder = arrive({1});
    connector->hang = true;
    const auto first = arrive({2});
    const auto second = arrive({1});
    holder->checkin();
    poll();
    EXPECT_TRUE(first->waiting());
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolVariants, ABlockedWaitersPlaceIsNotGivenToThoseBehindIt) {
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    start(params);
    const auto holder = arrive({1});
    connector->fail = unreachable;
    const auto first = arrive({2}), second = arrive({1});
    holder->checkin();
    poll();  // evicted for the first, whose dial fails
    EXPECT_EQ(connector->dials, 2);
    connector->fail = nullptr;
    EXPECT_TRUE(first->waiting());
    EXPECT_TRUE(second->waiting());
    pass(200ms);
    EXPECT_TRUE(first->leased());
    EXPECT_TRUE(second->waiting());
}

TEST_F(PoolVariants, AnIdleBackendIsReservedForABlockedWaiterOfAnotherVariant) {
    start();
    const auto holder = arrive({1});
    connector->fail = unreachable;
    const auto first = arrive({2});  // its dial fails, and a back-off begins
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    pool->resize(params);
    const auto second = arrive({1});
    holder->checkin();
    poll();
    EXPECT_TRUE(second->waiting());
    connector->fail = nullptr;
    pass(200ms);
    EXPECT_TRUE(first->leased());
    EXPECT_TRUE(second->waiting());
}

TEST_F(PoolVariants, ThePlaceReservedForACancelledWaiterGoesToTheNext) {
    start();
    const auto holder = arrive({1});
    connector->fail = unreachable;
    const auto first = arrive({2});
    Params params = defaults();
    params.pool_size = 1;
    params.max_overflow = 0;
    pool->resize(params);
    const auto second = arrive({1});
    holder->checkin();
    pool->cancel(first->ticket);
    poll();
    EXPECT_TRUE(second->leased());
}

TEST_F(PoolVariants, ABackendThatWentIdleIsNotFreshEvenWhileOthersWaited) {
    Params params = defaults();
    params.dial_parallel = 1;
    start(params);
    connector->hang = true;
    const auto gone = arrive({1});
    const auto other = arrive({2});
    pool->cancel(gone->ticket);
    connector->finish();
    poll();
    connector->finish();
    poll();
    ASSERT_TRUE(other->leased());
    Lease lease = pool->try_checkout({1});
    ASSERT_TRUE(lease);
    EXPECT_FALSE(lease.fresh());
    lease.checkin();
}

}  // namespace leasehold::pool::fakes
