// SPDX-License-Identifier: Apache-2.0
// The process's one log: rendering and folding here, writing by spdlog's asynchronous logger, which drops the oldest
// lines rather than make a worker wait.
#include "daemon/logging.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>

namespace leasehold::daemon {
namespace {

constexpr std::size_t max_value = 1024;
constexpr std::size_t max_held = 512;  // distinct lines that repeat at one time; further ones are not folded
constexpr std::chrono::seconds fold_window{1};
constexpr std::size_t queue_length = 8192;

std::string_view name_of(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::trace: return "trace";
        case LogLevel::debug: return "debug";
        case LogLevel::info: return "info";
        case LogLevel::warn: return "warn";
        case LogLevel::error: return "error";
    }
    return "info";
}

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

std::string utc(std::chrono::system_clock::time_point at) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch());
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since).count();
    const auto milliseconds = static_cast<int>((since % std::chrono::seconds(1)).count());
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text.data() + length, text.size() - length, ".%03dZ", std::clamp(milliseconds, 0, 999));
    return text.data();
}

// The length of the valid UTF-8 character at text[at], 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0u) != 0x80u) return 0;
    }
    // Overlong forms, surrogates and what lies beyond U+10FFFF.
    if (length == 3 && ((lead == 0xE0 && byte(at + 1) < 0xA0) || (lead == 0xED && byte(at + 1) > 0x9F))) return 0;
    if (length == 4 && ((lead == 0xF0 && byte(at + 1) < 0x90) || (lead == 0xF4 && byte(at + 1) > 0x8F))) return 0;
    return length;
}

// Text between quotes: one line whatever a peer put into it, and no control character reaches a terminal.
void append_escaped(std::string& out, std::string_view text, const char* hexadecimal) {
    std::array<char, 8> code{};
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::size_t length = utf8_length(text, i);
        // U+0080 to U+009F are control characters to many terminals.
        const bool control = c < 0x20 || c == 0x7F || (length == 2 && c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += text[i];
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (control || length == 0) {
            std::snprintf(code.data(), code.size(), hexadecimal, length == 2 ? static_cast<unsigned char>(text[++i]) : c);
            out += code.data();
        } else {
            out.append(text, i, length);
            i += length;
            continue;
        }
        ++i;
    }
}

bool needs_quotes(std::string_view text) noexcept {
    return text.empty() || std::ranges::any_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte >= 0x7F || c == '"' || c == '\\' || c == '=';
    });
}

void append_value(std::string& out, const LogLine::Field& field) {
    if (!field.text || !needs_quotes(field.value)) {
        out += field.value;
        return;
    }
    out += '"';
    append_escaped(out, field.value, "\\x%02x");
    out += '"';
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, "\\u%04x");
    out += '"';
}

// What makes two lines the same.
std::string identity(const LogLine& line) {
    const bool numbers_count = line.level != LogLevel::warn && line.level != LogLevel::error;
    std::string key(1, static_cast<char>('0' + static_cast<int>(line.level)));
    key += line.event;
    for (const LogLine::Field& field : line.fields) {
        key += '\0';
        key += field.key;
        if (!field.text && !numbers_count) continue;
        key += '\0';
        key += field.value;
    }
    return key;
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

std::string render_text(const LogLine& line, bool stamped) {
    std::string out;
    if (stamped) {
        out += utc(line.at);
        out += ' ';
    }
    out += name_of(line.level);
    out += " event=";
    append_value(out, {"event", line.event, true});
    for (const LogLine::Field& field : line.fields) {
        out += ' ';
        out += field.key;
        out += '=';
        append_value(out, field);
    }
    if (line.repeated > 0) out += " repeated=" + std::to_string(line.repeated);
    return out;
}

std::string render_json(const LogLine& line) {
    std::string out = "{\"time\":\"" + utc(line.at) + "\",\"level\":\"" + std::string(name_of(line.level)) + "\",\"event\":";
    append_json(out, line.event);
    for (const LogLine::Field& field : line.fields) {
        out += ',';
        append_json(out, field.key);
        out += ':';
        // JSON has no word for what is not a number.
        const bool bare = !field.text && field.value.find_first_of("in") != 0 && !field.value.starts_with("-i") &&
                          !field.value.starts_with("-n");
        if (bare) {
            out += field.value;
        } else {
            append_json(out, field.value);
        }
    }
    if (line.repeated > 0) out += ",\"repeated\":" + std::to_string(line.repeated);
    return out + '}';
}

std::vector<LogLine> LogFolder::take(LogLine line, Time now) {
    std::vector<LogLine> result = due(now);
    std::string key = identity(line);
    if (const auto held = held_.find(key); held != held_.end()) {
        line.repeated = held->second.last.repeated + 1;
        held->second.last = std::move(line);
        return result;
    }
    if (held_.size() < max_held) held_.emplace(std::move(key), Held{now, line});
    result.push_back(std::move(line));
    return result;
}

std::vector<LogLine> LogFolder::due(Time now) {
    std::vector<LogLine> result;
    if (held_.empty() || now < next_scan_) return result;
    next_scan_ = now + fold_window;
    for (auto held = held_.begin(); held != held_.end();) {
        if (now - held->second.since < fold_window) {
            next_scan_ = std::min(next_scan_, held->second.since + fold_window);
            ++held;
        } else if (held->second.last.repeated == 0) {
            held = held_.erase(held);
        } else {
            result.push_back(held->second.last);
            held->second.last.repeated = 0;
            held->second.since = now;
            ++held;
        }
    }
    std::ranges::sort(result, {}, &LogLine::at);
    return result;
}

std::vector<LogLine> LogFolder::all() {
    std::vector<LogLine> result;
    for (auto& [key, held] : held_) {
        if (held.last.repeated > 0) result.push_back(std::move(held.last));
    }
    held_.clear();
    std::ranges::sort(result, {}, &LogLine::at);
    return result;
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
