// SPDX-License-Identifier: Apache-2.0
#include "daemon/standing.hpp"

#include <algorithm>

namespace leasehold::daemon {

bool Standing::pause(const std::string& pool) {
    const std::lock_guard lock(mutex_);
    if (pool.empty()) {
        const bool was = all_paused_ && paused_.empty();
        all_paused_ = true;
        paused_.clear();
        return !was;
    }
    const auto said = paused_.find(pool);
    const bool was = said == paused_.end() ? all_paused_ : said->second;
    if (!was) paused_[pool] = true;
    return !was;
}

bool Standing::resume(const std::string& pool) {
    const std::lock_guard lock(mutex_);
    if (pool.empty()) {
        const bool any = all_paused_ || std::ranges::any_of(paused_, [](const auto& said) { return said.second; });
        all_paused_ = false;
        paused_.clear();
        return any;
    }
    const auto said = paused_.find(pool);
    const bool was = said == paused_.end() ? all_paused_ : said->second;
    if (was && all_paused_) paused_[pool] = false;
    if (was && !all_paused_) paused_.erase(said);
    return was;
}

bool Standing::disable(const std::string& pool) {
    const std::lock_guard lock(mutex_);
    return disabled_.insert(pool).second;
}

bool Standing::enable(const std::string& pool) {
    const std::lock_guard lock(mutex_);
    return disabled_.erase(pool) > 0;
}

void Standing::forget(const std::string& pool) {
    const std::lock_guard lock(mutex_);
    paused_.erase(pool);
    disabled_.erase(pool);
}

bool Standing::paused(const std::string& pool) const {
    const std::lock_guard lock(mutex_);
    const auto said = paused_.find(pool);
    return said == paused_.end() ? all_paused_ : said->second;
}

bool Standing::disabled(const std::string& pool) const {
    const std::lock_guard lock(mutex_);
    return disabled_.contains(pool);
}

}  // namespace leasehold::daemon
