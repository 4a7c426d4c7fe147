// SPDX-License-Identifier: Apache-2.0
// The grammar of SCRAM's messages (RFC 5802, section 7): attributes "x=value" divided by commas. Private to the two
// sides in auth.cpp and challenge.cpp.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

namespace leasehold::postgres {

// Takes "<name>=<value>" off the front, and the comma behind it.
[[nodiscard]] inline std::optional<std::string_view> take_attribute(std::string_view& text, char name) noexcept {
    if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
    text.remove_prefix(2);
    const std::size_t comma = text.find(',');
    const std::string_view value = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    return value;
}

[[nodiscard]] inline bool is_scram_printable(std::string_view text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

}  // namespace leasehold::postgres
