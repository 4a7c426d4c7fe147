// SPDX-License-Identifier: Apache-2.0
// The daemon's log: one line per event, `key=value` or JSON, to stderr or a file, written by a thread of its own so
// that no worker ever waits for a disk. Only logging.cpp knows which library writes.
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

    [[nodiscard]] bool is_text() const noexcept {
        return !literal_ && std::holds_alternative<std::string_view>(value_);
    }
    [[nodiscard]] std::string plain() const;  // neither quoted nor escaped, cut to a bounded length

  private:
    std::variant<std::string_view, std::int64_t, std::uint64_t, double> value_;
    bool literal_ = false;  // text that JSON writes without quotes
};

struct LogField {
    std::string_view key;
    LogValue value;
};
using LogFields = std::span<const LogField>;

void log(LogLevel level, std::string_view event, LogFields fields);
[[nodiscard]] bool log_enabled(LogLevel level) noexcept;

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

// Before it, lines go to stderr as text at info. Returns what is wrong with the target (an unwritable file), empty if
// nothing is; the log then stays as it was.
[[nodiscard]] std::string start_logging(const config::Log& settings);
// Writes what is still held back and waits for the writer. Lines logged later go to stderr directly.
void stop_logging();
void set_log_level(LogLevel level) noexcept;
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
