// SPDX-License-Identifier: Apache-2.0
// Into the quarantine, up the ladder, and out of it. A backend that is not proven clean by the deadline is closed.
#include "pool/quarantine.hpp"

#include "pool/impl.hpp"

#include <utility>

namespace leasehold::pool {

Climb::Climb(QuarantineRecord record, Clock::time_point started) : record_(std::move(record)), started_(started) {}

void Climb::rung(Rung rung, std::error_code outcome) {
    if (!record_.rungs.empty()) record_.rungs += ' ';
    record_.rungs += to_string(rung);
    if (outcome) {
        failed_rung_ = to_string(rung);
        failed_rung_ += ": " + outcome.message();
    }
}

const QuarantineRecord& Climb::readmitted(Clock::time_point now) {
    record_.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - started_);
    record_.outcome = "readmitted";
    return record_;
}

const QuarantineRecord& Climb::closed(std::string_view why, Clock::time_point now) {
    record_.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - started_);
    record_.outcome = "closed: ";
    record_.outcome += why;
    return record_;
}

std::string Climb::failure(std::error_code error) const {
    return failed_rung_.empty() ? error.message() : failed_rung_;
}

QuarantineRecord Pool::Impl::record_of(Entry& entry, EndReason reason, Holder holder, Clock::time_point time) {
    QuarantineRecord record;
    record.id = ++last_record;
    record.at = std::chrono::system_clock::now();
    record.pool = params.name;
    record.reason = reason;
    record.server_id = entry.backend->server_id();
    if (holder.transaction_since != Clock::time_point{}) {
        record.in_transaction = std::chrono::duration_cast<std::chrono::milliseconds>(time - holder.transaction_since);
    }
    record.holder = std::move(holder);
    return record;
}

void Pool::Impl::quarantine(Entry& entry, EndReason reason, Holder holder, Clock::time_point time) {
    QuarantineRecord record = record_of(entry, reason, std::move(holder), time);
    entry.climb = std::make_unique<Climb>(std::move(record), time);
    events.quarantined(entry.climb->record());
    begin_work(entry, Entry::State::quarantined, params.quarantine_timeout, time, Work::recover);
}

void Pool::Impl::recovered(Entry& entry, std::error_code outcome) {
    const auto time = now();
    if (outcome) return drop_from_ladder(entry, CloseReason::quarantine_failed, entry.climb->failure(outcome), time);

    const Condition is = entry.backend->condition();
    if (is.dead || is.half_message || is.outstanding || is.cancelling || is.in_transaction || is.dirty) {
        return drop_from_ladder(entry, CloseReason::quarantine_failed, "not clean afterwards", time);
    }
    if (const auto why = departure(entry, time)) return drop_from_ladder(entry, *why, to_string(*why), time);
    events.released(entry.climb->readmitted(time));
    entry.climb.reset();
    settle(entry, time);
}

void Pool::Impl::drop_from_ladder(Entry& entry, CloseReason reason, std::string_view why, Clock::time_point time) {
    events.released(entry.climb->closed(why, time));
    drop(entry, reason);
    serve(time);
}

}  // namespace leasehold::pool
