// SPDX-License-Identifier: Apache-2.0
// `leasehold show`: a table once, or again and again.
#include "cmd/leasehold/commands.hpp"
#include "cmd/leasehold/control/control.hpp"
#include "cmd/leasehold/control/daemon.hpp"
#include "cmd/leasehold/control/printable.hpp"
#include "cmd/leasehold/control/table.hpp"

#include "config/units.hpp"

#include <csignal>
#include <ctime>
#include <iostream>

namespace leasehold::cmd {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void interrupt(int) { interrupted = 1; }

// Once: a second Ctrl-C ends the program whatever it waits for.
void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

// False: interrupted.
bool sleep_for(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (interrupted == 0) {
        const auto left = until - std::chrono::steady_clock::now();
        if (left <= std::chrono::nanoseconds(0)) return true;
        // In slices: a signal that comes just before the call is not seen by it.
        const auto slice = std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds(100));
        const timespec wanted{0, static_cast<long>(slice.count())};
        ::nanosleep(&wanted, nullptr);
    }
    return false;
}

std::string clock_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    char text[16];
    return std::string(text, std::strftime(text, sizeof text, "%H:%M:%S", &parts));
}

std::string headline(const ShowOptions& options) {
    return "show " + printable(options.table) + ", every " + config::render_duration(*options.every) + ", " +
           clock_now() + ", Ctrl-C ends\n\n";
}

// A screenful: what is below it would push the top out of sight.
std::string screenful(const std::string& text, std::size_t rows) {
    std::size_t at = 0, lines = 0, hidden = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\n') continue;
        ++lines;
        if (lines + 2 <= rows)
            at = i + 1;
        else
            ++hidden;
    }
    if (rows == 0 || hidden <= 1) return text;
    return text.substr(0, at) + "... and " + std::to_string(hidden) + " more lines\n";
}

std::string rendered(const ShowOptions& options, const Answer& answer) {
    if (options.json) return to_json(answer);
    const TerminalSize terminal = terminal_size();
    const std::string table = render_table(answer, terminal.columns);
    if (!options.every) return table;
    if (terminal.columns == 0) return table + "\n";
    return "\x1b[H\x1b[2J" + screenful(headline(options) + table, terminal.rows);
}

}  // namespace

int show(const ShowOptions& options) {
    const Daemon daemon(options.where);
    if (options.every) catch_interrupts();
    for (bool first = true;; first = false) {
        // The word as it was given: the daemon knows its tables, and says so.
        const Said said = daemon.ask("SHOW " + options.table, answer_time);
        if (said.interrupted || interrupted != 0) break;
        if (said.code == exit_ok) {
            if (const int code = print(rendered(options, said.answer)); code != exit_ok || !options.every) return code;
        } else {
            // A watch goes on while the daemon is restarted.
            std::cerr << said.complaint;
            if (first || !options.every || said.code != exit_unavailable) return said.code;
        }
        if (!sleep_for(*options.every)) break;
    }
    return exit_ok;
}

}  // namespace leasehold::cmd
