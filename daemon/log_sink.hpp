// SPDX-License-Identifier: Apache-2.0
// Where the log's lines go: stderr, a file that may be rotated, or systemd's journal. Opened on any thread, used on the
// writer's alone (log_writer), which may wait here as long as the target does. No policy: what is written was decided
// before.
#pragma once

#include "daemon/log_line.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace leasehold::daemon {

class LogSink {
  public:
    LogSink() = default;
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;
    virtual ~LogSink() = default;
    struct Written {
        std::string problem{};  // for people; empty: all is well
        std::size_t lost = 0;   // lines that could not be written
    };
    [[nodiscard]] virtual Written write(std::span<const LogLine> lines) = 0;
};

struct OpenedLog {
    std::unique_ptr<LogSink> sink;  // null: `problem` says why
    std::string problem;
};
// `automatic` is the journal when stderr (or stdout) is connected to it, and stderr otherwise.
[[nodiscard]] OpenedLog open_log(const config::Log& settings);

// The line as `settings` want it written to a stream.
enum class LogForm : std::uint8_t { text, json, prefixed };  // prefixed: "<6>info ...", as sd-daemon(3) has it
[[nodiscard]] std::string render(const LogLine& line, LogForm form);
[[nodiscard]] LogForm stderr_form(const config::Log& settings) noexcept;

// The journal's fields of a line: "MESSAGE=...", "PRIORITY=6", "LEASEHOLD_POOL=orders". Values are as they are, new lines
// and all.
[[nodiscard]] std::vector<std::string> journal_fields(const LogLine& line, bool json);

// Where the journal takes entries, by systemd.journal-fields(7).
inline constexpr const char* journal_socket = "/run/systemd/journal/socket";

}  // namespace leasehold::daemon
