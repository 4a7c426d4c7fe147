// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/exposition.hpp"

#include "daemon/admin/records.hpp"
#include "daemon/hubs.hpp"
#include "daemon/metrics/catalog.hpp"
#include "daemon/metrics/pool_events.hpp"
#include "daemon/metrics/reloads.hpp"
#include "daemon/metrics/sessions.hpp"
#include "daemon/metrics/traffic.hpp"
#include "daemon/refusals.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace leasehold::daemon::web {
namespace {

using namespace std::chrono_literals;
using testing::Test;

class Exposition : public Test {
  protected:
    std::string text() const { return exposition(registry, figures, {2, 10'000, false}, read_process()); }
    // The lines that begin with it, or none.
    std::vector<std::string> lines(const std::string& begin) const {
        std::vector<std::string> found;
        std::istringstream in(text());
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with(begin)) found.push_back(line);
        }
        return found;
    }
    using Lines = std::vector<std::string>;

    metrics::Registry registry{2};
    Figures figures;
};

TEST_F(Exposition, ShowsAPoolsGaugesByPoolAndUser) {
    PoolFigures pool;
    pool.size = 5;
    pool.limit = 15;
    pool.checked_out = 3;
    pool.oldest_wait = 1500ms;
    pool.pinned["LISTEN"] = 2;
    figures.pools[{"orders", "app"}] = pool;
    EXPECT_EQ(lines("leasehold_pool_limit{"), Lines{R"(leasehold_pool_limit{pool="orders",user="app"} 15)"});
    EXPECT_EQ(lines("leasehold_pool_checked_out{"), Lines{R"(leasehold_pool_checked_out{pool="orders",user="app"} 3)"});
    EXPECT_EQ(lines("leasehold_pool_oldest_wait_seconds{"),
              Lines{R"(leasehold_pool_oldest_wait_seconds{pool="orders",user="app"} 1.5)"});
    EXPECT_EQ(lines("leasehold_pool_pinned{"),
              Lines{R"(leasehold_pool_pinned{pool="orders",user="app",reason="LISTEN"} 2)"});
}

TEST_F(Exposition, ShowsAPoolWithoutALimitAsInfinite) {
    figures.pools[{"orders", "app"}].limit = -1;
    EXPECT_EQ(lines("leasehold_pool_limit{"), Lines{R"(leasehold_pool_limit{pool="orders",user="app"} +Inf)"});
}

TEST_F(Exposition, ShowsAHistogramInSecondsWithRisingBuckets) {
    metrics::Scope scope(registry, {{"pool", "orders"}});
    const metrics::Histogram wait = scope.histogram(metrics::names::wait_seconds, "as in the catalog", {}, {1ms, 1s});
    wait.observe(0, 500us);
    wait.observe(1, 2ms);
    wait.observe(1, 1500ms);
    EXPECT_EQ(lines("leasehold_pool_wait_seconds_bucket"),
              (Lines{R"(leasehold_pool_wait_seconds_bucket{pool="orders",le="0.001"} 1)",
                     R"(leasehold_pool_wait_seconds_bucket{pool="orders",le="1"} 2)",
                     R"(leasehold_pool_wait_seconds_bucket{pool="orders",le="+Inf"} 3)"}));
    EXPECT_EQ(lines("leasehold_pool_wait_seconds_count"),
              Lines{R"(leasehold_pool_wait_seconds_count{pool="orders"} 3)"});
    EXPECT_EQ(lines("leasehold_pool_wait_seconds_sum"),
              Lines{R"(leasehold_pool_wait_seconds_sum{pool="orders"} 1.5025)"});
}

TEST_F(Exposition, EscapesWhatStandsInALabel) {
    figures.pools[{"a\"b\\c\nd\xff", "\xc3\xa4"}].size = 1;
    EXPECT_EQ(lines("leasehold_pool_size{"), Lines{R"(leasehold_pool_size{pool="a\"b\\c\nd?",user="ä"} 1)"});
}

TEST_F(Exposition, CountsWorkersThatAreMissing) {
    figures.missing = {1};
    EXPECT_EQ(lines("leasehold_scrape_incomplete"), Lines{"leasehold_scrape_incomplete 1"});
}

TEST_F(Exposition, TellsOfTheProcess) {
    EXPECT_EQ(lines("leasehold_build_info{").size(), 1u);
    EXPECT_NE(lines("process_open_fds").front(), "process_open_fds 0");
    EXPECT_GT(read_process().start_time, 1.6e9);
    EXPECT_GT(read_process().resident_bytes, 1024u * 1024u);
}

// Everybody that registers something, in one registry.
struct Everything {
    metrics::Registry registry{1};
    admin::QuarantineRecords records;
    metrics::PoolEvents events{registry, records, 0, "orders"};
    metrics::Traffic traffic{registry, 0, "orders"};
    metrics::Sessions sessions{registry};
    Refusals refusals{registry};
    Hubs hubs{registry};
    metrics::Reloads reloads{registry};
};

TEST(Catalog, DescribesEveryMetricThatIsRegistered) {
    const Everything all;
    all.registry.visit([](const metrics::Sample& sample) {
        const metrics::Metric* const known = metrics::find_metric(sample.name);
        ASSERT_NE(known, nullptr) << sample.name;
        EXPECT_EQ(known->type, sample.type) << sample.name;
        std::string labels;
        for (const std::string_view key : {"pool", "user", "reason", "kind", "outcome", "class", "state"}) {
            if (!sample.label(key).empty()) labels += (labels.empty() ? "" : ", ") + std::string(key);
        }
        EXPECT_EQ(known->labels, labels) << sample.name;
    });
}

TEST(Catalog, HasNothingThatIsNotShown) {
    Everything all;
    (void)all.registry.counter(metrics::names::login_failures, "by the server");
    all.traffic.pinned("LISTEN");
    all.traffic.leaked("setting");
    Figures figures;
    figures.pools[{"orders", "app"}].pinned["LISTEN"] = 1;
    const std::string text = exposition(all.registry, figures, {}, {});
    for (const metrics::Metric& metric : metrics::catalog) {
        EXPECT_NE(text.find("# HELP " + std::string(metric.name) + " " + std::string(metric.help) + "\n"),
                  std::string::npos)
            << metric.name;
    }
}

TEST(Catalog, NamesEachMetricOnceAndExplainsIt) {
    std::set<std::string_view> names;
    for (const metrics::Metric& metric : metrics::catalog) {
        EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
        EXPECT_GE(metric.help.size(), metric.name == metrics::names::build_info ? 1u : 8u) << metric.name;
        EXPECT_EQ(metric.name.ends_with("_total"), metric.type == metrics::Type::counter) << metric.name;
    }
}

TEST(Figures, OfPoolsWithOneNameAreAddedUp) {
    PoolFigures old_one, new_one;
    old_one.limit = 5;
    old_one.checked_out = 2;
    old_one.oldest_wait = 3s;
    old_one.pinned["SET"] = 1;
    new_one.limit = 10;
    new_one.checked_out = 1;
    new_one.pinned["SET"] = 2;
    Figures one, two;
    one.pools[{"orders", "app"}] = old_one;
    two.pools[{"orders", "app"}] = new_one;
    one.add(two);
    const PoolFigures& sum = one.pools.at({"orders", "app"});
    EXPECT_EQ(sum.limit, 15);
    EXPECT_EQ(sum.checked_out, 3);
    EXPECT_EQ(sum.oldest_wait, 3s);
    EXPECT_EQ(sum.pinned.at("SET"), 3);
    new_one.limit = -1;
    two.pools[{"orders", "app"}] = new_one;
    one.add(two);
    EXPECT_EQ(one.pools.at({"orders", "app"}).limit, -1);
}

TEST(Figures, LeaveOutOfALabelWhatAClientChose) {
    EXPECT_EQ(pin_label("SET work_mem"), "SET");
    EXPECT_EQ(pin_label("LISTEN"), "LISTEN");
}

}  // namespace
}  // namespace leasehold::daemon::web
