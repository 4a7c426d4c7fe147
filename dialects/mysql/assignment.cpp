// SPDX-License-Identifier: Apache-2.0
// The lexer's part that reads SET, token by token: which assignments are carried as they stand, which the server tells
// about, and which pin.
#include "dialects/mysql/session_track.hpp"
#include "dialects/mysql/settings.hpp"
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

using Kind = Token::Kind;

// Session variables that are more than a setting.
constexpr std::array<std::string_view, 10> uncarried{
    "rand_seed1",
    "rand_seed2",
    "sql_log_bin",
    "sql_log_off",
    "profiling",
    "server_id",
    "skip_replication",
    "default_master_connection",
    "system_versioning_asof",
    "resultset_metadata",
};
// Whose value says less than what it was set to: nobody is asked for it.
constexpr std::array<std::string_view, 4> unread{"timestamp", "completion_type", "character_set_client", "sql_mode"};
// What an expression may call and name whose value the server then tells: it leaves nothing else behind. A stored function
// of such a name is called with its database in front.
constexpr std::array<std::string_view, 25> pure{
    "CONCAT", "CONCAT_WS", "REPLACE", "TRIM",      "BOTH",   "LEADING", "TRAILING", "FROM",  "LOWER",
    "LCASE",  "UPPER",     "UCASE",   "IF",        "IFNULL", "NULLIF",  "COALESCE", "LEAST", "GREATEST",
    "NULL",   "TRUE",      "FALSE",   "SUBSTRING", "LEFT",   "RIGHT",   "NOT",
};

}  // namespace

namespace {

// One SET statement, token by token. Whatever does not fit the grammar of carried settings pins.
class SetReader {
  public:
    SetReader(const std::vector<Token>& tokens, Statement& into) : tokens_(tokens), into_(into) {}

    void read() {
        if (special()) return;
        inner_assignments();
        for (;;) {
            if (!assignment()) {
                into_.merge_pin("SET of what is not carried");
                return;
            }
            if (at_ == tokens_.size()) return;
            if (!sign(",")) {
                into_.merge_pin("SET of what is not carried");
                return;
            }
        }
    }

  private:
    [[nodiscard]] std::string_view word(std::size_t ahead = 0) const noexcept { return word_at(tokens_, at_ + ahead); }
    [[nodiscard]] bool is_sign(std::string_view text, std::size_t ahead = 0) const noexcept {
        return at_ + ahead < tokens_.size() && tokens_[at_ + ahead].kind == Kind::sign &&
               tokens_[at_ + ahead].text == text;
    }
    bool sign(std::string_view text) noexcept {
        if (!is_sign(text)) return false;
        ++at_;
        return true;
    }

    // Forms of SET that are no assignments.
    bool special() {
        const std::string_view first = word();
        const bool scoped = first == "GLOBAL" || first == "SESSION" || first == "LOCAL";
        if (word(scoped ? 1 : 0) == "TRANSACTION" && !is_sign("=", scoped ? 2 : 1)) {
            at_ += scoped ? 2 : 1;
            if (first == "GLOBAL") return true;
            if (!scoped) {
                into_.one_shot = true;
                return true;
            }
            characteristics();
            return true;
        }
        if (first == "PASSWORD" || (first == "DEFAULT" && word(1) == "ROLE")) {
            into_.may_commit = true;
            return true;
        }
        if (first == "STATEMENT") into_.explained_here = false;
        if (first == "ROLE" && !is_sign("=", 1) && !is_sign(":", 1)) {
            into_.may_commit = true;
            ++at_;
            if (std::optional<std::string> role = read_role(tokens_, at_)) {
                into_.sets.emplace_back(role_key, std::move(*role));
            } else {
                into_.merge_pin("SET ROLE");
            }
            return true;
        }
        if (first == "STATEMENT" || first == "RESOURCE") {
            into_.may_commit = true;
            into_.merge_pin("SET of what is not carried");
            return true;
        }
        return false;
    }

    // ISOLATION LEVEL ... and READ WRITE | ONLY of SET SESSION TRANSACTION.
    void characteristics() {
        do {
            if (word() == "ISOLATION" && word(1) == "LEVEL") {
                const std::string_view a = word(2);
                const std::string_view b = word(3);
                const bool two = a == "READ" || a == "REPEATABLE";
                if (!(a == "SERIALIZABLE" || (a == "READ" && (b == "COMMITTED" || b == "UNCOMMITTED")) ||
                      (a == "REPEATABLE" && b == "READ"))) {
                    break;
                }
                std::string level = "'";
                level += a;
                if (two) (level += '-') += b;
                into_.sets.emplace_back("transaction isolation", level + "'");
                at_ += two ? 4 : 3;
            } else if (word() == "READ" && (word(1) == "ONLY" || word(1) == "WRITE")) {
                into_.sets.emplace_back("transaction read only", word(1) == "ONLY" ? "1" : "0");
                at_ += 2;
            } else {
                break;
            }
        } while (sign(","));
        if (at_ != tokens_.size()) into_.merge_pin("SET of what is not carried");
    }

