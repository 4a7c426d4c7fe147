// SPDX-License-Identifier: Apache-2.0
// Reads the startup packet's `options` as the server's command line would be read; see settings.hpp. What each switch
// sets is postgres(1)'s business: one that a client may give sets what it sets there, and is refused as there.
#include "dialects/postgres/settings.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

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

// What a switch stands for. Without a `value` it is the switch's argument; without a name it is ignored, as it has a
// meaning only for a server that is started by hand.
struct Switch {
    char letter;
    bool takes_argument;
    std::string_view name;
    std::string_view value;
};
constexpr std::array<Switch, 24> switches{{
    {'B', true, "shared_buffers", ""},
    {'C', true, "", ""},
    {'D', true, "", ""},
    {'E', false, "", ""},
    {'F', false, "fsync", "off"},
    {'N', true, "max_connections", ""},
    {'O', false, "allow_system_table_mods", "on"},
    {'P', false, "ignore_system_indexes", "on"},
    {'S', true, "work_mem", ""},
    {'T', false, "", ""},
    {'W', true, "post_auth_delay", ""},
    {'b', false, "", ""},
    {'e', false, "DateStyle", "euro"},
    {'h', true, "listen_addresses", ""},
    {'i', false, "listen_addresses", "*"},
    {'j', false, "", ""},
    {'k', true, "unix_socket_directories", ""},
    {'l', false, "ssl", "on"},
    {'n', false, "", ""},
    {'p', true, "port", ""},
    {'r', true, "", ""},
    {'s', false, "log_statement_stats", "on"},
    {'v', true, "", ""},
    {'d', true, "log_min_messages", ""},
}};

// -f: a kind of plan that is not to be used.
[[nodiscard]] std::string_view plan_of(std::string_view argument) noexcept {
    constexpr std::array<std::pair<char, std::string_view>, 8> plans{{{'s', "enable_seqscan"},
                                                                      {'i', "enable_indexscan"},
                                                                      {'o', "enable_indexonlyscan"},
                                                                      {'b', "enable_bitmapscan"},
                                                                      {'t', "enable_tidscan"},
                                                                      {'n', "enable_nestloop"},
                                                                      {'m', "enable_mergejoin"},
                                                                      {'h', "enable_hashjoin"}}};
    const char letter = argument.empty() ? '\0' : argument[0];
    const auto at =
        std::find_if(plans.begin(), plans.end(), [letter](const auto& plan) { return plan.first == letter; });
    return at == plans.end() ? std::string_view() : at->second;
}

// -t: whose statistics are logged.
[[nodiscard]] std::string_view statistics_of(std::string_view argument) noexcept {
    if (argument.starts_with("pa")) return "log_parser_stats";
    if (argument.starts_with("pl")) return "log_planner_stats";
    if (argument.starts_with("e")) return "log_executor_stats";
    return {};
}

// -d: a level of debugging.
void take_debug_level(const std::string& argument, StartupOptions& into) {
    const int level = std::clamp(std::atoi(argument.c_str()), 0, 5);
    into.settings.emplace_back("log_min_messages", level > 0 ? "debug" + std::to_string(level) : "notice");
    if (level >= 2) into.settings.emplace_back("log_statement", "all");
    if (level >= 3) into.settings.emplace_back("debug_print_parse", "on");
    if (level >= 4) into.settings.emplace_back("debug_print_plan", "on");
    if (level >= 5) into.settings.emplace_back("debug_print_rewritten", "on");
}

// One switch with its argument. False: there is no such switch, or not with that argument.
[[nodiscard]] bool take_switch(char letter, const std::string& argument, StartupOptions& into) {
    if (letter == 'f' || letter == 't') {
        const std::string_view name = letter == 'f' ? plan_of(argument) : statistics_of(argument);
        if (!name.empty()) into.settings.emplace_back(name, letter == 'f' ? "off" : "on");
        return !name.empty();
    }
    if (letter == 'd') {
        take_debug_level(argument, into);
        return true;
    }
    const auto at =
        std::find_if(switches.begin(), switches.end(), [letter](const Switch& s) { return s.letter == letter; });
    if (at == switches.end()) return false;
    if (!at->name.empty()) into.settings.emplace_back(at->name, at->takes_argument ? argument : std::string(at->value));
    return true;
}

[[nodiscard]] bool takes_argument(char letter) noexcept {
    if (letter == 'c' || letter == 'f' || letter == 't') return true;
    return std::any_of(switches.begin(), switches.end(),
                       [letter](const Switch& s) { return s.letter == letter && s.takes_argument; });
}

[[nodiscard]] std::string invalid(std::string_view word) {
    return "invalid command-line argument for server process: " + std::string(word);
}

// The switches of one word, as getopt reads them: "-ef s" is "-e -f s". `next`: the words behind it.
void take_word(const std::string& word, const std::vector<std::string>& words, std::size_t& next,
               StartupOptions& into) {
    for (std::size_t at = 1; at < word.size(); ++at) {
        const char letter = word[at];
        std::string argument;
        if (takes_argument(letter)) {
            argument = word.substr(at + 1);
            at = word.size();
            if (argument.empty() && next == words.size()) into.error = invalid(word);
            if (argument.empty() && next < words.size()) argument = words[next++];
        }
        if (!into.error.empty()) return;
        if (letter == 'c') {
            if (!take_assignment(argument, into)) into.error = "-c " + argument + " requires a value";
        } else if (!take_switch(letter, argument, into)) {
            into.error = invalid(word);
        }
    }
}

}  // namespace

StartupOptions parse_options(std::string_view options) {
    StartupOptions result;
    const std::vector<std::string> words = words_of(options);
    for (std::size_t next = 0; next < words.size() && result.error.empty();) {
        const std::string& word = words[next++];
        if (word == "--") {
            if (next < words.size()) result.error = invalid(words[next]);
            break;
        }
        if (word.starts_with("--")) {
            if (!take_assignment(std::string_view(word).substr(2), result)) result.error = word + " requires a value";
        } else if (word.size() < 2 || word[0] != '-') {
            result.error = invalid(word);
        } else {
            take_word(word, words, next, result);
        }
    }
    return result;
}

}  // namespace leasehold::postgres
