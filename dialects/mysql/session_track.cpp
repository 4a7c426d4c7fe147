// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/session_track.hpp"

#include "dialects/mysql/messages.hpp"
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

// What clients are told of by default, sql_mode because text is read by it, and what expressions are often assigned to.
constexpr std::array<std::string_view, 9> tracked{
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "sql_mode",
    "time_zone",
    "foreign_key_checks",
    "sql_safe_updates",
};
constexpr std::array<std::string_view, 2> tracked_mysql{"transaction_isolation", "transaction_read_only"};
constexpr std::array<std::string_view, 2> tracked_mariadb{"tx_isolation", "tx_read_only"};

constexpr std::string_view variables_key = "session_track_system_variables";

std::string tracked_names(bool mariadb, std::string_view further) {
    if (further.find('*') != std::string_view::npos) return "*";
    std::string names;
    for (const std::string_view name : tracked) (names += name) += ',';
    const auto& isolation = mariadb ? tracked_mariadb : tracked_mysql;
    ((names += isolation[0]) += ',') += isolation[1];
    // MySQL refuses a name that is there twice.
    const std::size_t own = names.size();
    while (!further.empty()) {
        const std::size_t end = std::min(further.find(','), further.size());
        std::string name = lower_case(further.substr(0, end));
        std::erase(name, ' ');
        further.remove_prefix(std::min(end + 1, further.size()));
        const std::string listed = "," + names.substr(0, own) + ",";
        if (!name.empty() && listed.find("," + name + ",") == std::string::npos) (names += ',') += name;
    }
    return names;
}

}  // namespace

std::string track_statement(bool mariadb, std::string_view further) {
    return "SET SESSION session_track_state_change=1, session_track_system_variables='" +
           tracked_names(mariadb, further) + "'";
}

std::optional<std::string> with_tracked(std::string_view sql, std::string_view literal, bool mariadb) {
    const bool quoted = literal.size() >= 2 && literal.front() == '\'' && literal.back() == '\'';
    if (!quoted) return std::nullopt;
    const std::string_view asked = literal.substr(1, literal.size() - 2);
    const bool names = std::ranges::all_of(asked, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ',' ||
               c == ' ';
    });
    // Where the name stands once, it stands where the variable was read.
    const std::string folded = lower_case(sql);
    std::size_t at = folded.find(variables_key);
    if (!names || at == std::string::npos || folded.find(variables_key, at + 1) != std::string::npos)
        return std::nullopt;
    at += variables_key.size();
    while (at < sql.size() && sql[at] == ' ') ++at;
    if (at == sql.size() || sql[at++] != '=') return std::nullopt;
    while (at < sql.size() && sql[at] == ' ') ++at;
    if (!sql.substr(at).starts_with(literal)) return std::nullopt;
    std::string made(sql.substr(0, at));
    ((made += '\'') += tracked_names(mariadb, asked)) += '\'';
    return made += sql.substr(at + literal.size());
}

bool is_tracked(std::string_view variable, bool mariadb) noexcept {
    const auto& isolation = mariadb ? tracked_mariadb : tracked_mysql;
    return std::ranges::find(tracked, variable) != tracked.end() ||
           std::ranges::find(isolation, variable) != isolation.end();
}

bool Trailer::next(TrackedChange& change) noexcept {
    if (rest_.empty() || broken_) return false;
    wire::Cursor entry(rest_);
    change.kind = static_cast<TrackedChange::Kind>(entry.u8());
    const std::string_view data = entry.lenenc_text();
    change.name = change.value = {};
    wire::Cursor fields(wire::as_bytes(data));
    if (change.kind == TrackedChange::Kind::variable) change.name = fields.lenenc_text();
    const bool named = change.kind == TrackedChange::Kind::variable || change.kind == TrackedChange::Kind::schema;
    if (named) change.value = fields.lenenc_text();
    broken_ = !entry.ok() || !fields.ok();
    if (broken_) return false;
    rest_ = rest_.subspan(entry.position());
    return true;
}

}  // namespace leasehold::mysql
