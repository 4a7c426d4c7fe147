// SPDX-License-Identifier: Apache-2.0
// What texts of both protocols need: cut between characters, read as hexadecimal, cleared of words.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace leasehold::wire {

// At most so many bytes of it, and no UTF-8 character in part.
[[nodiscard]] std::string_view shortened(std::string_view text, std::size_t most) noexcept;

// The length of the valid character at text[at], 0: there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at) noexcept;
// What came in another encoding is shown as '?', byte by byte.
[[nodiscard]] std::string as_utf8(std::string_view text);

[[nodiscard]] int hex_digit(char c) noexcept;  // -1: it is none

// Letters are compared without case.
[[nodiscard]] bool contains_any(std::string_view text, std::span<const std::string_view> words) noexcept;
// `instead` must not be able to form new ones.
[[nodiscard]] std::string without(std::string_view text, std::span<const std::string_view> words,
                                  std::string_view instead);

}  // namespace leasehold::wire
