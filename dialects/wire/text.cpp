// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/text.hpp"

#include <algorithm>

namespace leasehold::wire {
namespace {

[[nodiscard]] char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

[[nodiscard]] std::size_t find_word(std::string_view text, std::string_view word) noexcept {
    const auto at = std::search(text.begin(), text.end(), word.begin(), word.end(),
                                [](char a, char b) { return lower(a) == lower(b); });
    return at == text.end() ? std::string_view::npos : static_cast<std::size_t>(at - text.begin());
}

}  // namespace

std::string_view shortened(std::string_view text, std::size_t most) noexcept {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0u) == 0x80u) --most;
    return text.substr(0, most);
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool contains_any(std::string_view text, std::span<const std::string_view> words) noexcept {
    return std::ranges::any_of(
        words, [text](std::string_view word) { return find_word(text, word) != std::string_view::npos; });
}

std::string without(std::string_view text, std::span<const std::string_view> words, std::string_view instead) {
    std::string result(text);
    for (const std::string_view word : words) {
        for (std::size_t at = find_word(result, word); at != std::string::npos; at = find_word(result, word)) {
            result.replace(at, word.size(), instead);
        }
    }
    return result;
}

}  // namespace leasehold::wire
