// SPDX-License-Identifier: Apache-2.0
#include "daemon/cancel_registry.hpp"

#include <sys/random.h>

namespace leasehold::daemon {

dialects::CancelKey CancelRegistry::issue(std::uint64_t session, Worker* worker) {
    std::uint64_t secret = 0;
    while (::getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) {
        // Interrupted before the kernel's pool was ready: a guessable secret would let anybody cancel.
    }
    const std::lock_guard lock(mutex_);
    do {
        next_ = (next_ + 1) & 0x7FFFFFFF;
    } while (next_ == 0 || holders_.contains(next_));
    holders_.emplace(next_, Holder{secret, {session, worker}});
    return {next_, secret};
}

void CancelRegistry::move(const dialects::CancelKey& key, Worker* worker) {
    const std::lock_guard lock(mutex_);
    const auto found = holders_.find(key.id);
    if (found != holders_.end()) found->second.target.worker = worker;
}

void CancelRegistry::revoke(const dialects::CancelKey& key) {
    const std::lock_guard lock(mutex_);
    holders_.erase(key.id);
}

CancelRegistry::Target CancelRegistry::find(const dialects::CancelKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = holders_.find(key.id);
    // PostgreSQL's protocol 3.0 carries 32 bits of secret.
    const bool same = found != holders_.end() &&
                      (found->second.secret == key.secret || (found->second.secret & 0xFFFFFFFF) == key.secret);
    return same ? found->second.target : Target{};
}

}  // namespace leasehold::daemon
