// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/sql_prepared.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

constexpr std::size_t longest = 63;

[[nodiscard]] bool begins_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
[[nodiscard]] bool in_word(char c) noexcept { return begins_word(c) || (c >= '0' && c <= '9') || c == '$'; }
[[nodiscard]] bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

// Words and brackets of a statement's beginning, from left to right.
class Tokens {
  public:
    explicit Tokens(std::string_view sql) noexcept : sql_(sql) {}

    enum class What : std::uint8_t { end, word, name, symbol, unreadable };
    What next() {
        skip();
        at_ = to_;
        text_.clear();
        if (to_ >= sql_.size()) return What::end;
        const char c = sql_[to_];
        if (c == '"') return quoted('"') ? What::name : What::unreadable;
        if (c == '\'') return quoted('\'') ? What::symbol : What::unreadable;
        if (c == '$') return What::unreadable;
        if (!begins_word(c)) {
            ++to_;
            return What::symbol;
        }
        while (to_ < sql_.size() && in_word(sql_[to_])) {
            const char each = sql_[to_++];
            text_ += each >= 'A' && each <= 'Z' ? static_cast<char>(each + 32) : each;
        }
        const char after = to_ < sql_.size() ? sql_[to_] : '\0';
        const bool prefix = after == '\'' || (text_ == "u" && after == '&');  // of a literal, or of U&"..."
        return prefix ? What::unreadable : What::word;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] std::size_t at() const noexcept { return at_; }
    [[nodiscard]] std::size_t length() const noexcept { return to_ - at_; }
    [[nodiscard]] char symbol() const noexcept { return sql_[at_]; }
    [[nodiscard]] bool word(std::string_view wanted) { return next() == What::word && text_ == wanted; }

  private:
    void skip() noexcept {
        while (to_ < sql_.size()) {
            const std::string_view rest = sql_.substr(to_);
            if (is_blank(rest.front())) {
                ++to_;
            } else if (rest.starts_with("--")) {
                to_ = std::min(sql_.find_first_of("\r\n", to_), sql_.size());
            } else if (rest.starts_with("/*")) {
                comment();
            } else {
                return;
            }
        }
    }
    void comment() noexcept {
        std::size_t depth = 0;
        do {
            if (sql_.substr(to_).starts_with("/*")) {
                ++depth;
                to_ += 2;
            } else if (sql_.substr(to_).starts_with("*/")) {
                --depth;
                to_ += 2;
            } else {
                ++to_;
            }
        } while (depth > 0 && to_ < sql_.size());
    }
    bool quoted(char quote) {
        for (++to_; to_ < sql_.size(); ++to_) {
            if (sql_[to_] == quote && (to_ + 1 == sql_.size() || sql_[to_ + 1] != quote)) {
                ++to_;
                return quote == '\'' || !text_.empty();
            }
            if (sql_[to_] == quote) ++to_;
            if (sql_[to_] == '\\' && quote == '\'') return false;  // may mean something
            text_ += sql_[to_];
        }
        return false;
    }
    std::string_view sql_;
    std::size_t at_ = 0, to_ = 0;
    std::string text_;
};

using What = Tokens::What;

// Up to the bracket that closes the one just read.
[[nodiscard]] bool skip_brackets(Tokens& tokens) {
    for (std::size_t depth = 1; depth > 0;) {
        const What what = tokens.next();
        if (what == What::end || what == What::unreadable) return false;
        if (what != What::symbol) continue;
        if (tokens.symbol() == '(') ++depth;
        if (tokens.symbol() == ')') --depth;
    }
    return true;
}

// Behind CREATE: [TEMP | UNLOGGED ...] TABLE or MATERIALIZED VIEW ... AS, as far as EXECUTE.
[[nodiscard]] bool create_executes(Tokens& tokens) {
    bool table = false;
    for (What what = tokens.next(); what != What::end && what != What::unreadable; what = tokens.next()) {
        if (what == What::symbol && tokens.symbol() == '(' && !skip_brackets(tokens)) return false;
        if (what != What::word) continue;
        if (table && tokens.text() == "as") return tokens.word("execute");
        if (tokens.text() == "table") table = true;
        if (!table && tokens.text() != "temp" && tokens.text() != "temporary" && tokens.text() != "unlogged" &&
            tokens.text() != "global" && tokens.text() != "local")
            return false;
    }
    return false;
}

