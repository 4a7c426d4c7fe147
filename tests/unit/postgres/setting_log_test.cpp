// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_log.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

class Log : public ::testing::Test {
  protected:
    static Assignment to(std::string name, std::string value) {
        return {.name = std::move(name), .value = std::move(value)};
    }
    static Assignment back(std::string name) { return {.reset = true, .name = std::move(name)}; }
    // name=session/backend
    std::string seen(std::string_view name) const {
        const auto show = [name](const Settings& all) { return std::string(all.find(name).value_or("-")); };
        return show(session) + "/" + show(backend);
    }
    Settings session, backend, start, told, stuck;
    SettingLog log{session, backend, start, told, stuck};
};

TEST_F(Log, KeepsWhatIsCommittedAndUndoesTheRest) {
    log.assign(to("x", "1"));
    EXPECT_TRUE(log.pending());
    log.commit();
    EXPECT_FALSE(log.pending());
    log.assign(to("x", "2"));
    log.assign(to("x", "3"));
    log.assign(to("y", "1"));
    log.assign(back("x"));
    EXPECT_EQ(seen("x"), "-/-");
    log.roll_back();
    EXPECT_EQ(seen("x"), "1/1");
    EXPECT_EQ(seen("y"), "-/-");
}

TEST_F(Log, UndoesDownToASavepointThatStays) {
    log.assign(to("x", "1"));
    log.savepoint("a");
    log.assign(to("x", "2"));
    log.savepoint("b");
    log.assign(to("x", "3"));
    log.rollback_to("a");
    EXPECT_EQ(seen("x"), "1/1");
    log.assign(to("x", "4"));
    log.rollback_to("b");  // gone with what was undone: the server has said so
    log.rollback_to("a");
    EXPECT_EQ(seen("x"), "1/1");
    log.commit();
    EXPECT_TRUE(log.idle());
}

TEST_F(Log, FindsTheLatestSavepointOfAName) {
    log.savepoint("a");
    log.assign(to("x", "1"));
    log.savepoint("a");
    log.assign(to("x", "2"));
    log.rollback_to("a");
    EXPECT_EQ(seen("x"), "1/1");
    log.release("a");
    log.rollback_to("a");
    EXPECT_EQ(seen("x"), "-/-");
}

TEST_F(Log, KeepsWhatAReleasedSavepointHas) {
    log.savepoint("a");
    log.assign(to("x", "1"));
    log.savepoint("b");
    log.assign(to("x", "2"));
    log.release("b");
    EXPECT_EQ(seen("x"), "2/2");
    log.release("a");
    log.roll_back();
    EXPECT_EQ(seen("x"), "-/-");
}

TEST_F(Log, GoesBackToWhatTheSessionBeganWith) {
    start.set("x", "s");
    session = backend = start;
    log.assign(to("x", "1"));
    log.assign(back("x"));
    EXPECT_EQ(seen("x"), "s/s") << "the backend is told";
    log.roll_back();
    EXPECT_EQ(seen("x"), "s/s");
}

TEST_F(Log, ResetsAllButWhoTheSessionIs) {
    start.set("x", "s");
    session = backend = start;
    log.assign(to("role", "r"));
    log.assign(to("x", "1"));
    log.assign(to("y", "1"));
    log.commit();
    log.reset_all();
    EXPECT_EQ(seen("x"), "s/s");
    EXPECT_EQ(seen("y"), "-/-");
    EXPECT_EQ(seen("role"), "r/r");
    log.roll_back();
    EXPECT_EQ(seen("x"), "1/1");
    EXPECT_EQ(seen("y"), "1/1");
}

TEST_F(Log, LeavesWhatTheServerReportsToItsReports) {
    told.set("TimeZone", "UTC");
    session.set("TimeZone", "CET");
    log.assign({.reported = true, .name = "TimeZone", .value = "UTC"});
    log.reset_all();
    EXPECT_FALSE(log.pending());
    EXPECT_EQ(seen("TimeZone"), "CET/-");
    log.assign(to("x", "1"));
    log.align();
    EXPECT_EQ(seen("TimeZone"), "CET/CET");
    log.roll_back();
    EXPECT_EQ(seen("x"), "-/-");
    EXPECT_EQ(seen("TimeZone"), "CET/CET");
}

TEST_F(Log, UndoesWhatTheBackendWasGivenBehindASavepoint) {
    session.set("x", "s");
    log.savepoint("a");
    log.align();
    EXPECT_EQ(seen("x"), "s/s");
    log.rollback_to("a");
    EXPECT_EQ(seen("x"), "s/-");
}

TEST_F(Log, KeepsTheNamesOfWhatNoOtherBackendCanBeGiven) {
    const Assignment x{.stuck = true, .name = "x"};
    log.assign(x);
    EXPECT_TRUE(stuck.contains("x"));
    log.savepoint("a");
    log.assign(to("x", "1"));
    EXPECT_FALSE(stuck.contains("x"));
    log.rollback_to("a");
    EXPECT_TRUE(stuck.contains("x"));
    log.assign(back("x"));
    EXPECT_FALSE(stuck.contains("x"));
    log.roll_back();
    EXPECT_FALSE(stuck.contains("x")) << "as before the transaction";
    log.assign(x);
    log.commit();
    log.reset_all();
    EXPECT_TRUE(stuck.empty());
    log.roll_back();
    EXPECT_TRUE(stuck.contains("x"));
}

TEST_F(Log, IsFullAtItsLimits) {
    for (std::size_t i = 0; i < SettingLog::most_savepoints; ++i) log.savepoint("a");
    EXPECT_FALSE(log.full());
    log.savepoint("a");
    EXPECT_TRUE(log.full());
    SettingLog other(session, backend, start, told, stuck);
    for (std::size_t i = 0; i <= SettingLog::most_changes; ++i) other.assign(to("a.b" + std::to_string(i), "1"));
    EXPECT_TRUE(other.full());
    other.roll_back();
    EXPECT_TRUE(session.empty());
}

}  // namespace
}  // namespace leasehold::postgres
