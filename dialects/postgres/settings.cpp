// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/settings.hpp"

#include <algorithm>
#include <array>
#include <atomic>

namespace leasehold::postgres {
namespace {

struct ReportedName {
    std::string_view name;
    bool carriable;
};
constexpr std::array<ReportedName, 15> reported{{
    {"application_name", true},
    {"client_encoding", true},
    {"DateStyle", true},
    {"default_transaction_read_only", true},
    {"in_hot_standby", false},
    {"integer_datetimes", false},
    {"IntervalStyle", true},
    {"is_superuser", false},
    {"scram_iterations", true},
    {"search_path", true},
    {"server_encoding", false},
    {"server_version", false},
    {"session_authorization", false},  // reported always, as the login's user
    {"standard_conforming_strings", true},
    {"TimeZone", true},
}};

[[nodiscard]] char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

[[nodiscard]] bool name_less(std::string_view a, std::string_view b) noexcept {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return static_cast<unsigned char>(lower(x)) < static_cast<unsigned char>(lower(y));
    });
}

[[nodiscard]] const ReportedName* reported_entry(std::string_view name) noexcept {
    const auto at = std::find_if(reported.begin(), reported.end(),
                                 [name](const ReportedName& entry) { return same_name(entry.name, name); });
    return at == reported.end() ? nullptr : &*at;
}

[[nodiscard]] std::uint64_t mixed(std::uint64_t h) noexcept {
    h ^= h >> 30;
    h *= 0xbf58476d1ce4e5b9ull;
    h ^= h >> 27;
    h *= 0x94d049bb133111ebull;
    return h ^ (h >> 31);
}

[[nodiscard]] std::uint64_t next_revision() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// One setting's share of the fingerprint; shares are added, so the order of changes does not matter.
[[nodiscard]] std::uint64_t share(std::string_view name, std::string_view value) noexcept {
    std::uint64_t h = 0xcbf29ce484222325ull;
    const auto take = [&h](char c) { h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull; };
    for (const char c : name) take(lower(c));
    take('\0');
    h = mixed(h);
    for (const char c : value) take(c);
    return mixed(h);
}

