// SPDX-License-Identifier: Apache-2.0
// The daemon's log: one line per event, `key=value` or JSON, to the journal, stderr or a file, written by a thread of
// its own so that no worker ever waits for a disk.
//
//     log_info("connect", {{"pool", name}, {"address", address}, {"ms", took}});
//     2026-01-01T00:00:00.000Z info event=connect pool=orders address=db.internal:5432 ms=3
//
// error: an operator must act. warn: degraded. info: life cycle. debug: per checkout. trace: per message.
// No SQL text and no secret at info or above. Every function may be called on any thread.
#pragma once

#include "daemon/log_line.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace leasehold::daemon {

class LogWriter;

// A field's value: text (valid during the call), a number, or a duration, which is shown in milliseconds.
class LogValue {
  public:
    LogValue(std::string_view text) : value_(text) {}                      // NOLINT(google-explicit-constructor)
    LogValue(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
    LogValue(const char* text) : value_(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
    LogValue(bool truth) : value_(std::string_view(truth ? "true" : "false")), literal_(true) {}  // NOLINT
    template <std::signed_integral T>
    LogValue(T number) : value_(static_cast<std::int64_t>(number)) {}  // NOLINT(google-explicit-constructor)
    template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>) LogValue(T number)
        : value_(static_cast<std::uint64_t>(number)) {}  // NOLINT(google-explicit-constructor)
    LogValue(double number) : value_(number) {}          // NOLINT(google-explicit-constructor)
    template <class Rep, class Period>
    LogValue(std::chrono::duration<Rep, Period> took)  // NOLINT(google-explicit-constructor)
        : value_(static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count())) {}

    // Text that is not cut to 1,024 bytes, because it was cut already.
    [[nodiscard]] static LogValue whole(std::string_view text);

    [[nodiscard]] bool is_text() const noexcept {
        return !literal_ && std::holds_alternative<std::string_view>(value_);
    }
    [[nodiscard]] std::string plain() const;  // neither quoted nor escaped, cut to a bounded length

  private:
    std::variant<std::string_view, std::int64_t, std::uint64_t, double> value_;
    bool literal_ = false;  // text that JSON writes without quotes
    std::size_t limit_ = 1024;
};

struct LogField {
    std::string_view key;
    LogValue value;
};
using LogFields = std::span<const LogField>;

void log(LogLevel level, std::string_view event, LogFields fields);
[[nodiscard]] bool log_enabled(LogLevel level) noexcept;
// For lines that come in numbers and never twice the same, because each has its session's id: of one event and kin (the
// pool and the user, say) the first twenty of a second are written, of one event at most a hundred; the rest are counted,
// `repeated=n`. At level debug each is written.
void log_kin(LogLevel level, std::string_view kin, std::string_view event, LogFields fields);
// Never folded.
void log_each(LogLevel level, std::string_view event, LogFields fields);

inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::error, event, {fields.begin(), fields.size()});
}
inline void log_warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::warn, event, {fields.begin(), fields.size()});
}
inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::info, event, {fields.begin(), fields.size()});
}
inline void log_debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    if (log_enabled(LogLevel::debug)) log(LogLevel::debug, event, {fields.begin(), fields.size()});
}

// A change of level, format, target and thresholds at run time, in two steps: what may fail is done when it is made, and
// nothing counts before commit(). Dropped without it, nothing has changed.
class LogChange {
  public:
    explicit LogChange(const config::Log& settings);
    LogChange(LogChange&&) noexcept;
    LogChange& operator=(LogChange&&) = delete;
    ~LogChange();
    // Why the target cannot be used, for people; empty: it can.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    // To be called once, after the new configuration was published. Waits (2 s at most) until the old target has what
    // was logged before.
    void commit();

  private:
    config::Log settings_;
    std::string problem_;
    std::unique_ptr<LogWriter> writer_;
};

// Both steps at once; returns the problem. Before it, lines go to stderr as text at info.
[[nodiscard]] std::string start_logging(const config::Log& settings);
// Writes what is still held back and waits for the writer. Lines logged later go to stderr directly.
void stop_logging();
void set_log_level(LogLevel level) noexcept;
// log.slow_statement and log.slow_wait as they are now; zero: nothing is slow.
[[nodiscard]] std::chrono::milliseconds slow_statement() noexcept;
[[nodiscard]] std::chrono::milliseconds slow_wait() noexcept;
// Writes the counts of repeats whose second is over; called about once a second.
void tick_logging();

// Redirects the log of a test; at most one at a time.
class CapturedLog {
  public:
    explicit CapturedLog(LogLevel level = LogLevel::info);
    ~CapturedLog();
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;
    // "info event=connect pool=orders": without the time.
    [[nodiscard]] std::vector<std::string> lines() const;

    struct State;

  private:
    std::shared_ptr<State> state_;
    LogLevel before_;
};

}  // namespace leasehold::daemon
