// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/local_courtesy.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

using Type = dialects::Column::Type;

constexpr std::string_view blank = " \t\r\n;";
constexpr std::string_view charset = "utf8mb4", collation = "utf8mb4_general_ci", level = "READ-COMMITTED";

// What is asked for by name; of what is not here NULL is said.
constexpr std::array<std::pair<std::string_view, std::string_view>, 44> variables{{
    {"auto_increment_increment", "1"},
    {"autocommit", "1"},
    {"character_set_client", charset},
    {"character_set_connection", charset},
    {"character_set_database", charset},
    {"character_set_results", charset},
    {"character_set_server", charset},
    {"character_set_system", "utf8mb3"},
    {"collation_connection", collation},
    {"collation_database", collation},
    {"collation_server", collation},
    {"foreign_key_checks", "1"},
    {"have_openssl", "YES"},
    {"have_ssl", "YES"},
    {"hostname", "leasehold"},
    {"init_connect", ""},
    {"interactive_timeout", "28800"},
    {"license", "Apache-2.0"},
    {"lower_case_table_names", "0"},
    {"max_allowed_packet", "16777216"},
    {"max_connections", "100"},
    {"net_buffer_length", "16384"},
    {"net_read_timeout", "30"},
    {"net_write_timeout", "60"},
    {"performance_schema", "0"},
    {"protocol_version", "10"},
    {"query_cache_size", "0"},
    {"query_cache_type", "OFF"},
    {"read_only", "0"},
    {"server_id", "0"},
    {"session_track_schema", "0"},
    {"session_track_system_variables", ""},
    {"sql_auto_is_null", "0"},
    {"sql_mode", ""},
    {"sql_safe_updates", "0"},
    {"system_time_zone", "UTC"},
    {"time_zone", "SYSTEM"},
    {"transaction_isolation", level},
    {"transaction_read_only", "0"},
    {"tx_isolation", level},
    {"tx_read_only", "0"},
    {"version", "10.11.0-leasehold"},
    {"version_comment", "leasehold " LEASEHOLD_VERSION ", console"},
    {"wait_timeout", "28800"},
}};

constexpr std::array<std::string_view, 14> acknowledged{"SET",     "BEGIN",   "START",      "COMMIT", "ROLLBACK",
                                                        "USE",     "DO",      "LOCK",       "UNLOCK", "SAVEPOINT",
                                                        "RELEASE", "PREPARE", "DEALLOCATE", "FLUSH"};

[[nodiscard]] char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
[[nodiscard]] char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
[[nodiscard]] std::string folded(std::string_view text, char (*fold)(char)) {
    std::string made(text);
    std::ranges::transform(made, made.begin(), fold);
    return made;
}
[[nodiscard]] bool quoted(std::string_view text) noexcept {
    return text.size() >= 2 && (text.front() == '\'' || text.front() == '"' || text.front() == '`') &&
           text.back() == text.front();
}

