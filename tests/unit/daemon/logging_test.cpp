// SPDX-License-Identifier: Apache-2.0
#include "daemon/logging.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace leasehold::daemon {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

LogLine line_of(LogLevel level, std::string event, std::vector<LogLine::Field> fields = {}) {
    LogLine line;
    line.at = std::chrono::system_clock::time_point(1767225600s + 7ms);  // 2026-01-01
    line.level = level;
    line.event = std::move(event);
    line.fields = std::move(fields);
    return line;
}

TEST(LogText, IsOneLineOfKeysAndValues) {
    const auto line = line_of(LogLevel::info, "connect", {{"pool", "orders", true}, {"ms", "3", false}});
    EXPECT_EQ(render_text(line), "2026-01-01T00:00:00.007Z info event=connect pool=orders ms=3");
    EXPECT_EQ(render_text(line, false), "info event=connect pool=orders ms=3");
}

TEST(LogText, QuotesWhatWouldNotReadAsOneValue) {
    const auto value = [](std::string text) {
        const std::string whole = render_text(line_of(LogLevel::warn, "e", {{"k", std::move(text), true}}), false);
        return whole.substr(std::string("warn event=e k=").size());
    };
    EXPECT_EQ(value("plain"), "plain");
    EXPECT_EQ(value("db.internal:5432"), "db.internal:5432");
    EXPECT_EQ(value(""), "\"\"");
    EXPECT_EQ(value("two words"), "\"two words\"");
    EXPECT_EQ(value("a=b"), "\"a=b\"");
    EXPECT_EQ(value("say \"no\""), "\"say \\\"no\\\"\"");
    EXPECT_EQ(value("back\\slash"), "\"back\\\\slash\"");
    EXPECT_EQ(value("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
}

TEST(LogText, LetsNoPeerForgeALineOrReachTheTerminal) {
    const auto value = [](std::string text) {
        return render_text(line_of(LogLevel::warn, "e", {{"k", std::move(text), true}}), false);
    };
    EXPECT_EQ(value("x\n2026 error event=forged"), "warn event=e k=\"x\\n2026 error event=forged\"");
    EXPECT_EQ(value("\r\t\x1b[2J\x7f"), "warn event=e k=\"\\r\\t\\x1b[2J\\x7f\"");
    EXPECT_EQ(value(std::string("a\0b", 3)), "warn event=e k=\"a\\x00b\"");
    EXPECT_EQ(value("\xc2\x9b"
                    "31m"),
              "warn event=e k=\"\\x9b31m\"");                                // CSI as one character
    EXPECT_EQ(value("\xff\xc3"), "warn event=e k=\"\\xff\\xc3\"");           // no UTF-8
    EXPECT_EQ(value("\xc0\xaf"), "warn event=e k=\"\\xc0\\xaf\"");           // overlong
    EXPECT_EQ(value("\xed\xa0\x80"), "warn event=e k=\"\\xed\\xa0\\x80\"");  // half a surrogate pair
}

TEST(LogJson, WritesNumbersBareAndTextEscaped) {
    auto line = line_of(LogLevel::error, "listen_failed",
                        {{"address", "a\"b\\c\n\x01", true}, {"port", "6432", false}, {"tls", "true", false}});
    line.repeated = 2;
    EXPECT_EQ(render_json(line), R"({"time":"2026-01-01T00:00:00.007Z","level":"error","event":"listen_failed",)"
                                 R"("address":"a\"b\\c\n\u0001","port":6432,"tls":true,"repeated":2})");
}

TEST(LogJson, QuotesWhatJsonHasNoNumberFor) {
    const auto line = line_of(LogLevel::info, "e", {{"a", "nan", false}, {"b", "-inf", false}, {"c", "-1.5", false}});
    EXPECT_NE(render_json(line).find(R"("a":"nan","b":"-inf","c":-1.5)"), std::string::npos) << render_json(line);
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

TEST_F(Folding, GoesOnFoldingWhileTheRepeatsGoOn) {
    Lines shown;
    for (int ms = 0; ms < 3000; ms += 100) {
        for (auto& line : take(refused("db", "1"), start + std::chrono::milliseconds(ms))) shown.push_back(line);
    }
    EXPECT_EQ(shown, (Lines{"warn event=connect_failed address=db ms=1",
                            "warn event=connect_failed address=db ms=1 repeated=9",
                            "warn event=connect_failed address=db ms=1 repeated=10"}));
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

TEST(Log, BuildsLinesFromFields) {
    CapturedLog captured;
    const std::string pool = "orders";
    log_info(
        "connect",
        {{"pool", pool}, {"took", 1500ms}, {"port", std::uint16_t{6432}}, {"left", -1}, {"ok", true}, {"share", 0.25}});
    log_warn("alone");
    EXPECT_EQ(captured.lines(), (Lines{"info event=connect pool=orders took=1500 port=6432 left=-1 ok=true share=0.25",
                                       "warn event=alone"}));
}

TEST(Log, CutsValuesThatAPeerMadeLong) {
    CapturedLog captured;
    log_info("e", {{"k", std::string(1000000, 'x')}});
    ASSERT_EQ(captured.lines().size(), 1u);
    EXPECT_LT(captured.lines()[0].size(), 1100u);
    EXPECT_TRUE(captured.lines()[0].ends_with("xxx..."));
}

TEST(Log, DropsWhatIsBelowTheLevel) {
    CapturedLog captured(LogLevel::warn);
    EXPECT_FALSE(log_enabled(LogLevel::info));
    log_info("quiet");
    log_warn("loud");
    set_log_level(LogLevel::debug);
    log_debug("now");
    EXPECT_EQ(captured.lines(), (Lines{"warn event=loud", "debug event=now"}));
}

TEST(Log, FoldsRepeats) {
    CapturedLog captured;
    for (int i = 0; i < 5; ++i) log_warn("pool_timeout", {{"pool", "orders"}, {"waited_ms", i}});
    EXPECT_EQ(captured.lines(), (Lines{"warn event=pool_timeout pool=orders waited_ms=0"}));
}

std::string read_all(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(Log, WritesToAFileAndEmptiesItsQueueWhenStopped) {
    const std::string path = testing::TempDir() + "leasehold_log_" + std::to_string(::getpid());
    config::Log settings;
    settings.target = config::LogTarget::file;
    settings.file = path;
    settings.format = config::LogFormat::json;
    ASSERT_EQ(start_logging(settings), "");
    for (int i = 0; i < 1000; ++i) log_info("n", {{"i", i}});
    log_warn("w", {{"i", 1}});
    log_warn("w", {{"i", 2}});
    stop_logging();
    const std::string text = read_all(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1002);
    EXPECT_NE(text.find(R"("level":"info","event":"n","i":999})"), std::string::npos);
    EXPECT_NE(text.find(R"("event":"w","i":2,"repeated":1})"), std::string::npos);
    std::remove(path.c_str());
}

TEST(Log, SaysWhyAFileCannotBeWritten) {
    config::Log settings;
    settings.target = config::LogTarget::file;
    settings.file = "/proc/no/such/folder/log";
    EXPECT_NE(start_logging(settings), "");
}

TEST(Log, PrefixesPrioritiesForTheJournal) {
    testing::internal::CaptureStderr();
    config::Log settings;
    settings.target = config::LogTarget::journal;
    ASSERT_EQ(start_logging(settings), "");
    log_error("a");
    log_warn("b");
    log_info("c");
    stop_logging();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "<3>error event=a\n<4>warn event=b\n<6>info event=c\n");
}

}  // namespace
}  // namespace leasehold::daemon
