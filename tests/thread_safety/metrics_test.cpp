// SPDX-License-Identifier: Apache-2.0
// The metrics' cells have one writer each and any number of readers, while pools come and go.
#include "daemon/metrics/registry.hpp"
#include "tests/thread_safety/support.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::metrics {
namespace {

using namespace std::chrono_literals;
constexpr int workers = 4;
constexpr int rounds = 20000;

TEST(ThreadSafety, WorkersCountWhileOthersRead) {
    Registry registry(workers);
    const Counter counter = registry.counter("n_total", "");
    const Gauge gauge = registry.gauge("g", "");
    const Histogram histogram = registry.histogram("h_seconds", "");
    std::atomic<bool> reading{true};
    std::thread reader([&] {
        std::int64_t last = 0;
        while (reading) {
            const std::int64_t now = registry.value("n_total").value_or(-1);
            EXPECT_GE(now, last);  // a counter never goes back
            last = now;
            registry.visit([](const Sample&) {});
        }
    });
    support::at_once(workers, [&](int worker) {
        for (int i = 0; i < rounds; ++i) {
            counter.add(worker);
            gauge.add(worker, worker % 2 == 0 ? 1 : -1);
            histogram.observe(worker, 1ms * i);
        }
    });
    reading = false;
    reader.join();
    EXPECT_EQ(registry.value("n_total"), workers * rounds);
    EXPECT_EQ(registry.value("g"), 0);
    EXPECT_EQ(registry.value("h_seconds"), workers * rounds);
}

TEST(ThreadSafety, PoolsComeAndGoWhileOthersCount) {
    Registry registry(workers);
    const Counter steady = registry.counter("steady_total", "");
    std::atomic<bool> reading{true};
    std::thread reader([&] {
        while (reading) registry.visit([](const Sample& sample) { EXPECT_GE(sample.value, 0); });
    });
    support::at_once(workers, [&](int worker) {
        for (int i = 0; i < 500; ++i) {
            Scope scope(registry, {{"pool", std::to_string(i % 7)}});
            const Counter counter = scope.counter("pool_total", "");
            const Histogram histogram = scope.histogram("pool_seconds", "");
            counter.add(worker);
            histogram.observe(worker, 1ms);
            steady.add(worker);
        }
    });
    reading = false;
    reader.join();
    EXPECT_EQ(registry.value("steady_total"), workers * 500);
    EXPECT_EQ(registry.size(), 1u);
}

}  // namespace
}  // namespace leasehold::daemon::metrics
