// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/routines.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

// A name that needs no quotes, whatever the modes; "d.f" has two.
[[nodiscard]] bool is_simple(std::string_view name) noexcept {
    return !name.empty() && std::ranges::count(name, '.') <= 1 && name.front() != '.' && name.back() != '.' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                      c == '$' || c == '.';
           });
}

}  // namespace

// The temporary tables that a routine makes, by their names; rows of its own ones fire no triggers. True: the word is a part
// of that, and says nothing else.
bool Lexer::follow_made(Token::Kind kind) {
    const bool word = kind == Token::Kind::word, name = word || kind == Token::Kind::name;
    const bool dot = kind == Token::Kind::sign && kept_ == ".";
    switch (making_) {
        case Making::none: break;
        case Making::temporary:
            making_ = word && folded_ == "TABLE" ? Making::table : Making::none;
            if (making_ == Making::none) statement_.make().sets_unseen = true;
            return true;
        case Making::table:
            if (word && (folded_ == "IF" || folded_ == "NOT" || folded_ == "EXISTS")) return true;
            if (!name || !kept_all_ || kept_.find('.') != std::string::npos) break;
            making_name_ = kept_;
            making_ = Making::named;
            return true;
        case Making::named:
            if (!dot) break;
            making_name_ += '.';
            making_ = Making::dotted;
            return true;
        case Making::dotted:
            if (!name || !kept_all_ || kept_.find('.') != std::string::npos) break;
            making_name_ += kept_;
            making_ = Making::named;
            end_made();
            return true;
        case Making::inserts:
            if (word && (folded_ == "INTO" || folded_ == "IGNORE")) return true;
            making_ = name ? Making::inserted : Making::none;
            if (!name ||
                std::ranges::find(statement_.make().effects, kept_, &Effect::name) == statement_.make().effects.end())
                statement_.make().sets_unseen = true;
            return true;
        case Making::inserted:
            making_ = Making::none;
            if (dot) statement_.make().sets_unseen = true;  // that was a database
            break;
    }
    if (making_ != Making::none) end_made();
    if (word && folded_ == "TEMPORARY" && (last_word_ == "CREATE" || last_word_ == "REPLACE")) {
        making_ = Making::temporary;
        return true;
    }
    if (word && folded_ == "INSERT") making_ = Making::inserts;
    return making_ == Making::inserts;
}

void Lexer::end_made() {
    if (making_ == Making::named) {
        statement_.make().effects.push_back({Effect::Kind::table, 0, making_name_, {}});
    } else if (making_ != Making::none && making_ != Making::inserted) {
        statement_.make().sets_unseen = true;
    }
    making_ = Making::none;
}

std::optional<Routine> Routine::named(std::string_view text, std::string_view database) {
    Routine made;
    made.procedure = text.starts_with("CALL ");
    if (made.procedure) text.remove_prefix(5);
    if (!is_simple(text)) return std::nullopt;
    const std::size_t dot = text.find('.');
    made.database = dot == std::string_view::npos ? database : text.substr(0, dot);
    made.name = lower_case(dot == std::string_view::npos ? text : text.substr(dot + 1));
    if (!is_simple(made.database)) return std::nullopt;
    return made;
}

std::string Routine::question() const {
    std::string sql =
        "(SELECT CONCAT(SQL_MODE,CHAR(10),IFNULL(ROUTINE_DEFINITION,'EXECUTE')) FROM information_schema.ROUTINES WHERE "
        "ROUTINE_SCHEMA='";
    ((sql += database) += "' AND ROUTINE_NAME='") += name;
    return (sql += "' AND ROUTINE_TYPE='") += procedure ? "PROCEDURE')" : "FUNCTION')";
}

// Where strings and names could be read in two ways, or a comment is code to some versions, nothing is known.
RoutineTraces read_routine(std::string_view definition, bool mariadb) {
    RoutineTraces traces;
    const std::size_t line = definition.find('\n');
    if (line == std::string_view::npos) return traces.unknown = true, traces;
    const std::string modes = lower_case(definition.substr(0, line));
    LexMode mode;
    mode.mariadb = mariadb;
    mode.ansi_quotes = has_ansi_quotes(modes);
    mode.no_backslash_escapes = modes.find("no_backslash_escapes") != std::string::npos;
    mode.routine = true;
    const std::string_view body = definition.substr(line + 1);
    Lexer lexer(mode);
    lexer.feed(wire::as_bytes(body));
    const Statement& seen = lexer.finish();
    traces.unknown =
        body.find('\0') != std::string_view::npos || seen.variables_lost || modes.find("oracle") != std::string::npos;
    traces.unknown = traces.unknown || !std::ranges::all_of(seen.variables, is_certain_variable);
    traces.some_lock = seen.pin == "GET_LOCK";
    traces.sets_role = seen.pin == "SET ROLE";
    traces.unknown = traces.unknown || !(seen.pin.empty() || traces.some_lock || traces.sets_role);
    traces.variables = seen.variables;
    if (!seen.made) return traces;
    for (const Effect& effect : seen.made->effects) {
        if (effect.kind == Effect::Kind::lock) traces.locks.push_back(effect.name);
        if (effect.kind == Effect::Kind::table) traces.tables.push_back(effect.name);
    }
    traces.calls = seen.made->calls;
    traces.sets_unseen = seen.made->sets_unseen;
    traces.sets_some = seen.made->sets_some;
    return traces;
}

}  // namespace leasehold::mysql
