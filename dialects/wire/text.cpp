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

std::string as_utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text, i);
        result += length > 0 ? text.substr(i, length) : std::string_view("?");
        i += length > 0 ? length : 1;
    }
    return result;
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
