// SPDX-License-Identifier: Apache-2.0
// Who gets which backend: the fast path, the queue, and the walk over those who wait.
#include "pool/impl.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>

#include <algorithm>

namespace leasehold::pool {

Lease Pool::Impl::try_take(Wanted wanted, Clock::time_point time) {
    last_variant = wanted.variant;
    if (is_paused || disposed) return {};
    if (!waiters.empty()) return {};  // nobody overtakes
    Entry* entry = choose(wanted, time);
    if (!entry) return {};
    if (needs_ping(*entry, time)) return {};
    return take(*entry, wanted.session, time, time);
}

Lease Pool::Impl::take(Entry& entry, std::uint64_t session, Clock::time_point waiting_since, Clock::time_point time) {
    leave_idle(entry);
    move(entry, Entry::State::leased, time);
    entry.session = session;
    ++entry.leases;
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    switches::last_lease<Entry>()[session] = &entry;
#endif
    events.checkout(micros(time - waiting_since));
    return Lease(pool.shared_from_this(), &entry);
}

void Pool::Impl::leave_idle(Entry& entry) {
    const auto found = std::find(idle.rbegin(), idle.rend(), &entry);
    if (found != idle.rend()) idle.erase(std::next(found).base());
    if (!entry.watched) return;
    entry.watched = false;
    entry.backend->watch({});
}

// The idle backend to give to `wanted`. One that needs no ping saves a round trip; with several in the queue it must
// be preferred, or the second would be served while the first waits for a ping. Null: none of its variant.
Entry* Pool::Impl::choose(Wanted wanted, Clock::time_point time) {
    Entry* entry = best_fit(wanted, time, false);
    if (!entry || !needs_ping(*entry, time)) return entry;
    if (!params.pool_use_lifo && waiters.size() < 2) return entry;
    Entry* ready = best_fit(wanted, time, true);
    return ready ? ready : entry;
}

// Closes those that are found unfit on the way.
Entry* Pool::Impl::best_fit(Wanted wanted, Clock::time_point time, bool only_ready) {
    for (;;) {
        Entry* entry = best_idle(wanted, time, only_ready);
        if (!entry) return nullptr;
        const auto why = unfit(*entry, time);
        if (!why) return entry;
        drop(*entry, *why);
    }
}

// A matching fingerprint saves a round trip, but not at the price of a long search.
Entry* Pool::Impl::best_idle(Wanted wanted, Clock::time_point time, bool only_ready) const noexcept {
#ifdef LEASEHOLD_SWITCHES  // see tests/fidelity
    const auto skip = [&](const Entry& entry) { return only_ready && needs_ping(entry, time); };
    if (switches::on("move")) return switches::another(idle, wanted, free_places() > 0, skip);
#endif
    Entry* first = nullptr;
    int looked_at = 0;
    for (std::size_t i = 0; i < idle.size() && looked_at < fingerprints_looked_at; ++i) {
        Entry* entry = params.pool_use_lifo ? idle[idle.size() - 1 - i] : idle[i];
        if (entry->variant != wanted.variant) continue;
        if (only_ready && needs_ping(*entry, time)) continue;
        if (entry->fingerprint == wanted.fingerprint) return entry;
        if (!first) first = entry;
        ++looked_at;
    }
    return first;
}

std::optional<CloseReason> Pool::Impl::unfit(Entry& entry, Clock::time_point time) const {
    if (const auto why = stale(entry)) return why;
    if (!entry.fresh && time > entry.recycle_at) return CloseReason::recycled;
    if (time - entry.used_at >= quiet_after && !entry.backend->quiet()) return CloseReason::broken_while_idle;
    return std::nullopt;
}

bool Pool::Impl::needs_ping(const Entry& entry, Clock::time_point time) const noexcept {
    return params.pool_pre_ping && time - entry.used_at > ping_after;
}

// Goes over the waiters from the first on, as long as there is something to give. Each is handed an idle backend of
// its variant, or covered by one that is on its way, or a dial is begun for it. One that can be given nothing now
// (back-off, dial_parallel, the quota) keeps a place reserved, and those behind it get only what is left.
void Pool::Impl::serve(Clock::time_point time) {
    if (is_paused || disposed) return;
    ++last_walk;
    std::size_t reserved = 0;
    auto it = waiters.begin();
    while (it != waiters.end() && reserved < blocked_at_most) {
        const bool spare = idle.size() > reserved || free_places() > reserved - std::min(reserved, idle.size());
        if (!spare) return;
        const Waiter& waiter = it->second;
        Entry* entry = choose(waiter.wanted, time);
        if (entry && !needs_ping(*entry, time)) {
            Checkout outcome;
            outcome.waited = micros(time - waiter.since);
            outcome.lease = take(*entry, waiter.wanted.session, waiter.since, time);
            it = waiters.tell(it, std::move(outcome));
            continue;
        }
        if (covered(waiter.wanted.variant, time)) {
            ++it;
            continue;
        }
        if (entry) {
            leave_idle(*entry);
            begin_work(*entry, Entry::State::pinging, params.ping_timeout, time, Work::ping);
            entry->walk = last_walk;
            ++it;
            continue;
        }
        const Variant variant = waiter.wanted.variant;
        switch (obtain(variant, time)) {
            case Obtained::dialling: ++it; break;
            case Obtained::refused: {
                const Refusal* why = refusal(variant, time);
                Checkout outcome;
                outcome.error = Checkout::Error::refused;
                outcome.message = why->message;
                outcome.sqlstate = why->sqlstate;
                outcome.number = why->number;
                outcome.waited = micros(time - waiter.since);
                it = waiters.tell(it, std::move(outcome));
                break;
            }
            case Obtained::blocked:
                if (idle.empty()) return;  // what blocks this one blocks all that need a dial
                ++reserved;
                ++it;
                break;
        }
    }
}

// Whether a coroutine under way will bring one of that variant that no earlier waiter of this walk counts on.
bool Pool::Impl::covered(Variant variant, Clock::time_point time) {
    for (Entry* entry : coming) {
        if (entry->variant != variant || entry->walk == last_walk) continue;
        if (entry->state != Entry::State::dialling && time - entry->since >= patience) continue;
        entry->walk = last_walk;
        return true;
    }
    return false;
}

Pool::Impl::Obtained Pool::Impl::obtain(Variant variant, Clock::time_point time) {
    if (!may_dial(time)) return Obtained::blocked;
    if (refusal(variant, time)) return Obtained::refused;
    auto permit = permit_for(variant);
    if (!permit) return Obtained::blocked;
    start_dial(variant, std::move(*permit), time);
    return Obtained::dialling;
}

// A place of the pool and a permit of the server. Where either is lacking, the longest idle backend of another variant
// is closed and hands on both.
std::optional<Permit> Pool::Impl::permit_for(Variant variant) {
    if (free_places() > 0) {
        if (auto permit = acquire()) return permit;
    }
    const auto other = std::find_if(idle.begin(), idle.end(), [&](Entry* entry) { return entry->variant != variant; });
    if (other == idle.end()) {
        if (free_places() > 0) await_quota();
        return std::nullopt;
    }
    Entry& evicted = **other;
    std::optional<Permit> permit(std::move(evicted.permit));
    drop(evicted, CloseReason::variant_evicted);
    return permit;
}

awaitable<Checkout> Pool::checkout(Wanted wanted, Ticket* ticket) {
    if (ticket) *ticket = 0;
    const auto time = impl_->now();
    Checkout outcome;
    if (impl_->disposed) {
        outcome.error = Checkout::Error::closed;
        outcome.message = "pool " + impl_->params.name + ": closed";
        co_return outcome;
    }
    outcome.lease = impl_->try_take(wanted, time);
    if (outcome.lease) co_return outcome;

    // From here on `this` may be gone: the outcome comes from whoever takes the waiter out of the queue.
    auto enqueue = [this, wanted, ticket, time](WaiterCompletion completion) {
        auto slot = boost::asio::get_associated_cancellation_slot(completion);
        const Ticket mine = impl_->waiters.push(Waiter{wanted, time, std::move(completion)});
        if (ticket) *ticket = mine;
        if (slot.is_connected()) {
            slot.assign([pool = weak_from_this(), mine](boost::asio::cancellation_type) {
                if (const auto alive = pool.lock()) alive->cancel(mine);
            });
        }
        impl_->serve(time);
    };
    boost::asio::use_awaitable_t<Executor> token;
    outcome = co_await boost::asio::async_initiate<boost::asio::use_awaitable_t<Executor>, void(Checkout)>(
        std::move(enqueue), token);
    co_return outcome;
}

}  // namespace leasehold::pool
