// SPDX-License-Identifier: Apache-2.0
// What becomes of a backend that comes back: the checklist's second half (the first is judge(), in entry.cpp).
#include "pool/impl.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::pool {

namespace {

// The cheap checkin brings no holder; should its backend turn out to be unclean, at least the session is on record.
Holder named(Holder* holder, std::uint64_t session) {
    Holder result = holder ? std::move(*holder) : Holder();
    if (result.session == 0) result.session = session;
    return result;
}

}  // namespace

void Pool::Impl::checkin(Entry& entry, EndReason reason, Holder* holder, Clock::time_point heard) {
    const auto time = now();
    events.checkin(micros(time - entry.since));
    const std::uint64_t session = std::exchange(entry.session, 0);
    entry.fresh = false;

    const Condition is = entry.backend->condition();
    switch (judge({is, reason, entry.proven < lost_mark, params.reset_on_return})) {
        case Verdict::close_lost: drop(entry, CloseReason::server_lost); return serve(time);
        case Verdict::close_refused: drop(entry, CloseReason::settings_refused); return serve(time);
        case Verdict::commit:
            entry.holder = std::make_unique<Holder>(named(holder, session));
            return begin_work(entry, Entry::State::finishing, params.quarantine_timeout, time, Work::commit);
        case Verdict::quarantine: return quarantine(entry, reason, named(holder, session), time);
        case Verdict::depart_or_settle: return clean_or_reset(entry, is, time, std::min(time, heard));
    }
}

// Outside a transaction, nothing under way: closed by a rule of the pool, reset, handed on, or idle.
void Pool::Impl::clean_or_reset(Entry& entry, Condition is, Clock::time_point time, Clock::time_point heard) {
    entry.used_at = heard;
    entry.fingerprint = entry.backend->fingerprint();
    if (const auto why = departure(entry, time)) {
        drop(entry, *why);
        return serve(time);
    }
    if (is.dirty && params.reset_on_return != ResetOnReturn::none) {
        return begin_work(entry, Entry::State::resetting, params.quarantine_timeout, time, Work::reset);
    }
    settle(entry, time);
}

std::optional<CloseReason> Pool::Impl::stale(const Entry& entry) const noexcept {
    if (entry.born < moved_mark) return CloseReason::repointed;
    if (entry.proven < lost_mark) return CloseReason::server_lost;
    if (entry.born < hard_mark) return CloseReason::invalidated;
    if (entry.born < soft_mark) return CloseReason::soft_invalidated;
    return std::nullopt;
}

// A dial is judged by when it began: the server it reaches may be the one before.
bool Pool::Impl::outdated(const Entry& entry) const noexcept {
    if (disposed) return true;
    if (entry.state != Entry::State::dialling) return stale(entry).has_value();
    return entry.born < hard_mark || entry.born < soft_mark;
}

// Whether a healthy backend has to go all the same.
std::optional<CloseReason> Pool::Impl::departure(const Entry& entry, Clock::time_point time) const noexcept {
    if (disposed) return CloseReason::disposed;
    if (const auto why = stale(entry)) return why;
    if (!entry.fresh && time > entry.recycle_at) return CloseReason::recycled;
    if (entries.size() > capacity()) return CloseReason::resized;

    const bool counted = entry.state == Entry::State::resetting || entry.state == Entry::State::finishing;
    const int kept =
        static_cast<int>(idle.size()) + in(Entry::State::resetting) + in(Entry::State::finishing) - (counted ? 1 : 0);
    if (waiters.empty() && kept >= params.pool_size) return CloseReason::overflow;
    return std::nullopt;
}

// Ready for the next lease: who waits comes first.
void Pool::Impl::settle(Entry& entry, Clock::time_point time) {
    move(entry, Entry::State::idle, time);
    idle.push_back(&entry);
    if (waiters.empty()) {
        entry.fresh = false;
        return;
    }
    serve(time);
    if (entry.state == Entry::State::idle) entry.fresh = false;
}

}  // namespace leasehold::pool
