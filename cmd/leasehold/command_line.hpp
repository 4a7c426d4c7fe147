// SPDX-License-Identifier: Apache-2.0
// The command line: words to commands, mistakes to exit codes. What a command does is in its own file.
#pragma once

#include "cmd/leasehold/usage.hpp"

namespace leasehold::cmd {

// Parses and runs; the process's exit code.
[[nodiscard]] int command_line(int argc, char** argv);

// What the parser says of itself.
[[nodiscard]] Usage describe_program();

}  // namespace leasehold::cmd
