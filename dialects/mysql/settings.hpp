// SPDX-License-Identifier: Apache-2.0
// The state of a session that is carried from backend to backend: character set of its handshake, current database,
// autocommit, and every SET of a session variable with a literal, in the order in which they last happened. A plain
// value; knows no protocol.
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
// ... and SET CHARACTER SET, which means the current database's as well.
inline constexpr std::string_view charset_key = "character set";

// ... SET ROLE; its value is what stands behind that. No reset of a server's takes it back.
inline constexpr std::string_view role_key = "role";

struct Settings {
    // None: the database of the login. Empty: no database at all (the current one was dropped).
    std::optional<std::string> database;
    bool autocommit = true;
    bool multi_statements = false;  // COM_SET_OPTION; a new backend has them off
    // The collation's number that the client named in its handshake, unread; 0: the server's own character sets.
    std::uint8_t charset = 0;
    // Variable (lower case) and literal as SQL. Applied in this order, over defaults, they give the session's state.
    std::vector<std::pair<std::string, std::string>> variables;
    // User variables, as SQL writes them (@`a`), and their values as SQL; behind all the others.
    std::vector<std::pair<std::string, std::string>> users{};

    void set(std::string_view name, std::string_view literal);
    void set_user(std::string_view name, std::string_view literal);
    void forget_user(std::string_view name);
    // Null: it has none of that name.
    [[nodiscard]] const std::string* user(std::string_view name) const noexcept;
    [[nodiscard]] bool holds(std::string_view name) const noexcept;
    // What SET CHARACTER SET took of the database that is current no more, by its name.
    void settle_charset(std::string_view collation);
    // Empty: that of the login.
    [[nodiscard]] std::string_view role() const noexcept;
    void forget_role();
    // Of what a reset takes back nothing is left.
    void clear_variables();
    [[nodiscard]] std::uint64_t fingerprint() const noexcept;
    friend bool operator==(const Settings&, const Settings&) = default;
};

// What brings a backend from what it holds to what a session wants.
struct Alignment {
    bool reset = false;        // it holds what only a reset takes away
    bool no_database = false;  // it must forget its current database: COM_CHANGE_USER
    std::optional<std::string> database;
    std::optional<bool> multi_statements;
    std::string role{};                   // SET ROLE; in front of the database, which it may open
    std::string_view restoring;           // what the reset took away of the handshake
    std::string track;                    // turns the server's session tracker on, whom a reset turns off
    std::optional<std::uint8_t> charset;  // of a handshake; in front of `sql`
    std::string sql;                      // one SET; empty: none
    std::string users{};  // likewise, of user variables: their texts are read under the settings before it
    [[nodiscard]] bool nothing() const noexcept {
        return !reset && !no_database && !database && !multi_statements && !charset && track.empty() && sql.empty() &&
               users.empty() && role.empty();
    }
};
// What a backend has by itself.
struct Defaults {
    std::string_view database;       // what Settings::database means when there is none
    bool autocommit = true;          // after a reset
    std::uint8_t charset = 0;        // after a reset: that of its handshake in MariaDB, the server's own in MySQL
    std::string_view role = "NONE";  // of the login, as SET ROLE takes it
};
// `clean`: the backend is reset in any case.
[[nodiscard]] Alignment alignment(const Settings& held, const Settings& wanted, const Defaults& defaults,
                                  bool clean = false);

// The variables that the session wants to be told of besides those that leasehold needs, with commas.
[[nodiscard]] std::string_view tracked_too(const Settings& settings) noexcept;

// The statements, one after the other, that give a connection the character sets of a handshake with this collation, and
// those of one with a number that the server does not know.
[[nodiscard]] std::vector<std::string> charset_statements(std::uint8_t collation);
[[nodiscard]] std::string unknown_charset_statement();

}  // namespace leasehold::mysql
