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

TEST(Log, ChangesNothingBeforeItIsCommitted) {
    const std::string first = testing::TempDir() + "leasehold_first_" + std::to_string(::getpid());
    const std::string second = testing::TempDir() + "leasehold_second_" + std::to_string(::getpid());
    config::Log settings;
    settings.target = config::LogTarget::file;
    settings.file = first;
    ASSERT_EQ(start_logging(settings), "");
    log_info("one");
    settings.file = second;
    settings.level = LogLevel::debug;
    settings.format = config::LogFormat::json;
    settings.slow_statement = 1500ms;
    settings.slow_wait = 10ms;
    LogChange change(settings);
    ASSERT_EQ(change.problem(), "");
    log_info("two");
    log_debug("unseen");
    EXPECT_EQ(slow_statement(), 0ms);
    change.commit();
    log_debug("three");
    EXPECT_EQ(slow_statement(), 1500ms);
    EXPECT_EQ(slow_wait(), 10ms);
    stop_logging();
    const std::string before = read_all(first), after = read_all(second);
    EXPECT_NE(before.find("event=one"), std::string::npos);
    EXPECT_NE(before.find("event=two"), std::string::npos);
    EXPECT_EQ(before.find("unseen"), std::string::npos);
    EXPECT_NE(after.find(R"("level":"debug","event":"three")"), std::string::npos) << after;
    std::remove(first.c_str());
    std::remove(second.c_str());
    set_log_level(LogLevel::info);
}

TEST(Log, GoesOnWhereItWasWhenANewTargetCannotBeUsed) {
    const std::string path = testing::TempDir() + "leasehold_kept_" + std::to_string(::getpid());
    config::Log settings;
    settings.target = config::LogTarget::file;
    settings.file = path;
    ASSERT_EQ(start_logging(settings), "");
    settings.file = "/proc/no/such/folder/log";
    settings.level = LogLevel::error;
    EXPECT_NE(LogChange(settings).problem().find("/proc/no/such/folder/log"), std::string::npos);
    log_info("still_here");
    stop_logging();
    EXPECT_NE(read_all(path).find("event=still_here"), std::string::npos);
    std::remove(path.c_str());
}

TEST(Log, ShowsTheFirstOfManyAndAllOfThemAtDebug) {
    CapturedLog captured;
    const auto login = [](int session) {
        const LogField fields[] = {{"session", session}};
        log_kin(LogLevel::info, "orders app", "login", fields);
    };
    for (int i = 0; i < 100; ++i) login(i);
    EXPECT_EQ(captured.lines().size(), 20u);
    set_log_level(LogLevel::debug);
    for (int i = 0; i < 100; ++i) login(i);
    EXPECT_EQ(captured.lines().size(), 120u);
}

}  // namespace
}  // namespace leasehold::daemon
