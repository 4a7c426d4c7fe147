// SPDX-License-Identifier: Apache-2.0
// The process's one log: what is below its level is nothing, repeats are folded, the rest goes to the writer.
#include "daemon/logging.hpp"

#include "daemon/admin/events.hpp"
#include "daemon/log_folder.hpp"
#include "daemon/log_writer.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <utility>

namespace leasehold::daemon {
namespace {

constexpr std::chrono::seconds patience{2};  // with a target that takes nothing

struct Log {
    std::atomic<LogLevel> level{LogLevel::info};
    std::atomic<std::int64_t> slow_statement_ms{0}, slow_wait_ms{0};
    std::mutex mutex;  // all below
    LogForm direct = LogForm::text;
    std::unique_ptr<LogWriter> writer;  // null: stderr, directly
    LogFolder folder;
    std::shared_ptr<CapturedLog::State> capture;
};

// Never destroyed: threads may log until the process is gone.
Log& the_log() {
    static Log& instance = *new Log;
    return instance;
}

}  // namespace

struct CapturedLog::State {
    mutable std::mutex mutex;
    std::vector<std::string> lines;
};

namespace {

// With the log's mutex held.
void write(Log& log_state, std::vector<LogLine> lines) {
    for (LogLine& line : lines) {
        admin::event_records().add(line);
        if (log_state.capture) {
            const std::lock_guard lock(log_state.capture->mutex);
            log_state.capture->lines.push_back(render_text(line, false));
        } else if (log_state.writer) {
            log_state.writer->push(std::move(line));
        } else {
            const std::string text = render(line, log_state.direct) + '\n';
            std::fwrite(text.data(), 1, text.size(), stderr);
        }
    }
}

}  // namespace

std::string LogValue::plain() const {
    std::string text;
    if (const auto* view = std::get_if<std::string_view>(&value_)) {
        text = view->substr(0, limit_);
        if (view->size() > limit_) text += "...";
    } else if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
        text = std::to_string(*whole);
    } else if (const auto* natural = std::get_if<std::uint64_t>(&value_)) {
        text = std::to_string(*natural);
    } else {
        std::array<char, 32> digits{};
        std::snprintf(digits.data(), digits.size(), "%.6g", std::get<double>(value_));
        text = digits.data();
    }
    return text;
}

LogValue LogValue::whole(std::string_view text) {
    LogValue value(text);
    value.limit_ = std::string_view::npos;
    return value;
}

namespace {

void log_line(LogLevel level, std::string_view event, LogFields fields, LogLine::Fold fold, std::string_view kin) {
    if (!log_enabled(level)) return;
    LogLine line;
    line.at = std::chrono::system_clock::now();
    line.level = level;
    line.event = event;
    line.fold = fold;
    line.kin = kin;
    line.fields.reserve(fields.size());
    for (const LogField& field : fields) {
        line.fields.push_back({std::string(field.key), field.value.plain(), field.value.is_text()});
    }
    Log& log_state = the_log();
    const std::lock_guard lock(log_state.mutex);
    write(log_state, log_state.folder.take(std::move(line), std::chrono::steady_clock::now()));
}

}  // namespace

void log(LogLevel level, std::string_view event, LogFields fields) {
    log_line(level, event, fields, LogLine::Fold::equal, {});
}

void log_kin(LogLevel level, std::string_view kin, std::string_view event, LogFields fields) {
    const bool each = log_enabled(LogLevel::debug);
    log_line(level, event, fields, each ? LogLine::Fold::never : LogLine::Fold::kin, kin);
}

void log_each(LogLevel level, std::string_view event, LogFields fields) {
    log_line(level, event, fields, LogLine::Fold::never, {});
}

bool log_enabled(LogLevel level) noexcept { return level >= the_log().level.load(std::memory_order_relaxed); }

void set_log_level(LogLevel level) noexcept { the_log().level.store(level, std::memory_order_relaxed); }

std::chrono::milliseconds slow_statement() noexcept {
    return std::chrono::milliseconds(the_log().slow_statement_ms.load(std::memory_order_relaxed));
}

std::chrono::milliseconds slow_wait() noexcept {
    return std::chrono::milliseconds(the_log().slow_wait_ms.load(std::memory_order_relaxed));
}

void tick_logging() {
    Log& log_state = the_log();
    const std::lock_guard lock(log_state.mutex);
    write(log_state, log_state.folder.due(std::chrono::steady_clock::now()));
}

// --- where it goes ---------------------------------------------------------------------------------------------

LogChange::LogChange(const config::Log& settings) : settings_(settings) {
    OpenedLog opened = open_log(settings);
    problem_ = std::move(opened.problem);
    if (problem_.empty()) writer_ = std::make_unique<LogWriter>(std::move(opened.sink));
}

LogChange::LogChange(LogChange&&) noexcept = default;
LogChange::~LogChange() = default;

void LogChange::commit() {
    if (!writer_) return;
    Log& log_state = the_log();
    std::unique_ptr<LogWriter> before;
    {
        const std::lock_guard lock(log_state.mutex);
        log_state.direct = stderr_form(settings_);
        before = std::exchange(log_state.writer, std::move(writer_));
    }
    set_log_level(settings_.level);
    log_state.slow_statement_ms.store(settings_.slow_statement.count(), std::memory_order_relaxed);
    log_state.slow_wait_ms.store(settings_.slow_wait.count(), std::memory_order_relaxed);
    // Outside of the lock: it waits until the last lines stand in the old place.
    if (before) (void)before->finish(patience);
}

std::string start_logging(const config::Log& settings) {
    LogChange change(settings);
    if (!change.problem().empty()) return change.problem();
    change.commit();
    return {};
}

void stop_logging() {
    Log& log_state = the_log();
    std::unique_ptr<LogWriter> before;
    {
        const std::lock_guard lock(log_state.mutex);
        write(log_state, log_state.folder.all());
        before = std::move(log_state.writer);
    }
    if (before) (void)before->finish(patience);
}

CapturedLog::CapturedLog(LogLevel level) : state_(std::make_shared<State>()), before_(the_log().level.load()) {
    set_log_level(level);
    Log& log_state = the_log();
    const std::lock_guard lock(log_state.mutex);
    (void)log_state.folder.all();
    log_state.capture = state_;
}

CapturedLog::~CapturedLog() {
    Log& log_state = the_log();
    {
        const std::lock_guard lock(log_state.mutex);
        (void)log_state.folder.all();
        log_state.capture.reset();
    }
    set_log_level(before_);
}

std::vector<std::string> CapturedLog::lines() const {
    const std::lock_guard lock(state_->mutex);
    return state_->lines;
}

}  // namespace leasehold::daemon
