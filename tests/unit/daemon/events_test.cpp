// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/events.hpp"

#include "daemon/logging.hpp"
#include "tests/unit/daemon/cells.hpp"

#include <thread>

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;

LogLine line(const std::string& event, LogLevel level = LogLevel::info) {
    LogLine made;
    made.at = new_year + 250ms;
    made.level = level;
    made.event = event;
    made.fields = {{"pool", "orders", true},
                   {"session", "17", false},
                   {"reason", "client_gone", true},
                   {"client", "192.0.2.7:50000", true},
                   {"message", "it is gone", true}};
    return made;
}

TEST(Events, AreTakenApart) {
    auto row = by_name(events_columns(), events_rows({line("quarantine", LogLevel::warn)}).at(0));
    EXPECT_EQ(row["time"], "2026-01-01 00:00:00.250 UTC");
    EXPECT_EQ(row["level"], "warn");
    EXPECT_EQ(row["event"], "quarantine");
    EXPECT_EQ(row["database"], "orders");
    EXPECT_EQ(row["session"], "17");
    EXPECT_EQ(row["reason"], "client_gone");
    EXPECT_EQ(row["details"], "client=192.0.2.7:50000 message=\"it is gone\"");
    EXPECT_EQ(row["repeated"], "0");
}

TEST(Events, AreKeptUpToALimitNewestFirstAndWithoutDebugging) {
    EventRecords records(3);
    for (int i = 1; i <= 5; ++i) {
        records.add(line("event" + std::to_string(i)));
        records.add(line("noise", LogLevel::debug));
    }
    const auto kept = records.snapshot();
    ASSERT_EQ(kept.size(), 3u);
    EXPECT_EQ(kept.front().event, "event5");
    EXPECT_EQ(kept.back().event, "event3");
}

TEST(Events, HoldNoMoreOfAPeersWordsThanALimit) {
    EventRecords records;
    LogLine long_one = line("login_failed");
    long_one.fields.push_back({"user", std::string(5000, 'x'), true});
    records.add(long_one);
    EXPECT_LT(records.snapshot().front().fields.back().value.size(), 300u);
}

TEST(Events, AreTakenFromTheLog) {
    const CapturedLog captured;
    log_info("events_test_of_the_log", {{"pool", "orders"}, {"reason", "because"}});
    const auto kept = event_records().snapshot();
    ASSERT_FALSE(kept.empty());
    EXPECT_EQ(kept.front().event, "events_test_of_the_log");
}

TEST(Events, AreTakenFromEveryThread) {
    EventRecords records(100);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&records] {
            for (int n = 0; n < 500; ++n) {
                records.add(line("event"));
                (void)records.snapshot();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(records.snapshot().size(), 100u);
}

}  // namespace
}  // namespace leasehold::daemon::admin
