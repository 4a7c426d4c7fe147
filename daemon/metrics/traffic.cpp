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

std::string_view pin_label(std::string_view pin) noexcept { return pin.starts_with("SET ") ? "SET" : pin; }

// Kinds are leasehold's own words, and few.
void Traffic::leaked(std::string_view kind) const {
    auto at = leaks_.find(kind);
    if (at == leaks_.end()) {
        const std::string label(kind);
        at = leaks_
                 .emplace(label,
                          scope_.counter(names::leaks, "State that functions left and no text told of, by what it is",
                                         {{"kind", label}}))
                 .first;
    }
    at->second.add(worker_);
}

void Traffic::pinned(std::string_view pin) const {
    std::string_view label = pin_label(pin);
    if (pins_.size() >= most_pin_labels && !pins_.contains(label)) label = "other";
    auto at = pins_.find(label);
    if (at == pins_.end()) {
        const std::string reason(label);
        at = pins_
                 .emplace(reason, scope_.counter(names::pins, "Leases that began to outlast their transaction, by why",
                                                 {{"reason", reason}}))
                 .first;
    }
    at->second.add(worker_);
}

}  // namespace leasehold::daemon::metrics
