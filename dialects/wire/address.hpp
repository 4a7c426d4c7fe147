// SPDX-License-Identifier: Apache-2.0
// Where a server is: as the configuration names it, or the address behind that name which a connection has reached.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::wire {

struct ServerAddress {
    std::string host;  // a name, an address (IPv6 without brackets), or a unix socket's path
    std::uint16_t port = 0;
    [[nodiscard]] bool local() const noexcept { return host.starts_with('/'); }
    [[nodiscard]] std::string text() const;  // "db.internal:5432", a path as it is
};

// Of "127.0.0.1:5432" or "[::1]:5432", as Transport::peer() says it; nothing for a unix socket.
[[nodiscard]] std::optional<ServerAddress> address_of(std::string_view peer);

// Where a request goes that must reach the very server of a connection, not another that its name stands for as well,
// or by now: the peer of a connection that was dialled at `named`.
[[nodiscard]] ServerAddress reached(const ServerAddress& named, std::string_view peer);

}  // namespace leasehold::wire
