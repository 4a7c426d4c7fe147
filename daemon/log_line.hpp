// SPDX-License-Identifier: Apache-2.0
// One line of the log before it is written, and how it reads as text and as JSON. Pure; log_folder says which lines are
// repeats, log_sink writes.
#pragma once

#include "config/model.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::daemon {

using LogLevel = config::LogLevel;
[[nodiscard]] std::string_view name_of(LogLevel level) noexcept;

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
    std::uint64_t repeated = 0;                                               // shown when not 0
    enum class Fold : std::uint8_t { equal, kin, never } fold = Fold::equal;  // what is a repeat of it
    std::string kin{};
};

// `stamped` is false where the journal keeps time and level itself: "<6>info event=...".
[[nodiscard]] std::string render_text(const LogLine& line, bool stamped = true);
// "event=... pool=...": what the journal shows of a line whose level it has.
[[nodiscard]] std::string render_message(const LogLine& line);
[[nodiscard]] std::string render_json(const LogLine& line);

}  // namespace leasehold::daemon
