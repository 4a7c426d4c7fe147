// SPDX-License-Identifier: Apache-2.0
#include "daemon/cancel_registry.hpp"

#include <openssl/crypto.h>

#include <sys/random.h>

#include <algorithm>

namespace leasehold::daemon {
namespace {

std::string random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t filled = 0;
    // Interrupted before the kernel's pool was ready: a guessable secret would let anybody cancel.
    while (filled < size) {
        const ssize_t n = ::getrandom(bytes.data() + filled, size - filled, 0);
        if (n > 0) filled += static_cast<std::size_t>(n);
    }
    return bytes;
}

}  // namespace

// How long it takes tells nothing of a secret.
CancelRegistry::Holders::const_iterator CancelRegistry::locate(const Holders& holders, const dialects::CancelKey& key) {
    auto [at, end] = holders.equal_range(key.id);
    for (; at != end; ++at) {
        const std::string& secret = at->second.secret;
        if (secret.size() == key.secret.size() && CRYPTO_memcmp(secret.data(), key.secret.data(), secret.size()) == 0) {
            return at;
        }
    }
    return holders.end();
}

dialects::CancelKey CancelRegistry::issue(std::uint64_t session, Worker* worker, std::size_t secret_bytes) {
    dialects::CancelKey key{0, random_bytes(secret_bytes)};
    const std::lock_guard lock(mutex_);
    key.id = static_cast<std::uint32_t>(session & 0x7FFFFFFF);
    while (key.id == 0 || holders_.contains(key.id)) key.id = (key.id + 1) & 0x7FFFFFFF;
    holders_.emplace(key.id, Holder{key.secret, {session, worker}});
    return key;
}

dialects::CancelKey CancelRegistry::reissue(const dialects::CancelKey& old, std::uint32_t id,
                                            std::size_t secret_bytes) {
    dialects::CancelKey key{id, random_bytes(secret_bytes)};
    const std::lock_guard lock(mutex_);
    const auto found = locate(holders_, old);
    if (found == holders_.end()) return old;
    const Target target = found->second.target;
    const bool issued = found->second.issued && id == old.id;
    while (locate(holders_, key) != holders_.end()) key.secret = random_bytes(secret_bytes);
    holders_.erase(found);
    holders_.emplace(key.id, Holder{key.secret, target, issued});
    return key;
}

void CancelRegistry::move(const dialects::CancelKey& key, Worker* worker) {
    const std::lock_guard lock(mutex_);
    const auto found = locate(holders_, key);
    if (found == holders_.end()) return;
    const Holder moved{key.secret, {found->second.target.session, worker}, found->second.issued};
    holders_.erase(found);
    holders_.emplace(key.id, moved);
}

void CancelRegistry::revoke(const dialects::CancelKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = locate(holders_, key);
    if (found != holders_.end()) holders_.erase(found);
}

CancelRegistry::Target CancelRegistry::find(const dialects::CancelKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = locate(holders_, key);
    return found == holders_.end() ? Target{} : found->second.target;
}

CancelRegistry::Target CancelRegistry::find(std::uint32_t id) const {
    const std::lock_guard lock(mutex_);
    const auto [from, to] = holders_.equal_range(id);
    const auto found = std::find_if(from, to, [](const auto& holder) { return holder.second.issued; });
    return found == to ? Target{} : found->second.target;
}

}  // namespace leasehold::daemon
