// SPDX-License-Identifier: Apache-2.0
// The second half of the lexer: what the first words of a statement, and the parts of a SET, mean.
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

using Kind = Token::Kind;

template <std::size_t N>
[[nodiscard]] bool one_of(std::string_view word, const std::array<std::string_view, N>& words) noexcept {
    return std::ranges::find(words, word) != words.end();
}

// They neither end a transaction nor leave anything behind.
constexpr std::array<std::string_view, 17> harmless{
    "SELECT",   "INSERT", "UPDATE",  "DELETE",    "REPLACE", "WITH", "VALUES", "TABLE",    "SHOW",
    "DESCRIBE", "DESC",   "EXPLAIN", "SAVEPOINT", "RELEASE", "HELP", "LOAD",   "CHECKSUM",
};
// They end a transaction, or may, and leave nothing behind.
constexpr std::array<std::string_view, 26> committing{
    "COMMIT", "ROLLBACK", "BEGIN",  "START",   "STOP",      "CREATE", "DROP",  "ALTER",    "TRUNCATE",
    "RENAME", "GRANT",    "REVOKE", "ANALYZE", "OPTIMIZE",  "REPAIR", "CHECK", "FLUSH",    "RESET",
    "PURGE",  "CHANGE",   "CACHE",  "INSTALL", "UNINSTALL", "UNLOCK", "DO",    "SHUTDOWN",
};
// Pins whose names say more than "statement".
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> pinning{{
    {"LOCK", "LOCK TABLES"},
    {"HANDLER", "HANDLER"},
    {"PREPARE", "SQL PREPARE"},
    {"EXECUTE", "SQL PREPARE"},
    {"DEALLOCATE", "SQL PREPARE"},
    {"CALL", "CALL: a procedure may leave state behind"},
    {"BACKUP", "BACKUP"},
}};
// Session variables that are more than a setting.
constexpr std::array<std::string_view, 12> uncarried{
    "timestamp",        "insert_id",
    "rand_seed1",       "rand_seed2",
    "sql_log_bin",      "sql_log_off",
    "profiling",        "server_id",
    "sql_auto_is_null", "default_master_connection",
    "skip_replication", "system_versioning_asof",
};

[[nodiscard]] std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}

[[nodiscard]] std::string_view word_at(const std::vector<Token>& tokens, std::size_t i) noexcept {
    if (i >= tokens.size() || tokens[i].kind != Kind::word) return {};
    return tokens[i].text;
}

void classify_begin(const std::vector<Token>& tokens, Statement& into) {
    if (word_at(tokens, 0) == "BEGIN" && (tokens.size() == 1 || word_at(tokens, 1) == "WORK")) {
        into.begins = true;
    } else if (word_at(tokens, 0) == "START" && word_at(tokens, 1) == "TRANSACTION") {
        into.begins = true;
    } else if (word_at(tokens, 0) == "BEGIN") {
        into.merge_pin("compound statement");
    }
}

void classify_use(const std::vector<Token>& tokens, Statement& into) {
    const bool word = tokens.size() == 2 && tokens[1].kind == Kind::word;
    const bool name = tokens.size() == 2 && tokens[1].kind == Kind::name;
    if ((word || name) && tokens[1].plain && !tokens[1].text.empty()) {
        into.database = word ? tokens[1].raw : tokens[1].text;
    } else {
        into.merge_pin("USE");
    }
}

}  // namespace

bool is_unsafe_charset(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 5> unsafe{"big5", "cp932", "gbk", "gb18030", "sjis"};
    return std::ranges::any_of(unsafe, [name](std::string_view one) {
        return std::search(name.begin(), name.end(), one.begin(), one.end(), [](char a, char b) {
                   return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
               }) != name.end();
    });
}

bool is_unsafe_charset(std::uint8_t collation) noexcept {
    constexpr std::array<std::uint8_t, 11> unsafe{1, 84, 95, 96, 28, 87, 13, 88, 248, 249, 250};
    return std::ranges::find(unsafe, collation) != unsafe.end();
}

bool has_ansi_quotes(std::string_view sql_mode) noexcept {
    // The combined modes are names of their own: ANSI, DB2, MAXDB, MSSQL, ORACLE, POSTGRESQL.
    constexpr std::array<std::string_view, 6> modes{"ansi", "db2", "maxdb", "mssql", "oracle", "postgresql"};
    const std::string folded = lower(sql_mode);
    return std::ranges::any_of(modes, [&](std::string_view mode) { return folded.find(mode) != std::string::npos; });
}