[[nodiscard]] bool is_ascii(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void append_set(std::string& sql, std::string_view name, std::string_view value) {
    sql += "SELECT pg_catalog.set_config(";
    sql += quote_literal(name);
    sql += ',';
    sql += quote_literal(value);
    sql += ",false);";
}

void append_reset(std::string& sql, std::string_view name) {
    sql += "RESET ";
    sql += quote_setting_name(name);
    sql += ';';
}

struct Difference {
    std::vector<std::string_view> reset;
    std::vector<const Settings::Setting*> set;
};

[[nodiscard]] Difference difference(const Settings& held, const Settings& wanted) {
    Difference d;
    for (const Settings::Setting& setting : held) {
        if (!wanted.contains(setting.name)) d.reset.push_back(setting.name);
    }
    for (const Settings::Setting& setting : wanted) {
        const std::optional<std::string_view> now = held.find(setting.name);
        if (now && *now == setting.value) continue;
        // A DateStyle that names only one of its two parts leaves the other as it is: begin from the default.
        if (now && same_name(setting.name, "DateStyle")) d.reset.push_back(setting.name);
        d.set.push_back(&setting);
    }
    return d;
}

[[nodiscard]] bool is_identity(std::string_view name) noexcept {
    return same_name(name, "role") || same_name(name, "session_authorization");
}

void append_identity(std::string& sql, const Settings& wanted) {
    for (const std::string_view name : {std::string_view("session_authorization"), std::string_view("role")}) {
        if (const std::optional<std::string_view> value = wanted.find(name)) append_set(sql, name, *value);
    }
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool names_pg_temp(std::string_view search_path) noexcept {
    constexpr std::string_view name = "pg_temp";
    for (std::size_t at = 0; at + name.size() <= search_path.size(); ++at) {
        if (same_name(search_path.substr(at, name.size()), name)) return true;
    }
    return false;
}

bool Settings::set(std::string_view name, std::string_view value) {
    if (!well_formed(name) || value.find('\0') != std::string_view::npos) return false;
    const auto at = std::lower_bound(items_.begin(), items_.end(), name,
                                     [](const Setting& item, std::string_view n) { return name_less(item.name, n); });
    const bool there = at != items_.end() && same_name(at->name, name);
    if (there && at->value == value) return true;
    revision_ = next_revision();
    if (there) {
        fingerprint_ += share(name, value) - share(name, at->value);
        bytes_ += value.size() - at->value.size();
        at->value.assign(value);
        return true;
    }
    fingerprint_ += share(name, value);
    bytes_ += name.size() + value.size();
    items_.insert(at, Setting{std::string(canonical(name)), std::string(value)});
    return true;
}

bool Settings::erase(std::string_view name) noexcept {
    const auto at =
        std::find_if(items_.begin(), items_.end(), [name](const Setting& item) { return same_name(item.name, name); });
    if (at == items_.end()) return false;
    revision_ = next_revision();
    fingerprint_ -= share(at->name, at->value);
    bytes_ -= at->name.size() + at->value.size();
    items_.erase(at);
    return true;
}

void Settings::clear() noexcept {
    items_.clear();
    bytes_ = 0;
    fingerprint_ = 0;
    revision_ = 0;
}

std::optional<std::string_view> Settings::find(std::string_view name) const noexcept {
    const auto at = std::lower_bound(items_.begin(), items_.end(), name,
                                     [](const Setting& item, std::string_view n) { return name_less(item.name, n); });
    if (at == items_.end() || !same_name(at->name, name)) return std::nullopt;
    return at->value;
}

bool Settings::same(const Settings& other) const noexcept {
    return std::equal(
        items_.begin(), items_.end(), other.items_.begin(), other.items_.end(),
        [](const Setting& a, const Setting& b) { return a.value == b.value && same_name(a.name, b.name); });
}

// Order: give up a foreign role, for it may not be allowed to change the rest; the encoding, as later values may be
// written in it; everything else; then take the identity wanted, session authorization before role, which it resets.
std::string diff_sql(const Settings& held, const Settings& wanted) {
    if (held == wanted) return {};
    const Difference d = difference(held, wanted);
    std::string sql;
    const bool had_role = held.contains("role");
    const bool had_authorization = held.contains("session_authorization");
    if (had_role) append_reset(sql, "role");
    if (had_authorization) append_reset(sql, "session_authorization");
    for (const std::string_view name : d.reset) {
        if (!is_identity(name)) append_reset(sql, name);
    }
    const Settings::Setting* encoding = nullptr;
    for (const Settings::Setting* setting : d.set) {
        if (same_name(setting->name, "client_encoding")) encoding = setting;
    }
    if (encoding != nullptr) append_set(sql, encoding->name, encoding->value);
    for (const Settings::Setting* setting : d.set) {
        if (setting != encoding && !is_identity(setting->name)) append_set(sql, setting->name, setting->value);
    }
    append_identity(sql, wanted);  // given up above even where equal
    return sql;
}

std::string missing_sql(const Settings& held, const Settings& wanted) {
    std::string sql;
    const auto lacks = [&held](const Settings::Setting& setting) {
        const std::optional<std::string_view> now = held.find(setting.name);
        return !now || *now != setting.value;
    };
    bool anew = false;  // who it is, and with it the role, which another session authorization gives up
    for (const Settings::Setting& setting : wanted) {
        if (!lacks(setting)) continue;
        if (is_identity(setting.name)) {
            anew = true;
        } else {
            append_set(sql, setting.name, setting.value);
        }
    }
    if (anew) append_identity(sql, wanted);
    return sql;
}

bool is_reported(std::string_view name) noexcept { return reported_entry(name) != nullptr; }

bool is_carriable(std::string_view name) noexcept {
    const ReportedName* entry = reported_entry(name);
    return entry != nullptr && entry->carriable;
}

std::string_view canonical(std::string_view name) noexcept {
    const ReportedName* entry = reported_entry(name);
    return entry != nullptr ? entry->name : name;
}

Settings as_reported(Settings asked, const Reported& said) {
    for (const auto& [name, value] : said) {
        if (is_carriable(name) && asked.contains(name)) (void)asked.set(name, value);
    }
    return asked;
}

bool well_formed(std::string_view name) noexcept {
    if (name.empty() || name.size() > 127) return false;
    bool first = true;  // of a part
    for (const char c : name) {
        const bool letter = (lower(c) >= 'a' && lower(c) <= 'z') || c == '_';
        const bool further = (c >= '0' && c <= '9') || c == '$';
        if (c == '.') {
            if (first) return false;
            first = true;
        } else if (letter || (further && !first)) {
            first = false;
        } else {
            return false;
        }
    }
    return !first;
}

std::string quote_literal(std::string_view text) {
    if (!is_ascii(text)) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string sql = "pg_catalog.convert_from(pg_catalog.decode('";
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            sql += digits[byte >> 4];
            sql += digits[byte & 15];
        }
        sql += "','hex'),pg_catalog.current_setting('client_encoding'))";
        return sql;
    }
    // E'' where there is a backslash: means the same whether standard_conforming_strings is on or off.
    std::string sql = text.find('\\') == std::string_view::npos ? "'" : "E'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') sql += c;
        sql += c;
    }
    sql += '\'';
    return sql;
}

std::string quote_setting_name(std::string_view name) {
    std::string sql = "\"";
    for (const char c : name) {
        if (c == '.') {
            sql += "\".\"";
        } else {
            if (c == '"') sql += c;
            sql += c;
        }
    }
    sql += '"';
    return sql;
}

}  // namespace leasehold::postgres
