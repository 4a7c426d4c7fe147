// SPDX-License-Identifier: Apache-2.0
// `leasehold status`: is it up, what do its pools do, who waits. A table that the daemon does not have is left out.
#include "cmd/leasehold/commands.hpp"
#include "cmd/leasehold/control/control.hpp"
#include "cmd/leasehold/control/daemon.hpp"
#include "cmd/leasehold/control/printable.hpp"
#include "cmd/leasehold/control/table.hpp"

#include <iostream>

namespace leasehold::cmd {
namespace {

constexpr std::size_t waiters_shown = 10;

struct Seen {
    std::string version;
    std::string readiness;  // "ready", "draining"; empty: not known
    Answer state, pools, waiters;
};

// The columns that are there, under names for people.
Answer pick(const Answer& from, const std::vector<std::pair<std::string_view, std::string_view>>& names) {
    Answer out;
    std::vector<std::size_t> taken;
    for (const auto& [name, title] : names) {
        const auto index = from.column(name);
        if (!index) continue;
        taken.push_back(*index);
        out.columns.push_back({std::string(title), from.columns[*index].numeric});
    }
    for (const Row& row : from.rows) {
        Row& picked = out.rows.emplace_back();
        for (const std::size_t index : taken) picked.push_back(row[index]);
    }
    return out;
}

std::string indented(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end > at) out += "  " + text.substr(at, end - at);
        out += '\n';
        at = end + 1;
    }
    return out;
}

std::string state_line(const Answer& state) {
    std::string out;
    for (const Row& row : state.rows) {
        const std::string_view key = state.text(row, "key"), value = state.text(row, "value");
        // What is as it should be is not worth a word.
        if (value.empty() || value == "no" || value == "0" || key == "active" || key == "suspended") continue;
        out += (out.empty() ? "" : ", ") + printable(key) + " " + printable(value);
    }
    return out;
}

std::string for_people(const Seen& seen, const SocketPath& socket) {
    const std::size_t width = terminal_size().columns;
    std::string out = printable(seen.version) + ": " + (seen.readiness.empty() ? "up" : printable(seen.readiness)) +
                      ", at " + printable(socket.path) + "\n";
    if (const std::string state = state_line(seen.state); !state.empty()) out += "  " + state + "\n";
    const Answer pools = pick(seen.pools, {{"database", "pool"},
                                           {"user", "user"},
                                           {"pool_mode", "mode"},
                                           {"status", "status"},
                                           {"cl_active", "active"},
                                           {"cl_waiting", "waiting"},
                                           {"cl_idle", "idle"},
                                           {"sv_active", "leased"},
                                           {"sv_idle", "free"},
                                           {"quarantined", "quarantined"},
                                           {"pinned", "pinned"},
                                           {"maxwait", "oldest wait s"},
                                           {"last_error", "last error"}});
    out += "\nPools" + std::string(pools.rows.empty() ? ": none has been used yet\n" : "\n");
    if (!pools.rows.empty()) out += indented(render_table(pools, width > 2 ? width - 2 : 0));
    Answer waiters = pick(seen.waiters, {{"database", "pool"},
                                         {"user", "user"},
                                         {"addr", "from"},
                                         {"application_name", "application"},
                                         {"session", "session"},
                                         {"id", "session"},
                                         {"wait_time", "waits"},
                                         {"wait", "waits s"}});
    if (waiters.rows.empty()) return out + "\nNobody waits.\n";
    const std::size_t all = waiters.rows.size();
    waiters.rows.resize(std::min(all, waiters_shown));
    out += "\nWaiting: " + std::to_string(all) + "\n" + indented(render_table(waiters, width > 2 ? width - 2 : 0));
    if (all > waiters_shown) out += "  ... `leasehold show waiters` has them all\n";
    return out;
}

std::string one_line(const Answer& answer) {
    std::string out = to_json(answer);
    out.pop_back();
    return out;
}

// What a table of the daemon says; empty if this one does not have it.
Answer table(const Daemon& daemon, const std::string& name) { return daemon.ask("SHOW " + name, answer_time).answer; }

Answer waiting(const Daemon& daemon) {
    Answer waiters = table(daemon, "WAITERS");
    if (!waiters.columns.empty()) return waiters;
    Answer clients = table(daemon, "CLIENTS");
    std::erase_if(clients.rows, [&](const Row& row) { return clients.text(row, "state") != "waiting"; });
    return clients;
}

}  // namespace

int status(const StatusOptions& options) {
    const Daemon daemon(options.where);
    const Said version = daemon.ask("SHOW VERSION", answer_time);
    if (version.code != exit_ok) {
        std::cerr << version.complaint;
        return version.code;
    }
    Seen seen;
    if (!version.answer.rows.empty()) seen.version = version.answer.text(version.answer.rows.front(), "version");
    if (const auto ready = daemon.get("/readyz", answer_time)) {
        seen.readiness = ready->body.substr(0, ready->body.find('\n'));
    }
    seen.state = table(daemon, "STATE");
    seen.pools = table(daemon, "POOLS");
    seen.waiters = waiting(daemon);
    if (!options.json) return print(for_people(seen, daemon.socket()));
    return print("{\"version\": " + json_text(seen.version) + ", \"readiness\": " + json_text(seen.readiness) +
                 ", \"state\": " + one_line(seen.state) + ", \"pools\": " + one_line(seen.pools) +
                 ", \"waiting\": " + one_line(seen.waiters) + "}\n");
}

}  // namespace leasehold::cmd
