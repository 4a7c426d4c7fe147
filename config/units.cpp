// SPDX-License-Identifier: Apache-2.0
#include "config/units.hpp"

#include <charconv>
#include <cmath>

namespace leasehold::config {
namespace {

constexpr double longest_duration_ms = 10.0 * 365 * 24 * 3600 * 1000;

bool digit(char c) { return c >= '0' && c <= '9'; }

// The leading "12" or "12.5" of the text; the rest is the unit.
struct Number {
    double value = 0;
    bool valid = false;
    bool whole = true;
    std::string_view unit;
};

Number leading_number(std::string_view text) {
    Number out;
    std::size_t end = 0;
    while (end < text.size() && digit(text[end])) ++end;
    if (end == 0) return out;
    if (end < text.size() && text[end] == '.') {
        const std::size_t point = end++;
        while (end < text.size() && digit(text[end])) ++end;
        if (end == point + 1) return out;
        out.whole = false;
    }
    const auto [at, error] = std::from_chars(text.data(), text.data() + end, out.value, std::chars_format::fixed);
    out.valid = error == std::errc() && at == text.data() + end;
    out.unit = text.substr(end);
    return out;
}

template <class T>
Parsed<T> wrong(std::string message, std::string suggestion = {}) {
    return {std::nullopt, std::move(message), std::move(suggestion)};
}

std::string duration_suggestion(std::string_view unit) {
    if (unit == "sec" || unit == "secs" || unit == "second" || unit == "seconds" || unit == "S")
        return "seconds are written 30s";
    if (unit == "min" || unit == "mins" || unit == "minute" || unit == "minutes" || unit == "M")
        return "minutes are written 5m";
    if (unit == "hour" || unit == "hours" || unit == "H" || unit == "d" || unit == "day" || unit == "days")
        return "hours are written 1h";
    return "write 250ms, 30s, 5m or 1h";
}

}  // namespace

Parsed<std::chrono::milliseconds> parse_duration(std::string_view text) {
    using Result = std::chrono::milliseconds;
    if (text.starts_with('-')) return wrong<Result>("must not be negative");
    const Number number = leading_number(text);
    if (!number.valid) return wrong<Result>("is no duration", "write 250ms, 30s, 5m or 1h");
    double scale = 0;
    if (number.unit.empty() || number.unit == "s")
        scale = 1000;
    else if (number.unit == "ms")
        scale = 1;
    else if (number.unit == "m")
        scale = 60.0 * 1000;
    else if (number.unit == "h")
        scale = 3600.0 * 1000;
    else
        return wrong<Result>("is no duration", duration_suggestion(number.unit));
    const double ms = std::round(number.value * scale);
    if (!(ms <= longest_duration_ms)) return wrong<Result>("is longer than ten years");
    // Rounded to nothing it would mean "off", the opposite of what was asked for.
    if (ms == 0 && number.value > 0) return wrong<Result>("is shorter than a millisecond");
    return {Result(static_cast<std::int64_t>(ms)), {}, {}};
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
    using Result = std::uint64_t;
    if (text.starts_with('-')) return wrong<Result>("must not be negative");
    const Number number = leading_number(text);
    if (!number.valid) return wrong<Result>("is no size", "write 512B, 10KiB, 64MiB or 1GiB");
    double scale = 0;
    if (number.unit.empty() || number.unit == "B")
        scale = 1;
    else if (number.unit == "KiB")
        scale = 1024;
    else if (number.unit == "MiB")
        scale = 1024.0 * 1024;
    else if (number.unit == "GiB")
        scale = 1024.0 * 1024 * 1024;
    else {
        const char first = number.unit.front();
        const char upper = first >= 'a' && first <= 'z' ? static_cast<char>(first - 'a' + 'A') : first;
        if (upper == 'K' || upper == 'M' || upper == 'G') {
            return wrong<Result>("is no size", std::string("write ") + upper + "iB");
        }
        return wrong<Result>("is no size", "write 512B, 10KiB, 64MiB or 1GiB");
    }
    const double bytes = number.value * scale;
    if (bytes != std::floor(bytes)) return wrong<Result>("is no whole number of bytes");
    if (!(bytes <= 1024.0 * 1024 * 1024 * 1024)) return wrong<Result>("is larger than 1024GiB");
    return {static_cast<Result>(bytes), {}, {}};
}

Parsed<double> parse_share(std::string_view text) {
    if (text == "all") return {1.0, {}, {}};
    if (text.starts_with('-')) return wrong<double>("must not be negative");
    const Number number = leading_number(text);
    if (!number.valid || number.unit != "%") return wrong<double>("is no share", "write 1% or all");
    if (!(number.value <= 100)) return wrong<double>("is more than 100%");
    return {number.value / 100, {}, {}};
}

Parsed<std::int64_t> parse_count(std::string_view text) {
    using Result = std::int64_t;
    const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
    Result value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (digits.empty() || !digit(digits.front()) || at != text.data() + text.size()) {
        return wrong<Result>("is no whole number");
    }
    if (error == std::errc::result_out_of_range) return wrong<Result>("is too large");
    // 010 is eight to one reader of YAML and ten to another.
    if (digits.size() > 1 && digits.front() == '0') return wrong<Result>("begins with a zero", "write it without");
    return {value, {}, {}};
}

std::string render_duration(std::chrono::milliseconds duration) {
    const std::int64_t ms = duration.count();
    if (ms == 0) return "0";
    if (ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
    if (ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
    if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
    return std::to_string(ms) + "ms";
}

}  // namespace leasehold::config
