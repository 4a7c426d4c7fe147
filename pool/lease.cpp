// SPDX-License-Identifier: Apache-2.0
#include "pool/lease.hpp"

#include "pool/impl.hpp"

#include <boost/asio/post.hpp>

#include <cassert>
#include <utility>

namespace leasehold::pool {

Lease::Lease(std::shared_ptr<Pool> pool, Entry* entry) noexcept : pool_(std::move(pool)), entry_(entry) {}

Lease::Lease(Lease&& other) noexcept : pool_(std::move(other.pool_)), entry_(std::exchange(other.entry_, nullptr)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    const Lease old(std::move(*this));
    pool_ = std::move(other.pool_);
    entry_ = std::exchange(other.entry_, nullptr);
    return *this;
}

// What was being done with the backend is unknown, so it is closed; from the loop, for this may be any stack.
Lease::~Lease() {
    if (!entry_) return;
    const Executor executor = pool_->impl_->executor;
    boost::asio::post(executor, [pool = std::move(pool_), entry = entry_] {
        pool->impl_->drop(*entry, CloseReason::lease_dropped);
        pool->impl_->serve(pool->impl_->now());
    });
}

Backend& Lease::backend() const noexcept {
    assert(entry_);
    return *entry_->backend;
}

Clock::time_point Lease::since() const noexcept {
    assert(entry_);
    return entry_->since;
}

bool Lease::fresh() const noexcept {
    assert(entry_);
    return entry_->fresh;
}

bool Lease::outdated() const noexcept {
    assert(entry_);
    return entry_->born < pool_->impl_->moved_mark;
}

void Lease::checkin() { checkin(Clock::time_point::max()); }

void Lease::checkin(Clock::time_point heard) {
    assert(entry_);
    const std::shared_ptr<Pool> pool = std::move(pool_);
    pool->impl_->checkin(*std::exchange(entry_, nullptr), EndReason::finished, nullptr, heard);
}

void Lease::checkin(EndReason reason, Holder holder) {
    assert(entry_);
    const std::shared_ptr<Pool> pool = std::move(pool_);
    pool->impl_->checkin(*std::exchange(entry_, nullptr), reason, &holder, Clock::time_point::max());
}

Lease::Detached Lease::detach() {
    assert(entry_);
    const std::shared_ptr<Pool> pool = std::move(pool_);
    Entry& entry = *std::exchange(entry_, nullptr);
    Detached detached{std::move(entry.permit), std::move(entry.backend)};
    pool->impl_->events.close(CloseReason::detached, detached.backend->server_id());
    pool->impl_->remove(entry);
    pool->impl_->serve(pool->impl_->now());
    return detached;
}

void Lease::lost(Holder holder) {
    assert(entry_);
    Pool::Impl& impl = *pool_->impl_;
    if (holder.in_transaction) {
        QuarantineRecord record = impl.record_of(*entry_, EndReason::backend_lost, std::move(holder), impl.now());
        record.outcome = "closed: the server's connection was lost";
        impl.events.lost(record);
    }
    invalidate(CloseReason::server_lost);
}

void Lease::invalidate(CloseReason reason) {
    assert(entry_);
    const std::shared_ptr<Pool> pool = std::move(pool_);
    pool->impl_->drop(*std::exchange(entry_, nullptr), reason);
    pool->impl_->serve(pool->impl_->now());
}

}  // namespace leasehold::pool