// Behind EXPLAIN.
[[nodiscard]] bool explain_executes(Tokens& tokens) {
    for (What what = tokens.next(); what != What::end && what != What::unreadable; what = tokens.next()) {
        if (what == What::symbol) {
            if (tokens.symbol() != '(' || !skip_brackets(tokens)) return false;
            continue;
        }
        if (what != What::word) return false;
        if (tokens.text() == "execute") return true;
        if (tokens.text() == "create") return create_executes(tokens);
        if (tokens.text() != "analyze" && tokens.text() != "analyse" && tokens.text() != "verbose") return false;
    }
    return false;
}

[[nodiscard]] NamedStatement::Kind begins_with(Tokens& tokens, const Statement& statement) {
    using Which = NamedStatement::Kind;
    if (tokens.next() != What::word) return Which::none;
    switch (statement.kind) {
        case Kind::prepare: return Which::prepare;
        case Kind::execute: return Which::execute;
        case Kind::deallocate: return Which::deallocate;
        case Kind::deallocate_all: return Which::deallocate_all;
        case Kind::explain: return explain_executes(tokens) ? Which::execute : Which::none;
        default: return tokens.text() == "create" && create_executes(tokens) ? Which::execute : Which::none;
    }
}

[[nodiscard]] std::size_t characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

bool is_reserved(std::string_view name) noexcept { return name.starts_with("lh_"); }

NamedStatement read_named(std::string_view sql, const Statement& statement) {
    NamedStatement found;
    Tokens tokens(sql);
    found.kind = begins_with(tokens, statement);
    if (found.kind == NamedStatement::Kind::none || found.kind == NamedStatement::Kind::deallocate_all) return found;
    What what = tokens.next();
    if (found.kind == NamedStatement::Kind::deallocate && what == What::word && tokens.text() == "prepare") {
        Tokens behind = tokens;
        const What name = behind.next();
        if (name == What::word || name == What::name || name == What::unreadable) {
            tokens = behind;
            what = name;
        }
    }
    found.end = sql.ends_with(';') ? sql.size() - 1 : sql.size();
    if (what != What::word && what != What::name) return found;
    found.at = tokens.at();
    found.length = tokens.length();
    found.name = tokens.take();
    found.written = found.name.size();
    if (found.name.size() > longest) {
        std::size_t cut = longest;  // at a character's edge
        while (cut > 0 && (static_cast<unsigned char>(found.name[cut]) & 0xc0) == 0x80) --cut;
        found.name.resize(cut);
    }
    return found;
}

void Rewriting::replace(std::size_t at, std::size_t length, std::string_view by) {
    edits_.push_back({.at = at, .length = length, .by = std::string(by)});
}

std::string Rewriting::apply(std::string_view sql) {
    std::string made;
    made.reserve(sql.size() + 16 * edits_.size());
    std::size_t from = 0, old_place = 0, new_place = 0;
    for (Edit& edit : edits_) {
        const std::string_view between = sql.substr(from, edit.at - from);
        made += between;
        made += edit.by;
        old_place += characters(between);
        new_place += characters(between);
        edit.old_at = old_place;
        edit.new_at = new_place;
        edit.old_length = characters(sql.substr(edit.at, edit.length));
        old_place += edit.old_length;
        new_place += edit.by.size();
        from = edit.at + edit.length;
    }
    made += sql.substr(from);
    return made;
}

std::size_t Rewriting::back(std::size_t place) const noexcept {
    if (place == 0) return place;
    std::size_t at = place - 1;
    for (auto edit = edits_.rbegin(); edit != edits_.rend(); ++edit) {
        if (at < edit->new_at) continue;
        const std::size_t into = at - edit->new_at;
        at = edit->old_at + (into < edit->by.size() ? std::size_t{0} : into - edit->by.size() + edit->old_length);
        break;
    }
    return at + 1;
}

SentNames* NameTrail::find(std::uint64_t request) noexcept {
    while (!sent_.empty() && sent_.front().request < request) sent_.pop_front();
    return !sent_.empty() && sent_.front().request == request ? &sent_.front() : nullptr;
}

void NameTrail::front_failed(std::uint64_t request, wire::Bytes error) {
    for (SentNames& sent : sent_) {
        if (sent.request < request) continue;
        if (sent.front_error.empty()) sent.front_error.assign(error.begin(), error.end());
        return;
    }
}

void NameTrail::answered(std::uint64_t request) noexcept {
    while (!sent_.empty() && sent_.front().request <= request) sent_.pop_front();
}

bool NameTrail::pending() const noexcept {
    return std::ranges::any_of(sent_, [](const SentNames& sent) {
        return std::any_of(sent.steps.begin() + static_cast<std::ptrdiff_t>(sent.next), sent.steps.end(),
                           [](const NameStep& step) { return step.kind != NameStep::Kind::none; });
    });
}

}  // namespace leasehold::postgres
