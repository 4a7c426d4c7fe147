// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/replay.hpp"

#include <algorithm>
#include <charconv>

namespace leasehold::postgres {
namespace {

// What is sent in front of a request at most; what is more costs more than the round trip that it saves.
constexpr std::size_t most_settings = 32, most_bytes = 4096;

// Beside who the session is.
constexpr std::array<std::string_view, 6> deciding{
    "search_path",
    "row_security",
    "session_replication_role",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_transaction_deferrable",
};

constexpr std::array<std::string_view, 3> timeouts{"statement_timeout", "transaction_timeout",
                                                   "idle_in_transaction_session_timeout"};

[[nodiscard]] bool among(std::span<const std::string_view> names, std::string_view name) noexcept {
    return std::ranges::any_of(names, [name](std::string_view one) { return same_name(one, name); });
}

// None, or a second and more: digits alone are milliseconds. Other spellings are not looked into.
[[nodiscard]] bool leisurely(std::string_view timeout) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(timeout.data(), timeout.data() + timeout.size(), number);
    if (error != std::errc()) return false;
    const std::string_view unit = timeout.substr(static_cast<std::size_t>(end - timeout.data()));
    if (number == 0) return unit.empty();
    return (number >= 1000 && (unit.empty() || unit == "ms")) || unit == "s" || unit == "min" || unit == "h";
}

// Who the session is decides what it may set; and what it sets has to be done in time.
[[nodiscard]] bool is_calm(const Settings& settings) noexcept {
    if (settings.contains("role") || settings.contains("session_authorization")) return false;
    return std::ranges::none_of(timeouts, [&settings](std::string_view name) {
        const std::optional<std::string_view> value = settings.find(name);
        return value && !leisurely(*value);
    });
}

[[nodiscard]] bool lacks(const Settings& settings, const Settings::Setting& setting) noexcept {
    const std::optional<std::string_view> value = settings.find(setting.name);
    return !value || *value != setting.value;
}

void append(std::string& sql, std::string_view name, const std::string* value) {
    sql += sql.empty() ? "SELECT " : ",";
    sql += "pg_catalog.set_config(";
    sql += quote_literal(name);
    sql += ',';
    sql += value == nullptr ? "NULL" : quote_literal(*value);
    sql += ",false)";
}

void put_statement(wire::Writer& to, std::string_view sql) {
    parse(to, "", sql);
    bind_message(to, "", "");
    execute(to, "");
}

}  // namespace

bool replayable(const Settings& held, const Settings& wanted) noexcept {
    if (held.fingerprint() == wanted.fingerprint() || !is_calm(held) || !is_calm(wanted)) return false;
    std::size_t count = 0, bytes = 0;
    for (const Settings::Setting& setting : held) {
        if (!lacks(wanted, setting)) continue;
        if (among(deciding, setting.name)) return false;
        ++count;
    }
    for (const Settings::Setting& setting : wanted) {
        if (!lacks(held, setting)) continue;
        if (among(deciding, setting.name)) return false;
        ++count;
        bytes += setting.name.size() + setting.value.size();
    }
    return count <= most_settings && bytes <= most_bytes;
}

// In the order of the list: what was left goes first, for later values may not fit beside it; then the encoding, as later
// values may be written in it. A DateStyle that names only one of its two parts leaves the other as it is.
std::string replay_sql(const Settings& held, const Settings& wanted) {
    std::string sql;
    for (const Settings::Setting& setting : held) {
        const bool goes = !wanted.contains(setting.name);
        if (goes || (same_name(setting.name, "DateStyle") && lacks(wanted, setting)))
            append(sql, setting.name, nullptr);
    }
    for (const bool encoding : {true, false}) {
        for (const Settings::Setting& setting : wanted) {
            if (same_name(setting.name, "client_encoding") != encoding || !lacks(held, setting)) continue;
            append(sql, setting.name, &setting.value);
        }
    }
    return sql;
}

void replay(wire::Writer& to, const Settings& held, const Settings& wanted) {
    put_statement(to, "BEGIN");
    put_statement(to, replay_sql(held, wanted));
    put_statement(to, "COMMIT");
}

}  // namespace leasehold::postgres
