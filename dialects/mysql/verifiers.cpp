// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/verifiers.hpp"

#include "dialects/mysql/sha2_hash.hpp"

namespace leasehold::mysql {
namespace {

using wire::as_text;

}  // namespace

std::optional<Sha256> Verifiers::find(std::string_view hash) {
    const std::lock_guard lock(mutex_);
    const auto found = by_hash_.find(hash);
    if (found == by_hash_.end()) return std::nullopt;
    order_.splice(order_.begin(), order_, found->second.at);
    return found->second.verifier;
}

void Verifiers::put(std::string_view hash, std::string_view password) {
    const Sha256 verifier = sha256(as_text(sha256(password)));
    const std::lock_guard lock(mutex_);
    const auto found = by_hash_.find(hash);
    if (found != by_hash_.end()) {
        found->second.verifier = verifier;
        return;
    }
    if (by_hash_.size() >= capacity_ && !order_.empty()) {
        by_hash_.erase(order_.back());
        order_.pop_back();
    }
    order_.emplace_front(hash);
    by_hash_.emplace(std::string(hash), Entry{verifier, order_.begin()});
}

std::size_t Verifiers::size() const {
    const std::lock_guard lock(mutex_);
    return by_hash_.size();
}

Verifiers& verifiers() {
    static Verifiers cache;
    return cache;
}

bool belong(const LoginKeys& keys, std::string_view secret, Verifiers& cache) {
    if (is_native_hash(secret)) {
        const Sha1 stage2 = native_verifier(secret).stage2;
        const Sha1 key = keys.password ? sha1(*keys.password) : keys.native.value_or(Sha1{});
        return (keys.password || keys.native) && sha1(as_text(key)) == stage2;
    }
    if (!is_sha2_hash(secret)) return false;
    const std::optional<Sha256> verifier = cache.find(secret);
    const Sha256 key = keys.password ? sha256(*keys.password) : keys.sha2.value_or(Sha256{});
    return verifier && (keys.password || keys.sha2) && sha256(as_text(key)) == *verifier;
}

}  // namespace leasehold::mysql
