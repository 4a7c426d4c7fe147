// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/settings.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

class Hash {
  public:
    void add(std::string_view text) noexcept {
        for (const char c : text) byte(static_cast<std::uint8_t>(c));
        byte(0xFF);  // in no UTF-8 text
    }
    void byte(std::uint8_t b) noexcept { value_ = (value_ ^ b) * 0x100000001B3ull; }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

  private:
    std::uint64_t value_ = 0xCBF29CE484222325ull;
};

// What SET NAMES sets, and what it undoes.
bool is_of_names(std::string_view name) noexcept {
    return name == names_key || name == charset_key || name == "character_set_client" ||
           name == "character_set_connection" || name == "character_set_results" || name == "collation_connection";
}

std::string set_statement(const Settings& wanted, bool autocommit) {
    std::string sql;
    const auto item = [&sql](std::string_view before, std::string_view name, std::string_view between,
                             std::string_view literal) {
        sql += sql.empty() ? "SET " : ", ";
        ((sql += before) += name) += between;
        sql += literal;
    };
    for (const auto& [name, literal] : wanted.variables) {
        if (name == role_key) continue;
        if (name == names_key) {
            item("NAMES ", "", "", literal);
        } else if (name == charset_key) {
            item("CHARACTER SET ", "", "", literal);
        } else {
            item("SESSION ", name, "=", literal);
        }
    }
    if (autocommit) item("SESSION ", "autocommit", "=", wanted.autocommit ? "1" : "0");
    return sql;
}

}  // namespace

void Settings::set(std::string_view name, std::string_view literal) {
    const bool names = name == names_key || name == charset_key;
    std::erase_if(variables, [&](const auto& variable) {
        return variable.first == name || (names && is_of_names(variable.first));
    });
    variables.emplace_back(name, literal);
}

void Settings::set_user(std::string_view name, std::string_view literal) {
    const auto found = std::ranges::find(users, name, &std::pair<std::string, std::string>::first);
    if (found == users.end()) {
        users.emplace_back(name, literal);
    } else {
        found->second = literal;
    }
}

void Settings::forget_user(std::string_view name) {
    std::erase_if(users, [name](const auto& variable) { return variable.first == name; });
}

const std::string* Settings::user(std::string_view name) const noexcept {
    const auto found = std::ranges::find(users, name, &std::pair<std::string, std::string>::first);
    return found == users.end() ? nullptr : &found->second;
}

bool Settings::holds(std::string_view name) const noexcept {
    return std::ranges::any_of(variables, [name](const auto& variable) { return variable.first == name; });
}

void Settings::settle_charset(std::string_view collation) {
    const auto found = std::ranges::find(variables, charset_key, &std::pair<std::string, std::string>::first);
    if (found == variables.end()) return;
    found->first = "character_set_client";
    variables.insert(found + 1, {"character_set_results", found->second});
    set("collation_connection", collation);
}

std::string_view Settings::role() const noexcept {
    const auto found = std::ranges::find(variables, role_key, &std::pair<std::string, std::string>::first);
    return found == variables.end() ? std::string_view() : std::string_view(found->second);
}

void Settings::forget_role() {
    std::erase_if(variables, [](const auto& variable) { return variable.first == role_key; });
}

void Settings::clear_variables() {
    std::erase_if(variables, [](const auto& variable) { return variable.first != role_key; });
    users.clear();
}

std::uint64_t Settings::fingerprint() const noexcept {
    Hash hash;
    hash.byte(autocommit ? 1 : 0);
    hash.byte(multi_statements ? 1 : 0);
    hash.byte(charset);
    hash.byte(database ? 1 : 0);
    if (database) hash.add(*database);
    for (const auto& [name, literal] : variables) {
        hash.add(name);
        hash.add(literal);
    }
    for (const auto& [name, literal] : users) {
        hash.add(name);
        hash.add(literal);
    }
    return hash.value();
}

// MariaDB takes only a few of the numbers for character_set_client, but all of them for the collation; of assignments in
// one SET each sees the values from before it. MySQL names a column's collation as the number says: what stands in the
// comment, which MariaDB does not read.
std::vector<std::string> charset_statements(std::uint8_t collation) {
    if (collation == 0) return {unknown_charset_statement()};
    const std::string number = std::to_string(collation);
    return {"SET SESSION collation_connection=" + number,
            "SET SESSION character_set_client=@@character_set_connection, "
            "character_set_results=@@character_set_connection /*!50700 , character_set_client=" +
                number + ", character_set_results=" + number + " */"};
}

std::string_view tracked_too(const Settings& settings) noexcept {
    const auto set = std::ranges::find(settings.variables, "session_track_system_variables",
                                       &std::pair<std::string, std::string>::first);
    if (set == settings.variables.end() || set->second.size() < 2 || set->second.front() != '\'') return {};
    return std::string_view(set->second).substr(1, set->second.size() - 2);
}

std::string unknown_charset_statement() {
    return "SET SESSION character_set_client=@@global.character_set_client, "
           "character_set_results=@@global.character_set_results, "
           "collation_connection=@@global.collation_connection";
}

Alignment alignment(const Settings& held, const Settings& wanted, const Defaults& defaults, bool clean) {
    Alignment plan;
    const std::string_view from = held.database ? std::string_view(*held.database) : defaults.database;
    const std::string_view to = wanted.database ? std::string_view(*wanted.database) : defaults.database;
    if (from != to) {
        plan.no_database = to.empty();
        if (!to.empty()) plan.database = to;
    }
    if (held.multi_statements != wanted.multi_statements) plan.multi_statements = wanted.multi_statements;
    plan.reset =
        clean ||
        std::ranges::any_of(
            held.variables,
            [&](const auto& variable) { return variable.first != role_key && !wanted.holds(variable.first); }) ||
        std::ranges::any_of(held.users, [&](const auto& variable) { return wanted.user(variable.first) == nullptr; });
    if (held.role() != wanted.role())
        (plan.role = "SET ROLE ") += wanted.role().empty() ? defaults.role : wanted.role();
    const bool emptied = plan.reset || plan.no_database;
    const bool autocommit = emptied ? defaults.autocommit : held.autocommit;
    if ((emptied ? defaults.charset : held.charset) != wanted.charset) plan.charset = wanted.charset;
    if (emptied || plan.charset || held.variables != wanted.variables) {
        plan.sql = set_statement(wanted, autocommit != wanted.autocommit);
    } else if (autocommit != wanted.autocommit) {
        Settings only;
        only.autocommit = wanted.autocommit;
        plan.sql = set_statement(only, true);
    }
    if (emptied || held.users != wanted.users) {
        for (const auto& [name, literal] : wanted.users) {
            plan.users += plan.users.empty() ? "SET " : ",";
            ((plan.users += name) += '=') += literal;
        }
    }
    return plan;
}

}  // namespace leasehold::mysql
