// SPDX-License-Identifier: Apache-2.0
// What the console understands, from the registries of a daemon that is not started: for documents.
#pragma once

#include <string>
#include <vector>

namespace leasehold::daemon {

struct ConsoleReference {
    struct Table {
        std::string name, permission, about, columns;  // "POOLS", "read", ..., "database, user, ..."
    };
    struct Command {
        std::string usage, permission, about;  // "PAUSE [pool]", "administer"
    };
    std::vector<Table> tables;
    std::vector<Command> commands;
};
[[nodiscard]] ConsoleReference console_reference();

}  // namespace leasehold::daemon
