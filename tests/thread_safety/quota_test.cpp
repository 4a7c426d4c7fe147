// SPDX-License-Identifier: Apache-2.0
// The server's capacity is shared by pools on all workers.
#include "pool/quota.hpp"
#include "tests/thread_safety/support.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace leasehold::pool {
namespace {

constexpr int threads = 4;
constexpr int limit = 3;

TEST(ThreadSafety, AQuotaIsNeverExceeded) {
    const auto quota = std::make_shared<Quota>(limit);
    std::atomic<int> held{0};
    std::atomic<int> most{0};
    std::atomic<int> granted{0};
    support::at_once(threads, [&](int) {
        for (int i = 0; i < 20000; ++i) {
            const Permit permit = quota->try_acquire();
            if (!permit) continue;
            ++granted;
            const int now = ++held;
            for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
            }
            --held;
        }
    });
    EXPECT_GT(granted, 0);
    EXPECT_LE(most, limit);
    EXPECT_EQ(quota->used(), 0);
}

TEST(ThreadSafety, EveryWaiterOfAQuotaIsCalledOnce) {
    const auto quota = std::make_shared<Quota>(1);
    constexpr int rounds = 2000;
    std::atomic<int> asked{0};
    std::atomic<int> called{0};
    support::at_once(threads, [&](int) {
        for (int i = 0; i < rounds; ++i) {
            Permit permit = quota->try_acquire();
            if (permit) continue;
            ++asked;
            quota->when_free([&] { ++called; });
        }
    });
    // Each permit given back calls at most those who waited; the last of them may wait for one more.
    for (int i = 0; i <= threads * rounds && called < asked; ++i) (void)quota->try_acquire();
    EXPECT_EQ(called, asked);
    EXPECT_EQ(quota->used(), 0);
}

TEST(ThreadSafety, PoolsEnlistAndLeaveAQuotaWhileItIsUsed) {
    const auto quota = std::make_shared<Quota>(limit);
    std::atomic<int> asked{0};
    support::at_once(threads, [&](int) {
        for (int i = 0; i < 2000; ++i) {
            const auto membership = quota->enlist([&] { ++asked; });
            const Permit permit = quota->try_acquire();
            if (!permit) quota->when_free([] {});
            (void)quota->contended();
            if (i % 100 == 0) quota->set_limit(limit + i % 3);
            quota->withdraw(membership);
        }
    });
    EXPECT_EQ(quota->used(), 0);
}

}  // namespace
}  // namespace leasehold::pool
