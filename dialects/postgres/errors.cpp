// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/errors.hpp"

#include "dialects/wire/text.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {
namespace {

struct Entry {
    Fault fault;
    Scope scope;
    std::string_view sqlstate;
    std::string_view before;  // the fixed part
    std::string_view after;
    std::string_view alone;  // the whole text when there is no detail
    std::string_view hint{};
};

// What to do, for those who can do something.
constexpr std::string_view who_may_log_in =
    "A login is checked against leasehold's own configuration: the user and password of the pool's URL, or `users`.";
constexpr std::string_view which_pools = "A client's database names a pool of leasehold, or an alias of one.";
constexpr std::string_view fewer_clients = "Close idle clients, or raise limits.max_clients.";
constexpr std::string_view fewer_of_user = "Close idle clients of this user, or raise limits.max_clients_per_user.";
constexpr std::string_view who_holds =
    "SHOW CLIENTS on leasehold's console says who holds the backends; pool_size, max_overflow and pool_timeout decide.";
constexpr std::string_view server_down =
    "leasehold itself is up; its log says since when, and why, the server is not reached.";
constexpr std::string_view begin_again =
    "Repeat the transaction: leasehold has learned that they are asked for here, and keeps numbers apart from now on.";
constexpr std::string_view restarting = "Connect again in a moment.";
constexpr std::string_view our_protocol = "This is a listener for PostgreSQL's protocol, versions 3.0 to 3.2.";

constexpr std::string_view ending = "terminating connection: ";

constexpr std::array<Entry, fault_count> table{{
    {Fault::no_such_pool, Scope::login, "3D000", "", "", "no such pool", which_pools},
    {Fault::too_many_clients, Scope::login, "53300", "", "", "sorry, too many clients already", fewer_clients},
    {Fault::too_many_clients_of_user, Scope::login, "53300", "too many connections for role \"", "\"",
     "too many connections for role", fewer_of_user},
    {Fault::pool_timeout_at_login, Scope::login, "53300", "", "", "timed out waiting for a backend", who_holds},
    {Fault::server_unavailable, Scope::login, "57P03", "", "", "the database server is not available", server_down},
    {Fault::starting_drain, Scope::login, "57P03", "", "", "leasehold is shutting down", restarting},
    {Fault::authentication_failed, Scope::login, "28P01", "password authentication failed for user \"", "\"",
     "password authentication failed", who_may_log_in},
    {Fault::not_authorized, Scope::login, "28000", "", "", "not authorized"},
    {Fault::handshake_timeout, Scope::login, "57014", "", "", "canceling authentication due to timeout"},
    {Fault::login_violation, Scope::login, "08P01", "", "", "invalid startup packet", our_protocol},
    {Fault::unsupported_protocol, Scope::login, "0A000", "", "", "unsupported frontend protocol", our_protocol},
    {Fault::pool_timeout, Scope::lives, "53300", "", "", "timed out waiting for a backend", who_holds},
    {Fault::transaction_lost, Scope::lives, "40001", "transaction lost: ", "", "transaction lost"},
    {Fault::outcome_unknown, Scope::lives, "40003", "outcome unknown: ", "", "outcome unknown"},
    {Fault::numbers_unknown, Scope::lives, "40001", "", "",
     "currval() and lastval() cannot be told yet: this backend still has another session's numbers of sequences",
     begin_again},
    {Fault::transaction_aborted, Scope::lives, "25P02", "", "",
     "current transaction is aborted, commands ignored until end of transaction block"},
    {Fault::begin_refused, Scope::lives, "25001", "", "", "transaction blocks are not allowed in statement mode"},
    {Fault::unknown_statement, Scope::lives, "26000", "prepared statement \"", "\" does not exist",
     "unnamed prepared statement does not exist"},
    {Fault::duplicate_statement, Scope::lives, "42P05", "prepared statement \"", "\" already exists",
     "prepared statement already exists"},
    {Fault::unknown_portal, Scope::lives, "34000", "portal \"", "\" does not exist", "portal \"\" does not exist"},
    {Fault::query_cancelled, Scope::lives, "57014", "canceling statement: ", "",
     "canceling statement due to user request"},
    {Fault::settings_refused, Scope::lives, "22023", "the session's settings could not be applied: ", "",
     "the session's settings could not be applied"},
    {Fault::not_permitted, Scope::lives, "42501", "", "", "permission denied"},
    {Fault::syntax, Scope::lives, "42601", "", "", "syntax error"},
    {Fault::limit_exceeded, Scope::lives, "54000", "", "", "limit exceeded"},
    {Fault::refused_here, Scope::lives, "55000", "", "", "not possible here"},
    {Fault::shutting_down, Scope::ends, "57P01", ending, "", "terminating connection: leasehold is shutting down"},
    {Fault::killed, Scope::ends, "57P01", ending, "", "terminating connection: killed by an administrator"},
    {Fault::state_lost, Scope::ends, "57P01", ending, "", "terminating connection: state was lost with its backend"},
    {Fault::protocol_violation, Scope::ends, "08P01", ending, "", "terminating connection: protocol violation"},
    {Fault::internal, Scope::ends, "XX000", ending, "", "terminating connection: internal error"},
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

// psycopg2's is_disconnect of SQLAlchemy 2.0 (postgresql/psycopg2.py), and what asyncpg and pgjdbc say themselves.
constexpr std::array<std::string_view, 15> words{
    "terminating connection",
    "closed the connection",
    "connection not open",
    "could not receive data from server",
    "could not send data to server",
    "connection already closed",
    "cursor already closed",
    "losed the connection unexpectedly",
    "connection has been closed unexpectedly",
    "ssl error: decryption failed or bad record mac",
    "ssl syscall error",
    "connection is closed",
    "connection has been closed",
    "connection was killed",
    "network operation failed",
};

[[nodiscard]] bool dead_sqlstate(std::string_view state) noexcept {
    // HikariCP's list, and pgjdbc's classes for a pooled connection. 53 is left out on purpose: pgjdbc asks about it
    // only for FATAL errors, and 53300 is the honest answer to a queue that timed out.
    constexpr std::array<std::string_view, 5> states{"0A000", "57P01", "57P02", "57P03", "01002"};
    if (std::find(states.begin(), states.end(), state) != states.end()) return true;
    const std::string_view group = state.substr(0, 2);
    return group == "08" || group == "58" || group == "XX";
}

}  // namespace

Scope scope(Fault fault) noexcept { return entry(fault).scope; }
std::string_view sqlstate(Fault fault) noexcept { return entry(fault).sqlstate; }
Severity severity(Fault fault) noexcept { return scope(fault) == Scope::lives ? Severity::error : Severity::fatal; }

wire::Diagnostics failure(Fault fault, std::string_view detail) {
    const Entry& is = entry(fault);
    wire::Diagnostics diagnostics;
    diagnostics.sqlstate = is.sqlstate;
    diagnostics.hint = is.hint;
    if (detail.empty()) {
        diagnostics.message = is.alone;
        return diagnostics;
    }
    diagnostics.message = is.before;
    diagnostics.message += is.scope == Scope::lives ? softened(detail) : std::string(detail);
    diagnostics.message += is.after;
    return diagnostics;
}

wire::Diagnostics authentication_failed(std::string_view user) { return failure(Fault::authentication_failed, user); }
wire::Diagnostics transaction_aborted() { return failure(Fault::transaction_aborted); }
wire::Diagnostics unknown_statement(std::string_view name) { return failure(Fault::unknown_statement, name); }
wire::Diagnostics duplicate_statement(std::string_view name) { return failure(Fault::duplicate_statement, name); }

bool reads_as_disconnect(std::string_view state, std::string_view message) noexcept {
    return dead_sqlstate(state) || wire::contains_any(message, words);
}

// Replaced words cannot form new ones: the replacement shares none of theirs.
std::string softened(std::string_view text) { return wire::without(text, words, "went away"); }

}  // namespace leasehold::postgres
