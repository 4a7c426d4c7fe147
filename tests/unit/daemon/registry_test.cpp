// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/registry.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::metrics {
namespace {

using namespace std::chrono_literals;

const Labels orders{{"pool", "orders"}};

TEST(MetricsRegistry, AddsUpWhatEachWorkerCounted) {
    Registry registry(3);
    const Counter counter = registry.counter("leasehold_pool_checkouts_total", "Leases", orders);
    counter.add(0);
    counter.add(1, 10);
    counter.add(2, 100);
    counter.add(2);
    counter.add(registry.elsewhere(), 1000);
    EXPECT_EQ(registry.value("leasehold_pool_checkouts_total", orders), 1112);
}

TEST(MetricsRegistry, KeepsSeriesWithDifferentLabelsApart) {
    Registry registry(1);
    registry.counter("a_total", "", {{"pool", "x"}}).add(0, 1);
    registry.counter("a_total", "", {{"pool", "y"}}).add(0, 2);
    EXPECT_EQ(registry.value("a_total", {{"pool", "x"}}), 1);
    EXPECT_EQ(registry.value("a_total", {{"pool", "y"}}), 2);
    EXPECT_EQ(registry.value("a_total", {{"pool", "z"}}), std::nullopt);
    EXPECT_EQ(registry.value("b_total"), std::nullopt);
}

TEST(MetricsRegistry, TakesLabelsInAnyOrderForTheSameSeries) {
    Registry registry(1);
    registry.counter("a_total", "", {{"pool", "x"}, {"reason", "r"}}).add(0);
    registry.counter("a_total", "", {{"reason", "r"}, {"pool", "x"}}).add(0);
    EXPECT_EQ(registry.value("a_total", {{"reason", "r"}, {"pool", "x"}}), 2);
    EXPECT_EQ(registry.size(), 1u);
}

TEST(MetricsRegistry, SumsGaugesAlsoBelowZero) {
    Registry registry(2);
    const Gauge gauge = registry.gauge("clients", "");
    gauge.set(0, 5);
    gauge.add(1, -7);
    EXPECT_EQ(registry.value("clients"), -2);
    gauge.set(0, 9);
    EXPECT_EQ(registry.value("clients"), 2);
}

TEST(MetricsRegistry, PutsADurationIntoTheFirstBucketThatHoldsIt) {
    Registry registry(2);
    const Histogram histogram = registry.histogram("wait_seconds", "", {}, {1ms, 10ms});
    histogram.observe(0, 1ms);  // a bound belongs to its bucket
    histogram.observe(1, 1001us);
    histogram.observe(1, 10s);
    histogram.observe(0, -5ms);  // a clock that went backwards
    std::vector<std::uint64_t> buckets;
    registry.visit([&](const Sample& sample) {
        buckets = sample.buckets;
        EXPECT_EQ(sample.value, 4);
        EXPECT_EQ(sample.sum, 1ms + 1001us + 10s);
        EXPECT_EQ(sample.type, Type::histogram);
    });
    EXPECT_EQ(buckets, (std::vector<std::uint64_t>{2, 3, 4}));
}

TEST(MetricsRegistry, VisitsByNameAndLabels) {
    Registry registry(1);
    (void)registry.counter("b_total", "second", {{"pool", "z"}});
    (void)registry.counter("b_total", "second", {{"pool", "a"}});
    (void)registry.gauge("a", "first");
    std::vector<std::string> seen;
    registry.visit([&](const Sample& sample) {
        seen.push_back(std::string(sample.name) + ' ' + std::string(sample.help) + ' ' +
                       std::string(sample.label("pool")));
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"a first ", "b_total second a", "b_total second z"}));
}

TEST(MetricsRegistry, RefusesNamesThatPrometheusWouldRefuse) {
    Registry registry(1);
    EXPECT_THROW((void)registry.counter("no-dashes_total", ""), std::invalid_argument);
    EXPECT_THROW((void)registry.counter("0_total", ""), std::invalid_argument);
    EXPECT_THROW((void)registry.counter("", ""), std::invalid_argument);
    EXPECT_THROW((void)registry.counter("a_counter_without_its_ending", ""), std::invalid_argument);
    EXPECT_THROW((void)registry.gauge("gauge_total", ""), std::invalid_argument);
    EXPECT_THROW((void)registry.gauge("a", "", {{"le", "1"}}), std::invalid_argument);
    EXPECT_THROW((void)registry.gauge("a", "", {{"x", "1"}, {"x", "2"}}), std::invalid_argument);
    EXPECT_THROW((void)registry.histogram("h", "", {}, {2ms, 1ms}), std::invalid_argument);
    EXPECT_EQ(registry.size(), 0u);
}

