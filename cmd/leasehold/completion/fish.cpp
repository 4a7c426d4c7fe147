// SPDX-License-Identifier: Apache-2.0
// Completion for fish: one `complete` a line.
#include "cmd/leasehold/completion/completion.hpp"
#include "cmd/leasehold/reference/text.hpp"

namespace leasehold::cmd {
namespace {

std::string quoted(const std::string& text) { return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'"; }

std::string action(const std::string& value, const Usage& program) {
    switch (kind_of(value)) {
        case ValueKind::words:
        case ValueKind::commands: return " -a " + quoted(words_of(value, program));
        case ValueKind::file: return " -F";
        case ValueKind::tables: return " -a '(leasehold completion --names tables 2>/dev/null)'";
        case ValueKind::pools: return " -a '(leasehold completion --names pools 2>/dev/null)'";
        case ValueKind::nothing: break;
    }
    return "";
}

std::string options_of(const Usage& command, const std::string& condition, const Usage& program) {
    std::string out;
    for (const Usage::Option& option : command.options) {
        out += "complete -c leasehold -n " + quoted(condition);
        for (const std::string& name : option.names)
            out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        if (!option.value.empty() && !option.value_optional) out += " -r" + action(option.value, program);
        out += " -d " + quoted(option.about) + "\n";
    }
    return out;
}

}  // namespace

std::string fish_completion(const Usage& program) {
    std::string out =
        "# Completion of leasehold for fish, printed by `leasehold completion fish`.\n"
        "complete -c leasehold -f\n";
    out += options_of(program, "__fish_use_subcommand", program);
    for (const Usage& command : program.commands) {
        out +=
            "complete -c leasehold -n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.about) + "\n";
        const std::string seen = "__fish_seen_subcommand_from " + command.name;
        out += options_of(command, seen, program);
        for (const Usage::Argument& argument : command.arguments) {
            const std::string names = action(argument.value, program);
            if (!names.empty()) out += "complete -c leasehold -n " + quoted(seen) + names + "\n";
        }
    }
    return out;
}

}  // namespace leasehold::cmd
