// SPDX-License-Identifier: Apache-2.0
// One server: from its address to a connection that is logged in, with the second attempts that libpq makes too (in
// plain instead of TLS or the other way round, in protocol 3.0), and the cancel request, which goes the same way.
#pragma once

#include "dialects/postgres/backend.hpp"
#include "dialects/postgres/encrypt.hpp"
#include "dialects/postgres/handshake.hpp"
#include "dialects/wire/servers.hpp"

namespace leasehold::postgres {

// What is the same for all servers of a URL. Copied into each dial: a reload may change the next one's.
struct DialRules {
    explicit DialRules(wire::Executor on) : executor(on) {}
    wire::Executor executor;
    boost::asio::thread_pool* computing = nullptr;
    config::TlsMode mode = config::TlsMode::disable;
    std::shared_ptr<const wire::TlsContext> context;  // null with TlsMode::disable
    bool direct = false;                              // sslnegotiation
    bool send_name = true;                            // sslsni
};

using wire::Server;

struct Reached : wire::Reached {
    std::unique_ptr<ServerLogin> login;  // has ended; null when it did not come to one
    bool encrypted = false;
};
[[nodiscard]] wire::awaitable<Reached> dial_server(DialRules rules, Server server, ServerLoginParams login,
                                                   pool::Deadline deadline);

// Asks the server that `transport` is connected to, at that very address and with TLS if that has it, to end what the
// process `pid` runs. Owns all it needs: the connection itself may be closed meanwhile.
[[nodiscard]] wire::Cancelling::Deliver cancel_by(const DialRules& rules, const Server& server,
                                                  const wire::Transport& transport, std::uint32_t pid,
                                                  std::string secret);

}  // namespace leasehold::postgres
