// SPDX-License-Identifier: Apache-2.0
// What each metric is: the one description from which /metrics takes its HELP and TYPE, the reference its table, and
// against which tests hold what is really shown, the dashboard and the alert rules.
#pragma once

#include "daemon/metrics/names.hpp"
#include "daemon/metrics/registry.hpp"

#include <array>

namespace leasehold::daemon::metrics {

struct Metric {
    std::string_view name;
    Type type = Type::gauge;
    std::string_view labels;  // "pool, reason"; empty: none
    std::string_view help;
};

// In the reference's order.
inline constexpr std::array catalog{
    Metric{names::size, Type::gauge, "pool, user", "pool_size: backends that the pool keeps"},
    Metric{names::limit, Type::gauge, "pool, user", "pool_size and max_overflow together; +Inf: no limit"},
    Metric{names::open, Type::gauge, "pool, user", "Backends that count against the limit, in whatever state"},
    Metric{names::checked_in, Type::gauge, "pool, user", "Backends that are idle"},
    Metric{names::checked_out, Type::gauge, "pool, user", "Backends that are leased"},
    Metric{names::overflow, Type::gauge, "pool, user", "Open backends less pool_size; negative while fewer are open"},
    Metric{names::dialling, Type::gauge, "pool, user", "Backends that are being connected"},
    Metric{names::quarantined, Type::gauge, "pool, user", "Backends that are rolled back, verified or reset"},
    Metric{names::waiting, Type::gauge, "pool, user", "Sessions that wait for a backend"},
    Metric{names::oldest_wait, Type::gauge, "pool, user", "For how long the first of them has been waiting"},
    Metric{names::oldest_transaction, Type::gauge, "pool, user",
           "For how long the oldest open transaction has been open"},
    Metric{names::pinned, Type::gauge, "pool, user, reason", "Leases that do not end with their transaction, by why"},
    Metric{names::pool_clients, Type::gauge, "pool, user, state",
           "Sessions of the pool: active (with a lease), waiting, idle"},
    Metric{names::paused, Type::gauge, "pool, user", "1: PAUSE holds the pool"},
    Metric{names::failing, Type::gauge, "pool, user", "1: the last attempt to connect a backend failed"},

    Metric{names::connects, Type::counter, "pool", "Backends connected"},
    Metric{names::connect_failures, Type::counter, "pool, reason",
           "Attempts to connect a backend that failed; saturated: the server has no place left"},
    Metric{names::dial_seconds, Type::histogram, "pool", "Time to connect and log in to the server"},
    Metric{names::checkouts, Type::counter, "pool", "Leases begun"},
    Metric{names::wait_seconds, Type::histogram, "pool", "Time a session waited for a backend"},
    Metric{names::checkins, Type::counter, "pool", "Leases ended in order"},
    Metric{names::lease_seconds, Type::histogram, "pool", "Time a backend was leased"},
    Metric{names::pins, Type::counter, "pool, reason", "Leases that began to outlast their transaction, by why"},
    Metric{names::leaks, Type::counter, "pool, kind", "State that functions left and no text told of, by what it is"},
    Metric{names::timeouts, Type::counter, "pool", "Sessions that got no backend within pool_timeout"},
    Metric{names::transactions, Type::counter, "pool", "Transactions ended, statements outside of one included"},
    Metric{names::transaction_seconds, Type::histogram, "pool", "Time a transaction was open"},
    Metric{names::queries, Type::counter, "pool", "Requests of clients that a server has answered"},
    Metric{names::query_seconds, Type::histogram, "pool", "Time a server worked on a request"},
    Metric{names::received_bytes, Type::counter, "pool", "Bytes received from clients after their login"},
    Metric{names::sent_bytes, Type::counter, "pool", "Bytes sent to clients after their login"},
    Metric{names::resets, Type::counter, "pool, outcome", "Backends whose session state was reset"},
    Metric{names::invalidations, Type::counter, "pool, kind", "Invalidations of the pool or of one of its backends"},
    Metric{names::closes, Type::counter, "pool, reason", "Backends closed"},
    Metric{names::quarantines, Type::counter, "pool, reason", "Leases that ended in a transaction, by why"},
    Metric{names::quarantine_outcomes, Type::counter, "pool, outcome", "Backends that left the quarantine"},
    Metric{names::quarantine_seconds, Type::histogram, "pool", "Time a backend spent in quarantine"},

    Metric{names::clients, Type::gauge, "state",
           "Client connections: login, idle, waiting, active (with a lease), replication, console"},
    Metric{names::clients_limit, Type::gauge, "", "limits.max_clients"},
    Metric{names::login_failures, Type::counter, "", "Logins that failed"},
    Metric{
        names::clients_refused, Type::counter, "reason",
        "Clients turned away: max_clients, ..._per_user, ..._per_address, console_places, draining, unfinished_login"},
    Metric{names::client_errors, Type::counter, "class",
           "Errors of leasehold's own that clients were sent, by the SQLSTATE's class"},
    Metric{names::client_ends, Type::counter, "reason", "Client sessions ended"},
    Metric{names::leases_lost, Type::counter, "kind", "Leases that ended under a session that lived"},
    Metric{names::notifications, Type::counter, "", "Notifications given to sessions that listen without a backend"},
    Metric{names::listen_losses, Type::counter, "", "Connections lost that listen for the sessions of a database"},
    Metric{names::workers, Type::gauge, "", "Worker threads"},
    Metric{names::draining, Type::gauge, "", "1: the daemon is shutting down"},
    Metric{names::build_info, Type::gauge, "version", "1"},
    Metric{names::reload_successful, Type::gauge, "", "1: the last reading of the configuration file is in force"},
    Metric{names::reload_time, Type::gauge, "", "When the configuration in force was read, in seconds since 1970"},
    Metric{names::scrape_incomplete, Type::gauge, "",
           "Workers that did not answer this scrape: their pools are missing"},

    Metric{names::cpu_seconds, Type::counter, "", "CPU time, user and system"},
    Metric{names::start_time, Type::gauge, "", "When the process was started, in seconds since 1970"},
    Metric{names::resident_memory, Type::gauge, "", "Resident memory"},
    Metric{names::virtual_memory, Type::gauge, "", "Virtual memory"},
    Metric{names::open_files, Type::gauge, "", "Open file descriptors"},
    Metric{names::max_files, Type::gauge, "", "How many may be open"},
};

[[nodiscard]] constexpr const Metric* find_metric(std::string_view name) noexcept {
    for (const Metric& metric : catalog) {
        if (metric.name == name) return &metric;
    }
    return nullptr;
}

}  // namespace leasehold::daemon::metrics
