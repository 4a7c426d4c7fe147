// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/server_dial.hpp"

#include "dialects/mysql/cancel.hpp"
#include "dialects/mysql/compression.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <utility>

namespace leasehold::mysql {
namespace {

using config::TlsMode;
using wire::awaitable;

[[nodiscard]] bool is_folder(const std::string& path) noexcept {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

// Bytes of a unix socket never leave the machine.
[[nodiscard]] wire::TlsParty party_of(const DialRules& rules, const Server& server) {
    wire::TlsParty party;
    if (!server.local() && rules.mode != TlsMode::disable) party.context = rules.context;
    party.host = server.host;
    return party;
}

[[nodiscard]] TlsMode mode_of(const DialRules& rules, const Server& server) noexcept {
    return server.local() ? TlsMode::disable : rules.mode;
}

awaitable<std::error_code> deliver_cancel(DialRules rules, Server server, ServerLoginParams login,
                                          std::uint32_t connection, pool::Deadline deadline) {
    wire::Dialled dialled = co_await wire::dial(rules.executor, server.address.host, server.address.port, deadline);
    std::error_code ec = dialled.error;
    if (!ec) {
        Cancel exchange(std::move(login), connection);
        wire::Inbox inbox;
        wire::TlsParty party = party_of(rules, server);
        ec = co_await wire::drive(*dialled.transport, exchange, inbox, deadline, rules.computing, std::move(party));
    }
    co_return ec;
}

}  // namespace

std::string socket_of(const std::string& path) {
    // What is not there yet is a folder, unless it is called like a socket.
    const bool folder = is_folder(path) || (!path.ends_with(".sock") && ::access(path.c_str(), F_OK) != 0);
    return folder ? path + "/mysqld.sock" : path;
}

Server server_of(const config::HostPort& host) {
    Server server;
    server.address.host = host.unix_socket() ? socket_of(host.host) : host.host;
    server.address.port = host.unix_socket() ? std::uint16_t{0} : host.port;
    server.host = host.host;
    server.name = server.address.text();
    return server;
}

awaitable<Reached> dial_server(DialRules rules, Server server, ServerLoginParams login, pool::Deadline deadline) {
    Reached reached;
    login.tls = mode_of(rules, server);
    login.secure = server.local();
    reached.params = login;
    wire::Dialled dialled = co_await wire::dial(rules.executor, server.address.host, server.address.port, deadline);
    if (dialled.error) {
        reached.error = dialled.error;
        reached.message = std::move(dialled.message);
        co_return reached;
    }
    reached.transport = std::move(dialled.transport);
    reached.login = std::make_unique<ServerLogin>(std::move(login));
    wire::TlsParty party = party_of(rules, server);
    reached.error = co_await wire::drive(*reached.transport, *reached.login, reached.inbox, deadline, rules.computing,
                                         std::move(party));
    if (!reached.error) {
        reached.params.secure = server.local() || reached.login->tls().has_value();
        if (reached.params.compression != Compression::none) {
            auto codec = std::make_unique<Compressed>(Compressed::Role::client, reached.params.compression);
            reached.transport->compress(std::move(codec), std::exchange(reached.inbox, wire::Inbox()));
        }
        co_return reached;
    }
    reached.said = reached.login->diagnostics();
    reached.failed(server.name);
    reached.transport.reset();
    co_return reached;
}

wire::Cancelling::Deliver cancel_by(const DialRules& rules, const Server& server, const wire::Transport& transport,
                                    ServerLoginParams login, std::uint32_t connection) {
    Server same = server;
    same.address = wire::reached(server.address, transport.peer());
    // One with TLS is not cancelled over one without: the same password goes over it.
    if (transport.encrypted()) login.tls = std::max(login.tls, TlsMode::require);
    login.secure = server.local();
    return [rules, same = std::move(same), login = std::move(login), connection](pool::Deadline deadline) {
        return deliver_cancel(rules, same, login, connection, deadline);
    };
}

}  // namespace leasehold::mysql
