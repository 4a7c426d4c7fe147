// SPDX-License-Identifier: Apache-2.0
#include "daemon/cancel_registry.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace leasehold;
using namespace leasehold::daemon;

namespace {

Worker* some_worker(std::uintptr_t n) { return reinterpret_cast<Worker*>(n); }

TEST(CancelRegistry, FindsASessionByTheKeyItWasGiven) {
    CancelRegistry registry;
    const auto key = registry.issue(7, some_worker(8));
    EXPECT_EQ(registry.find(key).session, 7u);
    EXPECT_EQ(registry.find(key).worker, some_worker(8));
}

TEST(CancelRegistry, TakesTheShortSecretOfTheOldProtocol) {
    CancelRegistry registry;
    auto key = registry.issue(7, some_worker(8));
    key.secret &= 0xFFFFFFFF;
    EXPECT_EQ(registry.find(key).session, 7u);
}

TEST(CancelRegistry, KnowsNobodyWithAWrongSecretOrAfterTheEnd) {
    CancelRegistry registry;
    auto key = registry.issue(7, some_worker(8));
    key.secret ^= 1;
    EXPECT_EQ(registry.find(key).worker, nullptr);
    key.secret ^= 1;
    registry.revoke(key);
    EXPECT_EQ(registry.find(key).worker, nullptr);
}

TEST(CancelRegistry, FollowsASessionToAnotherWorker) {
    CancelRegistry registry;
    const auto key = registry.issue(7, some_worker(8));
    registry.move(key, some_worker(16));
    EXPECT_EQ(registry.find(key).worker, some_worker(16));
}

TEST(CancelRegistry, GivesEachSessionAnIdOfItsOwn) {
    CancelRegistry registry;
    std::set<std::uint32_t> ids;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        const auto key = registry.issue(i, some_worker(8));
        EXPECT_NE(key.id, 0u);
        EXPECT_LT(key.id, 0x80000000u);
        EXPECT_TRUE(ids.insert(key.id).second);
    }
}

}  // namespace
