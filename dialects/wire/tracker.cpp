// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/tracker.hpp"

namespace leasehold::wire {

const Errand& Tracker::errand() const noexcept {
    static const Errand none;
    return none;
}

Aftermath Tracker::carried_out(const Diagnostics*, Outbox&) { return Aftermath::lives; }

std::string_view to_string(TransactionStatus status) noexcept {
    switch (status) {
        case TransactionStatus::idle: return "idle";
        case TransactionStatus::active: return "active";
        case TransactionStatus::failed: return "failed";
    }
    return "unknown";
}

std::string_view to_string(Loss::Kind kind) noexcept {
    switch (kind) {
        case Loss::Kind::backend: return "backend_lost";
        case Loss::Kind::transaction_idle: return "transaction_idle_timeout";
        case Loss::Kind::transaction_time: return "transaction_timeout";
        case Loss::Kind::pin_idle: return "pin_idle_timeout";
        case Loss::Kind::killed: return "killed";
        case Loss::Kind::settings: return "settings_refused";
    }
    return "unknown";
}

}  // namespace leasehold::wire
