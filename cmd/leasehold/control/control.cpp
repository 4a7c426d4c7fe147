// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/control.hpp"

#include "cmd/leasehold/commands.hpp"
#include "cmd/leasehold/control/daemon.hpp"
#include "cmd/leasehold/control/printable.hpp"
#include "cmd/leasehold/control/table.hpp"

#include <sys/ioctl.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string_view>

namespace leasehold::cmd {
namespace {

constexpr std::chrono::milliseconds a_moment{300};
constexpr std::string_view show_prefix = "SHOW ";

int complain(const Said& said) {
    std::cerr << said.complaint;
    return said.code;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

}  // namespace

TerminalSize terminal_size() {
    if (::isatty(STDOUT_FILENO) == 0) return {};
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return {size.ws_col, size.ws_row};
    TerminalSize out{80, 24};
    if (const char* columns = std::getenv("COLUMNS")) {
        std::size_t number = 0;
        const std::string_view text(columns);
        if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc() && number > 0)
            out.columns = number;
    }
    return out;
}

int command(const Whereabouts& where, const std::string& text, Patience patience) {
    const Said said = Daemon(where).ask(text, patience);
    if (said.code != exit_ok) return complain(said);
    for (const std::string& notice : said.answer.notices) std::cerr << "leasehold: " << printable(notice) << '\n';
    if (!said.answer.columns.empty()) return print(render_table(said.answer, terminal_size().columns));
    return print(printable(said.answer.tag) + "\n");
}

int tables(const Whereabouts& where, bool json) {
    const Said said = Daemon(where).ask(json ? "SHOW TABLES" : "SHOW HELP", answer_time);
    if (said.code != exit_ok) return complain(said);
    if (json) return print(to_json(said.answer));
    Answer list;
    list.columns = {{"table", false}, {"shows", false}};
    for (const Row& row : said.answer.rows) {
        const std::string_view name = said.answer.text(row, "command");
        if (!name.starts_with(show_prefix)) continue;
        Cell table{false, lower(name.substr(show_prefix.size())), ""};
        Cell about{false, std::string(said.answer.text(row, "description")), ""};
        list.rows.push_back({std::move(table), std::move(about)});
    }
    return print(render_table(list, terminal_size().columns));
}

std::vector<std::string> names_of_tables(const Whereabouts& where) {
    std::vector<std::string> out;
    const Said said = Daemon(where).ask("SHOW TABLES", a_moment);
    for (const Row& row : said.answer.rows) out.push_back(lower(said.answer.text(row, "name")));
    return out;
}

std::vector<std::string> names_of_pools(const Whereabouts& where) {
    std::set<std::string> names;
    const Said said = Daemon(where).ask("SHOW POOLS", a_moment);
    for (const Row& row : said.answer.rows) {
        const std::string_view name = said.answer.text(row, "database");
        // A name may come from a client (a template's pool): nothing that a shell would read as more than a word.
        const bool plain = std::ranges::all_of(name, [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
                   c == '.' || static_cast<unsigned char>(c) >= 0x80;
        });
        if (!name.empty() && plain && name.front() != '-' && printable(name) == name) names.emplace(name);
    }
    return {names.begin(), names.end()};
}

}  // namespace leasehold::cmd
