// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/connection_id.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

[[nodiscard]] char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
[[nodiscard]] bool is_space(char c) noexcept { return static_cast<unsigned char>(c) <= 0x20; }
[[nodiscard]] bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
}

// A piece of the text as it stands.
struct Piece {
    enum class Kind : std::uint8_t { word, quoted, sign, end, unclear } kind = Kind::end;
    std::size_t from = 0, to = 0;
};

class Pieces {
  public:
    Pieces(std::string_view sql, LexMode mode) noexcept : sql_(sql), mode_(mode) {}

    [[nodiscard]] Piece next() noexcept {
        if (!skip_blank()) return {Piece::Kind::unclear, at_, at_};
        if (at_ == sql_.size()) return {Piece::Kind::end, at_, at_};
        const std::size_t from = at_;
        const char c = sql_[at_];
        if (is_word(c)) {
            while (at_ < sql_.size() && is_word(sql_[at_])) ++at_;
            return {Piece::Kind::word, from, at_};
        }
        if (c == '\'' || c == '"' || c == '`') {
            if (!skip_quoted(c)) return {Piece::Kind::unclear, from, from};
            return {Piece::Kind::quoted, from, at_};
        }
        ++at_;
        return {Piece::Kind::sign, from, at_};
    }
    [[nodiscard]] std::string_view text(const Piece& piece) const noexcept {
        return sql_.substr(piece.from, piece.to - piece.from);
    }
    [[nodiscard]] bool is(const Piece& piece, std::string_view capitals) const noexcept {
        const std::string_view is = text(piece);
        return (piece.kind == Piece::Kind::word || piece.kind == Piece::Kind::sign) &&
               std::ranges::equal(is, capitals, {}, upper);
    }

  private:
    // Blanks and comments. False: a comment that the server may execute, or that does not end.
    bool skip_blank() noexcept {
        while (at_ < sql_.size()) {
            const std::string_view rest = sql_.substr(at_);
            if (is_space(rest.front())) {
                ++at_;
            } else if (rest.front() == '#' || (rest.starts_with("--") && (rest.size() == 2 || is_space(rest[2])))) {
                at_ = std::min(sql_.find('\n', at_), sql_.size());
            } else if (rest.starts_with("/*")) {
                const std::size_t end = sql_.find("*/", at_ + 2);
                if (end == std::string_view::npos || rest.starts_with("/*!") || rest.starts_with("/*M!")) return false;
                at_ = end + 2;
            } else {
                break;
            }
        }
        return true;
    }
    bool skip_quoted(char quote) noexcept {
        const bool escapes = quote != '`' && !mode_.no_backslash_escapes && !(quote == '"' && mode_.ansi_quotes);
        for (++at_; at_ < sql_.size(); ++at_) {
            if (sql_[at_] == '\\' && escapes) {
                ++at_;
            } else if (sql_[at_] == quote) {
                if (at_ + 1 >= sql_.size() || sql_[at_ + 1] != quote) {
                    ++at_;
                    return true;
                }
                ++at_;
            }
        }
        return false;
    }

    std::string_view sql_;
    LexMode mode_;
    std::size_t at_ = 0;
};

// Between SELECT and its first item.
constexpr std::array<std::string_view, 11> modifiers{
    "ALL",           "DISTINCT",         "DISTINCTROW",         "HIGH_PRIORITY",
    "STRAIGHT_JOIN", "SQL_SMALL_RESULT", "SQL_BIG_RESULT",      "SQL_BUFFER_RESULT",
    "SQL_NO_CACHE",  "SQL_CACHE",        "SQL_CALC_FOUND_ROWS",
};
// What may follow the last item; a word that is none of these is an alias.
constexpr std::array<std::string_view, 14> followers{
    "FROM", "WHERE", "GROUP", "HAVING", "ORDER",     "LIMIT",     "UNION",
    "INTO", "FOR",   "LOCK",  "EXCEPT", "INTERSECT", "PROCEDURE", "WINDOW",
};

// Writes the text anew, item by item, in one pass over the items of the outermost SELECT.
class Rewriter {
  public:
    Rewriter(std::string_view sql, std::uint32_t number, LexMode mode)
        : sql_(sql), pieces_(sql, mode), literal_("CAST(" + std::to_string(number) + " AS UNSIGNED)") {}

    std::optional<std::string> rewrite() {
        advance();
        if (!is("SELECT")) return std::nullopt;
        advance();
        while (std::ranges::any_of(modifiers, [this](std::string_view modifier) { return is(modifier); })) advance();
        while (now_.kind != Piece::Kind::end) {
            if (now_.kind == Piece::Kind::unclear) return std::nullopt;
            if (!whole_item()) skip_item();
            if (!is(",")) break;
            advance();
        }
        // The rest must be certain too: no second statement.
        for (; now_.kind != Piece::Kind::end; advance()) {
            if (now_.kind == Piece::Kind::unclear || ended_) return std::nullopt;
            ended_ = is(";");
        }
        if (copied_ == 0) return std::nullopt;
        made_ += sql_.substr(copied_);
        return std::move(made_);
    }

  private:
    void advance() noexcept { now_ = pieces_.next(); }
    [[nodiscard]] bool is(std::string_view capitals) const noexcept { return pieces_.is(now_, capitals); }
    [[nodiscard]] bool at_end_of_items() const noexcept {
        return now_.kind == Piece::Kind::end || is(";") ||
               std::ranges::any_of(followers, [this](std::string_view follower) { return is(follower); });
    }
    // CONNECTION_ID() alone, or with an alias. False: it is something else, of which perhaps some was read.
    bool whole_item() {
        if (!is("CONNECTION_ID")) return false;
        const std::size_t from = now_.from;
        advance();
        if (!is("(")) return false;
        advance();
        if (!is(")")) return false;
        const std::size_t to = now_.to;
        const std::string_view written = sql_.substr(from, to - from);
        if (written.find('`') != std::string_view::npos) return false;  // in a comment between its words
        advance();
        const bool bare = is(",") || at_end_of_items();
        bool named = false;
        if (!bare) {
            if (is("AS")) advance();
            named = now_.kind == Piece::Kind::word || now_.kind == Piece::Kind::quoted;
            if (named) advance();
            named = named && (is(",") || at_end_of_items());
        }
        if (!bare && !named) return false;
        made_ += sql_.substr(copied_, from - copied_);
        made_ += literal_;
        // A column without an alias is called as it was written.
        if (bare) ((made_ += " AS `") += written) += '`';
        copied_ = to;
        return true;
    }
    void skip_item() noexcept {
        for (int depth = 0; now_.kind != Piece::Kind::end && now_.kind != Piece::Kind::unclear; advance()) {
            if (depth == 0 && (is(",") || at_end_of_items())) return;
            if (is("(")) ++depth;
            if (is(")")) --depth;
        }
    }

    std::string_view sql_;
    Pieces pieces_;
    std::string literal_, made_;
    std::size_t copied_ = 0;  // of the text
    Piece now_{};
    bool ended_ = false;
};

}  // namespace

std::optional<std::string> with_connection_id(std::string_view sql, std::uint32_t number, LexMode mode) {
    return Rewriter(sql, number, mode).rewrite();
}

}  // namespace leasehold::mysql
