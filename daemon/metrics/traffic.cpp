// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/traffic.hpp"

#include "daemon/metrics/names.hpp"

namespace leasehold::daemon::metrics {

Traffic::Traffic(Registry& registry, int worker, const std::string& pool)
    : worker_(worker), scope_(registry, {{"pool", pool}}) {
    transactions_ = scope_.counter(names::transactions, "Transactions ended, statements outside of one included");
    queries_ = scope_.counter(names::queries, "Requests of clients that a server has answered");
    received_ = scope_.counter(names::received_bytes, "Bytes received from clients after their login");
    sent_ = scope_.counter(names::sent_bytes, "Bytes sent to clients after their login");
    query_ = scope_.histogram(names::query_seconds, "Time a server worked on a request", {}, short_bounds());
    transaction_ = scope_.histogram(names::transaction_seconds, "Time a transaction was open", {}, short_bounds());
}

}  // namespace leasehold::daemon::metrics
