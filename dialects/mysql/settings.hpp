// SPDX-License-Identifier: Apache-2.0
// The state of a session that is carried from backend to backend: current database, autocommit, and every SET of a
// session variable with a literal, in the order in which they last happened. A plain value; knows no protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::mysql {

// The key under which SET NAMES is kept; its value is "'utf8mb4' COLLATE 'utf8mb4_bin'".
inline constexpr std::string_view names_key = "names";

struct Settings {
    // None: the database of the login. Empty: no database at all (the current one was dropped).
    std::optional<std::string> database;
    bool autocommit = true;
    bool multi_statements = false;  // COM_SET_OPTION; a new backend has them off
    // Variable (lower case) and literal as SQL. Applied in this order, over defaults, they give the session's state.
    std::vector<std::pair<std::string, std::string>> variables;

    void set(std::string_view name, std::string_view literal);
    [[nodiscard]] bool holds(std::string_view name) const noexcept;
    [[nodiscard]] std::uint64_t fingerprint() const noexcept;
    friend bool operator==(const Settings&, const Settings&) = default;
};

// What brings a backend from what it holds to what a session wants.
struct Alignment {
    bool reset = false;        // it holds what only a reset takes away
    bool no_database = false;  // it must forget its current database: COM_CHANGE_USER
    std::optional<std::string> database;
    std::optional<bool> multi_statements;
    std::string sql;  // one SET; empty: none
    [[nodiscard]] bool nothing() const noexcept {
        return !reset && !no_database && !database && !multi_statements && sql.empty();
    }
};
// `login_database`: what Settings::database means when there is none. `default_autocommit`: after a reset.
[[nodiscard]] Alignment alignment(const Settings& held, const Settings& wanted, std::string_view login_database,
                                  bool default_autocommit);

}  // namespace leasehold::mysql
