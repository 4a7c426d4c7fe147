// SPDX-License-Identifier: Apache-2.0
// The preparation of passwords, RFC 4013; see scram.hpp for what is left out. Tables: RFC 3454, appendices B and C.
#include "dialects/postgres/scram.hpp"

namespace leasehold::postgres {
namespace {

struct Range {
    char32_t first, last;
};

constexpr Range other_spaces[] = {{0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200B},
                                  {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

constexpr Range mapped_to_nothing[] = {{0xAD, 0xAD},     {0x34F, 0x34F},   {0x1806, 0x1806}, {0x180B, 0x180D},
                                       {0x200C, 0x200D}, {0x2060, 0x2060}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}};

// C.2 to C.9: controls, private use, non-characters, surrogates, inappropriate and deprecated ones, tags.
constexpr Range prohibited[] = {{0x00, 0x1F},       {0x7F, 0x9F},       {0x340, 0x341},     {0x6DD, 0x6DD},
                                {0x70F, 0x70F},     {0x180E, 0x180E},   {0x200E, 0x200F},   {0x2028, 0x202E},
                                {0x2061, 0x2063},   {0x206A, 0x206F},   {0x2FF0, 0x2FFB},   {0xD800, 0xF8FF},
                                {0xFDD0, 0xFDEF},   {0xFFF9, 0xFFFF},   {0x1D173, 0x1D17A}, {0x1FFFE, 0x1FFFF},
                                {0x2FFFE, 0x2FFFF}, {0x3FFFE, 0x3FFFF}, {0x4FFFE, 0x4FFFF}, {0x5FFFE, 0x5FFFF},
                                {0x6FFFE, 0x6FFFF}, {0x7FFFE, 0x7FFFF}, {0x8FFFE, 0x8FFFF}, {0x9FFFE, 0x9FFFF},
                                {0xAFFFE, 0xAFFFF}, {0xBFFFE, 0xBFFFF}, {0xCFFFE, 0xCFFFF}, {0xDFFFE, 0xDFFFF},
                                {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xEFFFE, 0x10FFFF}};

template <std::size_t N>
[[nodiscard]] bool within(char32_t c, const Range (&ranges)[N]) noexcept {
    for (const Range& range : ranges) {
        if (c >= range.first && c <= range.last) return true;
    }
    return false;
}

// The code point at `at`, which moves behind it; nothing for what is not UTF-8 (overlong forms included).
[[nodiscard]] std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at) noexcept {
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at);
    std::size_t length = 1;
    char32_t c = lead;
    if (lead >= 0xF8 || (lead >= 0x80 && lead < 0xC2)) return std::nullopt;
    if (lead >= 0xF0) {
        length = 4;
        c = lead & 0x07u;
    } else if (lead >= 0xE0) {
        length = 3;
        c = lead & 0x0Fu;
    } else if (lead >= 0xC2) {
        length = 2;
        c = lead & 0x1Fu;
    }
    if (length > text.size() - at) return std::nullopt;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0u) != 0x80) return std::nullopt;
        c = c << 6 | (byte(at + i) & 0x3Fu);
    }
    const bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
    if (overlong || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return std::nullopt;
    at += length;
    return c;
}

}  // namespace

std::string saslprep(std::string_view password) {
    std::string prepared;
    prepared.reserve(password.size());
    for (std::size_t at = 0; at < password.size();) {
        const std::size_t from = at;
        const std::optional<char32_t> c = next_code_point(password, at);
        if (!c || within(*c, prohibited)) return std::string(password);
        if (within(*c, other_spaces)) {
            prepared += ' ';
        } else if (!within(*c, mapped_to_nothing)) {
            prepared += password.substr(from, at - from);
        }
    }
    return prepared.empty() ? std::string(password) : prepared;
}

}  // namespace leasehold::postgres
