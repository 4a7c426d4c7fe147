// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/assignment.hpp"

#include "dialects/postgres/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace leasehold::postgres {
namespace {

constexpr std::size_t longest_name = 63;  // the server cuts longer identifiers
constexpr std::size_t longest_value = 128;

[[nodiscard]] char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
[[nodiscard]] bool is_letter(char c) noexcept { return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }
[[nodiscard]] bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

template <std::size_t n>
[[nodiscard]] bool among(const std::array<std::string_view, n>& names, std::string_view name) noexcept {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// What stands in a text, from left to right. Every reader returns an empty string when it finds something else.
class Text {
  public:
    explicit Text(std::string_view text) noexcept : left_(text) {}

    void blanks() noexcept {
        while (!left_.empty() && is_blank(left_.front())) left_.remove_prefix(1);
    }
    [[nodiscard]] char next() const noexcept { return left_.empty() ? '\0' : left_.front(); }
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
    // '...': false when it does not end or holds what is not plain.
    [[nodiscard]] bool literal(std::string& value) {
        if (!take('\'')) return false;
        while (!left_.empty()) {
            const char c = next();
            if (c < ' ' || c > '~' || c == '\\') return false;
            left_.remove_prefix(1);
            if (c == '\'' && !take('\'')) return true;
            value += c;
        }
        return false;
    }

  private:
    [[nodiscard]] std::string digits() {
        std::string found;
        while (is_digit(next())) {
            found += next();
            left_.remove_prefix(1);
        }
        return found;
    }
    std::string_view left_;
};

// Words that begin another statement behind SET or RESET. A setting whose name begins so is left alone as well.
[[nodiscard]] bool is_phrase(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 14> words{
        "all",   "authorization", "catalog", "characteristics", "constraints", "from",        "local",
        "names", "role",          "schema",  "session",         "time",        "transaction", "xml",
    };
    return among(words, name.substr(0, name.find('.')));
}

[[nodiscard]] bool read_value(Text& text, std::string& value) {
    if (text.next() == '\'') return text.literal(value);
    if (is_letter(text.next())) {
        value = text.word();
        return value.size() <= longest_name && value != "default" && text.next() != '\'' && text.next() != '&';
    }
    value = text.number();
    return !value.empty() && !is_letter(text.next());
}

// A second or more, or none: leasehold's own statements between two sessions must not run into it.
[[nodiscard]] bool leaves_time(std::string_view value) noexcept {
    std::uint64_t amount = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), amount);
    if (error != std::errc()) return false;
    const std::string_view unit = value.substr(static_cast<std::size_t>(end - value.data()));
    if (amount == 0) return unit.empty();
    if (unit.empty() || unit == "ms") return amount >= 1000;
    return unit == "s" || unit == "min" || unit == "h" || unit == "d";
}

}  // namespace

std::optional<Assignment> read_assignment(std::string_view sql) {
    Text text(sql);
    text.blanks();
    Assignment found;
    const std::string verb = text.word();
    found.reset = verb == "reset";
    if (!found.reset && verb != "set") return std::nullopt;
    text.blanks();
    found.name = text.word(true);
    if (!found.reset && found.name == "session") {
        text.blanks();
        found.name = text.word(true);
    }
    if (found.name.size() > longest_name || !well_formed(found.name) || is_phrase(found.name)) return std::nullopt;
    if (!found.reset) {
        text.blanks();
        if (!text.take('=') && text.word() != "to") return std::nullopt;
        text.blanks();
        if (!read_value(text, found.value) || found.value.size() > longest_value) return std::nullopt;
    }
    if (!text.at_end()) return std::nullopt;
    return found;
}

bool repeatable(const Assignment& assignment) noexcept {
    // Lists that SET quotes in its own way; who the session is; what counts for a transaction or at the connection's
    // beginning; what a backend may refuse to take back; what ends or holds up a backend that waits for its next session.
    constexpr std::array<std::string_view, 15> never{
        "backslash_quote",
        "default_transaction_deferrable",
        "exit_on_error",
        "idle_session_timeout",
        "is_superuser",
        "post_auth_delay",
        "role",
        "search_path",
        "seed",
        "session_authorization",
        "standard_conforming_strings",
        "temp_buffers",
        "temp_tablespaces",
        "unix_socket_directories",
        "session characteristics",
    };
    const std::string_view name = assignment.name;
    if (among(never, name) || name.starts_with("transaction_") || name.ends_with("_preload_libraries")) return false;
    // A server that does not report it is too old for its name to be known here for certain.
    if (is_reported(name) && name != "default_transaction_read_only") return false;
    return assignment.reset || name != "statement_timeout" || leaves_time(assignment.value);
}

}  // namespace leasehold::postgres
