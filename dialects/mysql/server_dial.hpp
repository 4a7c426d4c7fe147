// SPDX-License-Identifier: Apache-2.0
// One server: from its address to a connection that is logged in, and the KILL QUERY that goes the same way.
#pragma once

#include "dialects/mysql/backend.hpp"
#include "dialects/mysql/handshake.hpp"
#include "dialects/wire/servers.hpp"

namespace leasehold::mysql {

// What is the same for all servers of a URL. Copied into each dial: a reload may change the next one's.
struct DialRules {
    explicit DialRules(wire::Executor on) : executor(on) {}
    wire::Executor executor;
    boost::asio::thread_pool* computing = nullptr;
    config::TlsMode mode = config::TlsMode::disable;
    std::shared_ptr<const wire::TlsContext> context;  // null with TlsMode::disable
};

using wire::Server;
// A path stands for a socket, or for the folder in which it has its usual name.
[[nodiscard]] std::string socket_of(const std::string& path);
[[nodiscard]] Server server_of(const config::HostPort& host);

struct Reached : wire::Reached {
    std::unique_ptr<ServerLogin> login;  // null when it did not come to one
    ServerLoginParams params;            // as it logged in
};
[[nodiscard]] wire::awaitable<Reached> dial_server(DialRules rules, Server server, ServerLoginParams login,
                                                   pool::Deadline deadline);

// Ends what the connection of that number runs, at the very server that `transport` is connected to, and with TLS if
// that has it. Owns all it needs: the connection itself may be closed meanwhile.
[[nodiscard]] wire::Cancelling::Deliver cancel_by(const DialRules& rules, const Server& server,
                                                  const wire::Transport& transport, ServerLoginParams login,
                                                  std::uint32_t connection);

}  // namespace leasehold::mysql
