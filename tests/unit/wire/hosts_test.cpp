// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/hosts.hpp"

#include <gtest/gtest.h>

namespace leasehold::wire {
namespace {

using namespace std::chrono_literals;

const HostTable::Time start = HostTable::Time() + 1000h;
const std::vector<std::string> abc{"a:1", "b:1", "c:1"};

std::vector<std::size_t> order(const HostTable& table, HostTable::Time now) {
    std::vector<std::size_t> hosts;
    for (const HostTable::Turn& turn : table.turns(abc, now)) hosts.push_back(turn.host);
    return hosts;
}
using Order = std::vector<std::size_t>;

// --- the back-off ---------------------------------------------------------------------------------------------------

TEST(WireHosts, AreTriedInTheUrlsOrder) {
    const HostTable table([] { return 0.0; });
    EXPECT_EQ(order(table, start), (Order{0, 1, 2}));
    for (const HostTable::Turn& turn : table.turns(abc, start)) EXPECT_EQ(turn.not_before, start);
}

TEST(WireHosts, AFailedOneIsTriedLastUntilItsTimeComes) {
    HostTable table([] { return 0.0; });
    table.failed("a:1", start, 0ms);
    EXPECT_EQ(order(table, start + 99ms), (Order{1, 2, 0}));
    EXPECT_EQ(table.turns(abc, start + 1ms).back().not_before, start + 100ms);
    EXPECT_EQ(order(table, start + 100ms), (Order{0, 1, 2}));
}

TEST(WireHosts, TheBackOffDoublesUpToTenSeconds) {
    HostTable table([] { return 0.0; });
    auto now = start;
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 10000ms, 10000ms}) {
        table.failed("a:1", now, 0ms);
        EXPECT_EQ(table.due("a:1") - now, pause);
        now = table.due("a:1");
    }
    for (int i = 0; i < 5000; ++i) {
        table.failed("a:1", now, 0ms);
        now = table.due("a:1");
    }
    EXPECT_LE(table.due("a:1") - now, 10s);
}

TEST(WireHosts, SuccessForgetsTheFailures) {
    HostTable table([] { return 0.0; });
    table.failed("a:1", start, 0ms);
    table.failed("a:1", start + 1s, 0ms);
    table.answered("a:1");
    EXPECT_EQ(order(table, start + 1s), (Order{0, 1, 2}));
    table.failed("a:1", start + 2s, 0ms);
    EXPECT_EQ(table.due("a:1") - (start + 2s), 100ms);
    table.answered("never:1");
}

TEST(WireHosts, JitterStaysWithinAFifth) {
    for (const double extreme : {-1.0, 1.0}) {
        HostTable table([extreme] { return extreme; });
        table.failed("a:1", start, 0ms);
        EXPECT_EQ(table.due("a:1") - start, extreme < 0 ? 80ms : 120ms);
    }
    HostTable table;
    for (int i = 0; i < 1000; ++i) {
        const std::string host = "h" + std::to_string(i);
        table.failed(host, start, 0ms);
        EXPECT_GE(table.due(host) - start, 80ms);
        EXPECT_LE(table.due(host) - start, 120ms);
    }
}

// A host that swallows packets costs its share of a dial each time: it is left alone for longer than that.
TEST(WireHosts, OneThatLetsUsWaitIsLeftAloneForLonger) {
    HostTable table([] { return 0.0; });
    table.failed("a:1", start, 1500ms);
    EXPECT_EQ(table.due("a:1") - start, 6s);
    table.failed("b:1", start, 5s);
    EXPECT_EQ(table.due("b:1") - start, 10s);
}

TEST(WireHosts, AttemptsSideBySideAreOneFailure) {
    HostTable table([] { return 0.0; });
    for (int i = 0; i < 10; ++i) table.failed("a:1", start + std::chrono::milliseconds(i), 0ms);
    EXPECT_EQ(table.due("a:1") - start, 100ms);
}

TEST(WireHosts, OfThoseThatBackOffTheFirstDueIsTheFirst) {
    HostTable table([] { return 0.0; });
    table.failed("c:1", start, 0ms);
    table.failed("a:1", start + 10ms, 0ms);
    table.failed("b:1", start + 5ms, 0ms);
    const auto turns = table.turns(abc, start + 20ms);
    EXPECT_EQ(order(table, start + 20ms), (Order{2, 1, 0}));
    EXPECT_EQ(turns[0].not_before, start + 100ms);
    EXPECT_EQ(turns[2].not_before, start + 110ms);
}

// The pool waits between its dials by itself; twice the wait would find a restarted server late.
TEST(WireHosts, ASingleOneIsNeverWaitedFor) {
    HostTable table([] { return 0.0; });
    const std::vector<std::string> one{"a:1"};
    table.failed("a:1", start, 2s);
    EXPECT_EQ(table.turns(one, start).front().not_before, start);
    EXPECT_TRUE(table.turns({}, start).empty());
}

TEST(WireHosts, EachHasItsShareOfTheTime) {
    EXPECT_EQ(share(start, start + 6s, 3), start + 2s);
    EXPECT_EQ(share(start + 2s, start + 6s, 2), start + 4s);
    EXPECT_EQ(share(start + 2s, start + 6s, 1), start + 6s);
    EXPECT_EQ(share(start + 7s, start + 6s, 2), start + 6s);
    EXPECT_EQ(share(start, start + 6s, 0), start + 6s);
}

}  // namespace
}  // namespace leasehold::wire
