// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/calls.hpp"

#include "dialects/postgres/known_names.hpp"
#include "dialects/postgres/settings.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {
namespace {

[[nodiscard]] bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
[[nodiscard]] bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

[[nodiscard]] std::string lowered(std::string_view text) {
    std::string all(text);
    std::ranges::transform(all, all.begin(), lower);
    return all;
}

template <std::size_t Size>
[[nodiscard]] bool among(const std::array<std::string_view, Size>& words, std::string_view word) noexcept {
    return std::ranges::find(words, word) != words.end();
}

struct Token {
    enum class Kind : std::uint8_t { end, word, quoted, literal, symbol };
    Kind kind = Kind::end;
    std::string text{};  // a name in the server's spelling, a literal's or body's inside
    char symbol = 0;
};

class Tokens {
  public:
    Tokens(std::string_view text, bool conforming) noexcept : text_(text), conforming_(conforming) {}

    [[nodiscard]] Token next() {
        blanks();
        if (at_ >= text_.size()) return {};
        const char c = text_[at_];
        if (c == '\'') return quotes(!conforming_);
        if (c == '"') return {Token::Kind::quoted, inside('"', false).substr(0, 63)};
        if (c == '$') return dollars();
        if (is_letter(c)) return word();
        if (is_digit(c)) {
            while (at_ < text_.size() && (is_digit(text_[at_]) || is_letter(text_[at_]) || text_[at_] == '.')) {
                if (begins("e'") || begins("E'")) break;  // of a string, to a server before 15
                ++at_;
            }
            return {Token::Kind::literal};
        }
        ++at_;
        return {Token::Kind::symbol, {}, c};
    }

  private:
    [[nodiscard]] bool begins(std::string_view with) const noexcept { return text_.substr(at_).starts_with(with); }

    void blanks() noexcept {
        while (at_ < text_.size()) {
            if (std::string_view(" \t\n\r\f\v").find(text_[at_]) != std::string_view::npos) {
                ++at_;
            } else if (begins("--")) {
                while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
            } else if (begins("/*")) {
                comment();
            } else {
                return;
            }
        }
    }
    void comment() noexcept {
        std::size_t depth = 0;
        do {
            const bool opens = begins("/*"), closes = begins("*/");
            if (opens) ++depth;
            if (closes) --depth;
            at_ += opens || closes ? 2 : 1;
        } while (depth > 0 && at_ < text_.size());
    }
    // Behind its first quote up to behind its last.
    [[nodiscard]] std::string inside(char quote, bool escapes) {
        std::string all;
        for (++at_; at_ < text_.size(); ++at_) {
            if (escapes && text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
            } else if (text_[at_] == quote) {
                ++at_;
                if (at_ >= text_.size() || text_[at_] != quote) return all;
            }
            all += text_[at_];
        }
        return all;
    }
    [[nodiscard]] Token quotes(bool escapes) { return {Token::Kind::literal, inside('\'', escapes)}; }
    [[nodiscard]] Token word() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '$')) ++at_;
        std::string name = lowered(text_.substr(begin, at_ - begin)).substr(0, 63);
        if (name == "e" && at_ < text_.size() && text_[at_] == '\'') return quotes(true);
        return {Token::Kind::word, std::move(name)};
    }
    [[nodiscard]] Token dollars() {
        std::size_t end = at_ + 1;
        while (end < text_.size() && (is_letter(text_[end]) || (end > at_ + 1 && is_digit(text_[end])))) ++end;
        if (end >= text_.size() || text_[end] != '$') {  // $1
            ++at_;
            while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
            return {Token::Kind::literal};
        }
        const std::string_view tag = text_.substr(at_, end + 1 - at_);
        const std::size_t begin = end + 1, close = text_.find(tag, begin);
        const bool whole = close != std::string_view::npos;
        at_ = whole ? close + tag.size() : text_.size();
        return {Token::Kind::literal, std::string(text_.substr(begin, whole ? close - begin : text_.npos))};
    }

    std::string_view text_;
    bool conforming_;
    std::size_t at_ = 0;
};

void add_once(std::vector<std::string>& to, std::string name, bool& more) {
    if (std::ranges::find(to, name) != to.end()) return;
    if (to.size() >= Calls::most) {
        more = true;
    } else {
        to.push_back(std::move(name));
    }
}

// Two names with a dot between them, anywhere in a literal or a body.
void find_customs(std::string_view text, Calls& calls) {
    bool more = false;
    for (std::size_t at = text.find('.'); at != std::string_view::npos; at = text.find('.', at + 1)) {
        const auto in_name = [text](std::size_t i) {
            return i < text.size() && (is_letter(text[i]) || is_digit(text[i]) || text[i] == '$');
        };
        std::size_t begin = at, end = at + 1;
        while (begin > 0 && in_name(begin - 1)) --begin;
        while (in_name(end) || (end < text.size() && text[end] == '.' && in_name(end + 1))) ++end;
        const std::string_view name = text.substr(begin, end - begin);
        if (well_formed(name) && !more) add_once(calls.customs, lowered(name), more);
        at = end - 1;
    }
}

// What a name behind such a word is, is no function that is called.
[[nodiscard]] bool introduces_name(std::string_view word) noexcept {
    constexpr std::array<std::string_view, 24> words{
        "aggregate", "analyze",   "as",         "collate", "conflict", "constraint", "copy",   "cursor",
        "execute",   "exists",    "function",   "index",   "into",     "of",         "policy", "prepare",
        "procedure", "recursive", "references", "routine", "table",    "trigger",    "type",   "view"};
    return among(words, word);
}

