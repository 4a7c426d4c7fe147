// SPDX-License-Identifier: Apache-2.0
// The thread that writes the log, so that nobody else ever waits for a disk or a journal: a bounded queue in front of
// one sink. When the sink is too slow the oldest lines are dropped and counted, and the log says so.
#pragma once

#include "daemon/log_sink.hpp"

#include <chrono>
#include <memory>

namespace leasehold::daemon {

class LogWriter {
  public:
    static constexpr std::size_t max_lines = 8192;
    static constexpr std::size_t max_bytes = 16u << 20;

    explicit LogWriter(std::unique_ptr<LogSink> sink);
    // finish(), with a little patience.
    ~LogWriter();
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // From every thread; never waits for the sink.
    void push(LogLine line);
    // Writes what is queued and ends the thread. False: the sink did not take it in time. Then the thread is left to
    // itself, and with it what was not written.
    bool finish(std::chrono::milliseconds patience);

  private:
    struct State;
    std::shared_ptr<State> state_;
    bool finished_ = false;
};

}  // namespace leasehold::daemon
