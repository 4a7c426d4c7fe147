// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/daemon.hpp"

#include "cmd/leasehold/commands.hpp"
#include "cmd/leasehold/control/printable.hpp"
#include "cmd/leasehold/reference/text.hpp"

#include "config/units.hpp"

#include <sys/stat.h>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace leasehold::cmd {
namespace {

using Failure = Exchange::Failure;

std::string user_name(unsigned id) {
    const passwd* entry = ::getpwuid(id);
    return entry != nullptr ? entry->pw_name : "user " + std::to_string(id);
}

std::string group_name(unsigned id) {
    const group* entry = ::getgrgid(id);
    return entry != nullptr ? entry->gr_name : "group " + std::to_string(id);
}

std::string where(const SocketPath& socket) { return printable(socket.path) + " (" + printable(socket.source) + ")"; }

std::string complaint(const std::string& message, const std::vector<std::string>& more = {}) {
    std::string out = "leasehold: " + message + "\n";
    for (const std::string& line : more) {
        if (!line.empty()) out += "  " + line + "\n";
    }
    return out;
}

std::string not_allowed(const SocketPath& socket) {
    struct stat status {};
    if (::stat(socket.path.c_str(), &status) != 0) {
        const std::string folder = socket.path.substr(0, socket.path.rfind('/'));
        std::string who = "the group that may enter " + printable(folder);
        if (::stat(folder.c_str(), &status) == 0) who = "the group " + group_name(status.st_gid);
        return "become a member of " + who + " (usermod -aG ...; then log in anew), or use sudo";
    }
    return "it is open to " + user_name(status.st_uid) + " and the group " + group_name(status.st_gid) +
           ": become a member (usermod -aG " + group_name(status.st_gid) + " " + user_name(::geteuid()) +
           "; then log in anew), or use sudo";
}

// The console's refusal in the command line's words.
Said refused(const Refusal& refusal, std::optional<unsigned> peer) {
    Said out;
    out.code = refusal.sqlstate == "42501" ? exit_permission : exit_refused;
    std::vector<std::string> more;
    if (!refusal.detail.empty()) more.push_back("detail: " + printable(refusal.detail));
    if (!refusal.hint.empty()) more.push_back("hint: " + printable(refusal.hint));
    if (out.code == exit_permission) {
        more.push_back("hint: over the control socket root and " +
                       (peer ? user_name(*peer) : std::string("the daemon's own user")) +
                       " may do everything, everybody else may look: use sudo");
    }
    out.complaint = complaint(
        printable(refusal.message) + (refusal.sqlstate.empty() ? "" : " (" + printable(refusal.sqlstate) + ")"), more);
    return out;
}

}  // namespace

std::string console_word(std::string_view name) { return "\"" + replaced(std::string(name), "\"", "\"\"") + "\""; }

Said Daemon::failed(const Exchange& exchange, std::optional<std::chrono::milliseconds> deadline) const {
    Said out;
    out.code = exit_unavailable;
    out.interrupted = exchange.failure == Failure::interrupted;
    const std::string start =
        "is it running? `systemctl status leasehold` says so; --socket, LEASEHOLD_SOCKET or "
        "--config name another socket";
    if (exchange.failure == Failure::timed_out) {
        out.complaint = complaint("the daemon at " + where(socket_) + " did not answer within " +
                                  config::render_duration(deadline.value_or(std::chrono::milliseconds(0))));
    } else if (exchange.failure == Failure::cut_off) {
        out.complaint = complaint("the daemon at " + where(socket_) + " ended before it had answered");
    } else if (exchange.failure == Failure::no_http) {
        out.complaint = complaint("what answers at " + where(socket_) + " is no control socket of leasehold");
    } else if (exchange.error == EACCES || exchange.error == EPERM) {
        out.code = exit_permission;
        out.complaint = complaint("may not use the control socket " + where(socket_), {not_allowed(socket_)});
    } else if (exchange.error == ECONNREFUSED) {
        out.complaint = complaint("no daemon listens at " + where(socket_) + ": it has ended", {start});
    } else if (exchange.error == ENOENT || exchange.error == ENOTDIR) {
        out.complaint = complaint("no daemon: there is no socket " + where(socket_), {socket_.remark, start});
    } else {
        out.complaint =
            complaint("the daemon at " + where(socket_) + " cannot be reached: " + std::strerror(exchange.error));
    }
    return out;
}

Said Daemon::ask(const std::string& command, std::optional<std::chrono::milliseconds> deadline) const {
    Said out;
    if (socket_.path.empty()) {
        out.code = exit_configuration;
        out.complaint = complaint(printable(socket_.problem));
        return out;
    }
    const Exchange done = exchange(socket_.path, {"POST", "/console", command}, deadline);
    if (done.failure != Failure::none) return failed(done, deadline);
    auto answer = parse_answer(done.reply.body);
    if (!answer) {
        out.code = exit_unavailable;
        out.complaint = complaint("what answers at " + where(socket_) + " is no control socket of leasehold (HTTP " +
                                  std::to_string(done.reply.status) + ")");
        return out;
    }
    if (answer->refusal) return refused(*answer->refusal, done.peer);
    out.answer = std::move(*answer);
    return out;
}

std::optional<HttpReply> Daemon::get(const std::string& path, std::chrono::milliseconds deadline) const {
    const Exchange done = exchange(socket_.path, {"GET", path, ""}, deadline);
    if (done.failure != Failure::none || done.reply.status == 404) return std::nullopt;
    return done.reply;
}

}  // namespace leasehold::cmd