TEST(MetricsRegistry, RefusesANameTakenWithAnotherTypeOrOtherBounds) {
    Registry registry(1);
    (void)registry.gauge("a", "");
    (void)registry.histogram("h", "", {}, {1ms});
    EXPECT_THROW((void)registry.histogram("a", ""), std::logic_error);
    EXPECT_THROW((void)registry.histogram("h", "", {{"pool", "x"}}, {2ms}), std::logic_error);
}

TEST(MetricsRegistry, FoldsSeriesBeyondTheLimitIntoOne) {
    Registry registry(1, 2);
    for (const char* pool : {"a", "b", "c", "d"}) registry.counter("n_total", "", {{"pool", pool}}).add(0);
    EXPECT_EQ(registry.size(), 3u);
    EXPECT_EQ(registry.value("n_total", {{"pool", "b"}}), 1);
    EXPECT_EQ(registry.value("n_total", {{"pool", "other"}}), 2);
}

TEST(MetricsRegistry, GrowsPastOneChunkWithoutMovingCells) {
    Registry registry(2);
    std::vector<Counter> counters;
    const int many = static_cast<int>(cells_per_worker) * 3 + 7;
    for (int i = 0; i < many; ++i) counters.push_back(registry.counter("n_total", "", {{"i", std::to_string(i)}}));
    for (int i = 0; i < many; ++i) counters[static_cast<std::size_t>(i)].add(i % 2, static_cast<std::uint64_t>(i));
    for (int i = 0; i < many; ++i) ASSERT_EQ(registry.value("n_total", {{"i", std::to_string(i)}}), i);
}

TEST(MetricsScope, TakesItsSeriesAlongWhenItEnds) {
    Registry registry(1);
    (void)registry.counter("stays_total", "");
    {
        Scope scope(registry, orders);
        scope.counter("a_total", "", {{"reason", "r"}}).add(0);
        (void)scope.histogram("h", "");
        (void)scope.gauge("g", "");
        EXPECT_EQ(registry.value("a_total", {{"pool", "orders"}, {"reason", "r"}}), 1);
        EXPECT_EQ(registry.size(), 4u);
    }
    EXPECT_EQ(registry.size(), 1u);
}

TEST(MetricsScope, LeavesASeriesThatAnotherScopeStillOwns) {
    Registry registry(2);
    auto first = std::make_unique<Scope>(registry, orders);
    auto second = std::make_unique<Scope>(registry, orders);
    first->counter("a_total", "").add(0, 3);
    const Counter counter = second->counter("a_total", "");
    first.reset();
    counter.add(1, 4);
    EXPECT_EQ(registry.value("a_total", orders), 7);
    second.reset();
    EXPECT_EQ(registry.value("a_total", orders), std::nullopt);
}

TEST(MetricsScope, GivesReusedCellsBackAsNought) {
    Registry registry(2);
    {
        Scope scope(registry, orders);
        scope.counter("a_total", "").add(1, 3);
        scope.histogram("h", "").observe(0, 1s);
    }
    Scope scope(registry, {{"pool", "next"}});
    (void)scope.counter("a_total", "");
    (void)scope.histogram("h", "");
    EXPECT_EQ(registry.value("a_total", {{"pool", "next"}}), 0);
    registry.visit([](const Sample& sample) {
        EXPECT_EQ(sample.value, 0) << sample.name;
        EXPECT_EQ(sample.sum, 0s) << sample.name;
    });
}

TEST(MetricsScope, MovesItsSeries) {
    Registry registry(1);
    Scope outer;
    {
        Scope scope(registry, orders);
        (void)scope.counter("a_total", "");
        outer = std::move(scope);
    }
    EXPECT_EQ(registry.size(), 1u);
    outer = Scope();
    EXPECT_EQ(registry.size(), 0u);
}

TEST(MetricsScope, EndsItsShareOfAFoldedSeries) {
    Registry registry(1, 1);
    Scope first(registry, {{"pool", "a"}});
    (void)first.counter("n_total", "");
    {
        Scope second(registry, {{"pool", "b"}});
        (void)second.counter("n_total", "");
        EXPECT_EQ(registry.value("n_total", {{"pool", "other"}}), 0);
    }
    EXPECT_EQ(registry.value("n_total", {{"pool", "other"}}), std::nullopt);
    EXPECT_EQ(registry.size(), 1u);
}

}  // namespace
}  // namespace leasehold::daemon::metrics
