// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace leasehold::cmd {
namespace {

struct Range {
    char32_t from, to;
};

constexpr bool within(char32_t c, const auto& ranges) {
    return std::ranges::any_of(ranges, [&](const Range& range) { return c >= range.from && c <= range.to; });
}

// Invisible, or with an effect on what stands around them.
constexpr std::array hidden{Range{0x00, 0x1f},     Range{0x7f, 0x9f},     Range{0xad, 0xad},      Range{0x61c, 0x61c},
                            Range{0x180e, 0x180e}, Range{0x200b, 0x200f}, Range{0x2028, 0x202e},  Range{0x2060, 0x206f},
                            Range{0xfeff, 0xfeff}, Range{0xfff9, 0xfffb}, Range{0xe0000, 0xe0fff}};
// Drawn over the character before them.
constexpr std::array combining{
    Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},   Range{0x610, 0x61a},   Range{0x64b, 0x65f},
    Range{0x1ab0, 0x1aff}, Range{0x1dc0, 0x1dff}, Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}};
// Two columns wide.
constexpr std::array wide{Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},   Range{0x3041, 0xa4cf},
                          Range{0xa960, 0xa97f},   Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},
                          Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},
                          Range{0x1f300, 0x1f64f}, Range{0x1f680, 0x1f6ff}, Range{0x1f900, 0x1f9ff},
                          Range{0x20000, 0x3fffd}};

struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

// The one that the text begins with; no overlong forms, no surrogates.
Character first(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = lead >= 0xf0 && lead <= 0xf4  ? 4
                              : lead >= 0xe0 && lead < 0xf0 ? 3
                              : lead >= 0xc2 && lead < 0xe0 ? 2
                                                            : 0;
    if (bytes == 0 || text.size() < bytes) return {};
    char32_t code = lead & (0x7fu >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((at(i) & 0xc0) != 0x80) return {};
        code = (code << 6) | (at(i) & 0x3fu);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
    return {code, bytes, true};
}

std::string hexadecimal(char32_t code, int digits) {
    std::string out;
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[(code >> shift) & 0xf];
    return out;
}

std::string written_out(char32_t code) {
    switch (code) {
        case '\n': return "\\n";
        case '\r': return "\\r";
        case '\t': return "\\t";
        default: break;
    }
    if (code < 0x100) return "\\x" + hexadecimal(code, 2);
    return code < 0x10000 ? "\\u" + hexadecimal(code, 4) : "\\U" + hexadecimal(code, 8);
}

std::size_t width(char32_t code) {
    if (code < 0x300) return 1;
    if (within(code, combining)) return 0;
    return within(code, wide) ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character character = first(text);
        if (!character.valid)
            out += "\\x" + hexadecimal(static_cast<unsigned char>(text.front()), 2);
        else if (within(character.code, hidden))
            out += written_out(character.code);
        else
            out += text.substr(0, character.bytes);
        text.remove_prefix(character.bytes);
    }
    return out;
}

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character character = first(text);
        columns += character.valid ? width(character.code) : 1;
        text.remove_prefix(character.bytes);
    }
    return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
    if (columns_of(text) <= columns) return std::string(text);
    std::size_t taken = 0, bytes = 0;
    while (bytes < text.size()) {
        const Character character = first(text.substr(bytes));
        const std::size_t more = character.valid ? width(character.code) : 1;
        if (taken + more + 1 > columns) break;
        taken += more;
        bytes += character.bytes;
    }
    return std::string(text.substr(0, bytes)) + (columns > 0 ? "…" : "");
}

}  // namespace leasehold::cmd
