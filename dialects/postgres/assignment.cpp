// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/assignment.hpp"

#include "dialects/postgres/settings.hpp"
#include "dialects/postgres/text_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace leasehold::postgres {
namespace {

constexpr std::size_t longest_value = 256;

template <std::size_t n>
[[nodiscard]] bool among(const std::array<std::string_view, n>& names, std::string_view name) noexcept {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Words that begin another statement behind SET or RESET. A setting whose name begins so is left alone as well.
[[nodiscard]] bool is_phrase(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 14> words{
        "all",   "authorization", "catalog", "characteristics", "constraints", "from",        "local",
        "names", "role",          "schema",  "session",         "time",        "transaction", "xml",
    };
    return among(words, name.substr(0, name.find('.')));
}

[[nodiscard]] bool contains_word(std::string_view words, std::string_view word) noexcept {
    for (std::size_t at = words.find(word); at != std::string_view::npos; at = words.find(word, at + 1)) {
        const std::size_t end = at + word.size();
        if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' ')) return true;
    }
    return false;
}

// Whether the server would quote a name of a list where it shows it. Nothing: that depends on its version.
[[nodiscard]] std::optional<bool> wants_quotes(std::string_view name) noexcept {
    constexpr std::string_view keywords =
        "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case "
        "cast char character check coalesce collate collation column concurrently constraint create cross "
        "current_catalog current_date current_role current_schema current_time current_timestamp current_user dec "
        "decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign "
        "freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect "
        "interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural "
        "nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay "
        "placing position precision primary real references returning right row select session_user setof similar "
        "smallint some substring symmetric table tablesample then time timestamp to trailing treat trim true union "
        "unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement "
        "xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";
    const bool plain = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                       name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string_view::npos;
    if (!plain || contains_word(keywords, name)) return true;
    if (name.starts_with("json") || name == "merge_action" || name == "system_user") return std::nullopt;
    return false;
}

// The names of a search_path, as the server puts them together.
[[nodiscard]] bool read_list(TextReader& text, std::string& value) {
    do {
        text.blanks();
        std::string name;
        const bool literal = text.next() == '\'';
        if (literal ? !text.quoted('\'', name) : !text.identifier(name)) return false;
        const std::optional<bool> quotes = wants_quotes(name);
        if (!quotes) return false;
        if (!value.empty()) value += ", ";
        if (*quotes) value += '"';
        for (const char c : name) {
            if (c == '"') value += c;
            value += c;
        }
        if (*quotes) value += '"';
        text.blanks();
    } while (text.take(','));
    return true;
}

[[nodiscard]] bool read_value(TextReader& text, std::string& value) {
    if (text.next() == '\'') return text.quoted('\'', value);
    if (text.at_letter() || text.next() == '"') return text.identifier(value);
    value = text.number();
    return !value.empty() && !text.at_letter();
}

// ROLE, SCHEMA, TIME ZONE and what else is no setting's name. Where the server reports the setting its value is not read.
[[nodiscard]] bool read_phrase(TextReader& text, Assignment& found) {
    text.blanks();
    if (found.name == "time") {
        if (!text.keyword("zone")) return false;
        found.name = "timezone";
        if (found.reset || text.keyword("default") || text.keyword("local")) return found.reset = true;
        text.blanks();
        return read_value(text, found.value);
    }
    if (found.name == "session" || found.name == "authorization") {  // RESET SESSION AUTHORIZATION, SET SESSION ...
        if (found.reset && !text.keyword("authorization")) return false;
        found.name = "session_authorization";
        if (found.reset || text.keyword("default")) return found.reset = true;
        text.blanks();
        return read_value(text, found.value);
    }
    if (found.reset) return found.name == "role";
    if (found.name == "schema") {
        found.name = "search_path";
        return text.next() == '\'' && read_list(text, found.value);
    }
    return found.name == "role" && read_value(text, found.value);
}

// SET SESSION CHARACTERISTICS AS TRANSACTION: the modes of transactions to come.
[[nodiscard]] std::optional<Assignments> read_modes(TextReader& text) {
    Assignments all;
    if (!text.keyword("as") || !text.keyword("transaction")) return std::nullopt;
    const auto add = [&all](std::string_view name, std::string_view value) {
        all.push_back({.name = std::string(name), .value = std::string(value)});
        return all.size() <= 8;
    };
    const auto isolation = [&] {
        if (!text.keyword("level")) return false;
        const std::string_view name = "default_transaction_isolation";
        if (text.keyword("serializable")) return add(name, "serializable");
        if (text.keyword("repeatable")) return text.keyword("read") && add(name, "repeatable read");
        if (!text.keyword("read")) return false;
        if (text.keyword("committed")) return add(name, "read committed");
        return text.keyword("uncommitted") && add(name, "read uncommitted");
    };
    const auto access = [&] {
        const std::string_view name = "default_transaction_read_only";
        if (text.keyword("only")) return add(name, "on");
        return text.keyword("write") && add(name, "off");
    };
    do {
        if (text.keyword("isolation") ? !isolation() : !text.keyword("read") || !access()) return std::nullopt;
        if (text.blanks().take(',')) continue;
    } while (!text.at_end());
    return all;
}

