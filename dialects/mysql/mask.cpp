// SPDX-License-Identifier: Apache-2.0
// The text of a statement as records show it: without literals. Works on texts that were cut anywhere.
#include "dialects/mysql/statements.hpp"
#include "dialects/wire/text.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

[[nodiscard]] bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] bool is_word(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
}
[[nodiscard]] bool is_blank(char c) noexcept { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; }

// The end of what is in quotes; the opening one is at `at`.
[[nodiscard]] std::size_t after_quotes(std::string_view text, std::size_t at, bool escapes) noexcept {
    const char quote = text[at];
    for (++at; at < text.size(); ++at) {
        if (escapes && text[at] == '\\') {
            ++at;
        } else if (text[at] == quote) {
            if (at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
            ++at;
        }
    }
    return text.size();
}

[[nodiscard]] std::size_t after_number(std::string_view text, std::size_t at) noexcept {
    while (++at < text.size()) {
        const bool sign = (text[at] == '+' || text[at] == '-') && (text[at - 1] == 'e' || text[at - 1] == 'E');
        if (!is_word(text[at]) && text[at] != '.' && !sign) break;
    }
    return at;
}

[[nodiscard]] std::size_t after_word(std::string_view text, std::size_t at) noexcept {
    while (at < text.size() && is_word(text[at])) ++at;
    return at;
}

// The end of a comment; `at` where none begins. What servers carry out, /*!50100 ... */, is none but for its frame.
[[nodiscard]] std::size_t after_comment(std::string_view text, std::size_t at, bool& executable) noexcept {
    const std::string_view rest = text.substr(at);
    const bool dashes = rest.starts_with("--") && (rest.size() == 2 || is_blank(rest[2]));
    if (rest.starts_with('#') || dashes) return std::min(text.find('\n', at), text.size());
    if (executable && rest.starts_with("*/")) {
        executable = false;
        return at + 2;
    }
    if (!rest.starts_with("/*")) return at;
    const std::size_t mark = rest.starts_with("/*!") ? 3u : rest.starts_with("/*M!") ? 4u : 0u;
    if (mark == 0) {
        const std::size_t end = text.find("*/", at + 2);
        return end == std::string_view::npos ? text.size() : end + 2;
    }
    executable = true;
    at += mark;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at;
}

[[nodiscard]] std::string unmasked(std::string_view text, std::size_t limit) {
    std::string out(wire::shortened(text, limit));
    for (char& c : out) c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    return out;
}

}  // namespace

std::string masked(std::string_view text, bool literals, std::size_t max_bytes, bool backslash_escapes) {
    if (literals) return unmasked(text, max_bytes);
    std::string out;
    std::size_t at = 0;
    bool blank = false, executable = false;
    while (at < text.size() && out.size() < max_bytes) {
        const char c = text[at];
        const std::size_t behind = is_blank(c) ? at + 1 : after_comment(text, at, executable);
        if (behind != at) {
            at = behind;
            blank = !out.empty();
            continue;
        }
        if (blank) out += ' ';
        blank = false;
        std::size_t end = at + 1;
        bool literal = false;
        if (c == '\'' || c == '"') {
            end = after_quotes(text, at, backslash_escapes);
            literal = true;
        } else if (c == '`') {
            end = after_quotes(text, at, false);
        } else if (is_digit(c)) {
            end = after_number(text, at);
            literal = true;
        } else if (is_word(c)) {
            end = after_word(text, at);
            if (end == at + 1 && end < text.size() && text[end] == '\'') {  // N'...', B'...', X'...'
                end = after_quotes(text, end, backslash_escapes);
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
    out.resize(wire::shortened(out, max_bytes).size());
    return out;
}

}  // namespace leasehold::mysql
