// SPDX-License-Identifier: Apache-2.0
// SET and RESET of one setting, standing alone in its text, whose value any other backend can be given as well. What
// is not understood to the last byte is none. Knows nothing of sessions. Manual: "SET".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::postgres {

struct Assignment {
    bool reset = false;
    std::string name;   // in lower case
    std::string value;  // as the server keeps it, for set_config()
};

// SET [SESSION] name {= | TO} constant, or RESET name, with or without a semicolon. The constant is a number, a literal
// '...' without backslashes or a bare word, in ASCII and up to 128 bytes; no list, no DEFAULT, no expression. Nothing
// for the statements that only look like it: SET LOCAL, SET ROLE, SET TIME ZONE.
[[nodiscard]] std::optional<Assignment> read_assignment(std::string_view sql);

// Setting it to the same value on another backend does the same there, and does not disturb the session that has the
// backend next before the value is taken back.
[[nodiscard]] bool repeatable(const Assignment& assignment) noexcept;

}  // namespace leasehold::postgres
