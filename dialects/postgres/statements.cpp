// SPDX-License-Identifier: Apache-2.0
// The lexical half: strings, comments, identifiers, the ends of statements. What words mean is in statement_words.cpp.
#include "dialects/postgres/statements.hpp"

#include <algorithm>
#include <cstring>

namespace leasehold::postgres {
namespace {

enum Class : std::uint8_t { other, blank, newline, letter, digit };

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t c = 0; c < 256; ++c) {
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        table[c] = is_letter ? letter : (c >= '0' && c <= '9') ? digit : other;
    }
    table[' '] = table['\t'] = table['\f'] = table['\v'] = blank;
    table['\n'] = table['\r'] = newline;
    return table;
}
constexpr std::array<std::uint8_t, 256> classes = make_classes();

[[nodiscard]] std::uint8_t class_of(char c) noexcept { return classes[static_cast<unsigned char>(c)]; }
[[nodiscard]] bool in_word(char c) noexcept { return class_of(c) >= letter || c == '$'; }
[[nodiscard]] char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

void Scanner::begin_statement() noexcept {
    current_.kind = Kind::none;
    current_.marks = 0;
    current_.inserts = false;
    current_.length = 0;
    state_ = State::plain;
    expect_ = Expect::first;
    previous_ = Previous::none;
    near_ = Near::nothing;
    into_ = 0;
    parens_ = body_depth_ = 0;
    routine_ = defines_ = updates_ = selects_ = value_ = ended_ = continues_ = false;
}

void Scanner::put(char c) noexcept {
    if (word_length_ < word_.size() - 1) word_[word_length_] = c;
    ++word_length_;
}

void Scanner::open_text(bool escapes) noexcept {
    escapes_ = escapes;
    continues_ = false;
    state_ = State::text;
    value_ = current_.kind == Kind::set || current_.kind == Kind::set_local;
    word_length_ = 0;
}

// SET search_path = 'pg_temp' says what SET search_path = pg_temp does.
void Scanner::end_value() noexcept {
    value_ = false;
    constexpr std::string_view temporary = "pg_temp";
    if (kept_word().substr(0, temporary.size()) == temporary) current_.marks |= mark::pg_temp;
}

bool Statement::may_commit() const noexcept {
    switch (kind) {
        case Kind::commit:
        case Kind::call:
        case Kind::run_do:
        case Kind::prepare_transaction:
        case Kind::commit_prepared:
        case Kind::rollback_prepared: return true;
        default: return (marks & mark::obscure) != 0;
    }
}

void Scanner::mark_all() noexcept { current_.marks |= mark::obscure; }

void Scanner::note_reserved(std::string_view name) noexcept {
    if (name.starts_with("lh_")) current_.marks |= mark::reserved;
}

void Scanner::take_variable(std::string_view w) noexcept {
    const std::size_t n = std::min(w.size(), current_.name.size() - 1 - current_.length);
    std::copy_n(w.begin(), n, current_.name.begin() + current_.length);
    current_.length = static_cast<std::uint8_t>(current_.length + n);
}

void Scanner::end_word() noexcept {
    state_ = State::plain;
    word(kept_word(), false);
}

// One character outside of words, literals and comments.
void Scanner::plain(char c) noexcept {
    switch (class_of(c)) {
        case blank: return;
        case newline: newline_ = true; return;
        case letter:
            continues_ = false;
            word_[0] = lower(c);
            word_length_ = 1;
            state_ = State::word;
            return;
        default: break;
    }
    switch (c) {
        case '\'':
            // 'a' newline 'b' is one literal, and keeps the rules of its first part.
            if (!(continues_ && newline_)) symbol(c);
            open_text((continues_ && newline_) || !conforming_);
            return;
        case '-': state_ = State::dash; return;
        case '/': state_ = State::slash; return;
        case '"':
            continues_ = false;
            word_length_ = 0;
            state_ = State::identifier;
            return;
        case '$':
            continues_ = false;
            state_ = State::dollar;
            return;
        case ';':
            continues_ = false;
            if (parens_ == 0 && body_depth_ == 0) {
                finish();
            } else {
                // Where a body ends is a guess: SELECT 1 AS case.
                if (body_depth_ > 0) mark_all();
                symbol(c);
            }
            return;
        default:
            continues_ = false;
            if (c == '(') open_parenthesis();
            if (c == ')' && parens_ > 0) --parens_;
            symbol(c);
            if (c == '(') previous_ = Previous::opened;
    }
}

void Scanner::finish() noexcept {
    if (state_ == State::word) end_word();
    if (state_ == State::text_quote && value_) end_value();
    if (state_ == State::dollar_tag) symbol('$');
    if (state_ == State::identifier_quote) word(kept_word(), true);
    state_ = State::plain;
    if (expect_ == Expect::prepare_transaction) current_.kind = Kind::prepare_transaction;
    if (expect_ == Expect::prepared_tail && current_.length == 0) take_variable("prepare");  // a statement of that name
    ended_ = true;
}

std::size_t Scanner::feed(std::string_view text) noexcept {
    if (ended_) begin_statement();
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const char* p = begin;
    while (p < end) {
        switch (state_) {
            case State::plain:
                plain(*p++);
                if (ended_) return static_cast<std::size_t>(p - begin);
                break;
            case State::word:
                while (p < end && in_word(*p)) put(lower(*p++));
                if (p < end) p = after_word(p);
                break;
            case State::text:
                if (value_) {
                    p = in_value(p, end);
                    break;
                }
                while (p < end && *p != '\'' && !(escapes_ && *p == '\\')) ++p;
                if (p < end) state_ = *p++ == '\'' ? State::text_quote : State::text_escape;
                break;
            case State::text_escape:
            case State::text_quote:
            case State::identifier:
            case State::identifier_quote:
            case State::u_ampersand: p = in_quotes(p, end); break;
            case State::dash:
            case State::slash:
            case State::line_comment:
            case State::block_comment:
            case State::block_star:
            case State::block_slash: p = in_comment(p, end); break;
            case State::dollar:
            case State::dollar_tag:
            case State::parameter:
            case State::body:
            case State::body_tag: p = in_dollars(p, end); break;
            case State::unreadable: p = end; break;
        }
    }
    return text.size();
}

