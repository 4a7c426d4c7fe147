// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_line.hpp"

#include "dialects/wire/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace leasehold::daemon {
namespace {

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

// Text between quotes: one line whatever a peer put into it, and no control character reaches a terminal.
void append_escaped(std::string& out, std::string_view text, const char* hexadecimal) {
    std::array<char, 8> code{};
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::size_t length = wire::utf8_length(text, i);
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
        } else if (length == 3 && (text.substr(i, 3) == "\xe2\x80\xa8" || text.substr(i, 3) == "\xe2\x80\xa9")) {
            // Ends of lines to some readers.
            out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
            i += length;
            continue;
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

}  // namespace

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

std::string render_text(const LogLine& line, bool stamped) {
    std::string out;
    if (stamped) {
        out += utc(line.at);
        out += ' ';
    }
    out += name_of(line.level);
    out += ' ';
    return out + render_message(line);
}

std::string render_message(const LogLine& line) {
    std::string out = "event=";
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

}  // namespace leasehold::daemon
