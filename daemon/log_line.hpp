// SPDX-License-Identifier: Apache-2.0
// One line of the log before it is written: how it reads as text and as JSON, and when it is a repeat. Pure; writing is
// daemon/logging.
#pragma once

#include "config/model.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace leasehold::daemon {

using LogLevel = config::LogLevel;

struct LogLine {
    std::chrono::system_clock::time_point at{};
    LogLevel level = LogLevel::info;
    std::string event;
    struct Field {
        std::string key;
        std::string value;
        bool text = true;
    };
    std::vector<Field> fields;
    std::uint64_t repeated = 0;  // shown when not 0
};

// `stamped` is false where the journal keeps time and level itself: "<6>info event=...".
[[nodiscard]] std::string render_text(const LogLine& line, bool stamped = true);
[[nodiscard]] std::string render_json(const LogLine& line);

// Folds repeats: the first line is shown at once, equal ones within the next second are counted, and the last of them
// is shown with `repeated=n` when the second is over. A warning or error is equal to one of the same event and texts,
// whatever its numbers; other lines only if all is equal. Not thread-safe.
class LogFolder {
  public:
    using Time = std::chrono::steady_clock::time_point;
    // The lines to be written now, in order.
    [[nodiscard]] std::vector<LogLine> take(LogLine line, Time now);
    [[nodiscard]] std::vector<LogLine> due(Time now);
    [[nodiscard]] std::vector<LogLine> all();

  private:
    struct Held {
        Time since{};
        LogLine last;
    };
    std::unordered_map<std::string, Held> held_;
    Time next_scan_{};
};

}  // namespace leasehold::daemon
