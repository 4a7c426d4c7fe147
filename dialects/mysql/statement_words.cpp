// SPDX-License-Identifier: Apache-2.0
// The second half of the lexer: what the first words of a statement mean.
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

using Kind = Token::Kind;

// They neither end a transaction nor leave anything behind.
constexpr std::array<std::string_view, 20> harmless{
    "SELECT", "INSERT",  "UPDATE",    "DELETE",  "REPLACE", "WITH", "VALUES",   "TABLE",  "SHOW",     "DESCRIBE",
    "DESC",   "EXPLAIN", "SAVEPOINT", "RELEASE", "HELP",    "LOAD", "CHECKSUM", "SIGNAL", "RESIGNAL", "GET",
};
// They end a transaction, or may, and leave nothing behind.
constexpr std::array<std::string_view, 29> committing{
    "COMMIT", "ROLLBACK", "BEGIN",     "START",    "STOP",   "CREATE",   "DROP",  "ALTER",  "TRUNCATE", "RENAME",
    "GRANT",  "REVOKE",   "ANALYZE",   "OPTIMIZE", "REPAIR", "CHECK",    "FLUSH", "RESET",  "PURGE",    "CHANGE",
    "CACHE",  "INSTALL",  "UNINSTALL", "UNLOCK",   "DO",     "SHUTDOWN", "CLONE", "IMPORT", "RESTART",
};
// They make or end state that has an end: statement_effects.cpp
constexpr std::array<std::string_view, 5> ending{"CALL", "HANDLER", "PREPARE", "EXECUTE", "DEALLOCATE"};
// They may fire triggers.
constexpr std::array<std::string_view, 6> changing{"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH"};
// Pins whose names say more than "statement".
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> pinning{{
    {"LOCK", "LOCK"},
    {"BINLOG", "BINLOG"},
    {"BACKUP", "BACKUP"},
}};

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

std::string lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}

std::string_view word_at(const std::vector<Token>& tokens, std::size_t i) noexcept {
    if (i >= tokens.size() || tokens[i].kind != Kind::word) return {};
    return tokens[i].text;
}

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
    const std::string folded = lower_case(sql_mode);
    return std::ranges::any_of(modes, [&](std::string_view mode) { return folded.find(mode) != std::string::npos; });
}

void classify(const std::vector<Token>& tokens, const Seen& seen, Statement& into) {
    const bool parenthesis = tokens[0].kind == Kind::sign && tokens[0].text == "(";
    const std::string_view verb = parenthesis ? std::string_view("SELECT") : word_at(tokens, 0);
    const bool only = into.count == 1;
    if (!only) into.rolls_back = into.ends = false;
    into.only_sets = verb == "SET" && (only || into.only_sets);
    if (verb == "INSERT" || verb == "REPLACE" || verb == "LOAD") into.may_insert = true;
    if (verb == "LOAD") into.calls = true;  // its OK has no number
    if (one_of(verb, changing)) into.may_trigger = true;
    if (verb == "SAVEPOINT") into.savepoint = true;
    if (verb == "ANALYZE") into.may_insert = true;  // it carries the statement out
    into.explained_here = verb == "SET" || verb == "USE" || verb == "ALTER" || verb == "TRUNCATE" ||
                          ((verb == "DROP" || verb == "CREATE") && seen.temporary) || verb == "PREPARE" ||
                          verb == "DEALLOCATE" || (verb == "DROP" && word_at(tokens, 1) == "PREPARE");
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
    if (verb == "KILL") into.kill = read_kill(tokens, seen.lost);
    if (verb == "CALL") into.may_insert = into.calls = true;
    if (verb == "BEGIN" || verb == "START") classify_begin(tokens, into);
    if (verb == "XA" && (word_at(tokens, 1) == "START" || word_at(tokens, 1) == "BEGIN")) into.begins_xa = true;
    if (verb == "ROLLBACK") into.rolls_back = only && !seen.release;
    const bool bare = tokens.size() == 1 || (tokens.size() == 2 && word_at(tokens, 1) == "WORK");
    if (verb == "COMMIT" || verb == "ROLLBACK") into.ends = only && bare;
    if ((verb == "COMMIT" || verb == "ROLLBACK") && seen.release) into.merge_pin("RELEASE ends the connection");
    if (verb == "FLUSH" && seen.flush_lock) into.locks = "FLUSH TABLES WITH READ LOCK";
    into.unlocks = only && verb == "UNLOCK" && word_at(tokens, 1).starts_with("TABLE");
    if (verb == "LOCK" && word_at(tokens, 1).starts_with("TABLE")) {
        into.locks = "LOCK TABLES";
        return;
    }
    if (one_of(verb, committing) || one_of(verb, ending) || verb == "XA" || verb == "KILL") return;
    const auto* known = std::ranges::find(pinning, verb, &std::pair<std::string_view, std::string_view>::first);
    into.merge_pin(known != pinning.end() ? known->second : "a statement that is not known");
}

}  // namespace leasehold::mysql