// Behind such a word stands a value.
[[nodiscard]] bool begins_value(std::string_view word) noexcept {
    constexpr std::array<std::string_view, 9> words{"all",    "and",       "distinct", "from", "or",
                                                    "return", "returning", "select",   "where"};
    return among(words, word);
}

// Statements that call nothing which their text names.
[[nodiscard]] bool calls_nothing(std::string_view first) noexcept {
    constexpr std::array<std::string_view, 8> words{"comment", "drop",   "grant",   "import",
                                                    "revoke",  "vacuum", "analyze", "reindex"};
    return among(words, first);
}

class Reader {
  public:
    explicit Reader(Calls& calls) noexcept : calls_(calls) {}

    void take(Token&& token) {
        if (token.kind == Token::Kind::literal && !token.text.empty()) find_customs(token.text, calls_);
        const bool word = token.kind == Token::Kind::word || token.kind == Token::Kind::quoted;
        if (!began_ && !word && token.symbol != ';') begin_statement({});
        switch (token.kind) {
            case Token::Kind::word:
            case Token::Kind::quoted: name(std::move(token)); break;
            case Token::Kind::symbol: symbol(token.symbol); break;
            default: before_ = Before::closed; in_name_ = false;
        }
    }

  private:
    enum class Before : std::uint8_t { open, word, introduced, closed };

    void begin_statement(const std::string& word) {
        first_ = word;
        with_ = word == "with";
        creates_ = word == "create";
        began_ = true;
        if (word == "do") add_once(calls_.functions, "DO", calls_.more);
        if (word == "execute") add_once(calls_.functions, "EXECUTE", calls_.more);
    }
    void name(Token&& token) {
        const bool quoted = token.kind == Token::Kind::quoted;
        if (!began_) begin_statement(quoted ? std::string() : token.text);
        if (with_ && depth_ == 0 && !quoted && is_main(token.text)) with_ = false;
        if (creates_ && token.text == "as") creates_ = false;
        if (in_name_ && dotted_) {  // the name goes on
            const bool system = qualified_.empty() && name_ == "pg_catalog";
            if (!system) qualified_ += name_ + '.';
        } else {
            if (in_name_) {
                const bool word = !quoted_ && is_keyword(name_);
                before_ = !quoted_ && introduces_name(name_) ? Before::introduced
                          : word                             ? Before::word
                                                             : Before::closed;
            }
            in_list_ = !in_name_;
            value_ = in_name_ ? !quoted_ && begins_value(name_)
                              : before_ == Before::open && (last_ == '(' || last_ == ',' || last_ == '=');
            qualified_.clear();
        }
        name_ = std::move(token.text);
        quoted_ = quoted;
        in_name_ = true;
        dotted_ = false;
    }
    [[nodiscard]] static bool is_main(std::string_view word) noexcept {
        return word == "select" || word == "insert" || word == "update" || word == "delete" || word == "merge" ||
               word == "values";
    }
    void symbol(char c) {
        if (c == '.' && in_name_ && !dotted_) {
            dotted_ = true;
            return;
        }
        if (c == '(' && in_name_ && !dotted_) call();
        if (c == '(') ++depth_;
        if (c == ')' && depth_ > 0) --depth_;
        const bool cast = c == ':' && last_ == ':';
        before_ = c == ')' || c == ']' ? Before::closed : cast ? Before::introduced : Before::open;
        in_name_ = dotted_ = false;
        last_ = c;
        if (c == ';' && depth_ == 0) began_ = false;
    }
    void call() {
        last_ = '(';
        if (calls_nothing(first_) || creates_ || (with_ && depth_ == 0)) return;
        if (before_ == Before::introduced || before_ == Before::closed) return;
        const bool grammar = !quoted_ && is_keyword(name_) && !(value_ && may_call(name_));
        if (qualified_.empty() && (grammar || is_harmless(name_))) return;
        if (qualified_ == "information_schema." && name_.starts_with("_pg_")) return;  // as pgjdbc asks for keys
        add_once(calls_.functions, qualified_ + name_, calls_.more);
    }

    [[nodiscard]] bool may_call(std::string_view word) const noexcept {
        // GROUP BY a, CUBE (b)
        if (in_list_ && (word == "cube" || word == "rollup" || word == "sets")) return false;
        return may_name_function(word);
    }

    Calls& calls_;
    std::string first_, name_, qualified_;
    Before before_ = Before::open;  // what stands in front of the name
    std::size_t depth_ = 0;
    char last_ = 0;
    bool began_ = false, with_ = false, creates_ = false;
    bool in_name_ = false, dotted_ = false, quoted_ = false;
    bool value_ = false, in_list_ = false;  // a value stands here; behind a symbol
};

}  // namespace

Calls read_calls(std::string_view sql, bool conforming) {
    Calls calls;
    Tokens tokens(sql, conforming);
    Reader reader(calls);
    for (Token token = tokens.next(); token.kind != Token::Kind::end; token = tokens.next())
        reader.take(std::move(token));
    return calls;
}

bool replaces_functions(std::string_view sql) noexcept {
    constexpr std::array<std::string_view, 6> words{"function",  "procedure", "routine",
                                                    "extension", "aggregate", "schema"};
    for (std::size_t at = 0; at < sql.size(); ++at) {
        if (!is_letter(sql[at])) continue;
        const std::size_t begin = at;
        while (at < sql.size() && (is_letter(sql[at]) || is_digit(sql[at]) || sql[at] == '$')) ++at;
        const std::string_view word = sql.substr(begin, at - begin);
        if (std::ranges::any_of(words, [word](std::string_view known) { return same_name(known, word); })) return true;
    }
    return false;
}

}  // namespace leasehold::postgres
