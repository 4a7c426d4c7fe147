// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/outages.hpp"

#include <algorithm>

namespace leasehold::daemon::metrics {
namespace {

// Beyond it everything counts as said: whoever invents messages fills no memory and no log.
constexpr std::size_t most = 1000;
constexpr std::size_t most_of_one = 16;

}  // namespace

bool Outages::begin(std::string_view message) {
    const std::lock_guard lock(mutex_);
    if (messages_.size() >= most) return false;
    return messages_.emplace(message).second;
}

bool Outages::end(const std::string& message) {
    const std::lock_guard lock(mutex_);
    return messages_.erase(message) > 0;
}

Outages& outages() {
    static Outages all;
    return all;
}

bool SeenOutages::begin(std::string_view message) {
    if (std::ranges::find(messages_, message) == messages_.end()) {
        if (messages_.size() >= most_of_one) return false;
        messages_.emplace_back(message);
    }
    return outages().begin(message);
}

bool SeenOutages::over() {
    bool news = false;
    for (const std::string& message : messages_) news = outages().end(message) || news;
    messages_.clear();
    return news;
}

}  // namespace leasehold::daemon::metrics
