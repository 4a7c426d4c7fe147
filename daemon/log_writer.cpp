// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_writer.hpp"

#include <pthread.h>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace leasehold::daemon {
namespace {

constexpr std::chrono::seconds usual_patience{2};

std::size_t size_of(const LogLine& line) noexcept {
    std::size_t size = sizeof line + line.event.size();
    for (const LogLine::Field& field : line.fields) size += sizeof field + field.key.size() + field.value.size();
    return size;
}

LogLine own_line(std::string event) {
    LogLine line;
    line.at = std::chrono::system_clock::now();
    line.level = LogLevel::warn;
    line.event = std::move(event);
    return line;
}

}  // namespace

struct LogWriter::State {
    explicit State(std::unique_ptr<LogSink> to) : sink(std::move(to)) {}

    std::mutex mutex;  // all but the sink and what run() keeps to itself
    std::condition_variable wake, over;
    std::deque<LogLine> lines;
    std::size_t bytes = 0;
    std::uint64_t dropped = 0;  // since the last batch
    bool ending = false;
    bool ended = false;
    const std::unique_ptr<LogSink> sink;  // the thread's

    void run();
    void write(const std::vector<LogLine>& batch);

  private:
    std::uint64_t lost_ = 0;  // lines that the sink refused
    std::string problem_;     // its last
};

void LogWriter::State::run() {
    std::unique_lock lock(mutex);
    for (;;) {
        wake.wait(lock, [this] { return !lines.empty() || ending; });
        if (lines.empty()) break;
        std::vector<LogLine> batch;
        batch.reserve(lines.size() + 1);
        if (const std::uint64_t missed = std::exchange(dropped, 0); missed > 0) {
            LogLine line = own_line("log_overrun");
            line.fields.push_back({"dropped", std::to_string(missed), false});
            line.fields.push_back({"reason", "the log's target is too slow; the oldest lines were dropped", true});
            batch.push_back(std::move(line));
        }
        for (LogLine& line : lines) batch.push_back(std::move(line));
        lines.clear();
        bytes = 0;
        lock.unlock();
        write(batch);
        lock.lock();
    }
    ended = true;
    over.notify_all();
}

void LogWriter::State::write(const std::vector<LogLine>& batch) {
    LogSink::Written written = sink->write(batch);
    lost_ += written.lost;
    if (written.problem != problem_) {
        problem_ = std::move(written.problem);
        if (!problem_.empty()) {  // once, where somebody may look
            LogLine line = own_line("log_trouble");
            line.fields.push_back({"reason", problem_, true});
            std::fputs((render(line, LogForm::text) + '\n').c_str(), stderr);
            if (written.lost == 0) (void)sink->write({&line, 1});
        }
    }
    if (lost_ == 0 || written.lost > 0) return;
    LogLine line = own_line("log_lost");
    line.fields.push_back({"lines", std::to_string(lost_), false});
    line.fields.push_back({"reason", "the log could not be written for a while", true});
    lost_ = sink->write({&line, 1}).lost > 0 ? lost_ + 1 : 0;
}

LogWriter::LogWriter(std::unique_ptr<LogSink> sink) : state_(std::make_shared<State>(std::move(sink))) {
    // Signals are for the threads that wait for them.
    sigset_t all{}, before{};
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread writer([state = state_] {
        ::pthread_setname_np(::pthread_self(), "log");
        state->run();
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    writer.detach();  // finish() waits for it, but not for ever
}

LogWriter::~LogWriter() { (void)finish(usual_patience); }

void LogWriter::push(LogLine line) {
    const std::size_t size = size_of(line);
    bool first = false;
    {
        const std::lock_guard lock(state_->mutex);
        while (!state_->lines.empty() && (state_->lines.size() >= max_lines || state_->bytes + size > max_bytes)) {
            state_->bytes -= size_of(state_->lines.front());
            state_->lines.pop_front();
            ++state_->dropped;
        }
        first = state_->lines.empty();
        state_->lines.push_back(std::move(line));
        state_->bytes += size;
    }
    if (first) state_->wake.notify_one();
}

bool LogWriter::finish(std::chrono::milliseconds patience) {
    if (std::exchange(finished_, true)) return true;
    std::unique_lock lock(state_->mutex);
    state_->ending = true;
    state_->wake.notify_one();
    return state_->over.wait_for(lock, patience, [this] { return state_->ended; });
}

}  // namespace leasehold::daemon
