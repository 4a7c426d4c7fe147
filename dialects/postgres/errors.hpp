// SPDX-License-Identifier: Apache-2.0
// Every error of leasehold's own in PostgreSQL's words: the SQLSTATE, the severity and the text of each fault, and what
// drivers and pools take for the end of a connection. What a client is told is decided here and nowhere else.
#pragma once

#include "dialects/postgres/messages.hpp"

#include <string>
#include <string_view>

namespace leasehold::postgres {

enum class Fault : std::uint8_t {
    // Login: FATAL, the session never began.
    no_such_pool,              // 3D000
    too_many_clients,          // 53300
    too_many_clients_of_user,  // 53300, as a role's own limit
    pool_timeout_at_login,     // 53300
    server_unavailable,        // 57P03
    starting_drain,            // 57P03: leasehold is shutting down, not yet a session to end
    authentication_failed,     // 28P01
    not_authorized,            // 28000: no entry for this user, pool and listener
    handshake_timeout,         // 57014
    login_violation,           // 08P01
    unsupported_protocol,      // 0A000
    // A session that lives on: ERROR.
    pool_timeout,         // 53300
    transaction_lost,     // 40001
    outcome_unknown,      // 40003
    numbers_unknown,      // 40001: currval() or lastval() would tell another session's number
    transaction_aborted,  // 25P02
    begin_refused,        // 25001: statement mode
    unknown_statement,    // 26000
    duplicate_statement,  // 42P05
    unknown_portal,       // 34000
    query_cancelled,      // 57014
    settings_refused,     // 22023, where the server gave no error of its own
    not_permitted,        // 42501: the console
    syntax,               // 42601: the console
    limit_exceeded,       // 54000: too many settings, too many statements
    refused_here,         // 55000: what this pool or the console does not do
    // A session that ends: FATAL.
    shutting_down,       // 57P01
    killed,              // 57P01
    state_lost,          // 57P01: state that only the lost backend held
    protocol_violation,  // 08P01
    internal,            // XX000
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::internal) + 1;

enum class Scope : std::uint8_t { login, lives, ends };
[[nodiscard]] Scope scope(Fault fault) noexcept;
[[nodiscard]] std::string_view sqlstate(Fault fault) noexcept;
[[nodiscard]] Severity severity(Fault fault) noexcept;

// The fault with its detail: a reason, a name, a whole sentence. Each fault has its own fixed part: transaction_lost
// says "transaction lost: <detail>", whatever ends a session "terminating connection: <detail>", unknown_statement
// takes the statement's name. Where a session lives the detail is softened.
[[nodiscard]] wire::Diagnostics failure(Fault fault, std::string_view detail = {});

// Shorthands of the ones that the protocol code raises itself.
[[nodiscard]] wire::Diagnostics authentication_failed(std::string_view user);
[[nodiscard]] wire::Diagnostics transaction_aborted();
[[nodiscard]] wire::Diagnostics unknown_statement(std::string_view name);
[[nodiscard]] wire::Diagnostics duplicate_statement(std::string_view name);

// Whether SQLAlchemy, HikariCP or pgjdbc would throw the connection away that gave this error.
[[nodiscard]] bool reads_as_disconnect(std::string_view sqlstate, std::string_view message) noexcept;
// The text without such words: what happened to a backend must not sound as if it had happened to the client.
[[nodiscard]] std::string softened(std::string_view text);

}  // namespace leasehold::postgres
