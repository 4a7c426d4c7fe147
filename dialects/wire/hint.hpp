// SPDX-License-Identifier: Apache-2.0
// What a client says about its lease in a comment at the beginning of a statement: /* leasehold: pin */ keeps its backend
// until /* leasehold: unpin */. The same in every dialect.
#pragma once

#include <cstdint>
#include <string_view>

namespace leasehold::wire {

enum class Hint : std::uint8_t { none, pin, unpin };

namespace detail {
[[nodiscard]] constexpr std::string_view skip_blanks(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    return text;
}
[[nodiscard]] constexpr bool take(std::string_view& text, std::string_view word) noexcept {
    if (!text.starts_with(word)) return false;
    text = skip_blanks(text.substr(word.size()));
    return true;
}
}  // namespace detail

// Two bytes are looked at where there is no comment.
[[nodiscard]] constexpr Hint read_hint(std::string_view sql) noexcept {
    if (sql.size() < 2 || sql[0] != '/' || sql[1] != '*') return Hint::none;
    std::string_view rest = sql;
    if (!detail::take(rest, "/*") || !detail::take(rest, "leasehold:")) return Hint::none;
    const bool unpins = rest.starts_with("un");
    if (unpins) rest.remove_prefix(2);
    if (!detail::take(rest, "pin") || !rest.starts_with("*/")) return Hint::none;
    return unpins ? Hint::unpin : Hint::pin;
}

}  // namespace leasehold::wire
