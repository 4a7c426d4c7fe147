// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_folder.hpp"

#include <gtest/gtest.h>

namespace leasehold::daemon {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

LogLine line_of(LogLevel level, std::string event, std::vector<LogLine::Field> fields = {}) {
    LogLine line;
    line.level = level;
    line.event = std::move(event);
    line.fields = std::move(fields);
    return line;
}

class Folding : public testing::Test {
  protected:
    static LogLine refused(std::string address, std::string ms) {
        return line_of(LogLevel::warn, "connect_failed",
                       {{"address", std::move(address), true}, {"ms", std::move(ms), false}});
    }
    Lines take(LogLine line, LogFolder::Time now) { return text(folder.take(std::move(line), now)); }
    Lines due(LogFolder::Time now) { return text(folder.due(now)); }
    static Lines text(const std::vector<LogLine>& lines) {
        Lines result;
        for (const LogLine& line : lines) result.push_back(render_text(line, false));
        return result;
    }
    LogFolder folder;
    LogFolder::Time start{100s};
};

TEST_F(Folding, ShowsTheFirstAtOnceAndCountsTheRest) {
    EXPECT_EQ(take(refused("db", "1"), start), (Lines{"warn event=connect_failed address=db ms=1"}));
    EXPECT_EQ(take(refused("db", "2"), start + 100ms), Lines{});
    EXPECT_EQ(take(refused("db", "3"), start + 999ms), Lines{});
    EXPECT_EQ(due(start + 1s), (Lines{"warn event=connect_failed address=db ms=3 repeated=2"}));
    EXPECT_EQ(due(start + 2s), Lines{});
    EXPECT_EQ(take(refused("db", "4"), start + 3s), (Lines{"warn event=connect_failed address=db ms=4"}));
}

TEST_F(Folding, GoesOnFoldingWhileTheRepeatsGoOnAndSaysSoLessAndLessOften) {
    Lines shown;
    for (int ms = 0; ms < 8000; ms += 100) {
        for (auto& line : take(refused("db", "1"), start + std::chrono::milliseconds(ms))) shown.push_back(line);
    }
    EXPECT_EQ(shown, (Lines{"warn event=connect_failed address=db ms=1",
                            "warn event=connect_failed address=db ms=1 repeated=9",
                            "warn event=connect_failed address=db ms=1 repeated=20",
                            "warn event=connect_failed address=db ms=1 repeated=40"}));
    EXPECT_EQ(due(start + 7999ms), Lines{});
    // A second without one ends it, whatever the window.
    EXPECT_EQ(due(start + 8900ms), (Lines{"warn event=connect_failed address=db ms=1 repeated=10"}));
    EXPECT_EQ(take(refused("db", "1"), start + 9s).size(), 1u);
}

// A server that is away for an hour, noticed a hundred times a second.
TEST_F(Folding, WritesSomeLinesAnHourForWhatNeverEnds) {
    std::size_t lines = 0;
    for (int ms = 0; ms < 3600 * 1000; ms += 10) {
        lines += take(refused("db", "1"), start + std::chrono::milliseconds(ms)).size();
    }
    EXPECT_LE(lines, 70u);
}

TEST_F(Folding, KeepsDifferentTextsApart) {
    EXPECT_EQ(take(refused("db1", "1"), start).size(), 1u);
    EXPECT_EQ(take(refused("db2", "1"), start).size(), 1u);
}

TEST_F(Folding, FoldsLifeCycleLinesOnlyWhenTheyAreEqual) {
    const auto closed = [](std::string pid) {
        return line_of(LogLevel::info, "close", {{"pid", std::move(pid), false}});
    };
    EXPECT_EQ(take(closed("1"), start).size(), 1u);
    EXPECT_EQ(take(closed("2"), start).size(), 1u);
    EXPECT_EQ(take(closed("2"), start).size(), 0u);
}

TEST_F(Folding, GivesUpWhatIsHeldAtTheEnd) {
    (void)take(refused("db", "1"), start);
    (void)take(refused("db", "2"), start);
    EXPECT_EQ(text(folder.all()), (Lines{"warn event=connect_failed address=db ms=2 repeated=1"}));
    EXPECT_EQ(due(start + 5s), Lines{});
}

TEST_F(Folding, HoldsABoundedNumberOfLinesAndLosesNone) {
    std::size_t shown = 0;
    for (int i = 0; i < 100000; ++i) shown += take(refused(std::to_string(i), "1"), start).size();
    EXPECT_EQ(shown, 100000u);
    // What no longer found a place is not folded.
    EXPECT_EQ(take(refused("99999", "1"), start).size(), 1u);
    EXPECT_EQ(take(refused("0", "1"), start).size(), 0u);
}

TEST_F(Folding, FoldsWarningsWhileLifeCycleLinesAreMany) {
    for (int i = 0; i < 100000; ++i)
        (void)take(line_of(LogLevel::info, "close", {{"pid", std::to_string(i), false}}), start);
    EXPECT_EQ(take(refused("db", "1"), start).size(), 1u);
    EXPECT_EQ(take(refused("db", "2"), start).size(), 0u);
}

class Crowds : public Folding {
  protected:
    static LogLine login(std::string kin, int session) {
        LogLine line = line_of(LogLevel::info, "login", {{"session", std::to_string(session), false}});
        line.fold = LogLine::Fold::kin;
        line.kin = std::move(kin);
        return line;
    }
};

TEST_F(Crowds, ShowsTheFirstOfAKinAndCountsTheRestOfTheSecond) {
    Lines shown;
    for (int i = 0; i < 10000; ++i) {
        for (auto& line : take(login("orders app", i), start + std::chrono::microseconds(i))) shown.push_back(line);
    }
    ASSERT_EQ(shown.size(), LogFolder::kin_burst);
    EXPECT_EQ(shown[0], "info event=login session=0");
    EXPECT_EQ(shown.back(), "info event=login session=19");
    EXPECT_EQ(due(start + 1s), (Lines{"info event=login session=9999 repeated=9980"}));
    EXPECT_EQ(due(start + 3s), Lines{});
    EXPECT_EQ(take(login("orders app", 10000), start + 3s), (Lines{"info event=login session=10000"}));
}

TEST_F(Crowds, KeepsKinApart) {
    for (int i = 0; i < 30; ++i) (void)take(login("orders app", i), start);
    EXPECT_EQ(take(login("orders reports", 30), start).size(), 1u);
    EXPECT_EQ(take(login("orders app", 31), start).size(), 0u);
}

// Ten thousand addresses that each fail once a second.
TEST_F(Crowds, WritesABoundedNumberOfLinesForAnyNumberOfKin) {
    std::size_t shown = 0;
    for (int i = 0; i < 100000; ++i) shown += take(login("from " + std::to_string(i), i), start).size();
    EXPECT_LE(shown, LogFolder::event_burst);
    EXPECT_GE(shown, LogFolder::kin_burst);
    std::uint64_t counted = 0;
    const std::vector<LogLine> rest = folder.due(start + 1s);
    EXPECT_LE(rest.size(), 65u);
    for (const LogLine& line : rest) counted += line.repeated;
    EXPECT_EQ(shown + counted, 100000u);
}

TEST_F(Crowds, SaysLessAndLessOftenWhileItGoesOn) {
    std::size_t lines = 0, events = 0;
    std::uint64_t counted = 0;
    for (int i = 0; i < 100000; ++i) {
        for (const LogLine& line : folder.take(login("orders app", i), start + i * 1ms)) {
            ++lines;
            counted += line.repeated;
            events += line.repeated == 0 ? 1 : 0;
        }
    }
    for (const LogLine& line : folder.all()) counted += line.repeated;
    EXPECT_EQ(events + counted, 100000u);
    EXPECT_LE(lines, LogFolder::kin_burst + 8);
}

TEST_F(Crowds, ShowsEachOfThoseThatComeAtAnEverydayPace) {
    std::size_t lines = 0;
    for (int i = 0; i < 600; ++i) lines += take(login("orders app", i), start + i * 100ms).size();
    EXPECT_EQ(lines, 600u);
}

TEST_F(Crowds, LeavesAloneWhatIsNeverFolded) {
    LogLine line = login("orders app", 1);
    line.fold = LogLine::Fold::never;
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(take(line, start).size(), 1u);
}

TEST_F(Crowds, DoesNotTakePlacesFromOtherLines) {
    for (int i = 0; i < 1000; ++i) (void)take(login("from " + std::to_string(i), i), start);
    EXPECT_EQ(take(refused("db", "1"), start).size(), 1u);
    EXPECT_EQ(take(refused("db", "2"), start).size(), 0u);
}

}  // namespace
}  // namespace leasehold::daemon
