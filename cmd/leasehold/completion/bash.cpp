// SPDX-License-Identifier: Apache-2.0
// Completion for bash, with or without the package bash-completion.
#include "cmd/leasehold/completion/completion.hpp"
#include "cmd/leasehold/reference/text.hpp"

#include <set>

namespace leasehold::cmd {
namespace {

// Which word is completed: after which option, or as the how-manieth argument of which command.
constexpr std::string_view frame = R"bash(# Completion of leasehold for bash, printed by `leasehold completion bash`.

# The daemon's own names, each a line; nothing when it does not answer at once.
_leasehold_names() {
    local -a where=()
    local i name
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -c | --config | --socket)
                local value=${COMP_WORDS[i + 1]}
                [[ $value == = ]] && value=${COMP_WORDS[i + 2]}
                where+=("${COMP_WORDS[i]}" "$value")
                ;;
        esac
    done
    while IFS= read -r name; do
        [[ $name == "$2"* ]] && COMPREPLY+=("$name")
    done < <("${COMP_WORDS[0]/#\~/$HOME}" completion --names "$1" "${where[@]}" 2>/dev/null)
}

_leasehold_words() {
    local word
    for word in $1; do
        [[ $word == "$2"* ]] && COMPREPLY+=("$word")
    done
}

_leasehold_files() {
    local name
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        COMPREPLY+=("$name")
    done < <(compgen -f -- "$1")
}

_leasehold() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i position=0
    COMPREPLY=()
    # --option=value is three words to bash.
    [[ $cur == = ]] && cur=''
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            @VALUED@)
                [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
                ((i++))
                ;;
            @OPTIONAL@)
                [[ ${COMP_WORDS[i + 1]} == [0-9]* ]] && ((i++))
                ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then
                    command=${COMP_WORDS[i]}
                else
                    ((position++))
                fi
                ;;
        esac
    done
    case $command:$prev in
@VALUES@    esac
    if [[ $cur == -* ]]; then
        case $command in
@OPTIONS@        esac
        return
    fi
    case $command:$position in
@ARGUMENTS@    esac
}

complete -F _leasehold leasehold
)bash";

std::string action(const std::string& value, const Usage& program) {
    switch (kind_of(value)) {
        case ValueKind::words:
        case ValueKind::commands: return "_leasehold_words '" + words_of(value, program) + "' \"$cur\"";
        case ValueKind::file: return "_leasehold_files \"$cur\"";
        case ValueKind::tables: return "_leasehold_names tables \"$cur\"";
        case ValueKind::pools: return "_leasehold_names pools \"$cur\"";
        case ValueKind::nothing: break;
    }
    return ":";
}

std::string joined(const std::set<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : " | ") + word;
    return out.empty() ? "''" : out;
}

std::string option_words(const Usage& command) {
    std::string out;
    for (const Usage::Option& option : command.options) {
        for (const std::string& name : option.names) out += (out.empty() ? "" : " ") + name;
    }
    return out;
}

}  // namespace

std::string bash_completion(const Usage& program) {
    std::set<std::string> valued, optional;
    std::string values, options, arguments;
    options = "            '') _leasehold_words '" + option_words(program) + "' \"$cur\" ;;\n";
    arguments = "        :*) _leasehold_words '" + words_of("COMMAND", program) + "' \"$cur\" ;;\n";
    for (const Usage& command : program.commands) {
        for (const Usage::Option& option : command.options) {
            if (option.value.empty()) continue;
            (option.value_optional ? optional : valued).insert(option.names.begin(), option.names.end());
            std::string patterns;
            for (const std::string& name : option.names)
                patterns += (patterns.empty() ? "" : " | ") + command.name + ":" + name;
            // After an option whose value may be left out, anything may follow.
            if (!option.value_optional)
                values += "        " + patterns + ") " + action(option.value, program) + "; return ;;\n";
        }
        options += "            " + command.name + ") _leasehold_words '" + option_words(command) + "' \"$cur\" ;;\n";
        for (std::size_t i = 0; i < command.arguments.size(); ++i) {
            arguments += "        " + command.name + ":" + std::to_string(i) + ") " +
                         action(command.arguments[i].value, program) + " ;;\n";
        }
    }
    std::string out(frame);
    out = replaced(out, "@VALUED@", joined(valued));
    out = replaced(out, "@OPTIONAL@", joined(optional));
    out = replaced(out, "@VALUES@", values);
    out = replaced(out, "@OPTIONS@", options);
    return replaced(out, "@ARGUMENTS@", arguments);
}

}  // namespace leasehold::cmd