void classify(const std::vector<Token>& tokens, const Seen& seen, Statement& into) {
    const bool parenthesis = tokens[0].kind == Kind::sign && tokens[0].text == "(";
    const std::string_view verb = parenthesis ? std::string_view("SELECT") : word_at(tokens, 0);
    const bool only = into.count == 1;
    if (!only) into.rolls_back = into.ends = false;
    into.only_sets = verb == "SET" && (only || into.only_sets);
    if (verb == "INSERT" || verb == "REPLACE" || verb == "LOAD") into.may_insert = true;
    if (verb == "SAVEPOINT") into.savepoint = true;
    if (one_of(verb, harmless)) return;
    if (verb == "SET") {
        classify_set(tokens, seen.lost, into);
        return;
    }
    if (verb == "USE") {
        classify_use(tokens, into);
        return;
    }
    if (verb == "ROLLBACK" &&
        std::ranges::any_of(tokens, [](const Token& t) { return t.kind == Kind::word && t.text == "TO"; }))
        return;
    into.may_commit = true;
    if (verb == "KILL") into.kill = true;
    if (verb == "CALL") into.may_insert = into.calls = true;
    if (verb == "BEGIN" || verb == "START") classify_begin(tokens, into);
    if (verb == "ROLLBACK") into.rolls_back = only && !seen.release;
    const bool bare = tokens.size() == 1 || (tokens.size() == 2 && word_at(tokens, 1) == "WORK");
    if (verb == "COMMIT" || verb == "ROLLBACK") into.ends = only && bare;
    if ((verb == "COMMIT" || verb == "ROLLBACK") && seen.release) into.merge_pin("RELEASE ends the connection");
    if (verb == "CREATE" && seen.temporary) into.merge_pin("temporary table");
    if (verb == "FLUSH" && seen.flush_lock) into.merge_pin("FLUSH TABLES WITH READ LOCK");
    if (verb == "XA" && word_at(tokens, 1) != "RECOVER") into.merge_pin("XA");
    if (one_of(verb, committing) || verb == "XA" || verb == "KILL") return;
    const auto* known = std::ranges::find(pinning, verb, &std::pair<std::string_view, std::string_view>::first);
    into.merge_pin(known != pinning.end() ? known->second : "a statement that is not known");
}

namespace {

// One SET statement, token by token. Whatever does not fit the grammar of carried settings pins.
class SetReader {
  public:
    SetReader(const std::vector<Token>& tokens, Statement& into) : tokens_(tokens), into_(into) {}

    void read() {
        if (special()) return;
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
        if (first == "STATEMENT" || first == "ROLE" || first == "RESOURCE") {
            into_.may_commit = true;
            into_.merge_pin(first == "ROLE" ? "SET ROLE" : "SET of what is not carried");
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
        if (word() == "NAMES" && !is_sign("=", 1)) return names();
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
        name = lower(variable.text);
        ++at_;
        if (sign(":")) {
            if (!sign("=")) return false;
        } else if (!sign("=")) {
            return false;
        }
        return global ? skip_value() : value(name);
    }

    bool skip_value() noexcept {
        int depth = 0;
        for (; at_ < tokens_.size() && (depth > 0 || !is_sign(",")); ++at_) {
            if (is_sign("(")) ++depth;
            if (is_sign(")")) --depth;
        }
        return true;
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
        if (at_ < tokens_.size() && !is_sign(",") && word() != "COLLATE") return std::nullopt;
        return made;
    }

    bool names() {
        ++at_;
        std::optional<std::string> charset = literal();
        if (!charset || is_unsafe_charset(*charset)) return false;
        if (word() == "COLLATE") {
            ++at_;
            const std::optional<std::string> collation = literal();
            if (!collation || word() == "COLLATE") return false;
            *charset += " COLLATE " + *collation;
        }
        into_.sets.emplace_back("names", *charset);
        return true;
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
            name.starts_with("wsrep_") || name.starts_with("debug") || name.starts_with("session_track")) {
            return false;
        }
        const std::optional<std::string> made = literal();
        if (!made || word() == "COLLATE") return false;
        if (name == "sql_mode") {
            // A number would have to be known bit by bit.
            const char first = made->empty() ? '0' : made->front();
            if ((first >= '0' && first <= '9') || *made == "NULL") return false;
        }
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
    const std::size_t before = into.sets.size();
    SetReader(tokens, into).read();
    const bool mode = std::any_of(into.sets.begin() + static_cast<std::ptrdiff_t>(before), into.sets.end(),
                                  [](const auto& set) { return set.first == "sql_mode"; });
    // Text behind it is read in another mode than ours.
    if (mode && into.count > 1) into.merge_pin("sql_mode in a multi-statement");
}

}  // namespace leasehold::mysql
