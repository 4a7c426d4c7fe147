// SPDX-License-Identifier: Apache-2.0
// Whether the configuration file that was read last is in force, and since when. Main thread only.
#pragma once

#include "daemon/metrics/catalog.hpp"

#include <chrono>

namespace leasehold::daemon::metrics {

class Reloads {
  public:
    explicit Reloads(Registry& registry)
        : elsewhere_(registry.elsewhere()), successful_(gauge(registry, names::reload_successful)),
          at_(gauge(registry, names::reload_time)) {}

    void done(bool applied) const noexcept {
        successful_.set(elsewhere_, applied ? 1 : 0);
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        if (applied) at_.set(elsewhere_, std::chrono::floor<std::chrono::seconds>(now).count());
    }

  private:
    [[nodiscard]] static Gauge gauge(Registry& registry, std::string_view name) {
        return registry.gauge(name, find_metric(name)->help);
    }

    int elsewhere_;
    Gauge successful_, at_;
};

}  // namespace leasehold::daemon::metrics
