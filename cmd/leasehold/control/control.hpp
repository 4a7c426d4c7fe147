// SPDX-License-Identifier: Apache-2.0
// The commands that look at a running daemon and steer it. They return exit codes.
#pragma once

#include "cmd/leasehold/control/socket.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::cmd {

using Patience = std::optional<std::chrono::milliseconds>;  // none: for as long as the daemon takes
inline constexpr std::chrono::milliseconds answer_time{10'000};

// A command, and its answer: rows as a table, else the word that says that it is done.
[[nodiscard]] int command(const Whereabouts& where, const std::string& text, Patience patience);

struct ShowOptions {
    Whereabouts where;
    std::string table;
    bool json = false;
    std::optional<std::chrono::milliseconds> every;  // --watch
};
[[nodiscard]] int show(const ShowOptions& options);

// What can be shown.
[[nodiscard]] int tables(const Whereabouts& where, bool json);

// Is it up, what do its pools do, who waits.
struct StatusOptions {
    Whereabouts where;
    bool json = false;
};
[[nodiscard]] int status(const StatusOptions& options);

// For the shells' completion: nothing at all when the daemon does not answer within a moment.
[[nodiscard]] std::vector<std::string> names_of_tables(const Whereabouts& where);
[[nodiscard]] std::vector<std::string> names_of_pools(const Whereabouts& where);

// The terminal's columns and rows; 0: stdout is none.
struct TerminalSize {
    std::size_t columns = 0, rows = 0;
};
[[nodiscard]] TerminalSize terminal_size();

}  // namespace leasehold::cmd
