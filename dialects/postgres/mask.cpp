// SPDX-License-Identifier: Apache-2.0
// The text of a statement as records show it: without literals. Works on texts that were cut anywhere.
#include "dialects/postgres/statements.hpp"
#include "dialects/wire/text.hpp"

namespace leasehold::postgres {
namespace {

[[nodiscard]] bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
[[nodiscard]] bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The end of the literal whose opening quote is at `at`.
[[nodiscard]] std::size_t after_text(std::string_view text, std::size_t at, bool escapes) noexcept {
    for (++at; at < text.size(); ++at) {
        if (escapes && text[at] == '\\') {
            ++at;
        } else if (text[at] == '\'') {
            if (at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
            ++at;
        }
    }
    return text.size();
}

[[nodiscard]] std::size_t after_comment(std::string_view text, std::size_t at) noexcept {
    if (text[at] == '-') {
        const std::size_t end = text.find_first_of("\n\r", at);
        return end == std::string_view::npos ? text.size() : end;
    }
    std::size_t depth = 0;
    while (at < text.size()) {
        const std::string_view two = text.substr(at, 2);
        if (two == "/*") {
            ++depth;
            at += 2;
        } else if (two == "*/") {
            at += 2;
            if (--depth == 0) return at;
        } else {
            ++at;
        }
    }
    return text.size();
}

// $tag$...$tag$; `at` itself when there is no tag.
[[nodiscard]] std::size_t after_dollars(std::string_view text, std::size_t at) noexcept {
    std::size_t end = at + 1;
    while (end < text.size() && (is_letter(text[end]) || (is_digit(text[end]) && end > at + 1))) ++end;
    if (end == text.size()) return end;  // cut: whatever it was, it is not shown
    if (text[end] != '$') return at;
    const std::string_view tag = text.substr(at, end + 1 - at);
    const std::size_t close = text.find(tag, end + 1);
    return close == std::string_view::npos ? text.size() : close + tag.size();
}

[[nodiscard]] std::size_t after_number(std::string_view text, std::size_t at) noexcept {
    while (at < text.size()) {
        const bool sign = (text[at] == '+' || text[at] == '-') && (text[at - 1] == 'e' || text[at - 1] == 'E');
        if (!is_digit(text[at]) && !is_letter(text[at]) && text[at] != '.' && !sign) break;
        ++at;
    }
    return at;
}

[[nodiscard]] std::size_t after_word(std::string_view text, std::size_t at) noexcept {
    while (at < text.size() && (is_letter(text[at]) || is_digit(text[at]) || text[at] == '$')) ++at;
    return at;
}

}  // namespace

std::string mask(std::string_view text, std::size_t limit, std::optional<bool> conforming) {
    std::string out;
    out.reserve(text.size() < limit ? text.size() : limit);
    std::size_t at = 0;
    bool blank = false;
    while (at < text.size() && out.size() < limit) {
        const char c = text[at];
        const std::string_view two = text.substr(at, 2);
        if (is_blank(c) || two == "--" || two == "/*") {
            at = is_blank(c) ? at + 1 : after_comment(text, at);
            blank = !out.empty();
            continue;
        }
        if (blank) out += ' ';
        blank = false;
        std::size_t end = at + 1;
        bool literal = false;
        if (c == '\'') {
            // With the wrong one of the two rules, what is outside of quotes and what is inside would change places.
            const std::size_t plain = after_text(text, at, false), escaped = after_text(text, at, true);
            end = plain == escaped ? plain : !conforming ? text.size() : *conforming ? plain : escaped;
            literal = true;
        } else if (c == '"') {
            end = text.find('"', at + 1);
            end = end == std::string_view::npos ? text.size() : end + 1;
        } else if (c == '$' && (end = after_dollars(text, at)) != at) {
            literal = true;
        } else if (c == '$') {
            end = after_word(text, at + 1);  // $1 stays
        } else if (is_digit(c)) {
            end = after_number(text, at + 1);
            literal = true;
        } else if (is_letter(c)) {
            end = after_word(text, at);
            const bool prefix = end == at + 1 && end < text.size() && text[end] == '\'';
            if (prefix) {  // E'..', B'..', X'..', N'..'
                end = after_text(text, end,
                                 c == 'e' || c == 'E' || (!conforming.value_or(true) && (c == 'n' || c == 'N')));
                literal = true;
            }
        }
        if (literal) {
            out += '?';
        } else {
            out += text.substr(at, end - at);
        }
        at = end;
    }
    out.resize(wire::shortened(out, limit).size());
    return out;
}

}  // namespace leasehold::postgres
