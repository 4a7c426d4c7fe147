// SPDX-License-Identifier: Apache-2.0
// Cancel keys are issued, moved, looked up and revoked by all workers at once.
#include "daemon/cancel_registry.hpp"
#include "tests/thread_safety/support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <vector>

namespace {

using namespace leasehold;

constexpr int threads = 4;

// The registry never looks into a worker; any address will do.
daemon::Worker* worker(std::uintptr_t number) { return reinterpret_cast<daemon::Worker*>(number << 4); }

TEST(ThreadSafety, CancelKeysAreUniqueAndFoundByAnyWorkerUntilTheyAreRevoked) {
    daemon::CancelRegistry registry;
    std::vector<std::vector<dialects::CancelKey>> kept(threads);
    std::atomic<int> wrong{0};
    support::at_once(threads, [&](int me) {
        const auto number = static_cast<std::uint64_t>(me);
        for (std::uint64_t turn = 1; turn <= 2000; ++turn) {
            const auto key = registry.issue(number * 10000 + turn, worker(1));
            registry.move(key, worker(2));
            const auto target = registry.find(key);
            if (target.session != number * 10000 + turn || target.worker != worker(2)) ++wrong;
            dialects::CancelKey guessed = key;
            guessed.secret[0] ^= 1;
            if (registry.find(guessed).worker != nullptr) ++wrong;
            if (turn % 2 == 0) {
                registry.revoke(key);
                if (registry.find(key).worker != nullptr) ++wrong;
            } else {
                kept[number].push_back(key);
            }
        }
    });
    EXPECT_EQ(wrong.load(), 0);
    std::set<std::uint32_t> ids;
    for (const auto& keys : kept) {
        for (const auto& key : keys) ids.insert(key.id);
    }
    EXPECT_EQ(ids.size(), threads * 1000u);
}

}  // namespace
