// SPDX-License-Identifier: Apache-2.0
// The program. Nothing is decided here.
#include "cmd/leasehold/command_line.hpp"

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    try {
        return leasehold::cmd::command_line(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "leasehold: " << error.what() << '\n';
        return 69;  // EX_UNAVAILABLE
    }
}
