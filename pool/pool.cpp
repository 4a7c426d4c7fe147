// SPDX-License-Identifier: Apache-2.0
// The public face of a pool, and the two places where entries change state and leave.
#include "pool/pool.hpp"

#include "pool/impl.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cassert>

namespace leasehold::pool {

Pool::Impl::Impl(Pool& owner, Executor on, Params rules, std::shared_ptr<Connector> to, std::shared_ptr<Quota> permits,
                 Events& sink, NowFunction clock)
    : pool(owner), executor(on), params(std::move(rules)), connector(std::move(to)), quota(std::move(permits)),
      events(sink), now(std::move(clock)), waiters(on), random(std::random_device{}()) {}

void Pool::Impl::move(Entry& entry, Entry::State to, Clock::time_point time) {
    const bool was_coming = entry.coming();
    --count[static_cast<std::size_t>(entry.state)];
    entry.state = to;
    entry.since = time;
    ++count[static_cast<std::size_t>(to)];
    if (was_coming == entry.coming()) return;
    if (was_coming) {
        std::erase(coming, &entry);
    } else {
        coming.push_back(&entry);
    }
}

// The place is free at once. The permit stays with a dial that is still under way, for the server may yet let it in.
// The object lives on for a turn of the loop: drop() is called from within callbacks of its own backend.
void Pool::Impl::drop(Entry& entry, CloseReason reason) {
    assert(entry.state != Entry::State::closed);
    if (entry.state == Entry::State::idle) leave_idle(entry);
    if (entry.backend) {
        entry.backend->close();
        events.close(reason, entry.backend->server_id());
        entry.permit = Permit();
    }
    remove(entry);
}

void Pool::Impl::remove(Entry& entry) {
    move(entry, Entry::State::closed, entry.since);
    --count[static_cast<std::size_t>(Entry::State::closed)];
    std::shared_ptr<Entry> gone = std::move(entries[entry.place]);
    if (entry.place + 1 != entries.size()) {
        entries[entry.place] = std::move(entries.back());
        entries[entry.place]->place = entry.place;
    }
    entries.pop_back();
    boost::asio::post(executor, [gone = std::move(gone)]() mutable { gone.reset(); });
    if (disposed && entries.empty()) tell_drained();
}

void Pool::Impl::drop_idle(CloseReason reason) {
    while (!idle.empty()) drop(*idle.back(), reason);
}

void Pool::Impl::tell_drained() {
    for (auto& callback : std::exchange(drained, {})) boost::asio::post(executor, std::move(callback));
}

std::size_t Pool::Impl::capacity() const noexcept {
    if (params.max_overflow < 0) return std::numeric_limits<std::size_t>::max();
    return static_cast<std::size_t>(std::max(params.pool_size, 0)) + static_cast<std::size_t>(params.max_overflow);
}

std::size_t Pool::Impl::free_places() const noexcept {
    return capacity() > entries.size() ? capacity() - entries.size() : 0;
}

// A burst of reports from one generation counts once: what was dialled since is not punished for it.
void Pool::Impl::lost(std::uint64_t proven) {
    if (proven < lost_mark || proven < moved_mark) return;
    lost_mark = ++generation;
    events.invalidate(false);
    drop_idle(CloseReason::server_lost);
}

double Pool::Impl::uniform(double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(random);
}

Pool::Pool(Executor executor, Params params, std::shared_ptr<Connector> connector, std::shared_ptr<Quota> server,
           Events& events, NowFunction now)
    : impl_(std::make_unique<Impl>(*this, executor, std::move(params), std::move(connector), std::move(server), events,
                                   std::move(now))) {}

// Nobody holds a lease (it would hold the pool). Coroutines that still work on an entry find it closed.
Pool::~Pool() {
    Impl& impl = *impl_;
    if (impl.enlisted) impl.quota->withdraw(impl.membership);
    while (!impl.waiters.empty()) {
        Checkout outcome;
        outcome.error = Checkout::Error::closed;
        outcome.message = "pool " + impl.params.name + ": closed";
        impl.waiters.tell(impl.waiters.begin(), std::move(outcome));
    }
    for (const auto& entry : impl.entries) {
        entry->state = Entry::State::closed;
        if (!entry->backend) continue;
        if (entry->watched) entry->backend->watch({});
        entry->backend->close();
        entry->permit = Permit();
    }
}

Lease Pool::try_checkout(Wanted wanted, Holder* holder) {
    if (holder) wanted.session = holder->session;
    return impl_->try_take(wanted, impl_->now());
}

void Pool::cancel(Ticket ticket) {
    const auto waiter = impl_->waiters.find(ticket);
    if (waiter == impl_->waiters.end()) return;
    const auto time = impl_->now();
    Checkout outcome;
    outcome.error = Checkout::Error::cancelled;
    outcome.message = "pool " + impl_->params.name + ": no longer wanted";
    outcome.waited = micros(time - waiter->second.since);
    impl_->waiters.tell(waiter, std::move(outcome));
    impl_->serve(time);
}

void Pool::pause() { impl_->is_paused = true; }

void Pool::resume() {
    impl_->is_paused = false;
    impl_->serve(impl_->now());
}

bool Pool::paused() const noexcept { return impl_->is_paused; }

void Pool::resize(Params params) {
    Impl& impl = *impl_;
    const auto time = impl.now();
    impl.params = std::move(params);
    for (const auto& entry : impl.entries) entry->age_limit(impl.params.pool_recycle);
    while (!impl.idle.empty() && (impl.entries.size() > impl.capacity() ||
                                  impl.idle.size() > static_cast<std::size_t>(std::max(impl.params.pool_size, 0)))) {
        impl.drop(*impl.idle.front(), CloseReason::resized);
    }
    impl.serve(time);
}

void Pool::invalidate(bool soft) {
    Impl& impl = *impl_;
    ++impl.generation;
    (soft ? impl.soft_mark : impl.hard_mark) = impl.generation;
    impl.events.invalidate(soft);
    if (!soft) impl.drop_idle(CloseReason::invalidated);
    impl.serve(impl.now());
}

void Pool::vacate() {
    Impl& impl = *impl_;
    for (std::size_t i = impl.coming.size(); i-- > 0;) {
        if (impl.coming[i]->state != Entry::State::finishing) impl.drop(*impl.coming[i], CloseReason::invalidated);
    }
    invalidate(false);
}

void Pool::server_lost() {
    impl_->lost(impl_->generation);
    impl_->serve(impl_->now());
}

void Pool::server_lost(const Lease& witness) {
    impl_->lost(witness.entry_ ? witness.entry_->proven : impl_->generation);
    impl_->serve(impl_->now());
}

void Pool::forget_refusals() { impl_->refusals.clear(); }

void Pool::dispose(std::function<void()> drained) {
    Impl& impl = *impl_;
    impl.disposed = true;
    if (drained) impl.drained.push_back(std::move(drained));
    while (!impl.waiters.empty()) {
        Checkout outcome;
        outcome.error = Checkout::Error::closed;
        outcome.message = "pool " + impl.params.name + ": closed";
        impl.waiters.tell(impl.waiters.begin(), std::move(outcome));
    }
    impl.drop_idle(CloseReason::disposed);
    // A reset need not be waited for, a commit must be, and the ladder still has a statement to end.
    for (std::size_t i = impl.coming.size(); i-- > 0;) {
        if (impl.coming[i]->state != Entry::State::finishing) impl.drop(*impl.coming[i], CloseReason::disposed);
    }
    if (impl.entries.empty()) impl.tell_drained();
}

const Params& Pool::params() const noexcept { return impl_->params; }

Connector& Pool::connector() const noexcept { return *impl_->connector; }

Executor Pool::executor() const noexcept { return impl_->executor; }

void Pool::on_timeout_describe(Describe describe) { impl_->describe = std::move(describe); }

}  // namespace leasehold::pool
