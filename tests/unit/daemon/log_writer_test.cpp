// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_writer.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace leasehold::daemon {
namespace {

using namespace std::chrono_literals;

LogLine numbered(std::size_t number, std::size_t bytes = 0) {
    LogLine line;
    line.event = "n";
    line.fields.push_back({"i", std::to_string(number), false});
    if (bytes > 0) line.fields.push_back({"text", std::string(bytes, 'x'), true});
    return line;
}

// A target that takes nothing until it is let go, like a journal that hangs or a disk that is gone.
struct Target {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = true;
    bool failing = false;
    bool waiting = false;
    int refused = 0;
    std::vector<std::string> lines;

    void set_open(bool now) {
        const std::lock_guard lock(mutex);
        open = now;
        changed.notify_all();
    }
    void set_failing(bool now) {
        const std::lock_guard lock(mutex);
        failing = now;
    }
    bool await(auto done) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, 20s, done);
    }
};

class Sink final : public LogSink {
  public:
    explicit Sink(std::shared_ptr<Target> target) : target_(std::move(target)) {}
    Written write(std::span<const LogLine> lines) override {
        std::unique_lock lock(target_->mutex);
        target_->waiting = true;
        target_->changed.notify_all();
        target_->changed.wait(lock, [this] { return target_->open; });
        target_->waiting = false;
        if (target_->failing) {
            ++target_->refused;
            target_->changed.notify_all();
            return {"no space left", lines.size()};
        }
        for (const LogLine& line : lines) target_->lines.push_back(render_text(line, false));
        target_->changed.notify_all();
        return {};
    }

  private:
    std::shared_ptr<Target> target_;
};

TEST(LogWriter, WritesAllInOrderBeforeItEnds) {
    const auto target = std::make_shared<Target>();
    LogWriter writer(std::make_unique<Sink>(target));
    for (std::size_t i = 0; i < 5000; ++i) writer.push(numbered(i));
    EXPECT_TRUE(writer.finish(20s));
    ASSERT_EQ(target->lines.size(), 5000u);
    EXPECT_EQ(target->lines.front(), "info event=n i=0");
    EXPECT_EQ(target->lines.back(), "info event=n i=4999");
}

TEST(LogWriter, DropsTheOldestCountsThemAndSaysSoWhileTheTargetHangs) {
    const auto target = std::make_shared<Target>();
    target->open = false;
    LogWriter writer(std::make_unique<Sink>(target));
    writer.push(numbered(0));
    ASSERT_TRUE(target->await([&] { return target->waiting; }));
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t i = 1; i <= 100000; ++i) writer.push(numbered(i));
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);  // nobody waits for the target
    target->set_open(true);
    EXPECT_TRUE(writer.finish(20s));
    ASSERT_EQ(target->lines.size(), LogWriter::max_lines + 2);
    EXPECT_EQ(target->lines[1], "warn event=log_overrun dropped=" + std::to_string(100000 - LogWriter::max_lines) +
                                    " reason=\"the log's target is too slow; the oldest lines were dropped\"");
    EXPECT_EQ(target->lines.back(), "info event=n i=100000");
}

TEST(LogWriter, KeepsAPiledUpQueueSmallInBytesToo) {
    const auto target = std::make_shared<Target>();
    target->open = false;
    LogWriter writer(std::make_unique<Sink>(target));
    writer.push(numbered(0));
    ASSERT_TRUE(target->await([&] { return target->waiting; }));
    for (std::size_t i = 0; i < 1000; ++i) writer.push(numbered(i, 100000));
    target->set_open(true);
    EXPECT_TRUE(writer.finish(20s));
    EXPECT_LT(target->lines.size(), LogWriter::max_bytes / 100000 + 3);
    EXPECT_GT(target->lines.size(), 100u);
}

TEST(LogWriter, GivesUpOnATargetThatHangsAtTheEnd) {
    const auto target = std::make_shared<Target>();
    target->open = false;
    {
        LogWriter writer(std::make_unique<Sink>(target));
        writer.push(numbered(0));
        EXPECT_FALSE(writer.finish(50ms));
    }
    target->set_open(true);  // its thread ends by itself
    EXPECT_TRUE(target->await([&] { return !target->lines.empty(); }));
}

TEST(LogWriter, CountsWhatItsTargetRefused) {
    const auto target = std::make_shared<Target>();
    target->failing = true;
    LogWriter writer(std::make_unique<Sink>(target));
    testing::internal::CaptureStderr();
    writer.push(numbered(0));
    ASSERT_TRUE(target->await([&] { return target->refused > 0; }));
    target->set_failing(false);
    writer.push(numbered(1));
    EXPECT_TRUE(writer.finish(20s));
    const std::string complaint = testing::internal::GetCapturedStderr();
    EXPECT_EQ(target->lines, (std::vector<std::string>{
                                 "info event=n i=1",
                                 "warn event=log_lost lines=1 reason=\"the log could not be written for a while\""}));
    EXPECT_NE(complaint.find("warn event=log_trouble reason=\"no space left\""), std::string::npos) << complaint;
}

}  // namespace
}  // namespace leasehold::daemon
