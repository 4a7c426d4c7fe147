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

// Of the process.
inline constexpr std::string_view login_failures = "leasehold_login_failures_total";

}  // namespace leasehold::daemon::metrics::names
