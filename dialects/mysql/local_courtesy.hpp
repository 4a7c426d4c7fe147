// SPDX-License-Identifier: Apache-2.0
// What clients of MySQL say by themselves when they connect to the console or tidy up, answered as a server would: SET,
// SELECT of variables, SHOW VARIABLES and the like. None of it has an effect, and none of it is a command.
#pragma once

#include "dialects/dialect.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::mysql {

struct ConsoleIdentity {
    std::string user{};        // "operator@127.0.0.1"
    std::uint32_t number = 0;  // of the session
};

// The text without comments in front of and behind it, blanks and semicolons.
[[nodiscard]] std::string_view without_comments(std::string_view text) noexcept;
[[nodiscard]] bool begins(std::string_view text, std::string_view word) noexcept;
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;
// `text` as without_comments() gives it. None: it is for the console. No columns: OK.
[[nodiscard]] std::optional<dialects::Result> courtesy(std::string_view text, const ConsoleIdentity& identity);

}  // namespace leasehold::mysql
