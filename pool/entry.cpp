// SPDX-License-Identifier: Apache-2.0
#include "pool/entry.hpp"

namespace leasehold::pool {

void Entry::age_limit(std::optional<Duration> recycle) noexcept {
    if (!recycle || recycle->count() < 0) {
        recycle_at = Clock::time_point::max();
        return;
    }
    const std::chrono::duration<double, std::milli> earlier(static_cast<double>(recycle->count()) * jitter);
    recycle_at = born_at + *recycle - std::chrono::duration_cast<Clock::duration>(earlier);
}

std::string_view to_string(Entry::State state) noexcept {
    switch (state) {
        case Entry::State::dialling: return "dialling";
        case Entry::State::idle: return "idle";
        case Entry::State::pinging: return "pinging";
        case Entry::State::leased: return "leased";
        case Entry::State::resetting:
        case Entry::State::finishing: return "resetting";
        case Entry::State::quarantined: return "quarantined";
        case Entry::State::closed: return "closed";
    }
    return "unknown";
}

// The checklist's first half, read from the top: what is unknown is never reused without the ladder's proof.
Verdict judge(const Returned& returned) noexcept {
    const Condition& is = returned.condition;
    const bool orderly = returned.reason == EndReason::finished || returned.reason == EndReason::orderly;

    if (returned.server_lost) return Verdict::close_lost;
    if (is.dead) return Verdict::close_lost;
    if (returned.reason == EndReason::settings_refused) return Verdict::close_refused;
    if (is.half_message) return Verdict::quarantine;
    if (is.outstanding) return Verdict::quarantine;
    if (is.cancelling) return Verdict::quarantine;
    if (is.in_transaction) {
        const bool commit = returned.reason == EndReason::orderly && returned.reset_on_return == ResetOnReturn::commit;
        return commit ? Verdict::commit : Verdict::quarantine;
    }
    if (!orderly) return Verdict::quarantine;
    return Verdict::depart_or_settle;
}

}  // namespace leasehold::pool
