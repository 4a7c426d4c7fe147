// SPDX-License-Identifier: Apache-2.0
#include "daemon/hubs.hpp"

#include "daemon/hub.hpp"
#include "daemon/metrics/catalog.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon {
namespace {

metrics::Counter counter(metrics::Registry& registry, std::string_view name) {
    return registry.counter(name, metrics::find_metric(name)->help);
}

}  // namespace

std::string hub_key(const Home& home) {
    config::Url url = home.settings()->url;
    url.user.clear();
    url.password.reset();
    url.driver.clear();
    return url.render();
}

Hubs::Hubs(metrics::Registry& registry)
    : notifications(counter(registry, metrics::names::notifications)),
      losses(counter(registry, metrics::names::listen_losses)) {}

Hubs::~Hubs() = default;

std::shared_ptr<Hub> Hubs::obtain(const HomePtr& home) {
    const std::string key = hub_key(*home);
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Hub>& hub = hubs_[key];
    if (!hub) {
        hub = std::make_shared<Hub>(*this, home, key);
        hub->start();
    }
    return hub;
}

void Hubs::forget(const Hub& hub) {
    std::shared_ptr<Hub> last;  // ends outside of the lock
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(hubs_, &hub, [](const auto& entry) { return entry.second.get(); });
    if (found == hubs_.end()) return;
    last = std::move(found->second);
    hubs_.erase(found);
}

std::vector<std::shared_ptr<Hub>> Hubs::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Hub>> hubs;
    for (const auto& [key, hub] : hubs_) hubs.push_back(hub);
    return hubs;
}

void Hubs::clear() {
    for (const auto& hub : all()) hub->abandon();
    const std::lock_guard lock(mutex_);
    hubs_.clear();
}

}  // namespace leasehold::daemon
