// SPDX-License-Identifier: Apache-2.0
// Where the daemon's control socket is, and who said so.
#pragma once

#include <string>

namespace leasehold::cmd {

struct Whereabouts {
    std::string socket;  // --socket
    std::string config;  // --config
    bool config_given = false;
};

struct SocketPath {
    std::string path;    // empty: none is to be had
    std::string source;  // "--socket", "LEASEHOLD_SOCKET", "admin.socket of FILE", "the default"
    std::string problem;
    std::string remark;  // why a better source was not to be had; may be empty
};

// --socket, LEASEHOLD_SOCKET, the file's admin.socket, the default: the first that says something.
[[nodiscard]] SocketPath find_socket(const Whereabouts& where);

}  // namespace leasehold::cmd
