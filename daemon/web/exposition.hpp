// SPDX-License-Identifier: Apache-2.0
// The Prometheus text format of everything that is counted or sampled. Pure; no socket, no worker.
#pragma once

#include "daemon/metrics/registry.hpp"
#include "daemon/web/figures.hpp"
#include "daemon/web/process.hpp"

namespace leasehold::daemon::web {

struct Facts {
    std::size_t workers = 0;
    int clients_limit = 0;
    bool draining = false;
};

inline constexpr auto exposition_type = "text/plain; version=0.0.4; charset=utf-8";
[[nodiscard]] std::string exposition(const metrics::Registry& registry, const Figures& figures, const Facts& facts,
                                     const Process& process);

}  // namespace leasehold::daemon::web