// A second or more, or none: leasehold's own statements between two sessions must not run into it.
[[nodiscard]] bool leaves_time(std::string_view value) noexcept {
    std::uint64_t amount = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), amount);
    if (error != std::errc()) return false;
    const std::string_view unit = value.substr(static_cast<std::size_t>(end - value.data()));
    if (amount == 0) return unit.empty();
    if (unit.empty() || unit == "ms") return amount >= 1000;
    return unit == "s" || unit == "min" || unit == "h" || unit == "d";
}

}  // namespace

std::optional<Assignments> read_assignment(std::string_view sql) {
    TextReader text(sql);
    Assignment found;
    const std::string verb = text.blanks().word();
    found.reset = verb == "reset";
    if (!found.reset && verb != "set") return std::nullopt;
    found.name = text.blanks().word(true);
    const bool after_session = found.name == "session";
    if (!found.reset && after_session) {
        found.name = text.blanks().word(true);
        if (found.name == "characteristics") return read_modes(text);
    }
    text.blanks();
    const bool assigns = !found.reset && (text.take('=') || text.keyword("to"));
    const bool role = found.name == "role";  // which is a setting's name as well
    const bool authorization = found.name == "authorization";
    if (is_phrase(found.name) && !(role && assigns)) {
        if (assigns || !read_phrase(text, found)) return std::nullopt;
    } else if (!found.reset) {
        if (!assigns) return std::nullopt;
        text.blanks();
        const bool list = found.name == "search_path";
        if (text.keyword("default")) {
            found.reset = true;
        } else if (text.blanks(); list ? !read_list(text, found.value) : !read_value(text, found.value)) {
            return std::nullopt;
        }
    }
    if (found.name.size() > TextReader::longest_name || !well_formed(found.name) || !text.at_end()) return std::nullopt;
    if (too_long(found) || (authorization && !after_session)) return std::nullopt;
    return Assignments{std::move(found)};
}

bool wants_privilege(std::string_view name) noexcept {
    // The server's for superusers, in any version up to 18; and, in front of a dot, those of its extensions.
    constexpr std::array<std::string_view, 37> names{
        "allow_in_place_tablespaces",
        "allow_system_table_mods",
        "auto_explain",
        "backtrace_functions",
        "commit_delay",
        "compute_query_id",
        "deadlock_timeout",
        "debug_discard_caches",
        "dynamic_library_path",
        "event_triggers",
        "extension_control_path",
        "extension_destdir",
        "ignore_checksum_failure",
        "jit_dump_bitcode",
        "lc_messages",
        "lo_compat_privileges",
        "max_stack_depth",
        "output_plugin_libraries",
        "pg_hint_plan",
        "pg_stat_statements",
        "pgaudit",
        "plperl",
        "pltcl",
        "session_replication_role",
        "temp_file_limit",
        "track_activities",
        "track_cost_delay_timing",
        "track_counts",
        "track_functions",
        "track_io_timing",
        "track_wal_io_timing",
        "update_process_title",
        "wal_compression",
        "wal_consistency_checking",
        "wal_init_zero",
        "wal_recycle",
        "zero_damaged_pages",
    };
    const std::string_view first = name.substr(0, name.find('.'));
    if (first.size() < name.size()) return among(names, first) || name == "plpgsql.variable_conflict";
    return name.starts_with("log_") || among(names, name);
}

bool too_long(const Assignment& assignment) noexcept { return assignment.value.size() > longest_value; }

bool repeatable(const Assignment& assignment) noexcept {
    // Lists that SET quotes in its own way; what counts for a transaction or at the connection's
    // beginning; what a backend may refuse to take back; what ends or holds up a backend that waits for its next session.
    constexpr std::array<std::string_view, 11> never{
        "backslash_quote",
        "default_transaction_deferrable",
        "exit_on_error",
        "idle_session_timeout",
        "is_superuser",
        "post_auth_delay",
        "seed",
        "temp_buffers",
        "standard_conforming_strings",
        "temp_tablespaces",
        "unix_socket_directories",
    };
    const std::string_view name = assignment.name;
    if (among(never, name) || name.starts_with("transaction_") || name.ends_with("_preload_libraries")) return false;
    // Of a server that does not report it; older than its name, maybe.
    const bool known =
        name == "default_transaction_read_only" || name == "search_path" || name == "session_authorization";
    if (is_reported(name) && !known) return false;
    if (name == "search_path" && names_pg_temp(assignment.value)) return false;
    return assignment.reset || name != "statement_timeout" || leaves_time(assignment.value);
}

}  // namespace leasehold::postgres
