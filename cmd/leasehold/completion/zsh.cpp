// SPDX-License-Identifier: Apache-2.0
// Completion for zsh: an autoloaded function in the manner of its own _arguments.
#include "cmd/leasehold/completion/completion.hpp"
#include "cmd/leasehold/reference/text.hpp"

namespace leasehold::cmd {
namespace {

constexpr std::string_view frame = R"zsh(#compdef leasehold
# Completion of leasehold for zsh, printed by `leasehold completion zsh`.

# The daemon's own names; nothing when it does not answer at once.
_leasehold_names() {
  local -a names whereabouts
  local option
  for option in -c --config --socket; do
    (( $+opt_args[$option] )) && whereabouts+=($option ${opt_args[$option]})
  done
  names=(${(f)"$(_call_program $1 leasehold completion --names $1 $whereabouts 2>/dev/null)"})
  compadd -a names
}
_leasehold_tables() { _leasehold_names tables }
_leasehold_pools() { _leasehold_names pools }

_leasehold() {
  local context state line curcontext="$curcontext"
  local -a commands
  typeset -A opt_args
  commands=(
@COMMANDS@  )
  _arguments -C @GLOBAL@ '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $words[1] in
@CASES@      esac
      ;;
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _leasehold "$@"
else
  compdef _leasehold leasehold
fi
)zsh";

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'')
            out += "'\\''";
        else if (c == '[' || c == ']' || c == ':' || c == '\\')
            out += std::string("\\") + c;
        else
            out += c;
    }
    return out;
}

std::string action(const std::string& value, const Usage& program) {
    switch (kind_of(value)) {
        case ValueKind::words:
        case ValueKind::commands: return "(" + words_of(value, program) + ")";
        case ValueKind::file: return "_files";
        case ValueKind::tables: return "_leasehold_tables";
        case ValueKind::pools: return "_leasehold_pools";
        case ValueKind::nothing: break;
    }
    return " ";
}

std::string specification(const Usage::Option& option, const Usage& program) {
    std::string out, tail = "[" + escaped(option.about) + "]";
    if (!option.value.empty())
        tail += (option.value_optional ? "::" : ":") + escaped(option.value) + ":" + action(option.value, program);
    std::string all;
    for (const std::string& name : option.names) all += (all.empty() ? "" : " ") + name;
    for (const std::string& name : option.names) out += (out.empty() ? "'(" : " '(") + all + ")" + name + tail + "'";
    return out;
}

std::string specifications(const Usage& command, const Usage& program) {
    std::string out;
    for (const Usage::Option& option : command.options)
        out += (out.empty() ? "" : " ") + specification(option, program);
    for (const Usage::Argument& argument : command.arguments) {
        out += std::string(out.empty() ? "'" : " '") + (argument.required ? ":" : "::") + escaped(argument.value) +
               ":" + action(argument.value, program) + "'";
    }
    return out;
}

}  // namespace

std::string zsh_completion(const Usage& program) {
    std::string commands, cases;
    for (const Usage& command : program.commands) {
        commands += "    '" + command.name + ":" + escaped(command.about) + "'\n";
        cases += "        " + command.name + ") _arguments " + specifications(command, program) + " ;;\n";
    }
    std::string out = replaced(std::string(frame), "@COMMANDS@", commands);
    out = replaced(out, "@GLOBAL@", specifications(program, program));
    return replaced(out, "@CASES@", cases);
}

}  // namespace leasehold::cmd
