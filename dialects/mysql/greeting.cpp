// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/greeting.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

// The next number of "10.11.6-MariaDB", which loses it; 0 behind the last one.
[[nodiscard]] std::uint64_t take_number(std::string_view& version) noexcept {
    std::uint64_t number = 0;
    while (!version.empty() && version.front() >= '0' && version.front() <= '9') {
        number = std::min<std::uint64_t>(number * 10 + static_cast<std::uint64_t>(version.front() - '0'), 1u << 30);
        version.remove_prefix(1);
    }
    if (version.starts_with('.'))
        version.remove_prefix(1);
    else
        version = {};
    return number;
}

}  // namespace

bool older(std::string_view a, std::string_view b) noexcept {
    a = plain_version(a);
    b = plain_version(b);
    while (!a.empty() || !b.empty()) {
        const std::uint64_t left = take_number(a), right = take_number(b);
        if (left != right) return left < right;
    }
    return false;
}

std::string_view family_of(std::string_view version) noexcept { return is_mariadb(version) ? "MariaDB" : "MySQL"; }

std::optional<Greeting> common_greeting(std::span<const Greeting> servers) {
    if (servers.empty()) return std::nullopt;
    const bool mariadb = is_mariadb(servers.front().version);
    const Greeting* lowest = &servers.front();
    Capabilities capabilities = ~Capabilities{0};
    std::uint16_t status = 0xFFFF;
    for (const Greeting& server : servers) {
        if (is_mariadb(server.version) != mariadb) continue;
        if (older(server.version, lowest->version)) lowest = &server;
        capabilities &= server.capabilities;
        status &= server.status;
    }
    Greeting common = *lowest;
    common.capabilities = capabilities;
    common.status = status;
    return common;
}

}  // namespace leasehold::mysql
