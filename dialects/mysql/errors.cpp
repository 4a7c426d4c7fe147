// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/errors.hpp"

#include "dialects/wire/text.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

struct Entry {
    Fault fault;
    Scope scope;
    int number;
    std::string_view sqlstate;
    std::string_view before;  // the fixed part, in front of the detail
    std::string_view alone;   // the whole text when there is no detail
    std::string_view hint{};  // what to do, for those who can do something
};

constexpr std::string_view who_may_log_in =
    "A login is checked against leasehold's own configuration: the user and password of the pool's URL, or `users`.";
constexpr std::string_view which_pools = "A client's database names a pool of leasehold, or an alias of one.";
constexpr std::string_view fewer_clients = "Close idle clients, or raise limits.max_clients.";
constexpr std::string_view fewer_of_user = "Close idle clients of this user, or raise limits.max_clients_per_user.";
constexpr std::string_view who_holds =
    "SHOW CLIENTS on leasehold's console says who holds the backends; pool_size, max_overflow and pool_timeout decide.";
constexpr std::string_view server_down =
    "leasehold itself is up; its log says since when, and why, the server is not reached.";
constexpr std::string_view once_more = "Connect again in a moment.";
constexpr std::string_view run_again = "The session goes on: run the transaction again.";
constexpr std::string_view look_first = "The session goes on: look whether it took effect before it is run again.";
constexpr std::string_view our_numbers =
    "SHOW CLIENTS on leasehold's console shows the sessions, each with its number.";

constexpr std::array<Entry, fault_count> table{{
    {Fault::no_such_pool, Scope::login, 1049, "42000", "", "Unknown database", which_pools},
    {Fault::no_pool_named, Scope::login, 1046, "3D000", "", "No database selected", which_pools},
    {Fault::too_many_clients, Scope::login, 1040, "08004", "Too many connections: ", "Too many connections",
     fewer_clients},
    {Fault::too_many_clients_of_user, Scope::login, 1226, "42000",
     "User has exceeded 'max_clients_per_user': ", "User has exceeded 'max_clients_per_user'", fewer_of_user},
    {Fault::pool_timeout_at_login, Scope::login, 1040, "08004", "", "Too many connections", who_holds},
    {Fault::server_unavailable, Scope::login, 1429, "HY000", "", "The database server is not available", server_down},
    {Fault::starting_drain, Scope::login, 1053, "08S01", "", "Server shutdown in progress", once_more},
    {Fault::authentication_failed, Scope::login, 1045, "28000", "Access denied for user ", "Access denied",
     who_may_log_in},
    {Fault::handshake_timeout, Scope::login, 1159, "08S01", "", "Got timeout reading communication packets"},
    {Fault::login_violation, Scope::login, 1043, "08S01", "Bad handshake: ", "Bad handshake"},
    {Fault::unsupported_client, Scope::login, 1251, "08004", "",
     "Client does not support authentication protocol requested by server; consider upgrading MySQL client"},
    {Fault::tls_required, Scope::login, 3159, "HY000", "",
     "Connections using insecure transport are prohibited here: connect with --ssl-mode=REQUIRED"},
    {Fault::pool_timeout, Scope::lives, 1203, "42000", "", "Timed out waiting for a backend", who_holds},
    {Fault::transaction_lost, Scope::lives, 1213, "40001", "transaction lost: ", "transaction lost", run_again},
    {Fault::outcome_unknown, Scope::lives, 1180, "HY000", "outcome unknown: ", "outcome unknown", look_first},
    {Fault::begin_refused, Scope::lives, 1179, "25000", "",
     "Transactions are not possible in a pool of mode statement"},
    {Fault::unknown_command, Scope::lives, 1047, "HY000", "", "Unknown command"},
    {Fault::not_supported, Scope::lives, 1235, "42000", "", "This is not supported here"},
    {Fault::unknown_statement, Scope::lives, 1243, "HY000", "", "Unknown prepared statement handler"},
    {Fault::too_many_statements, Scope::lives, 1461, "42000", "", "Too many prepared statements"},
    {Fault::no_open_cursor, Scope::lives, 1421, "HY000", "", "The statement has no open cursor"},
    {Fault::wrong_arguments, Scope::lives, 1210, "HY000", "", "Incorrect arguments to mysqld_stmt_execute"},
    {Fault::malformed, Scope::lives, 1835, "HY000", "", "Malformed communication packet"},
    {Fault::query_cancelled, Scope::lives, 1317, "70100",
     "Query execution was interrupted: ", "Query execution was interrupted"},
    {Fault::settings_refused, Scope::lives, 1231, "42000",
     "The session's settings could not be applied: ", "The session's settings could not be applied"},
    {Fault::unknown_thread, Scope::lives, 1094, "HY000", "Unknown thread id: ", "Unknown thread id", our_numbers},
    {Fault::not_owner, Scope::lives, 1095, "HY000", "You are not owner of thread ", "You are not owner of this thread"},
    {Fault::unpreparable, Scope::lives, 1295, "HY000", "",
     "This command is not supported in the prepared statement protocol yet"},
    {Fault::not_permitted, Scope::lives, 1227, "42000", "", "Access denied"},
    {Fault::syntax, Scope::lives, 1064, "42000", "", "Syntax error"},
    {Fault::shutting_down, Scope::ends, 1053, "08S01", "Server shutdown in progress: ", "Server shutdown in progress"},
    {Fault::killed, Scope::ends, 1927, "70100", "Connection was killed: ", "Connection was killed"},
    {Fault::state_lost, Scope::ends, 1927, "70100", "Connection was killed: ", "Connection was killed"},
    {Fault::packets_out_of_order, Scope::ends, 1156, "08S01", "", "Got packets out of order"},
    {Fault::packet_too_large, Scope::ends, 1153, "08S01", "", "Got a packet bigger than is allowed"},
    {Fault::internal, Scope::ends, 1927, "70100", "Connection was killed: ", "Connection was killed: internal error"},
}};

