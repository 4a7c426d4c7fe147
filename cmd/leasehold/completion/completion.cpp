// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/completion/completion.hpp"

#include "cmd/leasehold/reference/text.hpp"

namespace leasehold::cmd {

ValueKind kind_of(const std::string& value) {
    if (value.find('|') != std::string::npos) return ValueKind::words;
    if (value == "FILE" || value == "PATH") return ValueKind::file;
    if (value == "TABLE") return ValueKind::tables;
    if (value == "POOL") return ValueKind::pools;
    if (value == "COMMAND") return ValueKind::commands;
    return ValueKind::nothing;
}

std::string words_of(const std::string& value, const Usage& program) {
    if (kind_of(value) != ValueKind::commands) return replaced(value, "|", " ");
    std::string out;
    for (const Usage& command : program.commands) out += (out.empty() ? "" : " ") + command.name;
    return out;
}

}  // namespace leasehold::cmd
