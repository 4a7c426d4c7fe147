// SPDX-License-Identifier: Apache-2.0
// The parts of the file, one function each: from the top map's section to the Config. Private to this folder.
#pragma once

#include "config/section.hpp"

namespace leasehold::config {

void read_listen(Section& top, Config& config);
void read_pools(Section& top, Config& config);
void read_users(Section& top, Config& config);
void read_admin(Section& top, Config& config);
void read_log(Section& top, Config& config);
void read_limits(Section& top, Config& config);
void read_servers(Section& top, Config& config);

// "127.0.0.1:6432", "[::1]:6432", "localhost:6432", "unix:/path" (port 0).
struct Address {
    std::string host;
    std::uint16_t port = 0;
};
[[nodiscard]] std::optional<Address> parse_address(std::string_view text, std::string& message,
                                                   std::string& suggestion);

// A password stands in the file itself, neither from the environment nor from a file: who reads the file has it.
[[nodiscard]] bool holds_clear_password(const YAML::Node& root);

}  // namespace leasehold::config
