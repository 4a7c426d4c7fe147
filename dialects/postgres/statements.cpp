// SPDX-License-Identifier: Apache-2.0
// The lexical half: strings, comments, identifiers, the ends of statements. What words mean is in statement_words.cpp.
#include "dialects/postgres/statements.hpp"

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
    current_.length = 0;
    state_ = State::plain;
    expect_ = Expect::first;
    previous_ = Previous::none;
    parens_ = body_depth_ = 0;
    routine_ = ended_ = continues_ = false;
}

void Scanner::put(char c) noexcept {
    if (word_length_ < word_.size() - 1) word_[word_length_] = c;
    ++word_length_;
}

void Scanner::open_text(bool escapes) noexcept {
    escapes_ = escapes;
    continues_ = false;
    state_ = State::text;
}

void Scanner::end_word() noexcept {
    state_ = State::plain;
    const std::size_t length = word_length_ < word_.size() ? word_length_ : word_.size() - 1;
    word({word_.data(), length}, false);
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
                symbol(c);
            }
            return;
        default:
            continues_ = false;
            if (c == '(') ++parens_;
            if (c == ')' && parens_ > 0) --parens_;
            symbol(c);
    }
}

void Scanner::finish() noexcept {
    if (state_ == State::word) end_word();
    if (state_ == State::dollar_tag) symbol('$');
    if (state_ == State::identifier_quote) word({word_.data(), word_length_ < 63 ? word_length_ : 63}, true);
    state_ = State::plain;
    if (expect_ == Expect::prepare_transaction) current_.kind = Kind::prepare_transaction;
    ended_ = true;
}

std::size_t Scanner::feed(std::string_view text) noexcept {
    if (ended_) begin_statement();
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const char* p = begin;
    while (p < end) {
        const char c = *p;
        switch (state_) {
            case State::plain:
                plain(c);
                ++p;
                if (ended_) return static_cast<std::size_t>(p - begin);
                break;
            case State::word:
                while (p < end && in_word(*p)) put(lower(*p++));
                if (p == end) break;
                if (word_length_ == 1 && *p == '\'' && word_[0] == 'e') {
                    symbol('\'');
                    open_text(true);
                    ++p;
                } else if (word_length_ == 1 && *p == '&' && word_[0] == 'u') {
                    state_ = State::u_ampersand;
                    ++p;
                } else {
                    end_word();
                }
                break;
            case State::u_ampersand:
                if (c == '\'' || c == '"') {
                    symbol(c);
                    if (c == '"') current_.marks |= mark::obscure;
                    word_length_ = 0;
                    if (c == '"') state_ = State::identifier;
                    if (c == '\'') open_text(!conforming_);
                    ++p;
                } else {
                    word_length_ = 1;  // it was the name u, and an operator
                    word_[0] = 'u';
                    end_word();
                    symbol('&');
                }
                break;
            case State::dash:
                if (c == '-') {
                    state_ = State::line_comment;
                    ++p;
                } else {
                    state_ = State::plain;
                    continues_ = false;
                    symbol('-');
                }
                break;
            case State::slash:
                continues_ = false;
                if (c == '*') {
                    state_ = State::block_comment;
                    comment_depth_ = 1;
                    ++p;
                } else {
                    state_ = State::plain;
                    symbol('/');
                }
                break;
            case State::line_comment:
                while (p < end && class_of(*p) != newline) ++p;
                if (p < end) state_ = State::plain;
                break;
            case State::block_comment:
                while (p < end && *p != '*' && *p != '/') ++p;
                if (p < end) state_ = *p++ == '*' ? State::block_star : State::block_slash;
                break;
            case State::block_star:
                state_ = c == '*' ? State::block_star : State::block_comment;
                if (c == '/' && --comment_depth_ == 0) state_ = State::plain;
                ++p;
                break;
            case State::block_slash:
                state_ = c == '/' ? State::block_slash : State::block_comment;
                if (c == '*') ++comment_depth_;
                ++p;
                break;
            case State::text:
                while (p < end && *p != '\'' && !(escapes_ && *p == '\\')) ++p;
                if (p < end) state_ = *p++ == '\'' ? State::text_quote : State::text_escape;
                break;
            case State::text_escape:
                state_ = State::text;
                ++p;
                break;
            case State::text_quote:
                if (c == '\'') {
                    state_ = State::text;
                    ++p;
                } else {
                    state_ = State::plain;
                    continues_ = escapes_;
                    newline_ = false;
                }
                break;
            case State::identifier:
                while (p < end && *p != '"') put(*p++);
                if (p < end) {
                    state_ = State::identifier_quote;
                    ++p;
                }
                break;
            case State::identifier_quote:
                if (c == '"') {
                    put(c);
                    state_ = State::identifier;
                    ++p;
                } else {
                    state_ = State::plain;
                    word({word_.data(), word_length_ < 63 ? word_length_ : 63}, true);
                }
                break;
            case State::dollar:
                if (class_of(c) == digit) {
                    symbol('$');
                    state_ = State::parameter;
                } else if (c == '$' || class_of(c) == letter) {
                    tag_length_ = 0;
                    word_length_ = 0;
                    state_ = State::dollar_tag;
                } else {
                    symbol('$');
                    state_ = State::plain;
                }
                break;
            case State::parameter:
                while (p < end && class_of(*p) == digit) ++p;
                if (p < end) state_ = State::plain;
                break;
            case State::dollar_tag:
                if (c == '$') {
                    symbol('$');
                    state_ = tag_length_ > tag_.size() ? State::unreadable : State::body;
                    if (state_ == State::unreadable) mark_all();
                    ++p;
                } else if (class_of(c) >= letter) {
                    if (tag_length_ < tag_.size()) tag_[tag_length_] = c;
                    ++tag_length_;
                    put(lower(c));
                    ++p;
                } else {  // no tag: an operator and a name
                    symbol('$');
                    end_word();
                }
                break;
            case State::body: {
                const void* found = std::memchr(p, '$', static_cast<std::size_t>(end - p));
                p = found == nullptr ? end : static_cast<const char*>(found) + 1;
                tag_at_ = 0;
                if (found != nullptr) state_ = State::body_tag;
                break;
            }
            case State::body_tag:
                if (tag_at_ == tag_length_ && c == '$') {
                    state_ = State::plain;
                    ++p;
                } else if (tag_at_ < tag_length_ && c == tag_[tag_at_]) {
                    ++tag_at_;
                    ++p;
                } else {
                    state_ = State::body;  // this character may be a '$' that begins the tag
                }
                break;
            case State::unreadable: p = end; break;
        }
    }
    return text.size();
}

}  // namespace leasehold::postgres
