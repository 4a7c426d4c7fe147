// SPDX-License-Identifier: Apache-2.0
// The process's one log, written by spdlog's asynchronous logger, which drops the oldest lines rather than make a
// worker wait.
#include "daemon/logging.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace leasehold::daemon {
namespace {

constexpr std::size_t max_value = 1024;
constexpr std::size_t queue_length = 8192;

// sd-daemon(3): what the journal takes for the line's priority.
std::string_view priority_of(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::trace:
        case LogLevel::debug: return "<7>";
        case LogLevel::info: return "<6>";
        case LogLevel::warn: return "<4>";
        case LogLevel::error: return "<3>";
    }
    return "<6>";
}

// True when stderr is the stream that systemd connected to the journal.
bool journal_reads_stderr() noexcept {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    if (stream == nullptr) return false;
    unsigned long long device = 0;
    unsigned long long inode = 0;
    struct stat status {};
    return std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 && ::fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

struct Output {
    enum class Form : std::uint8_t { text, prefixed, json };
    Form form = Form::text;
    std::shared_ptr<spdlog::details::thread_pool> thread;  // before the logger: it must outlive it
    std::shared_ptr<spdlog::logger> logger;                // null: stderr, directly
};

struct Log {
    std::atomic<LogLevel> level{LogLevel::info};
    std::mutex mutex;  // all below
    Output output;
    LogFolder folder;
    std::size_t dropped = 0;  // lines that the writer was too slow for, as far as reported
    std::shared_ptr<CapturedLog::State> capture;
};

// Never destroyed: threads may log until the process is gone.
Log& the_log() {
    static Log& instance = *new Log;
    return instance;
}

std::string rendered(const LogLine& line, Output::Form form) {
    switch (form) {
        case Output::Form::json: return render_json(line);
        case Output::Form::prefixed: return std::string(priority_of(line.level)) + render_text(line, false);
        case Output::Form::text: break;
    }
    return render_text(line);
}

}  // namespace

struct CapturedLog::State {
    mutable std::mutex mutex;
    std::vector<std::string> lines;
};

namespace {

// With the log's mutex held.
void write(Log& log_state, const std::vector<LogLine>& lines) {
    for (const LogLine& line : lines) {
        if (log_state.capture) {
            const std::lock_guard lock(log_state.capture->mutex);
            log_state.capture->lines.push_back(render_text(line, false));
        } else if (log_state.output.logger) {
            log_state.output.logger->log(spdlog::level::info, rendered(line, log_state.output.form));
        } else {
            const std::string text = rendered(line, log_state.output.form) + '\n';
            std::fwrite(text.data(), 1, text.size(), stderr);
        }
    }
}

}  // namespace

std::string LogValue::plain() const {
    std::string text;
    if (const auto* view = std::get_if<std::string_view>(&value_)) {
        text = view->substr(0, max_value);
        if (view->size() > max_value) text += "...";
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

void log(LogLevel level, std::string_view event, LogFields fields) {
    if (!log_enabled(level)) return;
    LogLine line;
    line.at = std::chrono::system_clock::now();
    line.level = level;
    line.event = event;
    line.fields.reserve(fields.size());
    for (const LogField& field : fields) {
        line.fields.push_back({std::string(field.key), field.value.plain(), field.value.is_text()});
    }
    Log& log_state = the_log();
    const std::lock_guard lock(log_state.mutex);
    write(log_state, log_state.folder.take(std::move(line), std::chrono::steady_clock::now()));
}

bool log_enabled(LogLevel level) noexcept { return level >= the_log().level.load(std::memory_order_relaxed); }

void set_log_level(LogLevel level) noexcept { the_log().level.store(level, std::memory_order_relaxed); }

void tick_logging() {
    Log& log_state = the_log();
    const std::lock_guard lock(log_state.mutex);
    write(log_state, log_state.folder.due(std::chrono::steady_clock::now()));
    if (!log_state.output.thread) return;
    const std::size_t dropped = log_state.output.thread->overrun_counter();
    if (dropped == log_state.dropped) return;
    LogLine line{std::chrono::system_clock::now(), LogLevel::warn, "log_overrun", {}, 0};
    line.fields.push_back({"dropped", std::to_string(dropped - log_state.dropped), false});
    log_state.dropped = dropped;
    write(log_state, {std::move(line)});
}

std::string start_logging(const config::Log& settings) {
    Output output;
    std::shared_ptr<spdlog::sinks::sink> sink;
    const bool to_file = settings.target == config::LogTarget::file;
    try {
        if (to_file) {
            sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file);
        } else {
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        }
        sink->set_pattern("%v");
        output.thread = std::make_shared<spdlog::details::thread_pool>(queue_length, 1);
        output.logger = std::make_shared<spdlog::async_logger>("leasehold", std::move(sink), output.thread,
                                                               spdlog::async_overflow_policy::overrun_oldest);
    } catch (const std::exception& problem) {
        return problem.what();
    }
    output.logger->set_level(spdlog::level::trace);  // levels are decided here
    output.logger->flush_on(spdlog::level::info);    // each line at once: what is not written explains no crash
    const bool journal = settings.target == config::LogTarget::journal ||
                         (settings.target == config::LogTarget::automatic && journal_reads_stderr());
    output.form = settings.format == config::LogFormat::json ? Output::Form::json
                  : journal && !to_file                      ? Output::Form::prefixed
                                                             : Output::Form::text;
    set_log_level(settings.level);
    Log& log_state = the_log();
    Output before;
    {
        const std::lock_guard lock(log_state.mutex);
        before = std::exchange(log_state.output, std::move(output));
        log_state.dropped = 0;
    }
    return {};  // `before` waits for its writer here, outside the lock
}

void stop_logging() {
    Log& log_state = the_log();
    Output before;
    {
        const std::lock_guard lock(log_state.mutex);
        write(log_state, log_state.folder.all());
        before.form = log_state.output.form;
        std::swap(before, log_state.output);
    }
    before.logger.reset();
    before.thread.reset();  // writes what is queued, then ends its thread
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