    bool assignment() {
        if (word() == "NAMES" && !is_sign("=", 1)) return names("names");
        if ((word() == "CHARACTER" && word(1) == "SET") || (word() == "CHARSET" && !is_sign("=", 1))) {
            at_ += word() == "CHARSET" ? 0 : 1;
            return names("character set");
        }
        if (at_ < tokens_.size() && tokens_[at_].kind == Kind::user_variable) return user_variable();
        bool global = sticky_global_;
        std::string name;
        if (at_ < tokens_.size() && tokens_[at_].kind == Kind::system_variable) {
            ++at_;
            global = false;
            if (is_sign(".", 1)) {
                const std::string_view scope = word();
                global = scope == "GLOBAL" || scope == "PERSIST" || scope == "PERSIST_ONLY";
                if (!global && scope != "SESSION" && scope != "LOCAL") return false;
                at_ += 2;
            }
        } else if (const std::string_view scope = word(); !is_sign("=", 1) && !is_sign(":", 1)) {
            if (scope == "GLOBAL" || scope == "PERSIST" || scope == "PERSIST_ONLY") {
                global = sticky_global_ = true;
            } else if (scope == "SESSION" || scope == "LOCAL") {
                global = sticky_global_ = false;
            } else {
                return false;
            }
            ++at_;
        }
        if (at_ >= tokens_.size()) return false;
        const Token& variable = tokens_[at_];
        if ((variable.kind != Kind::word && variable.kind != Kind::name) || !variable.plain) return false;
        name = lower_case(variable.text);
        ++at_;
        if (sign(":")) {
            if (!sign("=")) return false;
        } else if (!sign("=")) {
            return false;
        }
        return global ? skip_value() : value(name);
    }

    // A number, a plain text or a word is carried as it stands; of anything else the server tells the value.
    bool user_variable() {
        const Token& variable = tokens_[at_];
        const std::string name = variable_name(variable.text);
        ++at_;
        (void)sign(":");
        if (!variable.plain || !is_certain_variable(name) || !sign("=")) return false;
        const std::size_t from = at_;
        std::optional<std::string> made = literal();
        const Kind kind = from < tokens_.size() ? tokens_[from].kind : Kind::end;
        if (made && kind == Kind::word) {
            const std::string_view word = tokens_[from].text;
            const bool digits = word.front() >= '0' && word.front() <= '9';
            if (!digits && word != "NULL" && word != "TRUE" && word != "FALSE") made.reset();
        }
        if (made && word() == "COLLATE") made.reset();
        if (!made) {
            at_ = from;
            made = number();
            if (made && made->find('/') != std::string::npos) made.reset();
        }
        if (made) {
            into_.make().users.emplace_back(name, std::move(*made));
            return true;
        }
        at_ = from;
        into_.make().assigned.push_back(name);
        return skip_value(true);
    }

    // @b := 1 within an expression.
    void inner_assignments() {
        int depth = 0;
        for (std::size_t i = 1; i + 1 < tokens_.size(); ++i) {
            if (tokens_[i].kind == Kind::sign) depth += tokens_[i].text == "(" ? 1 : tokens_[i].text == ")" ? -1 : 0;
            const bool begins = i == 1 || (depth == 0 && tokens_[i - 1].text == ",");
            if (begins || tokens_[i].kind != Kind::user_variable || tokens_[i + 1].text != ":") continue;
            into_.make().assigned.push_back(variable_name(tokens_[i].text));
        }
    }

    bool skip_value(bool native_may = false) {
        const std::size_t from = at_;
        int depth = 0;
        for (; at_ < tokens_.size() && (depth > 0 || !is_sign(",")); ++at_) {
            if (is_sign("(")) ++depth;
            if (is_sign(")")) --depth;
        }
        // A word may be a stored function.
        const bool words = std::any_of(
            tokens_.begin() + static_cast<std::ptrdiff_t>(from), tokens_.begin() + static_cast<std::ptrdiff_t>(at_),
            [](const Token& token) { return token.kind == Kind::sign && token.text == "("; });
        if (words && !(native_may && !into_.runs_stored)) into_.explained_here = false;
        return true;
    }

    // -1, 0.5, 64*1024*1024: as it stands.
    std::optional<std::string> number() {
        const std::size_t from = at_;
        std::string made;
        for (; at_ < tokens_.size() && !is_sign(","); ++at_) {
            const Token& token = tokens_[at_];
            const bool digits = token.kind == Kind::word && token.raw.front() >= '0' && token.raw.front() <= '9';
            const bool sign =
                token.kind == Kind::sign && std::string_view("+-*/().").find(token.text) != std::string_view::npos;
            const bool comment = !made.empty() && (made.back() == '-' || made.back() == '/') && sign;
            if (!token.plain || comment || (!digits && !sign)) break;
            made += digits ? token.raw : token.text;
        }
        if (at_ > from && made.size() < 256 && (at_ == tokens_.size() || is_sign(","))) return made;
        at_ = from;
        return std::nullopt;
    }

