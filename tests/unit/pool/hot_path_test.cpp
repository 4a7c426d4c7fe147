// SPDX-License-Identifier: Apache-2.0
// The boundary of every transaction passes here: a checkout and checkin of a healthy backend costs no allocation, no
// post, and one look at the clock each.
#include "tests/unit/pool/fakes.hpp"

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocations = 0;
}

// Not inlined: GCC would see free() meet new and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace leasehold::pool::fakes {

class PoolHotPath : public PoolTest {};

TEST_F(PoolHotPath, AllocatesNothingAndPostsNothing) {
    int looks = 0;
    pool = std::make_shared<Pool>(io.get_executor(), defaults(), connector, nullptr, events, [&] {
        ++looks;
        return now;
    });
    Script& backend = one_idle();
    looks = 0;
    const auto before = allocations;
    for (int i = 0; i < 100; ++i) {
        Lease lease = pool->try_checkout({0, 0, 42});
        if (!lease) break;
        lease.checkin();
    }
    EXPECT_EQ(allocations - before, 0u);
    EXPECT_EQ(looks, 200);
    EXPECT_EQ(events.checkouts, 101);
    EXPECT_EQ(backend.quiet_asked, 0);
    io.restart();
    EXPECT_EQ(io.poll(), 0u);
}

}  // namespace leasehold::pool::fakes
