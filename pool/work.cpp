// SPDX-License-Identifier: Apache-2.0
// Exchanges with a backend that nobody holds: ping, reset, commit, the ladder. They run beside the pool, hold their
// entry, and find out at the end whether the pool still wants the answer.
#include "pool/impl.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <exception>

namespace leasehold::pool {

void Pool::Impl::begin_work(Entry& entry, Entry::State state, Duration at_most, Clock::time_point time, Work work) {
    move(entry, state, time);
    entry.deadline = time + at_most;
    boost::asio::co_spawn(executor, run(pool.weak_from_this(), entries[entry.place], work),
                          [](std::exception_ptr error) {
                              if (error) std::rethrow_exception(error);  // out of run(): ours, not the backend's
                          });
}

awaitable<void> Pool::Impl::run(std::weak_ptr<Pool> owner, std::shared_ptr<Entry> entry, Work work) {
    // Never in the stack of the pool's own step.
    co_await boost::asio::post(boost::asio::use_awaitable_t<Executor>());
    if (entry->state == Entry::State::closed) co_return;

    std::error_code outcome;
    try {
        switch (work) {
            case Work::ping: outcome = co_await entry->backend->ping(entry->deadline); break;
            case Work::reset: outcome = co_await entry->backend->reset(entry->deadline); break;
            case Work::commit: outcome = co_await entry->backend->finish(true, entry->deadline); break;
            case Work::recover: outcome = co_await entry->backend->recover(entry->deadline, *entry->climb); break;
        }
    } catch (const std::exception&) {
        outcome = std::make_error_code(std::errc::io_error);
    }

    const auto pool = owner.lock();
    if (!pool || entry->state == Entry::State::closed) co_return;
    switch (work) {
        case Work::ping: pool->impl_->pinged(*entry, outcome); break;
        case Work::reset: pool->impl_->was_reset(*entry, outcome); break;
        case Work::commit: pool->impl_->committed(*entry, outcome); break;
        case Work::recover: pool->impl_->recovered(*entry, outcome); break;
    }
}

void Pool::Impl::pinged(Entry& entry, std::error_code outcome) {
    const auto time = now();
    if (outcome || entry.backend->condition().dead) {
        drop(entry, CloseReason::ping_failed);
        lost(entry.proven);  // what was opened before it is suspect, too
        return serve(time);
    }
    clean_or_reset(entry, entry.backend->condition(), time, time);
}

void Pool::Impl::was_reset(Entry& entry, std::error_code outcome) {
    const auto time = now();
    events.reset(outcome);
    const Condition is = entry.backend->condition();
    if (outcome || is.dead || is.half_message || is.outstanding || is.cancelling || is.in_transaction || is.dirty) {
        drop(entry, CloseReason::reset_failed);
        return serve(time);
    }
    clean_or_reset(entry, is, time, time);
}

void Pool::Impl::committed(Entry& entry, std::error_code outcome) {
    const auto time = now();
    events.reset(outcome);
    const Condition is = entry.backend->condition();
    if (is.dead) {
        drop(entry, CloseReason::reset_failed);
        return serve(time);
    }
    if (outcome || is.half_message || is.outstanding || is.cancelling || is.in_transaction) {
        Holder holder = std::move(*std::exchange(entry.holder, nullptr));
        return quarantine(entry, EndReason::orderly, std::move(holder), time);
    }
    entry.holder.reset();
    clean_or_reset(entry, is, time, time);
}

}  // namespace leasehold::pool
