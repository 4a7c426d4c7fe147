// SPDX-License-Identifier: Apache-2.0
// SET and RESET of settings to constants, standing alone in a text, that any other backend can be given as well. What is
// not understood to the last byte is none. Knows nothing of sessions. Manual: "SET", "RESET".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres {

struct Assignment {
    bool reset = false;     // to what the session began with
    bool reported = false;  // the server says its value: here it matters only that it changes
    bool stuck = false;     // to what no other backend can be given
    std::string name{};     // in lower case
    std::string value{};    // as the server keeps it, for set_config()
};
using Assignments = std::vector<Assignment>;

// SET [SESSION] name {= | TO} constant or DEFAULT, RESET name, and the phrases: ROLE, SCHEMA, TIME ZONE, CHARACTERISTICS
// AS TRANSACTION; with or without a semicolon. The constant is a number, a literal '...' without backslashes, a name or
// a "name", in ASCII and up to 256 bytes; of search_path, a list. Never empty. Nothing for SET LOCAL and its like.
[[nodiscard]] std::optional<Assignments> read_assignment(std::string_view sql);

// Setting it to the same value on another backend does the same there, and does not disturb the session that has the
// backend next before the value is taken back.
[[nodiscard]] bool repeatable(const Assignment& assignment) noexcept;

// Who may set it is a privilege: what one role may, another may not, nor may its login take it back.
[[nodiscard]] bool wants_privilege(std::string_view name) noexcept;

// The setting's value is longer than what is carried.
[[nodiscard]] bool too_long(const Assignment& assignment) noexcept;

}  // namespace leasehold::postgres
