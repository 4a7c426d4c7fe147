// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_sink.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace leasehold::daemon {
namespace {

std::string read_all(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

LogLine line_of(std::string event, LogLevel level = LogLevel::info, std::vector<LogLine::Field> fields = {}) {
    LogLine line;
    line.event = std::move(event);
    line.level = level;
    line.fields = std::move(fields);
    return line;
}

class LogFile : public testing::Test {
  protected:
    LogFile() {
        settings.target = config::LogTarget::file;
        settings.file = testing::TempDir() + "leasehold_sink_" + std::to_string(::getpid());
        moved = settings.file + ".1";
    }
    ~LogFile() override {
        std::remove(settings.file.c_str());
        std::remove(moved.c_str());
    }
    static bool write(LogSink& sink, std::string event) {
        const LogLine line = line_of(std::move(event));
        return sink.write({&line, 1}).problem.empty();
    }
    config::Log settings;
    std::string moved;
};

TEST_F(LogFile, IsAppendedToAndReadableByItsGroupOnly) {
    std::ofstream(settings.file) << "before\n";
    const OpenedLog log = open_log(settings);
    ASSERT_TRUE(log.sink) << log.problem;
    EXPECT_TRUE(write(*log.sink, "one"));
    const std::string text = read_all(settings.file);
    EXPECT_TRUE(text.starts_with("before\n")) << text;
    EXPECT_TRUE(text.ends_with("Z info event=one\n")) << text;
    std::remove(settings.file.c_str());
    const OpenedLog fresh = open_log(settings);
    struct stat status {};
    ASSERT_EQ(::stat(settings.file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0137u, 0u);
}

TEST_F(LogFile, IsBegunAnewWhenItWasMovedOrRemoved) {
    const OpenedLog log = open_log(settings);
    EXPECT_TRUE(write(*log.sink, "one"));
    ASSERT_EQ(std::rename(settings.file.c_str(), moved.c_str()), 0);
    EXPECT_TRUE(write(*log.sink, "two"));
    EXPECT_TRUE(write(*log.sink, "three"));
    EXPECT_NE(read_all(moved).find("event=one"), std::string::npos);
    EXPECT_EQ(read_all(moved).find("event=two"), std::string::npos);
    EXPECT_NE(read_all(settings.file).find("event=three"), std::string::npos);
    std::remove(settings.file.c_str());
    EXPECT_TRUE(write(*log.sink, "four"));
    EXPECT_NE(read_all(settings.file).find("event=four"), std::string::npos);
    // logrotate's `create` makes the new one itself.
    std::remove(settings.file.c_str());
    std::ofstream(settings.file).close();
    EXPECT_TRUE(write(*log.sink, "five"));
    EXPECT_NE(read_all(settings.file).find("event=five"), std::string::npos);
}

TEST_F(LogFile, IsWrittenOnWhenItCannotBeBegunAnew) {
    const std::string folder = settings.file + "_folder";
    std::filesystem::create_directory(folder);
    settings.file = folder + "/log";
    const OpenedLog log = open_log(settings);
    EXPECT_TRUE(write(*log.sink, "one"));
    ASSERT_EQ(std::rename(settings.file.c_str(), moved.c_str()), 0);
    std::filesystem::remove(folder);
    const LogLine line = line_of("two");
    const LogSink::Written written = log.sink->write({&line, 1});
    EXPECT_EQ(written.lost, 0u);
    EXPECT_NE(written.problem.find("No such file or directory"), std::string::npos) << written.problem;
    EXPECT_NE(read_all(moved).find("event=two"), std::string::npos);
}

TEST(LogSink, SaysWhatIsWrongWithAFileAndWhatToDo) {
    config::Log settings;
    settings.target = config::LogTarget::file;
    settings.file = "/proc/no/such/folder/log";
    const OpenedLog log = open_log(settings);
    EXPECT_FALSE(log.sink);
    EXPECT_TRUE(log.problem.starts_with("cannot write the log to /proc/no/such/folder/log: No such file or directory"))
        << log.problem;
}

TEST(LogSink, WaitsForNoReaderOfAPipe) {
    const std::string path = testing::TempDir() + "leasehold_fifo_" + std::to_string(::getpid());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    config::Log settings;
    settings.target = config::LogTarget::file;
    settings.file = path;
    EXPECT_NE(open_log(settings).problem, "");
    std::remove(path.c_str());
}

TEST(LogSink, NamesWhatIsMissingWhenThereIsNoJournal) {
    if (std::filesystem::exists(journal_socket)) GTEST_SKIP() << "there is a journal here";
    config::Log settings;
    settings.target = config::LogTarget::journal;
    const OpenedLog log = open_log(settings);
    EXPECT_FALSE(log.sink);
    EXPECT_NE(log.problem.find(journal_socket), std::string::npos) << log.problem;
    EXPECT_NE(log.problem.find("target: stderr"), std::string::npos) << log.problem;
}

// Where the journal reads stderr but its socket cannot be reached, its prefixes tell the levels.
TEST(LogSink, PrefixesLevelsWhenTheJournalReadsStderr) {
    struct stat status {};
    ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
    const std::string stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
    config::Log settings;
    EXPECT_EQ(stderr_form(settings), LogForm::text);
    ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
    EXPECT_EQ(stderr_form(settings), LogForm::prefixed);
    settings.format = config::LogFormat::json;
    EXPECT_EQ(stderr_form(settings), LogForm::json);
    settings.format = config::LogFormat::text;
    ::setenv("JOURNAL_STREAM", "1:2", 1);  // inherited from a parent whose stderr it was
    EXPECT_EQ(stderr_form(settings), LogForm::text);
    ::unsetenv("JOURNAL_STREAM");
    EXPECT_EQ(render(line_of("a", LogLevel::error), LogForm::prefixed), "<3>error event=a");
    EXPECT_EQ(render(line_of("b", LogLevel::warn), LogForm::prefixed), "<4>warn event=b");
    EXPECT_EQ(render(line_of("c"), LogForm::prefixed), "<6>info event=c");
}

TEST(LogSink, GivesTheJournalEachFieldAsItIs) {
    LogLine line = line_of("login", LogLevel::warn,
                           {{"pool", "orders", true}, {"ms", "3", false}, {"what-not", "a\nMESSAGE=forged\0", true}});
    line.repeated = 7;
    EXPECT_EQ(journal_fields(line, false),
              (std::vector<std::string>{
                  "MESSAGE=event=login pool=orders ms=3 what-not=\"a\\nMESSAGE=forged\" repeated=7", "PRIORITY=4",
                  "SYSLOG_IDENTIFIER=leasehold", "LEASEHOLD_EVENT=login", "LEASEHOLD_POOL=orders", "LEASEHOLD_MS=3",
                  "LEASEHOLD_WHAT_NOT=a\nMESSAGE=forged", "LEASEHOLD_REPEATED=7"}));
    EXPECT_TRUE(journal_fields(line, true)[0].starts_with(R"(MESSAGE={"time":)"));
    const LogLine odd = line_of("e", LogLevel::info, {{std::string(200, 'k'), "v", true}});
    EXPECT_EQ(journal_fields(odd, false).back().find('='), 64u);
}

}  // namespace
}  // namespace leasehold::daemon
