// SPDX-License-Identifier: Apache-2.0
// Reads the startup packet's `options` as the server's command line would be read; see settings.hpp.
#include "dialects/postgres/settings.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

[[nodiscard]] bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

// pg_split_opts: words divided by blanks; a backslash keeps what follows it.
[[nodiscard]] std::vector<std::string> words_of(std::string_view options) {
    std::vector<std::string> words;
    std::size_t at = 0;
    while (at < options.size()) {
        if (is_blank(options[at])) {
            ++at;
            continue;
        }
        std::string word;
        for (; at < options.size() && !is_blank(options[at]); ++at) {
            if (options[at] == '\\' && ++at == options.size()) break;
            word += options[at];
        }
        words.push_back(std::move(word));
    }
    return words;
}

// "name=value", dashes of the name meaning underscores. False: malformed.
[[nodiscard]] bool take_assignment(std::string_view text, StartupOptions& into) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) return false;
    std::string name(text.substr(0, equals));
    std::replace(name.begin(), name.end(), '-', '_');
    into.settings.emplace_back(std::move(name), text.substr(equals + 1));
    return true;
}

// Switches of postgres(1) that take an argument; -e and -S stand for settings and are read as such.
[[nodiscard]] bool takes_argument(char option) noexcept {
    return std::string_view("BCDdfhkNprStvW").find(option) != std::string_view::npos;
}

}  // namespace

StartupOptions parse_options(std::string_view options) {
    StartupOptions result;
    const std::vector<std::string> words = words_of(options);
    for (std::size_t i = 0; i < words.size() && result.error.empty(); ++i) {
        const std::string_view word = words[i];
        if (word.starts_with("--") && word.size() > 2) {
            if (!take_assignment(word.substr(2), result)) result.error = std::string(word) + " requires a value";
            continue;
        }
        if (word.size() < 2 || word[0] != '-' || word == "--") {
            result.error = "invalid command-line argument for server process: " + std::string(word);
            continue;
        }
        const char option = word[1];
        std::string_view argument = word.substr(2);
        if ((option == 'c' || takes_argument(option)) && argument.empty() && i + 1 < words.size()) {
            argument = words[++i];
        }
        if (option == 'c') {
            if (!take_assignment(argument, result)) result.error = "-c " + std::string(argument) + " requires a value";
        } else if (option == 'S' && !argument.empty()) {
            result.settings.emplace_back("work_mem", argument);
        } else if (option == 'e' && argument.empty()) {
            result.settings.emplace_back("DateStyle", "euro");
        } else {
            std::string shown = {'-', option};
            if (!argument.empty()) (shown += ' ') += argument;
            result.unknown.push_back(std::move(shown));
        }
    }
    return result;
}

}  // namespace leasehold::postgres
