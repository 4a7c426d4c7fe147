// SPDX-License-Identifier: Apache-2.0
// The commands of the command line, one function each; main.cpp parses, these act. They return exit codes.
#pragma once

#include "config/load.hpp"

#include <string>

namespace leasehold::cmd {

// sysexits.h's numbers.
enum Exit : int {
    exit_ok = 0,
    exit_usage = 64,
    exit_unavailable = 69,
    exit_configuration = 78,
};

struct CheckOptions {
    std::string config;
    bool connect = false;
};
[[nodiscard]] int check(const CheckOptions& options);

struct RunOptions {
    std::string config;
    bool allow_root = false;
};
[[nodiscard]] int run(const RunOptions& options);

// Every problem a line: errors and warnings on stderr.
void print_problems(const config::Loaded& loaded);

}  // namespace leasehold::cmd
