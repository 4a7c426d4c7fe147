// SPDX-License-Identifier: Apache-2.0
// What stands in a short SQL text, from left to right, for readers that understand it to the last byte or not at all.
// Plain ASCII only. Manual: "Lexical Structure".
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace leasehold::postgres {

// Readers return an empty string, or false, when they find something else; then nothing more is to be read.
class TextReader {
  public:
    static constexpr std::size_t longest_name = 63;  // the server cuts longer identifiers

    explicit TextReader(std::string_view text) noexcept : left_(text) {}

    // Comments are blanks.
    TextReader& blanks() noexcept {
        for (;;) {
            while (!left_.empty() && is_blank(left_.front())) left_.remove_prefix(1);
            const std::size_t length = comment();
            if (length == 0) return *this;
            left_.remove_prefix(length);
        }
    }
    [[nodiscard]] char next() const noexcept { return left_.empty() ? '\0' : left_.front(); }
    [[nodiscard]] bool at_letter() const noexcept { return is_letter(next()); }
    [[nodiscard]] bool take(char c) noexcept {
        if (next() != c || left_.empty()) return false;
        left_.remove_prefix(1);
        return true;
    }
    [[nodiscard]] bool at_end() noexcept {
        blanks();
        if (take(';')) blanks();
        return left_.empty();
    }
    // An identifier, in lower case; parts divided by dots where `dotted`.
    [[nodiscard]] std::string word(bool dotted = false) {
        std::string found;
        while (is_letter(next()) ||
               (!found.empty() && (is_digit(next()) || next() == '$' || (dotted && next() == '.')))) {
            found += lower(next());
            left_.remove_prefix(1);
        }
        return found;
    }
    // The next word, if it is this one.
    [[nodiscard]] bool keyword(std::string_view wanted) {
        const std::string_view before = left_;
        blanks();
        if (word() == wanted) return true;
        left_ = before;
        return false;
    }
    // Digits with a sign and a fraction, when the server keeps them as they are written: 7, -1.5; not 007, +7, -0, .5.
    [[nodiscard]] std::string number() {
        std::string found;
        if (take('-')) found = "-";
        const std::string whole = digits();
        if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return {};
        found += whole;
        if (take('.')) {
            const std::string fraction = digits();
            if (fraction.empty()) return {};
            found += '.' + fraction;
        } else if (found == "-0") {
            return {};
        }
        return found;
    }
    [[nodiscard]] std::string digits() {
        std::string found;
        while (is_digit(next())) {
            found += next();
            left_.remove_prefix(1);
        }
        return found;
    }
    // '...' or "...", without backslashes, which may mean something.
    [[nodiscard]] bool quoted(char quote, std::string& value) {
        if (!take(quote)) return false;
        while (!left_.empty()) {
            const char c = next();
            if (c < ' ' || c > '~' || c == '\\') return false;
            left_.remove_prefix(1);
            if (c == quote && !take(quote)) return true;
            value += c;
        }
        return false;
    }
    // A name or "a name".
    [[nodiscard]] bool identifier(std::string& name) {
        name.clear();
        if (next() == '"') return quoted('"', name) && !name.empty() && name.size() <= longest_name;
        name = word();
        const bool prefix = next() == '\'' || next() == '"' || next() == '&';  // of a literal
        return !name.empty() && name.size() <= longest_name && !prefix;
    }

  private:
    // Of the comment that begins here: -- up to the line's end, /* ... */ with others inside. 0: none, or it does not end.
    [[nodiscard]] std::size_t comment() const noexcept {
        if (left_.starts_with("--")) return std::min(left_.find_first_of("\n\r"), left_.size());
        if (!left_.starts_with("/*")) return 0;
        std::size_t depth = 1, at = 2;
        while (depth > 0 && at + 1 < left_.size()) {
            const std::string_view two = left_.substr(at, 2);
            if (two == "/*") ++depth;
            if (two == "*/") --depth;
            at += two == "/*" || two == "*/" ? 2 : 1;
        }
        return depth == 0 ? at : 0;
    }
    [[nodiscard]] static char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
    [[nodiscard]] static bool is_letter(char c) noexcept { return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }
    [[nodiscard]] static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    [[nodiscard]] static bool is_blank(char c) noexcept {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
    }

    std::string_view left_;
};

}  // namespace leasehold::postgres
