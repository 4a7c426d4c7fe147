// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/server_dial.hpp"

#include "dialects/postgres/cancel.hpp"
#include "dialects/postgres/hosts.hpp"

namespace leasehold::postgres {
namespace {

using wire::awaitable;
using wire::errc;

[[nodiscard]] wire::TlsParty party_of(const DialRules& rules, const Server& server) {
    wire::TlsParty party;
    party.context = rules.context;
    party.host = server.host;
    party.send_name = rules.send_name;
    return party;
}

[[nodiscard]] Obstacle obstacle_of(const Reached& reached) noexcept {
    if (reached.login) {
        const bool refused = reached.said.from_server && reached.error == errc::authentication_failed;
        return refused ? Obstacle::refused : Obstacle::other;
    }
    if (reached.error == errc::tls_refused) return Obstacle::declined;
    const bool unwilling = reached.error == errc::tls_failed || reached.error == errc::protocol_violation;
    return unwilling ? Obstacle::unwilling : Obstacle::other;
}

void fail(Reached& reached, const Server& server, std::error_code error, const wire::Diagnostics& said) {
    reached.error = error;
    reached.said = said;
    reached.failed(server.name);
}

// The first of two attempts, one in plain and one with TLS.
struct Refused {
    std::error_code error;
    wire::Diagnostics said;
    std::string message;
};

// Both failed. What was said over TLS counts: the other is likely to say no more than that TLS is wanted, or not.
void tell_both(Reached& second, Refused& first, bool second_with_tls) {
    if (second.message == first.message) return;
    const std::string aside = second_with_tls ? first.message : second.message;
    if (!second_with_tls) {
        second.error = first.error;
        second.said = std::move(first.said);
        second.message = std::move(first.message);
    }
    second.message += "; without TLS: " + aside;
}

// TLS on a fresh connection; the facts go into the login's channel.
awaitable<void> encrypt(const DialRules& rules, const Server& server, Reached& reached, ServerChannel& channel,
                        pool::Deadline deadline) {
    Encrypt exchange(rules.direct);
    wire::TlsParty party = party_of(rules, server);
    const std::error_code ec =
        co_await wire::drive(*reached.transport, exchange, reached.inbox, deadline, rules.computing, std::move(party));
    if (ec) {
        fail(reached, server, ec, exchange.diagnostics());
        co_return;
    }
    channel.encrypted = true;
    channel.server_end_point = exchange.facts().server_end_point;
    reached.encrypted = true;
}

awaitable<void> log_in(const DialRules& rules, const Server& server, Reached& reached, ServerLoginParams params,
                       pool::Deadline deadline) {
    reached.login = std::make_unique<ServerLogin>(std::move(params), scram_keys());
    const std::error_code ec =
        co_await wire::drive(*reached.transport, *reached.login, reached.inbox, deadline, rules.computing);
    if (!ec) co_return;
    fail(reached, server, ec, reached.login->diagnostics());
    // In TLS 1.3 a server learns who we are when we believe to be through; its alert is often lost with the connection.
    const bool broke_off = ec == errc::closed || ec == std::errc::connection_reset || ec == std::errc::broken_pipe;
    if (reached.encrypted && broke_off && reached.login->unanswered()) {
        reached.message += ", right after the TLS handshake: perhaps it does not accept our certificate, or wants one";
    }
}

awaitable<std::error_code> deliver_cancel(DialRules rules, Server server, bool encrypted, std::uint32_t pid,
                                          std::string secret, pool::Deadline deadline) {
    if (secret.empty()) co_return make_error_code(errc::unsupported);
    Reached reached;
    wire::Dialled dialled = co_await wire::dial(rules.executor, server.address.host, server.address.port, deadline);
    if (dialled.error) co_return dialled.error;
    reached.transport = std::move(dialled.transport);
    if (encrypted) {
        ServerChannel channel;
        co_await encrypt(rules, server, reached, channel, deadline);
        if (reached.error) co_return reached.error;
    }
    Cancel exchange(pid, std::move(secret));
    co_return co_await wire::drive(*reached.transport, exchange, reached.inbox, deadline);
}

// A statement whose connection is gone ends soon, whoever holds its other end no more. Servers before 14 and poolers do
// not know it: they are asked again without it.
constexpr std::string_view check_name = "client_connection_check_interval";

OldServers& without_check() {
    static OldServers servers;
    return servers;
}

// Unless the URL or the client says something of it; whether it was added.
bool add_check(const Server& server, ServerLoginParams& login) {
    if (without_check().found_old(server.name, pool::Clock::now())) return false;
    for (const auto& [name, value] : login.parameters) {
        if (name == check_name || name == "replication" || value.find(check_name) != std::string::npos) return false;
    }
    login.parameters.emplace_back(check_name, "10s");
    return true;
}

bool names_check(const Reached& reached) {
    return reached.login && reached.said.from_server && reached.said.message.find(check_name) != std::string::npos;
}

}  // namespace

awaitable<Reached> dial_server(DialRules rules, Server server, ServerLoginParams login, pool::Deadline deadline) {
    EncryptionChoice choice(rules.mode, server.local());
    if (old_servers().found_old(server.name, pool::Clock::now())) login.minor_version = 0;
    bool checks = add_check(server, login);
    const ServerChannel plain = login.channel;
    Reached reached;
    std::optional<Refused> refused;
    bool keep = false;
    for (;;) {
        login.channel = plain;
        if (!keep) {
            reached = Reached();
            wire::Dialled dialled =
                co_await wire::dial(rules.executor, server.address.host, server.address.port, deadline);
            if (dialled.error) {
                reached.error = dialled.error;
                reached.message = std::move(dialled.message);
                if (refused) tell_both(reached, *refused, choice.encrypt());
                co_return reached;
            }
            reached.transport = std::move(dialled.transport);
        }
        reached.error = {};
        if (choice.encrypt()) co_await encrypt(rules, server, reached, login.channel, deadline);
        if (!reached.error) {
            ServerLoginParams params = login;
            co_await log_in(rules, server, reached, std::move(params), deadline);
        }
        if (!reached.error) break;
        if (reached.login && reached.login->version_refused()) {
            login.minor_version = 0;
            keep = false;
            continue;
        }
        if (checks && names_check(reached)) {
            checks = false;
            login.parameters.pop_back();  // it is the last one
            without_check().note_old(server.name, pool::Clock::now());
            keep = false;
            continue;
        }
        const bool with_tls = choice.encrypt();
        const EncryptionChoice::Next next = choice.after(obstacle_of(reached));
        if (next == EncryptionChoice::Next::give_up) {
            reached.transport.reset();
            if (refused) tell_both(reached, *refused, with_tls);
            co_return reached;
        }
        keep = next == EncryptionChoice::Next::same_connection;
        if (!keep) refused = Refused{reached.error, reached.said, reached.message};
    }
    if (login.minor_version == 0) old_servers().note_old(server.name, pool::Clock::now());
    co_return reached;
}

wire::Cancelling::Deliver cancel_by(const DialRules& rules, const Server& server, const wire::Transport& transport,
                                    std::uint32_t pid, std::string secret) {
    Server same = server;
    same.address = wire::reached(server.address, transport.peer());
    return [rules, same = std::move(same), encrypted = transport.encrypted(), pid, secret = std::move(secret)](
               pool::Deadline deadline) { return deliver_cancel(rules, same, encrypted, pid, secret, deadline); };
}

}  // namespace leasehold::postgres
