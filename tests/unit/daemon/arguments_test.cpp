// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/arguments.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;

std::vector<Token> words(std::string_view text) { return tokens(text).value(); }

template <class T>
std::string problem(const Read<T>& read) {
    return read.error ? read.error->error->sqlstate + " " + read.error->error->message : "none";
}

struct Case {
    std::string_view text;
    std::string pool;
    std::optional<std::chrono::milliseconds> limit;
};

TEST(Arguments, PauseTakesAPoolALimitOrBoth) {
    const std::vector<Case> cases{
        {"", "", std::nullopt},
        {"orders", "orders", std::nullopt},
        {"Orders", "Orders", std::nullopt},
        {"\"my-pool\"", "my-pool", std::nullopt},
        {"`my-pool`", "my-pool", std::nullopt},
        {"orders 30s", "orders", 30s},
        {"orders 0", "orders", 0ms},
        {"orders 0.25", "orders", 250ms},
        {"orders '1h'", "orders", 1h},
        {"orders timeout 250ms", "orders", 250ms},
        {"TIMEOUT 5m", "", 5min},
        {"timeout", "timeout", std::nullopt},
        {"\"timeout\" 30s", "timeout", 30s},
        {"30s", "30s", std::nullopt},
    };
    for (const Case& one : cases) {
        const Read<Limited> read = read_limited("PAUSE", words(one.text));
        EXPECT_EQ(problem(read), "none") << one.text;
        EXPECT_EQ(read.value.pool, one.pool) << one.text;
        EXPECT_EQ(read.value.limit, one.limit) << one.text;
    }
}

TEST(Arguments, WhatIsNoPoolAndNoLimitIsASyntaxErrorThatSaysWhatToWrite) {
    for (const char* text : {"orders -1", "orders 30 s x", "orders soon", "TIMEOUT soon", "orders TIMEOUT", "my-pool",
                             "orders 99999999999999999999h", "-", "\"\"", "a.b", "orders 1s 2s"}) {
        const Read<Limited> read = read_limited("PAUSE", words(text));
        ASSERT_TRUE(read.error) << text;
        EXPECT_TRUE(problem(read).starts_with("42601 ")) << text;
        EXPECT_NE(read.error->error->number, 0) << text;
        EXPECT_FALSE(read.error->error->hint.empty()) << text;
    }
    EXPECT_NE(problem(read_limited("PAUSE", words("my-pool"))).find("PAUSE \"my-pool\""), std::string::npos);
}

TEST(Arguments, AMillionSignsMakeAShortMessage) {
    const std::string name(1'000'000, 'x');
    EXPECT_LT(problem(read_limited("PAUSE", words("orders " + name))).size(), 400u);
    EXPECT_LT(problem(read_pool("KILL", words("a b " + name), Needs::pool)).size(), 400u);
    EXPECT_LT(problem(read_session("KILL_CLIENT", words(name))).size(), 400u);
    EXPECT_LT(problem(read_shutdown(words(name))).size(), 400u);
}

TEST(Arguments, APoolIsOneNameAndMayBeRequired) {
    EXPECT_EQ(read_pool("KILL", words("orders"), Needs::pool).value, "orders");
    EXPECT_EQ(read_pool("RESUME", words(""), Needs::nothing).value, "");
    EXPECT_EQ(problem(read_pool("RESUME", words(""), Needs::nothing)), "none");
    EXPECT_EQ(problem(read_pool("DISABLE", words(""), Needs::pool)),
              "42601 DISABLE wants a pool's name; SHOW POOLS lists them");
    EXPECT_NE(problem(read_pool("KILL", words("a b"), Needs::nothing)), "none");
}

TEST(Arguments, ASessionIsAWholeNumberAboveNought) {
    EXPECT_EQ(read_session("KILL_CLIENT", words("17")).value, 17u);
    EXPECT_EQ(read_session("KILL_CLIENT", words("'17'")).value, 17u);
    EXPECT_EQ(read_session("KILL_CLIENT", words("18446744073709551615")).value, UINT64_MAX);
    for (const char* text : {"", "0", "-1", "1.5", "17 18", "abc", "18446744073709551616", "0x11"}) {
        EXPECT_TRUE(problem(read_session("KILL_CLIENT", words(text))).starts_with("42601 ")) << text;
    }
}

TEST(Arguments, ShutdownKnowsItsWaysInAnyCase) {
    EXPECT_EQ(read_shutdown({}).value, Shutdown::drain);
    EXPECT_EQ(read_shutdown(words("now")).value, Shutdown::now);
    EXPECT_EQ(read_shutdown(words("Wait_For_Servers")).value, Shutdown::wait_for_servers);
    EXPECT_EQ(read_shutdown(words("WAIT_FOR_CLIENTS")).value, Shutdown::wait_for_clients);
    for (const char* text : {"soon", "NOW NOW", "\"NOW\"", "5"}) {
        EXPECT_TRUE(problem(read_shutdown(words(text))).starts_with("42601 ")) << text;
    }
}

TEST(Arguments, NothingMeansNothing) {
    EXPECT_FALSE(read_nothing("RELOAD", {}));
    EXPECT_TRUE(read_nothing("RELOAD", words("all")));
}

}  // namespace
}  // namespace leasehold::daemon::admin
