// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_trail.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

bool reported(const void*, std::string_view name) { return name == "timezone"; }

class Trail : public ::testing::Test {
  protected:
    void send(std::uint64_t request, std::string_view sql) {
        auto steps = read_setting_steps(sql, true, &reported, nullptr);
        ASSERT_TRUE(steps);
        trail.send(request, std::move(*steps));
    }
    std::string value() const { return std::string(session.find("x").value_or("-")); }
    Settings session, backend, start, told, stuck;
    SettingTrail trail{session, backend, start, told, stuck};
};

TEST_F(Trail, FollowsTheTagsOfEachRequest) {
    send(3, "SET x = 1; SELECT 1; SET x = 2");
    EXPECT_TRUE(trail.complete(2, "INSERT 0 1"));
    EXPECT_TRUE(trail.complete(3, "SET"));
    EXPECT_EQ(value(), "1");
    EXPECT_TRUE(trail.complete(3, "SELECT 5"));
    EXPECT_TRUE(trail.complete(3, "SET"));
    EXPECT_EQ(value(), "2");
    EXPECT_FALSE(trail.settled());
    trail.ready(3, true, false);
    EXPECT_TRUE(trail.idle());
    EXPECT_EQ(value(), "2");
}

TEST_F(Trail, KeepsWhatWasCommittedBeforeAnError) {
    send(1, "SET x = 1; COMMIT; SET x = 2; SELECT 1");
    EXPECT_TRUE(trail.complete(1, "SET"));
    EXPECT_TRUE(trail.complete(1, "COMMIT"));
    EXPECT_TRUE(trail.complete(1, "SET"));
    trail.failed();
    trail.ready(1, true, true);
    EXPECT_EQ(value(), "1");
}

TEST_F(Trail, SkipsRequestsThatNeverRan) {
    send(1, "SET x = 1");
    send(2, "SET x = 2");
    trail.ready(2, true, true);
    EXPECT_TRUE(trail.idle());
    send(4, "SET x = 3");
    send(5, "SET x = 4");
    EXPECT_TRUE(trail.complete(5, "SET"));
    EXPECT_EQ(value(), "4");
}

TEST_F(Trail, EndsATransactionByTagsThatNobodyRead) {
    send(1, "SET x = 1");
    EXPECT_TRUE(trail.complete(1, "SET"));
    trail.ready(1, false, false);
    EXPECT_TRUE(trail.complete(2, "COMMIT"));
    EXPECT_TRUE(trail.settled());
    trail.ready(2, true, false);
    send(3, "SET x = 2");
    EXPECT_TRUE(trail.complete(3, "SET"));
    trail.ready(3, false, false);
    EXPECT_TRUE(trail.complete(4, "ROLLBACK"));
    EXPECT_EQ(value(), "1");
}

TEST_F(Trail, SaysWhatIsNotAsItWasRead) {
    send(1, "SET x = 1");
    EXPECT_FALSE(trail.complete(1, "SELECT 1"));
    send(2, "SET x = 1");
    EXPECT_TRUE(trail.complete(2, "SET"));
    EXPECT_FALSE(trail.complete(2, "SET"));
}

TEST_F(Trail, ShowsTheClientWhatItBeganWithWhileAnOldServerResets) {
    start.set("TimeZone", "UTC");
    send(1, "RESET TIME ZONE; SET TIME ZONE 'CET'");
    EXPECT_EQ(trail.restored(1, "TimeZone"), "UTC");
    EXPECT_TRUE(trail.complete(1, "RESET"));
    EXPECT_EQ(trail.restored(1, "TimeZone"), std::nullopt);
    EXPECT_TRUE(trail.complete(1, "SET"));
    EXPECT_EQ(trail.restored(1, "TimeZone"), std::nullopt);
    trail.ready(1, true, false);
    EXPECT_TRUE(trail.idle());
}

TEST_F(Trail, TellsItsOwnStatementsApart) {
    start.set("x", "s");
    auto steps = read_setting_steps("RESET x; SELECT 1", true, &reported, nullptr);
    ASSERT_TRUE(steps);
    auto anew = restate("RESET x; SELECT 1", *steps, start);
    ASSERT_TRUE(anew);
    EXPECT_EQ(anew->sql, "RESET x;SET \"x\" TO 's'; SELECT 1");
    trail.send(4, anew->steps, anew->places);
    EXPECT_FALSE(trail.own(4));
    EXPECT_TRUE(trail.complete(4, "RESET"));
    EXPECT_EQ(backend.find("x"), "s");
    EXPECT_TRUE(trail.own(4));
    EXPECT_TRUE(trail.complete(4, "SET"));
    EXPECT_FALSE(trail.own(4));
    ASSERT_NE(trail.places(4), nullptr);
    EXPECT_EQ(trail.places(4)->back(26), 11u) << "behind what was put in";
    EXPECT_EQ(trail.places(5), nullptr);
    EXPECT_TRUE(trail.complete(4, "SELECT 1"));
    EXPECT_FALSE(trail.complete(4, "SET"));
}

TEST_F(Trail, KeepsWhatPrepareTransactionKeeps) {
    send(1, "SET work_mem = 1; PREPARE TRANSACTION 'x'; SELECT 1");
    EXPECT_TRUE(trail.complete(1, "SET"));
    EXPECT_TRUE(trail.complete(1, "PREPARE TRANSACTION"));
    trail.failed();
    trail.ready(1, true, true);
    EXPECT_EQ(session.find("work_mem"), "1");
    EXPECT_EQ(backend.find("work_mem"), "1");
}

}  // namespace
}  // namespace leasehold::postgres