// The table is indexed by the enumerator.
constexpr bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (static_cast<std::size_t>(table[i].fault) != i) return false;
    }
    return true;
}
static_assert(in_order());

[[nodiscard]] const Entry& entry(Fault fault) noexcept {
    const auto at = static_cast<std::size_t>(fault);
    return at < table.size() ? table[at] : table.back();
}

// SQLAlchemy's is_disconnect of the MySQL drivers, PyMySQL's own words.
constexpr std::array<std::string_view, 7> words{
    "connection was killed", "already closed",       "not connected", "network operation failed", "gone away",
    "lost connection",       "commands out of sync",
};
// SQLAlchemy (2.0) and HikariCP's ErrorCodes.
constexpr std::array<int, 10> numbers{1927, 2006, 2013, 2014, 2045, 2055, 4031, 500150, 2399, 1105};

}  // namespace

Scope scope(Fault fault) noexcept { return entry(fault).scope; }

wire::Diagnostics failure(Fault fault, std::string_view detail) {
    const Entry& is = entry(fault);
    wire::Diagnostics diagnostics;
    diagnostics.number = is.number;
    diagnostics.sqlstate = is.sqlstate;
    diagnostics.hint = is.hint;
    if (detail.empty()) {
        diagnostics.message = is.alone;
        return diagnostics;
    }
    diagnostics.message = is.before;
    diagnostics.message += is.scope == Scope::lives ? softened(detail) : std::string(detail);
    return diagnostics;
}

wire::Diagnostics access_denied(std::string_view user, std::string_view host, bool with_password) {
    std::string detail = "'";
    detail += user.substr(0, 128);
    if (!host.empty()) (detail += "'@'") += host.substr(0, 128);
    detail += with_password ? "' (using password: YES)" : "' (using password: NO)";
    return failure(Fault::authentication_failed, detail);
}

bool is_farewell(std::uint16_t number) noexcept {
    // Killed, idle for too long, shutting down, a new connection refused while one is due.
    return number == 1927 || number == 4031 || number == 1053 || number == 3032;
}

bool reads_as_disconnect(int number, std::string_view sqlstate, std::string_view message) noexcept {
    if (std::ranges::find(numbers, number) != numbers.end()) return true;
    constexpr std::array<std::string_view, 5> states{"0A000", "57P01", "57P02", "57P03", "01002"};
    if (sqlstate.starts_with("08") || std::ranges::find(states, sqlstate) != states.end()) return true;
    return wire::contains_any(message, words);
}

// Replaced words cannot form new ones: the replacement shares none of theirs.
std::string softened(std::string_view text) { return wire::without(text, words, "ended"); }

}  // namespace leasehold::mysql
