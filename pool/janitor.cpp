// SPDX-License-Identifier: Apache-2.0
// Periodic upkeep, about every 50 ms: everything that happens because time passes happens here.
#include "pool/impl.hpp"

#include <algorithm>

namespace leasehold::pool {

void Pool::tick() {
    Impl& impl = *impl_;
    const auto time = impl.now();
    impl.end_overdue(time);
    impl.end_waits(time);
    impl.watch_idle(time);
    impl.trim_idle(time);
    impl.serve(time);  // a back-off may be over, a slow reset no longer worth waiting for
    impl.yield_idle();
    impl.keep_min_idle(time);
    std::erase_if(impl.refusals, [&](const Impl::Refusal& refusal) { return time >= refusal.until; });
}

// A coroutine that does not end in time does not hold its place for that. Closing the backend wakes it.
void Pool::Impl::end_overdue(Clock::time_point time) {
    std::vector<Entry*> overdue;
    for (const auto& entry : entries) {
        const bool working = entry->coming() || entry->state == Entry::State::quarantined;
        if (working && time > entry->deadline + grace) overdue.push_back(entry.get());
    }
    for (Entry* entry : overdue) {
        switch (entry->state) {
            case Entry::State::dialling:
                last_error = "no answer in time";
                events.connect_failed(connector->address(), last_error, false);
                remove(*entry);  // the permit stays with the dial until that ends
                back_off(time);
                break;
            case Entry::State::pinging:
                drop(*entry, CloseReason::ping_failed);
                lost(entry->proven);
                break;
            case Entry::State::quarantined:
                drop_from_ladder(*entry, CloseReason::quarantine_failed, "timed out", time);
                break;
            case Entry::State::resetting:
            case Entry::State::finishing:
                events.reset(std::make_error_code(std::errc::timed_out));
                drop(*entry, CloseReason::reset_failed);
                break;
            case Entry::State::idle:
            case Entry::State::leased:
            case Entry::State::closed: break;  // dropped by a step before it in this loop
        }
    }
}

// All wait equally long, so the first in the queue is the first whose time is over.
void Pool::Impl::end_waits(Clock::time_point time) {
    const auto over = [&](const Waiter& waiter) { return time - waiter.since >= params.pool_timeout; };
    if (waiters.empty() || !over(waiters.begin()->second)) return;
    const Checkout said = timed_out(time);
    while (!waiters.empty() && over(waiters.begin()->second)) {
        Checkout outcome;
        outcome.error = said.error;
        outcome.message = said.message;
        outcome.waited = micros(time - waiters.begin()->second.since);
        events.timeout(outcome.waited);
        waiters.tell(waiters.begin(), std::move(outcome));
    }
}

// Only those that stay idle are watched: on the hot path quiet() at the next checkout says the same for less.
void Pool::Impl::watch_idle(Clock::time_point time) {
    for (Entry* entry : idle) {
        if (entry->watched || time - entry->since < watch_after) continue;
        entry->watched = true;
        entry->backend->watch([this, entry] {
            entry->watched = false;
            drop(*entry, CloseReason::broken_while_idle);
            serve(now());
        });
    }
}

void Pool::Impl::trim_idle(Clock::time_point time) {
    if (!waiters.empty()) return;
    const auto most = static_cast<std::size_t>(std::max(params.pool_size, 0));
    while (idle.size() > most) drop(*idle.front(), CloseReason::overflow);

    if (params.idle_timeout.count() <= 0) return;
    const auto least = static_cast<std::size_t>(std::max(params.min_idle, 0));
    while (idle.size() > least && time - idle.front()->since >= params.idle_timeout) {
        drop(*idle.front(), CloseReason::idle_timeout);
    }
}

// Never beyond pool_size, never against somebody who waits.
void Pool::Impl::keep_min_idle(Clock::time_point time) {
    if (is_paused || disposed || !waiters.empty() || refusal(last_variant, time)) return;
    const int most = std::min(params.pool_size, static_cast<int>(std::min<std::size_t>(capacity(), 1u << 30)));
    while (static_cast<int>(idle.size() + coming.size()) < params.min_idle && static_cast<int>(entries.size()) < most &&
           may_dial(time)) {
        auto permit = acquire();
        if (!permit) return;
        start_dial(last_variant, std::move(*permit), time);
    }
}

}  // namespace leasehold::pool
