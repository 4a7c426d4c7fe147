// SPDX-License-Identifier: Apache-2.0
// The commands of the command line, one function each; command_line.cpp parses, these act. They return exit codes.
#pragma once

#include "cmd/leasehold/usage.hpp"
#include "config/load.hpp"

#include <string>

namespace leasehold::cmd {

// sysexits.h's numbers; usage.cpp says what they mean.
enum Exit : int {
    exit_ok = 0,
    exit_refused = 1,
    exit_usage = 64,
    exit_unavailable = 69,
    exit_output = 74,
    exit_permission = 77,
    exit_configuration = 78,
};

inline constexpr const char* default_config = "/etc/leasehold/leasehold.yaml";

struct CheckOptions {
    std::string config = default_config;
    bool connect = false;
    bool json = false;
};
[[nodiscard]] int check(const CheckOptions& options);

struct RunOptions {
    std::string config = default_config;
    bool allow_root = false;
};
[[nodiscard]] int run(const RunOptions& options);

struct ReferenceOptions {
    std::string format = "markdown";
    std::string output;  // empty: stdout
};
[[nodiscard]] int reference(const ReferenceOptions& options, const Usage& program);

// Every problem a line: errors and warnings on stderr.
void print_problems(const config::Loaded& loaded);

// To stdout. A reader that has gone is no error; anything else is said, and is exit_output.
[[nodiscard]] int print(const std::string& text);

}  // namespace leasehold::cmd