    // An expression of constants, system variables and native functions; passed over.
    bool harmless_expression() {
        const std::size_t from = at_;
        int depth = 0;
        for (; at_ < tokens_.size() && (depth > 0 || !is_sign(",")); ++at_) {
            const Token& token = tokens_[at_];
            if (is_sign("(")) ++depth;
            if (is_sign(")")) --depth;
            if (token.kind == Kind::system_variable) {
                ++at_;
                if (is_sign(".", 1)) at_ += 2;
                if (at_ < tokens_.size() && tokens_[at_].kind == Kind::word && !is_sign("(", 1)) continue;
            } else if (token.kind == Kind::text || (token.kind == Kind::user_variable && !is_sign(":", 1))) {
                continue;
            } else if (token.kind == Kind::sign && token.text != "." && token.text != ":") {
                continue;
            } else if (token.kind == Kind::word &&
                       (one_of(token.text, pure) || (token.raw.front() >= '0' && token.raw.front() <= '9'))) {
                continue;
            }
            break;
        }
        if (at_ > from && depth == 0 && (at_ == tokens_.size() || is_sign(","))) return true;
        at_ = from;
        return false;
    }

    // The literal as SQL; nothing: it is none.
    std::optional<std::string> literal() {
        if (at_ >= tokens_.size()) return std::nullopt;
        const Token& token = tokens_[at_];
        if (!token.plain || token.text.size() >= 256) return std::nullopt;
        std::string made;
        if (token.kind == Kind::text) {
            ((made += '\'') += token.text) += '\'';
        } else if (token.kind == Kind::word) {
            // A bare word is a name of something: utf8mb4, ON, DEFAULT, SYSTEM. A function has a parenthesis behind it.
            if (std::ranges::any_of(token.text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
                return std::nullopt;
            made = token.raw;
        } else {
            return std::nullopt;
        }
        ++at_;
        if (at_ < tokens_.size() && !is_sign(",") && word() != "COLLATE") {
            --at_;
            return std::nullopt;
        }
        return made;
    }

    bool names(std::string_view key) {
        ++at_;
        std::optional<std::string> charset = literal();
        if (!charset || is_unsafe_charset(*charset)) return false;
        if (word() == "COLLATE" && key == "names") {
            ++at_;
            const std::optional<std::string> collation = literal();
            if (!collation || word() == "COLLATE") return false;
            *charset += " COLLATE " + *collation;
        }
        if (word() == "COLLATE") return false;
        into_.sets.emplace_back(key, *charset);
        return true;
    }

    void effect(Effect::Kind kind, const std::string& name) {
        into_.make().effects.push_back({kind, static_cast<std::size_t>(into_.count - 1), name, {}});
    }

    bool value(const std::string& name) {
        if (name == "last_insert_id" || name == "identity") {
            into_.may_insert = into_.calls = true;
            return skip_value();
        }
        if (name == "autocommit") {
            // Its value comes with the reply's status; setting it may commit.
            into_.may_commit = true;
            return skip_value();
        }
        if (one_of(name, uncarried) || name.starts_with("pseudo_") || name.starts_with("gtid_") ||
            name.starts_with("wsrep_") || name.starts_with("debug")) {
            return false;
        }
        // For the next row with a generated id; then it is over.
        if (name == "insert_id") {
            effect(Effect::Kind::setting, name);
            return skip_value(true);
        }
        const std::size_t from = at_;
        std::optional<std::string> made = literal();
        if (!made) made = number();
        const bool tracked = is_tracked(name, true) || is_tracked(name, false);
        // A number would have to be known bit by bit.
        if (made && name == "sql_mode" && (made->empty() || (made->front() >= '0' && made->front() <= '9'))) {
            made.reset();
            at_ = from;
        }
        if (!made && tracked && harmless_expression()) {
            into_.computed.push_back(name);
            return true;
        }
        if (!made && !tracked && !one_of(name, unread) && !name.starts_with("session_track_")) {
            into_.make().asked.push_back(name);
            return skip_value(true);
        }
        if (!made || word() == "COLLATE") return false;
        if (name == "sql_auto_is_null") {
            // What it was on for goes with the last row that was inserted.
            const std::string folded = lower_case(*made);
            const bool off = folded == "0" || folded == "off" || folded == "false" || folded == "'off'";
            effect(off || folded == "default" ? Effect::Kind::end_setting : Effect::Kind::setting, name);
        }
        // The server ends the connection behind each transaction.
        if (name == "completion_type" && (lower_case(*made).find("release") != std::string::npos || *made == "2"))
            return false;
        if (name == "sql_mode" && *made == "NULL") return false;
        if (name == "character_set_client" && is_unsafe_charset(*made)) return false;
        into_.sets.emplace_back(name, *made);
        return true;
    }

    const std::vector<Token>& tokens_;
    Statement& into_;
    std::size_t at_ = 1;
    bool sticky_global_ = false;  // the last GLOBAL or SESSION keyword holds for what follows
};

}  // namespace

void classify_set(const std::vector<Token>& tokens, bool lost, Statement& into) {
    if (lost) {
        into.merge_pin("SET of what is not carried");
        into.may_commit = true;
        return;
    }
    SetReader(tokens, into).read();
}

}  // namespace leasehold::mysql
