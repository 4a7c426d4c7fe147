// SPDX-License-Identifier: Apache-2.0
// Of a configuration, where its control socket is, and nothing else: for commands that look for the daemon, whose user
// may have no access to the secrets that loading the file would need.
#pragma once

#include <optional>
#include <string>

namespace leasehold::config {

struct AdminSocket {
    std::optional<std::string> value;  // admin.socket: "auto", "off" or a path; none: not given
    std::string problem;               // the file could not be read, or is no such file; for people
    bool missing = false;              // there is no such file
};
[[nodiscard]] AdminSocket read_admin_socket(const std::string& path);

}  // namespace leasehold::config
