// SPDX-License-Identifier: Apache-2.0
// What a stored routine may leave in its session that no server reports, as its definition says: locks of GET_LOCK(), and
// user variables by SELECT ... INTO @a and @a :=. Tables, settings and SET @a are in a server's reports. A plain value.
#pragma once

#include "dialects/mysql/statements.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::mysql {

struct Routine {
    std::string database, name;
    bool procedure = false;
    // "f", "d.f", "CALL p" or "CALL d.p", in the current database; nothing: it cannot be asked about.
    [[nodiscard]] static std::optional<Routine> named(std::string_view text, std::string_view database);
    // One column: its definition with its sql_mode in front, or NULL.
    [[nodiscard]] std::string question() const;
    [[nodiscard]] std::string key() const { return (procedure ? "CALL " : "") + database + '.' + name; }
    friend bool operator==(const Routine&, const Routine&) = default;
};

struct RoutineTraces {
    std::vector<std::string> variables{};  // as SQL
    std::vector<std::string> locks{};
    std::vector<std::string> tables{};  // temporary
    std::vector<std::string> calls{};   // of other routines, as Routine::named() reads them
    bool some_lock = false;             // whose name is not known
    bool sets_some = false;             // what servers tell of
    bool sets_unseen = false;           // it may set what no server tells, make a table, prepare
    bool sets_role = false;             // MySQL does not tell
    bool unknown = false;               // it may do what nobody can read
};

// `definition`: what the question was answered with.
[[nodiscard]] RoutineTraces read_routine(std::string_view definition, bool mariadb);

}  // namespace leasehold::mysql
