// SPDX-License-Identifier: Apache-2.0
// Every error of leasehold's own in MySQL's words: number, SQLSTATE and text of each fault, and what drivers and pools
// take for the end of a connection. What a client is told is decided here and nowhere else.
#pragma once

#include "dialects/wire/exchange.hpp"

#include <span>
#include <string>
#include <string_view>

namespace leasehold::mysql {

enum class Fault : std::uint8_t {
    // Login: the session never began.
    no_such_pool,              // 1049 42000
    no_pool_named,             // 1046 3D000
    too_many_clients,          // 1040 08004
    too_many_clients_of_user,  // 1226 42000
    pool_timeout_at_login,     // 1040 08004
    server_unavailable,        // 1429 HY000
    starting_drain,            // 1053 08S01
    authentication_failed,     // 1045 28000
    handshake_timeout,         // 1159 08S01
    login_violation,           // 1043 08S01
    unsupported_client,        // 1251 08004
    tls_required,              // 3159 HY000
    // A session that lives on.
    pool_timeout,         // 1203 42000
    transaction_lost,     // 1213 40001
    outcome_unknown,      // 1180 HY000
    begin_refused,        // 1179 25000: statement mode
    unknown_command,      // 1047 HY000: the server's own SQLSTATE, 08S01, would cost the client its connection
    not_supported,        // 1235 42000: what leasehold does not do
    unknown_statement,    // 1243 HY000
    too_many_statements,  // 1461 42000
    no_open_cursor,       // 1421 HY000
    wrong_arguments,      // 1210 HY000
    malformed,            // 1835 HY000
    query_cancelled,      // 1317 70100
    settings_refused,     // 1231 42000
    unknown_thread,       // 1094 HY000: KILL of a session that is not there
    not_owner,            // 1095 HY000: KILL of somebody else's
    unpreparable,         // 1295 HY000: drivers then send the statement as text
    not_permitted,        // 1227 42000
    syntax,               // 1064 42000: the console
    // A session that ends.
    shutting_down,         // 1053 08S01
    killed,                // 1927 70100
    state_lost,            // 1927 70100: state that only the lost backend held
    packets_out_of_order,  // 1156 08S01
    packet_too_large,      // 1153 08S01
    internal,              // 1927 70100
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::internal) + 1;

enum class Scope : std::uint8_t { login, lives, ends };
[[nodiscard]] Scope scope(Fault fault) noexcept;

// The fault with its detail: a reason, a name, a whole sentence. Where a session lives the detail is softened.
[[nodiscard]] wire::Diagnostics failure(Fault fault, std::string_view detail = {});
// As servers say it: Access denied for user 'bob'@'10.1.2.3' (using password: YES).
[[nodiscard]] wire::Diagnostics access_denied(std::string_view user, std::string_view host, bool with_password);

// A server's own last words on a connection that it closes: not for the client, whose connection lives.
[[nodiscard]] bool is_farewell(std::uint16_t number) noexcept;
// Whether SQLAlchemy, PyMySQL or HikariCP would throw the connection away that gave this error.
[[nodiscard]] bool reads_as_disconnect(int number, std::string_view sqlstate, std::string_view message) noexcept;
// The text without the words that they look for.
[[nodiscard]] std::string softened(std::string_view text);

}  // namespace leasehold::mysql
