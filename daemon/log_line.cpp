// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_line.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace leasehold::daemon {
namespace {

constexpr std::size_t max_held = 512;  // distinct lines that repeat at one time; further ones are not folded
constexpr std::chrono::seconds fold_window{1};

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
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
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
        const bool control =
            c < 0x20 || c == 0x7F || (length == 2 && c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
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
            std::snprintf(code.data(), code.size(), hexadecimal,
                          length == 2 ? static_cast<unsigned char>(text[++i]) : c);
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

}  // namespace

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
    std::string out =
        "{\"time\":\"" + utc(line.at) + "\",\"level\":\"" + std::string(name_of(line.level)) + "\",\"event\":";
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
    // Life-cycle lines are many and seldom equal; they must not take all places from the warnings of the same second.
    const bool grave = line.level == LogLevel::warn || line.level == LogLevel::error;
    if (held_.size() < (grave ? max_held : max_held / 2)) held_.emplace(std::move(key), Held{now, line});
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

}  // namespace leasehold::daemon