// LIKE with % and _; goes back to the last % only.
[[nodiscard]] bool like(std::string_view text, std::string_view pattern) noexcept {
    std::size_t at = 0, from = 0, star = std::string_view::npos, i = 0;
    while (i < text.size()) {
        if (at < pattern.size() && pattern[at] == '%') {
            star = at++;
            from = i;
            continue;
        }
        std::size_t next = at;
        const bool escaped = next + 1 < pattern.size() && pattern[next] == '\\';
        if (escaped) ++next;
        const bool any = !escaped && next < pattern.size() && pattern[next] == '_';
        if (next < pattern.size() && (any || lower(pattern[next]) == text[i])) {
            at = next + 1;
            ++i;
        } else if (star != std::string_view::npos) {
            at = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (at < pattern.size() && pattern[at] == '%') ++at;
    return at == pattern.size();
}

// The first word of a text, and the text behind it.
std::string_view take_word(std::string_view& text) noexcept {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n;("), text.size());
    const std::string_view word = text.substr(0, end);
    text = trimmed(text.substr(end));
    return word;
}

// The items of a SELECT, at the commas outside of parentheses and quotes.
std::vector<std::string_view> items_of(std::string_view list) {
    std::vector<std::string_view> items;
    int depth = 0;
    char quote = 0;
    std::size_t from = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const char c = list[i];
        if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"' || c == '`') {
            quote = c;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')') {
            --depth;
        } else if (c == ',' && depth == 0) {
            items.push_back(trimmed(list.substr(from, i - from)));
            from = i + 1;
        }
    }
    items.push_back(trimmed(list.substr(from)));
    return items;
}

struct Value {
    std::optional<std::string> text;
    Type type = Type::text;
};

// None: an expression for a database.
std::optional<Value> value_of(std::string_view expression, const ConsoleIdentity& identity) {
    std::string name = folded(expression, lower);
    std::erase(name, ' ');
    if (name.starts_with("@@")) {
        name.erase(0, 2);
        for (const std::string_view scope : {"session.", "global.", "local."}) {
            if (name.starts_with(scope)) name.erase(0, scope.size());
        }
        std::erase(name, '`');
        const auto* known = std::ranges::find(variables, name, &std::pair<std::string_view, std::string_view>::first);
        if (known == variables.end()) return Value{};
        return Value{std::string(known->second)};
    }
    if (name == "version()") return value_of("@@version", identity);
    if (name == "database()" || name == "schema()") return Value{"leasehold"};
    if (name == "user()" || name == "current_user()" || name == "current_user" || name == "session_user()")
        return Value{identity.user};
    if (name == "connection_id()") return Value{std::to_string(identity.number), Type::integer};
    if (name == "null") return Value{};
    const bool number =
        !name.empty() && name.size() < 20 && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
    if (number) return Value{name, Type::integer};
    if (quoted(expression) && expression.front() != '`')
        return Value{std::string(expression.substr(1, expression.size() - 2))};
    return std::nullopt;
}

std::optional<dialects::Result> select(std::string_view list, const ConsoleIdentity& identity) {
    const std::string capitals = folded(list, upper);
    for (const std::string_view tail : {" LIMIT ", " FROM DUAL"}) {
        const std::size_t at = capitals.rfind(tail);
        if (at != std::string::npos) list = trimmed(list.substr(0, at));
    }
    dialects::Result made;
    made.rows.emplace_back();
    made.tag = "SELECT";
    for (const std::string_view item : items_of(list)) {
        std::string_view expression = item, name = item;
        // "expression AS name", "expression name"; a quoted text alone has its blanks inside.
        const std::size_t gap = quoted(item) ? std::string_view::npos : item.find_last_of(" \t\n");
        if (gap != std::string_view::npos) {
            name = item.substr(gap + 1);
            expression = trimmed(item.substr(0, gap));
            if (expression.size() > 3 && folded(expression.substr(expression.size() - 3), upper) == " AS")
                expression = trimmed(expression.substr(0, expression.size() - 3));
        }
        if (quoted(name)) name = name.substr(1, name.size() - 2);
        std::optional<Value> value = value_of(expression, identity);
        if (!value) return std::nullopt;
        made.columns.push_back({std::string(name), value->type});
        made.rows.front().push_back(std::move(value->text));
    }
    return made;
}

// LIKE 'pattern', or WHERE with the names in it.
bool asked_for(std::string_view name, std::string_view condition) {
    std::string_view rest = condition;
    const std::string word = folded(take_word(rest), upper);
    if (word == "LIKE" && quoted(rest)) return like(name, rest.substr(1, rest.size() - 2));
    if (word == "WHERE") return folded(rest, lower).find(std::string(name)) != std::string::npos;
    return true;
}

std::optional<dialects::Result> show(std::string_view what) {
    const auto empty = [](std::initializer_list<const char*> names) {
        dialects::Result made;
        made.tag = "SHOW";
        for (const char* name : names) made.columns.push_back({name, Type::text});
        return made;
    };
    std::string word = folded(take_word(what), upper);
    const bool scoped = word == "GLOBAL" || word == "SESSION" || word == "LOCAL" || word == "FULL";
    if (scoped) word = folded(take_word(what), upper);
    if (word == "VARIABLES") {
        dialects::Result made = empty({"Variable_name", "Value"});
        for (const auto& [name, value] : variables) {
            if (asked_for(name, what)) made.rows.push_back({std::string(name), std::string(value)});
        }
        return made;
    }
    if (word == "STATUS") return empty({"Variable_name", "Value"});
    if (word == "ERRORS") return empty({"Level", "Code", "Message"});
    if (word == "COLLATION") return empty({"Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"});
    if (word == "CHARSET" || (word == "CHARACTER" && begins(what, "SET")))
        return empty({"Charset", "Description", "Default collation", "Maxlen"});
    if (word == "ENGINES") return empty({"Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"});
    if (word == "PLUGINS") return empty({"Name", "Status", "Type", "Library", "License"});
    if (word == "PROCESSLIST") return empty({"Id", "User", "Host", "db", "Command", "Time", "State", "Info"});
    if (word == "TABLES" && scoped) return empty({"Tables_in_leasehold", "Table_type"});
    return std::nullopt;
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string_view without_comments(std::string_view text) noexcept {
    text = trimmed(text);
    while (text.starts_with("/*")) {
        const std::size_t end = text.find("*/");
        if (end == std::string_view::npos) return text;
        text = trimmed(text.substr(end + 2));
    }
    return text;
}

bool begins(std::string_view text, std::string_view word) noexcept {
    if (text.size() < word.size() || !std::ranges::equal(text.substr(0, word.size()), word, {}, upper)) return false;
    return text.size() == word.size() || blank.find(text[word.size()]) != std::string_view::npos;
}

std::optional<dialects::Result> courtesy(std::string_view text, const ConsoleIdentity& identity) {
    const bool nothing = std::ranges::any_of(acknowledged, [&](std::string_view verb) { return begins(text, verb); });
    if (nothing) return dialects::Result{};
    if (begins(text, "SELECT")) return select(trimmed(text.substr(6)), identity);
    if (begins(text, "SHOW")) return show(trimmed(text.substr(4)));
    return std::nullopt;
}

}  // namespace leasehold::mysql
