// SPDX-License-Identifier: Apache-2.0
// Callbacks are never called with the mutex held: they may come back for a permit.
#include "pool/quota.hpp"

#include <utility>

namespace leasehold::pool {

Permit::Permit(std::shared_ptr<Quota> quota) noexcept : quota_(std::move(quota)) {}

Permit::Permit(Permit&& other) noexcept : quota_(std::move(other.quota_)) {}

Permit& Permit::operator=(Permit&& other) noexcept {
    if (this == &other) return *this;
    const std::shared_ptr<Quota> old = std::exchange(quota_, std::move(other.quota_));
    if (old) old->give_back();
    return *this;
}

Permit::~Permit() {
    if (quota_) quota_->give_back();
}

Quota::Quota(int limit) : limit_(limit) {}

Permit Quota::try_acquire() {
    const std::lock_guard lock(mutex_);
    if (limit_ > 0 && used_ >= limit_) return {};
    ++used_;
    return Permit(shared_from_this());
}

void Quota::set_limit(int limit) {
    std::vector<std::function<void()>> woken;
    {
        const std::lock_guard lock(mutex_);
        limit_ = limit;
        if (limit_ <= 0 || used_ < limit_) woken.swap(waiting_);
    }
    for (const auto& callback : woken) callback();
}

int Quota::limit() const noexcept {
    const std::lock_guard lock(mutex_);
    return limit_;
}

int Quota::used() const noexcept {
    const std::lock_guard lock(mutex_);
    return used_;
}

// A place that became free before the registration would never be announced: then it is announced at once.
void Quota::when_free(std::function<void()> callback) {
    std::vector<std::function<void()>> asked;
    bool free = false;
    {
        const std::lock_guard lock(mutex_);
        free = limit_ <= 0 || used_ < limit_;
        if (!free) {
            waiting_.push_back(std::move(callback));
            asked.reserve(members_.size());
            for (const auto& [membership, member] : members_) asked.push_back(member);
        }
    }
    if (free) callback();
    for (const auto& member : asked) member();
}

Quota::Membership Quota::enlist(std::function<void()> asked) {
    const std::lock_guard lock(mutex_);
    members_.emplace(++last_, std::move(asked));
    return last_;
}

void Quota::withdraw(Membership membership) {
    const std::lock_guard lock(mutex_);
    members_.erase(membership);
}

bool Quota::contended() const {
    const std::lock_guard lock(mutex_);
    return !waiting_.empty();
}

void Quota::give_back() noexcept {
    std::function<void()> next;
    {
        const std::lock_guard lock(mutex_);
        --used_;
        if (waiting_.empty() || (limit_ > 0 && used_ >= limit_)) return;
        next = std::move(waiting_.front());
        waiting_.erase(waiting_.begin());
    }
    next();
}

}  // namespace leasehold::pool
