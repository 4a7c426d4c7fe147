// SPDX-License-Identifier: Apache-2.0
// The names of the metrics that pools and sessions keep, in one place: whoever counts and whoever shows read this list.
#pragma once

#include <string_view>

namespace leasehold::daemon::metrics::names {

// By pool, counted by PoolEvents.
inline constexpr std::string_view connects = "leasehold_pool_connects_total";
inline constexpr std::string_view connect_failures = "leasehold_pool_connect_failures_total";  // + reason
inline constexpr std::string_view dial_seconds = "leasehold_pool_dial_seconds";
inline constexpr std::string_view checkouts = "leasehold_pool_checkouts_total";
inline constexpr std::string_view wait_seconds = "leasehold_pool_wait_seconds";
inline constexpr std::string_view checkins = "leasehold_pool_checkins_total";
inline constexpr std::string_view lease_seconds = "leasehold_pool_lease_seconds";
inline constexpr std::string_view timeouts = "leasehold_pool_timeouts_total";
inline constexpr std::string_view resets = "leasehold_pool_resets_total";                            // + outcome
inline constexpr std::string_view invalidations = "leasehold_pool_invalidations_total";              // + kind
inline constexpr std::string_view closes = "leasehold_pool_closes_total";                            // + reason
inline constexpr std::string_view quarantines = "leasehold_pool_quarantines_total";                  // + reason
inline constexpr std::string_view quarantine_outcomes = "leasehold_pool_quarantine_outcomes_total";  // + outcome
inline constexpr std::string_view quarantine_seconds = "leasehold_pool_quarantine_seconds";

// By pool, counted by the sessions (Traffic).
inline constexpr std::string_view transactions = "leasehold_pool_transactions_total";
inline constexpr std::string_view queries = "leasehold_pool_queries_total";
inline constexpr std::string_view received_bytes = "leasehold_pool_received_bytes_total";  // from clients
inline constexpr std::string_view sent_bytes = "leasehold_pool_sent_bytes_total";          // to clients
// From the first byte to the server until nothing is outstanding; pipelined requests are one.
inline constexpr std::string_view query_seconds = "leasehold_pool_query_seconds";
// From a lease's first request to the transaction's end, whichever that is; pipelined transactions are one.
inline constexpr std::string_view transaction_seconds = "leasehold_pool_transaction_seconds";

inline constexpr std::string_view leaks = "leasehold_pool_leaks_total";  // + kind

// By pool and user, sampled from the workers at each scrape.
inline constexpr std::string_view size = "leasehold_pool_size";
inline constexpr std::string_view limit = "leasehold_pool_limit";
inline constexpr std::string_view open = "leasehold_pool_open";
inline constexpr std::string_view checked_in = "leasehold_pool_checked_in";
inline constexpr std::string_view checked_out = "leasehold_pool_checked_out";
inline constexpr std::string_view overflow = "leasehold_pool_overflow";
inline constexpr std::string_view dialling = "leasehold_pool_dialling";
inline constexpr std::string_view quarantined = "leasehold_pool_quarantined";
inline constexpr std::string_view waiting = "leasehold_pool_waiting";
inline constexpr std::string_view oldest_wait = "leasehold_pool_oldest_wait_seconds";
inline constexpr std::string_view oldest_transaction = "leasehold_pool_oldest_transaction_seconds";
inline constexpr std::string_view pins = "leasehold_pool_pins_total";       // + reason
inline constexpr std::string_view pinned = "leasehold_pool_pinned";         // + reason
inline constexpr std::string_view pool_clients = "leasehold_pool_clients";  // + state
inline constexpr std::string_view paused = "leasehold_pool_paused";
inline constexpr std::string_view failing = "leasehold_pool_failing";

// Of the process.
inline constexpr std::string_view login_failures = "leasehold_login_failures_total";
inline constexpr std::string_view clients_refused = "leasehold_clients_refused_total";  // + reason
inline constexpr std::string_view client_errors = "leasehold_client_errors_total";      // + class
inline constexpr std::string_view client_ends = "leasehold_client_ends_total";          // + reason
inline constexpr std::string_view leases_lost = "leasehold_leases_lost_total";          // + kind
inline constexpr std::string_view notifications = "leasehold_notifications_total";
inline constexpr std::string_view listen_losses = "leasehold_listen_losses_total";
inline constexpr std::string_view clients = "leasehold_clients";  // + state
inline constexpr std::string_view clients_limit = "leasehold_clients_limit";
inline constexpr std::string_view workers = "leasehold_workers";
inline constexpr std::string_view draining = "leasehold_draining";
inline constexpr std::string_view build_info = "leasehold_build_info";  // + version
inline constexpr std::string_view reload_successful = "leasehold_config_last_reload_successful";
inline constexpr std::string_view reload_time = "leasehold_config_last_reload_success_timestamp_seconds";
inline constexpr std::string_view scrape_incomplete = "leasehold_scrape_incomplete";

// Of the process, under the names that every Prometheus client uses.
inline constexpr std::string_view cpu_seconds = "process_cpu_seconds_total";
inline constexpr std::string_view start_time = "process_start_time_seconds";
inline constexpr std::string_view resident_memory = "process_resident_memory_bytes";
inline constexpr std::string_view virtual_memory = "process_virtual_memory_bytes";
inline constexpr std::string_view open_files = "process_open_fds";
inline constexpr std::string_view max_files = "process_max_fds";

}  // namespace leasehold::daemon::metrics::names
