// SPDX-License-Identifier: Apache-2.0
// The units of the configuration file: durations, sizes and shares. Text to number and back; no YAML here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::config {

// A value, or what is wrong with the text.
template <class T>
struct Parsed {
    std::optional<T> value;
    std::string message;
    std::string suggestion;
};

// "30" and "0.5" are seconds; "250ms", "30s", "5m", "1h". Not negative, at most ten years, 0 or at least 1 ms.
[[nodiscard]] Parsed<std::chrono::milliseconds> parse_duration(std::string_view text);

// "10240" is bytes; "512B", "10KiB", "64MiB", "1GiB".
[[nodiscard]] Parsed<std::uint64_t> parse_size(std::string_view text);

// "1%", "0.5%", "all"; from 0 to 1.
[[nodiscard]] Parsed<double> parse_share(std::string_view text);

// A decimal whole number without leading zeros.
[[nodiscard]] Parsed<std::int64_t> parse_count(std::string_view text);

// "30s", "5m", "250ms": the largest unit that renders it whole.
[[nodiscard]] std::string render_duration(std::chrono::milliseconds duration);

}  // namespace leasehold::config
