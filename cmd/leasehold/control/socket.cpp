// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/control/socket.hpp"

#include "config/admin_socket.hpp"

#include <cstdlib>

namespace leasehold::cmd {
namespace {

std::string from_environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// What `auto` means to the daemon; its RUNTIME_DIRECTORY is usually not ours.
std::string automatic() {
    const std::string folder = from_environment("RUNTIME_DIRECTORY");
    return (folder.empty() ? std::string("/run/leasehold") : folder) + "/control.sock";
}

}  // namespace

SocketPath find_socket(const Whereabouts& where) {
    if (!where.socket.empty()) return {where.socket, "--socket", "", ""};
    if (!where.config_given) {
        std::string path = from_environment("LEASEHOLD_SOCKET");
        if (!path.empty()) return {std::move(path), "LEASEHOLD_SOCKET", "", ""};
    }
    const config::AdminSocket in_file = config::read_admin_socket(where.config);
    if (!in_file.problem.empty() && where.config_given)
        return {"", "", where.config + " cannot be used: " + in_file.problem, ""};
    if (in_file.value && *in_file.value == "off")
        return {"", "", "admin.socket is off in " + where.config + ": the daemon has no control socket", ""};
    if (in_file.value && in_file.value->starts_with('/'))
        return {*in_file.value, "admin.socket of " + where.config, "", ""};
    std::string remark;
    if (!in_file.problem.empty() && !in_file.missing)
        remark = where.config + ", which may name another, cannot be read: " + in_file.problem;
    return {automatic(), in_file.problem.empty() ? "the default of " + where.config : "the default", "", remark};
}

}  // namespace leasehold::cmd
