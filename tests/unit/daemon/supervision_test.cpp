// SPDX-License-Identifier: Apache-2.0
#include "daemon/supervision.hpp"

#include <gtest/gtest.h>

#include <vector>

using namespace leasehold::daemon;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

TEST(Supervision, TheWatchdogIsFedOnlyWhileEveryWorkerTicks) {
    const Clock::time_point now = Clock::now();
    EXPECT_TRUE(all_tick(std::vector{now, now - 4s}, now, 5s));
    EXPECT_TRUE(all_tick(std::vector{now - 5s}, now, 5s));
    EXPECT_FALSE(all_tick(std::vector{now, now - 5001ms, now}, now, 5s));
    EXPECT_FALSE(all_tick(std::vector{now - 24h}, now, 5s));
    EXPECT_TRUE(all_tick(std::vector{now + 1s}, now, 5s));  // it ticked since we looked at the clock
}

TEST(Supervision, TheStatusLineCountsClientsAndServers) {
    Census census;
    census.pools = 2;
    census.clients = 12;
    census.waiting = 3;
    census.backends = 5;
    census.capacity = 30;
    EXPECT_EQ(status_line(census), "2 pools; clients 12 (3 waiting); servers 5 of 30");
    census = {};
    census.pools = 1;
    EXPECT_EQ(status_line(census), "1 pool; clients 0; servers 0 of 0");
}

TEST(Supervision, TheCensusOfAllIsTheSumOfThoseOfEach) {
    Census one, two;
    one.clients = 1, one.waiting = 2, one.holding = 3, one.logins = 4;
    one.consoles = 5, one.pools = 6, one.backends = 7, one.capacity = 8;
    two = one;
    two += one;
    EXPECT_EQ(two.clients + two.waiting * 10 + two.holding * 100 + two.logins * 1000, 2u + 40u + 600u + 8000u);
    EXPECT_EQ(two.consoles + two.pools * 100 + two.backends * 10000 + two.capacity * 1000000,
              10u + 1200u + 140000u + 16000000u);
}

}  // namespace
