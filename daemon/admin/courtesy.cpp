// SPDX-License-Identifier: Apache-2.0
// What PostgreSQL's drivers and tools send to any server when they connect or tidy up. The console answers so that they
// go on; none of it has an effect. MySQL's are answered by their dialect.
#include "daemon/admin/console.hpp"

#include <algorithm>
#include <array>

namespace leasehold::daemon::admin {
namespace {

struct Known {
    std::string_view expression;  // in capitals, tokens joined without spaces
    std::string_view column;
    std::string_view value;
};

constexpr std::array selects{
    Known{"1", "?column?", "1"},
    Known{"VERSION()", "version", "PostgreSQL 15.0 (leasehold " LEASEHOLD_VERSION ", console)"},
    Known{"PG_CATALOG.VERSION()", "version", "PostgreSQL 15.0 (leasehold " LEASEHOLD_VERSION ", console)"},
    Known{"CURRENT_SCHEMA()", "current_schema", "public"},
    Known{"CURRENT_SCHEMA", "current_schema", "public"},
    Known{"CURRENT_DATABASE()", "current_database", "leasehold"},
    Known{"PG_ADVISORY_UNLOCK_ALL()", "pg_advisory_unlock_all", ""},
    Known{"PG_IS_IN_RECOVERY()", "pg_is_in_recovery", "f"},
};

constexpr std::array settings{
    Known{"TRANSACTIONISOLATIONLEVEL", "transaction_isolation", "read committed"},
    Known{"TRANSACTION_ISOLATION", "transaction_isolation", "read committed"},
    Known{"DEFAULT_TRANSACTION_ISOLATION", "default_transaction_isolation", "read committed"},
    Known{"TRANSACTION_READ_ONLY", "transaction_read_only", "off"},
    Known{"STANDARD_CONFORMING_STRINGS", "standard_conforming_strings", "on"},
    Known{"CLIENT_ENCODING", "client_encoding", "UTF8"},
    Known{"SERVER_ENCODING", "server_encoding", "UTF8"},
    Known{"SERVER_VERSION", "server_version", "15.0"},
    Known{"SERVER_VERSION_NUM", "server_version_num", "150000"},
    Known{"DATESTYLE", "DateStyle", "ISO, MDY"},
    Known{"TIMEZONE", "TimeZone", "UTC"},
    Known{"SEARCH_PATH", "search_path", "public"},
    Known{"INTEGER_DATETIMES", "integer_datetimes", "on"},
};

// Commands that are acknowledged and nothing more, with the tag that a server gives.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> acknowledged{{
    {"SET", "SET"},
    {"RESET", "RESET"},
    {"BEGIN", "BEGIN"},
    {"START", "START TRANSACTION"},
    {"COMMIT", "COMMIT"},
    {"END", "COMMIT"},
    {"ROLLBACK", "ROLLBACK"},
    {"ABORT", "ROLLBACK"},
    {"DISCARD", "DISCARD ALL"},
    {"DEALLOCATE", "DEALLOCATE ALL"},
    {"UNLISTEN", "UNLISTEN"},
    {"CLOSE", "CLOSE CURSOR ALL"},
    {"SAVEPOINT", "SAVEPOINT"},
}};

Answer one_value(const Known& known, std::string tag) {
    Answer answer;
    answer.result.columns.push_back({std::string(known.column), dialects::Column::Type::text});
    if (known.expression == "1") answer.result.columns.front().type = dialects::Column::Type::integer;
    answer.result.rows.push_back({std::string(known.value)});
    answer.result.tag = std::move(tag);
    return answer;
}

template <class List>
std::optional<Answer> look_up(const List& list, const std::vector<Token>& words, std::string tag) {
    std::string expression;
    for (std::size_t i = 1; i < words.size(); ++i) expression += upper(words[i].text);
    const auto known = std::ranges::find(list, expression, &Known::expression);
    if (known == list.end()) return std::nullopt;
    return one_value(*known, std::move(tag));
}

}  // namespace

std::optional<Answer> courtesy(const std::vector<Token>& words) {
    const Token& verb = words.front();
    if (verb.kind != Token::Kind::word) return std::nullopt;
    if (verb.is("SELECT")) return look_up(selects, words, "SELECT 1");
    if (verb.is("SHOW")) return look_up(settings, words, "SHOW");
    for (const auto& [name, tag] : acknowledged) {
        if (verb.is(name)) return Answer::done(std::string(tag));
    }
    return std::nullopt;
}

}  // namespace leasehold::daemon::admin
