// SPDX-License-Identifier: Apache-2.0
// One server: from its address to a connection that is logged in, and the KILL QUERY that goes the same way.
#pragma once

#include "dialects/mysql/backend.hpp"
#include "dialects/mysql/handshake.hpp"
#include "dialects/wire/address.hpp"

namespace leasehold::mysql {

// What is the same for all servers of a URL. Copied into each dial: a reload may change the next one's.
struct DialRules {
    explicit DialRules(wire::Executor on) : executor(on) {}
    wire::Executor executor;
    boost::asio::thread_pool* computing = nullptr;
    config::TlsMode mode = config::TlsMode::disable;
    std::shared_ptr<const wire::TlsContext> context;  // null with TlsMode::disable
};

struct Server {
    wire::ServerAddress address;
    std::string host;  // as the URL has it: the name that a certificate must be for
    std::string name;  // "db.internal:3306"
    [[nodiscard]] bool local() const noexcept { return address.local(); }
};
// A path stands for a socket, or for the folder in which it has its usual name.
[[nodiscard]] std::string socket_of(const std::string& path);
[[nodiscard]] Server server_of(const config::HostPort& host);

struct Reached {
    std::unique_ptr<wire::Transport> transport;  // null on error
    wire::Inbox inbox;
    std::unique_ptr<ServerLogin> login;  // null when it did not come to one
    ServerLoginParams params;            // as it logged in
    std::error_code error{};
    wire::Diagnostics said{};  // by the server, or by us about it
    std::string message;       // of an error: names the server, never a credential
};
[[nodiscard]] wire::awaitable<Reached> dial_server(DialRules rules, Server server, ServerLoginParams login,
                                                   pool::Deadline deadline);

// Ends what the connection of that number runs, at the very server that `transport` is connected to, and with TLS if
// that has it. Owns all it needs: the connection itself may be closed meanwhile.
[[nodiscard]] wire::Cancelling::Deliver cancel_by(const DialRules& rules, const Server& server,
                                                  const wire::Transport& transport, ServerLoginParams login,
                                                  std::uint32_t connection);

}  // namespace leasehold::mysql