// The character at p ends a word; the word may be the prefix of a literal.
const char* Scanner::after_word(const char* p) noexcept {
    if (word_length_ == 1 && *p == '\'' && word_[0] == 'e') {
        symbol('\'');
        open_text(true);
        return p + 1;
    }
    if (word_length_ == 1 && *p == '&' && word_[0] == 'u') {
        state_ = State::u_ampersand;
        return p + 1;
    }
    end_word();
    return p;
}

// The literal that SET sets is short, and looked into.
const char* Scanner::in_value(const char* p, const char* end) noexcept {
    while (p < end && *p != '\'' && !(escapes_ && *p == '\\')) put(lower(*p++));
    if (p < end) state_ = *p++ == '\'' ? State::text_quote : State::text_escape;
    return p;
}

const char* Scanner::in_quotes(const char* p, const char* end) noexcept {
    const char c = *p;
    switch (state_) {
        case State::text_escape:
            if (value_) current_.marks |= mark::obscure;
            state_ = State::text;
            return p + 1;
        case State::text_quote:
            if (c == '\'') {
                state_ = State::text;
                return p + 1;
            }
            if (value_) end_value();
            state_ = State::plain;
            continues_ = escapes_;
            newline_ = false;
            return p;
        case State::identifier:
            while (p < end && *p != '"') put(*p++);
            if (p == end) return p;
            state_ = State::identifier_quote;
            return p + 1;
        case State::identifier_quote:
            if (c == '"') {
                put(c);
                state_ = State::identifier;
                return p + 1;
            }
            state_ = State::plain;
            word(kept_word(), true);
            return p;
        default: break;  // u_ampersand
    }
    if (c != '\'' && c != '"') {
        word_length_ = 1;  // it was the name u, and an operator
        word_[0] = 'u';
        end_word();
        symbol('&');
        return p;
    }
    symbol(c);
    word_length_ = 0;
    if (c == '"') {
        current_.marks |= mark::obscure;
        state_ = State::identifier;
    } else {
        open_text(!conforming_);
        if (value_) current_.marks |= mark::obscure;
    }
    return p + 1;
}

const char* Scanner::in_comment(const char* p, const char* end) noexcept {
    const char c = *p;
    switch (state_) {
        case State::dash:
        case State::slash: {
            const bool line = state_ == State::dash;
            if (!line || c != '-') continues_ = false;
            if (c == (line ? '-' : '*')) {
                state_ = line ? State::line_comment : State::block_comment;
                comment_depth_ = 1;
                return p + 1;
            }
            state_ = State::plain;
            symbol(line ? '-' : '/');
            return p;
        }
        case State::line_comment:
            while (p < end && class_of(*p) != newline) ++p;
            if (p < end) state_ = State::plain;
            return p;
        case State::block_comment:
            while (p < end && *p != '*' && *p != '/') ++p;
            if (p == end) return p;
            state_ = *p == '*' ? State::block_star : State::block_slash;
            return p + 1;
        case State::block_star:
            state_ = c == '*' ? State::block_star : State::block_comment;
            if (c == '/' && --comment_depth_ == 0) state_ = State::plain;
            return p + 1;
        default:  // block_slash
            state_ = c == '/' ? State::block_slash : State::block_comment;
            if (c == '*') ++comment_depth_;
            return p + 1;
    }
}

const char* Scanner::in_dollars(const char* p, const char* end) noexcept {
    const char c = *p;
    switch (state_) {
        case State::dollar:
            if (c == '$' || class_of(c) == letter) {
                tag_length_ = word_length_ = 0;
                state_ = State::dollar_tag;
            } else {
                symbol('$');
                state_ = class_of(c) == digit ? State::parameter : State::plain;
            }
            return p;
        case State::parameter:
            while (p < end && class_of(*p) == digit) ++p;
            if (p < end) state_ = State::plain;
            return p;
        case State::dollar_tag:
            if (c == '$') {
                symbol('$');
                state_ = tag_length_ > tag_.size() ? State::unreadable : State::body;
                if (state_ == State::unreadable || current_.kind == Kind::set || current_.kind == Kind::set_local) {
                    mark_all();
                }
                return p + 1;
            }
            if (class_of(c) < letter) {  // no tag: an operator and a name
                symbol('$');
                end_word();
                return p;
            }
            if (tag_length_ < tag_.size()) tag_[tag_length_] = c;
            ++tag_length_;
            put(lower(c));
            return p + 1;
        case State::body: {
            const void* found = std::memchr(p, '$', static_cast<std::size_t>(end - p));
            tag_at_ = 0;
            if (found == nullptr) return end;
            state_ = State::body_tag;
            return static_cast<const char*>(found) + 1;
        }
        default: break;  // body_tag
    }
    if (tag_at_ == tag_length_ && c == '$') {
        state_ = State::plain;
        return p + 1;
    }
    if (tag_at_ < tag_length_ && c == tag_[tag_at_]) {
        ++tag_at_;
        return p + 1;
    }
    state_ = State::body;  // this character may be a '$' that begins the tag
    return p;
}

}  // namespace leasehold::postgres
