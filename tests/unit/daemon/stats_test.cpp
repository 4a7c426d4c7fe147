// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/stats.hpp"

#include "daemon/metrics/names.hpp"
#include "daemon/metrics/traffic.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;
namespace names = metrics::names;
using Cells = std::map<std::string, std::string>;

class StatsTest : public testing::Test {
  protected:
    StatsTest() { register_stats(tables, registry, averages); }
    // The rows by their first column.
    [[nodiscard]] std::map<std::string, Cells> show(std::string_view name) const {
        const auto table = tables.find(name);
        std::map<std::string, Cells> all;
        table->gather([&](const Rows& rows) {
            for (const Row& row : rows) {
                ASSERT_EQ(row.size(), table->columns.size()) << name;
                Cells& cells = all[row[0].value_or("NULL")];
                for (std::size_t i = 0; i < row.size(); ++i) cells[table->columns[i].name] = row[i].value_or("NULL");
            }
        });
        return all;
    }
    [[nodiscard]] std::string columns(std::string_view name) const {
        std::string all;
        for (const auto& column : tables.find(name)->columns) all += (all.empty() ? "" : " ") + column.name;
        return all;
    }
    metrics::Registry registry{2};
    Averages averages;
    Tables tables;
    metrics::Traffic orders{registry, 0, "orders"};
    const Averages::Time start = std::chrono::steady_clock::now();
};

TEST_F(StatsTest, BearsPgbouncersColumnsInItsOrder) {
    EXPECT_TRUE(columns("STATS").starts_with(
        "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time "
        "total_wait_time avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time "
        "total_requests"));
    EXPECT_EQ(columns("STATS_TOTALS"),
              "database xact_count query_count bytes_received bytes_sent xact_time query_time wait_time");
    EXPECT_EQ(columns("STATS_AVERAGES"), columns("STATS_TOTALS"));
}

TEST_F(StatsTest, AddsUpWhatTheWorkersCounted) {
    metrics::Traffic again{registry, 1, "orders"};  // the same pool for another user
    metrics::Traffic stock{registry, 1, "stock"};
    orders.answered(3, 2);
    again.answered(4, 4);
    orders.received(100);
    again.sent(5000);
    orders.query(1500us);
    again.query(500us);
    orders.transaction(7ms);
    metrics::Scope scope(registry, {{"pool", "orders"}});
    scope.histogram(names::wait_seconds, "").observe(1, 250us);
    scope.counter(names::closes, "", {{"reason", "recycled"}}).add(0, 1);
    scope.counter(names::closes, "", {{"reason", "overflow"}}).add(0, 2);
    auto row = show("STATS")["orders"];
    EXPECT_EQ(row["total_xact_count"], "6");
    EXPECT_EQ(row["total_query_count"], "7");
    EXPECT_EQ(row["total_requests"], "7");
    EXPECT_EQ(row["total_received"], "100");
    EXPECT_EQ(row["total_sent"], "5000");
    EXPECT_EQ(row["total_query_time"], "2000");
    EXPECT_EQ(row["total_xact_time"], "7000");
    EXPECT_EQ(row["total_wait_time"], "250");
    EXPECT_EQ(row["closes"], "3");
    EXPECT_EQ(row["checkouts"], "0");
    EXPECT_EQ(row["avg_xact_count"], "0") << "no sample was taken yet";
    EXPECT_EQ(show("STATS")["stock"]["total_xact_count"], "0");
    EXPECT_EQ(show("STATS_TOTALS")["orders"]["bytes_sent"], "5000");
    EXPECT_EQ(show("TOTALS")["total_query_count"]["value"], "7");
    EXPECT_EQ(show("TOTALS")["total_server_bytes"]["value"], "5000");
    EXPECT_EQ(show("TOTALS").size(), 14u);
}

TEST_F(StatsTest, AveragesTheLastMinute) {
    averages.sample(registry, start);
    orders.answered(600, 300);
    orders.query(6s);
    orders.transaction(9s);
    orders.sent(60'000);
    const Figures lately = averages.of(totals(registry), start + 10s).at("orders");
    EXPECT_EQ(lately, (Figures{30, 60, 0, 6000, 30'000, 10'000, 0}));
    for (int second = 1; second <= 120; ++second) averages.sample(registry, start + second * 1s);
    EXPECT_EQ(averages.of(totals(registry), start + 120s).at("orders"), Figures{}) << "longer than a minute ago";
    orders.answered(650, 65);
    EXPECT_EQ(averages.of(totals(registry), start + 125s).at("orders")[0], 1);
}

TEST_F(StatsTest, AveragesAPoolThatCameLaterAndOneThatWasMadeAnew) {
    {
        metrics::Traffic retired{registry, 0, "tenant"};
        retired.answered(1000, 1000);
        averages.sample(registry, start);
    }
    metrics::Traffic anew{registry, 0, "tenant"};
    anew.answered(10, 10);
    metrics::Traffic later{registry, 0, "later"};
    later.answered(20, 20);
    const PoolFigures lately = averages.of(totals(registry), start + 10s);
    EXPECT_EQ(lately.at("tenant")[0], 0) << "not a negative number";
    EXPECT_EQ(lately.at("later")[0], 2);
}

}  // namespace
}  // namespace leasehold::daemon::admin
