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

TEST(CancelRegistry, KnowsNobodyWithAWrongSecretOrAfterTheEnd) {
    CancelRegistry registry;
    const auto key = registry.issue(7, some_worker(8));
    auto wrong = key;
    wrong.secret[0] ^= 1;
    EXPECT_EQ(registry.find(wrong).worker, nullptr);
    wrong.secret = key.secret.substr(0, 3);
    EXPECT_EQ(registry.find(wrong).worker, nullptr);
    wrong.secret = key.secret + "x";
    EXPECT_EQ(registry.find(wrong).worker, nullptr);
    registry.revoke(key);
    EXPECT_EQ(registry.find(key).worker, nullptr);
}

TEST(CancelRegistry, VoidsTheOldKeyWhenALongerOneIsIssued) {
    CancelRegistry registry;
    const auto old = registry.issue(7, some_worker(8));
    const auto longer = registry.reissue(old, old.id, 32);
    EXPECT_EQ(longer.secret.size(), 32u);
    EXPECT_EQ(registry.find(longer).session, 7u);
    EXPECT_EQ(registry.find(old).worker, nullptr);
    EXPECT_EQ(registry.find({longer.id, longer.secret.substr(0, 4)}).worker, nullptr);
}

TEST(CancelRegistry, TellsSessionsApartWhoseServersNumberAlike) {
    CancelRegistry registry;
    const auto first = registry.reissue(registry.issue(1, some_worker(8)), 4711, 4);
    const auto second = registry.reissue(registry.issue(2, some_worker(16)), 4711, 4);
    EXPECT_EQ(registry.find(first).session, 1u);
    EXPECT_EQ(registry.find(second).session, 2u);
    registry.revoke(first);
    EXPECT_EQ(registry.find(first).worker, nullptr);
    EXPECT_EQ(registry.find(second).session, 2u);
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
