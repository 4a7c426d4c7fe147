// SPDX-License-Identifier: Apache-2.0
// Two workers whose pools share a server's quota: the only thing of the pool that threads share.
#include "tests/unit/pool/fakes.hpp"

#include <atomic>
#include <thread>

namespace leasehold::pool::fakes {

namespace {

// A worker of its own: loop, pool, connector and sessions that come one after the other.
void work(std::shared_ptr<Quota> quota, std::atomic<int>& open, std::atomic<int>& most, int turns) {
    asio::io_context io{1};
    EventLog events;
    auto connector = std::make_shared<FakeConnector>(io);
    Params params;
    params.pool_timeout = 1min;
    const auto pool = std::make_shared<Pool>(io.get_executor(), params, connector, quota, events);
    std::uint64_t told = 0;
    auto visit = [](Pool* at, VisitorPtr visitor) -> awaitable<void> {
        Checkout outcome = co_await at->checkout({});
        visitor->outcome.emplace(std::move(outcome));
    };
    for (int turn = 0; turn < turns; ++turn) {
        auto visitor = std::make_shared<Visitor>();
        asio::co_spawn(io, visit(pool.get(), visitor), [](std::exception_ptr) {});
        while (visitor->waiting()) {
            io.restart();
            io.poll();
            pool->tick();
        }
        ASSERT_TRUE(visitor->leased());
        const int now = ++open;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --open;
        if (turn % 3) {
            visitor->checkin();
        } else {
            visitor->outcome->lease.invalidate(CloseReason::detached);
        }
        ++told;
    }
    pool->dispose();
    io.restart();
    io.poll();
    EXPECT_EQ(told, static_cast<std::uint64_t>(turns));
}

}  // namespace

TEST(PoolThreads, ShareAQuotaAndAllGetTheirTurn) {
    const auto quota = std::make_shared<Quota>(2);
    std::atomic<int> open = 0;
    std::atomic<int> most = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < 3; ++i) workers.emplace_back([&] { work(quota, open, most, 500); });
    for (auto& worker : workers) worker.join();
    EXPECT_LE(most, 2);
    EXPECT_EQ(quota->used(), 0);
}

}  // namespace leasehold::pool::fakes
