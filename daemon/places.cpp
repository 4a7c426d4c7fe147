// SPDX-License-Identifier: Apache-2.0
#include "daemon/places.hpp"

namespace leasehold::daemon {

Places::Place Places::take(Kind kind, std::string key, int most) {
    std::atomic<int>& total = totals_[static_cast<std::size_t>(kind)];
    if (!keyed(kind)) {
        int now = total.load(std::memory_order_relaxed);
        do {
            if (most > 0 && now >= most) return {};
        } while (!total.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
        return Place(this, kind, {});
    }
    const std::lock_guard lock(mutex_);
    Counts& all = counts(kind);
    const auto found = all.find(key);
    const int now = found == all.end() ? 0 : found->second;
    if (most > 0 && now >= most) return {};
    if (found == all.end()) {
        all.emplace(key, 1);
    } else {
        ++found->second;
    }
    total.fetch_add(1, std::memory_order_relaxed);
    return Place(this, kind, std::move(key));
}

void Places::leave(Kind kind, const std::string& key) noexcept {
    totals_[static_cast<std::size_t>(kind)].fetch_sub(1, std::memory_order_relaxed);
    if (!keyed(kind)) return;
    const std::lock_guard lock(mutex_);
    Counts& all = counts(kind);
    const auto found = all.find(key);
    if (found != all.end() && --found->second == 0) all.erase(found);
}

int Places::taken(Kind kind, const std::string& key) const {
    if (!keyed(kind)) return taken(kind);
    const std::lock_guard lock(mutex_);
    const Counts& all = kind == Kind::user ? users_ : addresses_;
    const auto found = all.find(key);
    return found == all.end() ? 0 : found->second;
}

std::size_t Places::remembered() const {
    const std::lock_guard lock(mutex_);
    return users_.size() + addresses_.size();
}

std::string address_key(std::string_view peer) {
    const std::size_t colon = peer.rfind(':');
    if (colon != std::string_view::npos && (peer.front() == '[' ? peer[colon - 1] == ']' : peer.find(':') == colon)) {
        peer = peer.substr(0, colon);
    }
    if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
    constexpr std::string_view mapped = "::ffff:";
    if (peer.starts_with(mapped) && peer.find('.') != std::string_view::npos) peer.remove_prefix(mapped.size());
    return std::string(peer);
}

std::string address_key(unsigned uid) { return "unix:" + std::to_string(uid); }

}  // namespace leasehold::daemon
