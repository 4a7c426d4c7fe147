// SPDX-License-Identifier: Apache-2.0
// The words for what a pool reports; logs, metrics and the console use no others.
#include "pool/events.hpp"

namespace leasehold::pool {

std::string_view to_string(Rung rung) noexcept {
    switch (rung) {
        case Rung::cancel: return "cancel";
        case Rung::drain: return "drain";
        case Rung::rollback: return "rollback";
        case Rung::verify: return "verify";
        case Rung::reset: return "reset";
        case Rung::unread: return "unread";
    }
    return "unknown";
}

std::string_view to_string(CloseReason reason) noexcept {
    switch (reason) {
        case CloseReason::recycled: return "recycled";
        case CloseReason::idle_timeout: return "idle_timeout";
        case CloseReason::overflow: return "overflow";
        case CloseReason::invalidated: return "invalidated";
        case CloseReason::soft_invalidated: return "soft_invalidated";
        case CloseReason::broken_while_idle: return "broken_while_idle";
        case CloseReason::ping_failed: return "ping_failed";
        case CloseReason::reset_failed: return "reset_failed";
        case CloseReason::quarantine_failed: return "quarantine_failed";
        case CloseReason::lease_dropped: return "lease_dropped";
        case CloseReason::server_lost: return "server_lost";
        case CloseReason::settings_refused: return "settings_refused";
        case CloseReason::variant_evicted: return "variant_evicted";
        case CloseReason::detached: return "detached";
        case CloseReason::resized: return "resized";
        case CloseReason::disposed: return "disposed";
        case CloseReason::yielded: return "yielded";
        case CloseReason::repointed: return "repointed";
    }
    return "unknown";
}

std::string_view to_string(EndReason reason) noexcept {
    switch (reason) {
        case EndReason::finished: return "finished";
        case EndReason::orderly: return "orderly";
        case EndReason::client_gone: return "client_gone";
        case EndReason::killed: return "killed";
        case EndReason::transaction_idle_timeout: return "transaction_idle_timeout";
        case EndReason::transaction_timeout: return "transaction_timeout";
        case EndReason::query_timeout: return "query_timeout";
        case EndReason::pin_idle_timeout: return "pin_idle_timeout";
        case EndReason::protocol_error: return "protocol_error";
        case EndReason::backend_lost: return "backend_lost";
        case EndReason::settings_refused: return "settings_refused";
        case EndReason::drained: return "drained";
    }
    return "unknown";
}

}  // namespace leasehold::pool
