// SPDX-License-Identifier: Apache-2.0
// What stands behind a command's name, read: a pool, a limit, a session's id. Pure; whether there is such a pool or
// session is daemon/commands' business.
#pragma once

#include "daemon/admin/console.hpp"
#include "daemon/operations.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::daemon::admin {

// A value, or the error to answer with.
template <class T>
struct Read {
    T value{};
    std::optional<Answer> error{};
};

enum class Needs : std::uint8_t { pool, nothing };

// "[pool]", or "<pool>" where one is needed. Without one it is empty: all pools.
[[nodiscard]] Read<std::string> read_pool(const std::string& command, const std::vector<Token>& arguments, Needs needs);

// "[pool] [limit]" or "[pool] TIMEOUT limit": what comes first is a pool's name, unless it is TIMEOUT and a limit
// follows. A limit is written as a duration in the configuration file; 0: at once.
struct Limited {
    std::string pool;  // empty: all
    std::optional<std::chrono::milliseconds> limit;
};
[[nodiscard]] Read<Limited> read_limited(const std::string& command, const std::vector<Token>& arguments);

// "<id>"
[[nodiscard]] Read<std::uint64_t> read_session(const std::string& command, const std::vector<Token>& arguments);

// "[NOW | WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS]"
[[nodiscard]] Read<Shutdown> read_shutdown(const std::vector<Token>& arguments);

// Nothing may stand there.
[[nodiscard]] std::optional<Answer> read_nothing(const std::string& command, const std::vector<Token>& arguments);

// "wrote it so; it is so": a command that is not understood, with its usage.
[[nodiscard]] Answer usage(const std::string& command, std::string problem);

}  // namespace leasehold::daemon::admin
