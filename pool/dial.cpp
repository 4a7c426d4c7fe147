// SPDX-License-Identifier: Apache-2.0
// New backends: dialled side by side but few at a time, less often after failures.
#include "pool/impl.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>

namespace leasehold::pool {

bool Pool::Impl::may_dial(Clock::time_point time) const noexcept {
    return in(Entry::State::dialling) < std::max(params.dial_parallel, 1) && time >= dial_after;
}

void Pool::Impl::start_dial(Variant variant, Permit permit, Clock::time_point time) {
    auto entry = std::make_shared<Entry>();
    entry->id = ++last_entry;
    entry->variant = variant;
    entry->born = generation;
    entry->born_at = time;
    entry->since = time;
    entry->deadline = time + params.dial_timeout;
    entry->jitter = uniform(0, 0.1);
    entry->permit = std::move(permit);
    entry->place = entries.size();
    entry->walk = last_walk;
    entries.push_back(entry);
    coming.push_back(entry.get());
    ++count[static_cast<std::size_t>(Entry::State::dialling)];
    boost::asio::co_spawn(executor, dial(pool.weak_from_this(), entry, connector), [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);  // out of dial(): ours, not the connector's
    });
}

awaitable<void> Pool::Impl::dial(std::weak_ptr<Pool> owner, std::shared_ptr<Entry> entry,
                                 std::shared_ptr<Connector> connector) {
    co_await boost::asio::post(boost::asio::use_awaitable_t<Executor>());
    if (entry->state == Entry::State::closed) co_return;

    Connected connected;
    try {
        connected = co_await connector->connect(entry->variant, entry->deadline);
    } catch (const std::exception& error) {
        connected.error = std::make_error_code(std::errc::io_error);
        connected.message = error.what();
    }

    const auto pool = owner.lock();
    if (!pool || entry->state == Entry::State::closed) {
        if (connected.backend) connected.backend->close();
        co_return;
    }
    pool->impl_->dialled(*entry, std::move(connected));
}

void Pool::Impl::dialled(Entry& entry, Connected connected) {
    const auto time = now();
    if (!connected.backend || !count_where_reached(entry, connected)) return dial_failed(entry, connected, time);

    backoff = Duration(0);
    dial_after = {};
    last_error.clear();
    std::erase_if(refusals, [&](const Refusal& refusal) { return refusal.variant == entry.variant; });
    entry.backend = std::move(connected.backend);
    entry.proven = generation;
    entry.age_limit(params.pool_recycle);
    events.connect(entry.backend->address(), micros(time - entry.born_at));
    clean_or_reset(entry, entry.backend->condition(), time, time);
}

void Pool::Impl::dial_failed(Entry& entry, const Connected& connected, Clock::time_point time) {
    const Variant variant = entry.variant;
    entry.permit = Permit();
    remove(entry);
    last_error = connected.message.empty() ? connected.error.message() : connected.message;
    events.connect_failed(connector->address(), last_error, connected.saturated);
    if (connected.refused && !connected.saturated) {
        std::erase_if(refusals, [&](const Refusal& refusal) { return refusal.variant == variant; });
        refusals.push_back({variant, time + refusal_memory, last_error, connected.sqlstate, connected.number});
        refuse_waiters(refusals.back(), time);
    } else {
        back_off(time);
    }
    serve(time);
}

// A dial that began before the present back-off tells nothing new.
void Pool::Impl::back_off(Clock::time_point time) {
    if (time < dial_after) return;
    backoff = std::clamp(backoff * 2, Duration(backoff_least), Duration(backoff_most));
    const std::chrono::duration<double, std::milli> jittered(static_cast<double>(backoff.count()) * uniform(1, 1.25));
    dial_after = time + std::min(std::chrono::duration_cast<Clock::duration>(jittered), Clock::duration(backoff_most));
}

// The variant names the user and its start parameters, so a refusal concerns only those who wait for the same.
void Pool::Impl::refuse_waiters(const Refusal& why, Clock::time_point time) {
    for (auto it = waiters.begin(); it != waiters.end();) {
        if (it->second.wanted.variant != why.variant) {
            ++it;
            continue;
        }
        Checkout outcome;
        outcome.error = Checkout::Error::refused;
        outcome.message = why.message;
        outcome.sqlstate = why.sqlstate;
        outcome.number = why.number;
        outcome.waited = micros(time - it->second.since);
        it = waiters.tell(it, std::move(outcome));
    }
}

const Pool::Impl::Refusal* Pool::Impl::refusal(Variant variant, Clock::time_point time) const noexcept {
    for (const Refusal& refusal : refusals) {
        if (refusal.variant == variant && time < refusal.until) return &refusal;
    }
    return nullptr;
}

}  // namespace leasehold::pool
