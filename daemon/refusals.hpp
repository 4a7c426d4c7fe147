// SPDX-License-Identifier: Apache-2.0
// Why clients are turned away who may be anybody: counted and logged by reason, never by who they are.
#pragma once

#include "daemon/metrics/names.hpp"
#include "daemon/metrics/registry.hpp"

#include <array>
#include <string_view>

namespace leasehold::daemon {

enum class Refusal : std::uint8_t {
    max_clients,
    max_clients_per_user,
    max_clients_per_address,
    console_places,
    draining,
    unfinished_login,  // shown out of a full lobby
};
inline constexpr std::size_t refusal_count = static_cast<std::size_t>(Refusal::unfinished_login) + 1;

[[nodiscard]] constexpr std::string_view to_string(Refusal why) noexcept {
    constexpr std::array<std::string_view, refusal_count> words{
        "max_clients", "max_clients_per_user", "max_clients_per_address", "console_places",
        "draining",    "unfinished_login"};
    return words[static_cast<std::size_t>(why)];
}

class Refusals {
  public:
    explicit Refusals(metrics::Registry& registry) {
        for (std::size_t i = 0; i < refusal_count; ++i) {
            counters_[i] = registry.counter(metrics::names::clients_refused, "clients that were turned away",
                                            {{"reason", std::string(to_string(static_cast<Refusal>(i)))}});
        }
    }
    void count(int worker, Refusal why) const noexcept { counters_[static_cast<std::size_t>(why)].add(worker); }

  private:
    std::array<metrics::Counter, refusal_count> counters_;
};

}  // namespace leasehold::daemon
