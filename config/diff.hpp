// SPDX-License-Identifier: Apache-2.0
// What changed between two configurations, by the file's own names: what a reload has to do. Secrets are compared and
// never named.
#pragma once

#include "config/model.hpp"

namespace leasehold::config {

struct Change {
    std::string name;
    std::vector<std::string> keys;  // in the order of the reference
};

struct Changes {
    std::vector<std::string> added, removed;  // names, in the file's order
    std::vector<Change> changed;
    [[nodiscard]] bool empty() const noexcept { return added.empty() && removed.empty() && changed.empty(); }
};

struct Diff {
    Changes pools;                      // by name
    Changes listeners;                  // by address, "127.0.0.1:6432" or a path
    Changes users;                      // by name
    std::vector<std::string> settings;  // dotted keys of the rest: "workers", "limits.max_clients", "servers.db:5432"
    [[nodiscard]] bool empty() const noexcept {
        return pools.empty() && listeners.empty() && users.empty() && settings.empty();
    }
    // "pools +reports -old ~orders(pool_size, url) settings limits.max_clients"; "nothing" when nothing changed.
    [[nodiscard]] std::string render() const;
};

[[nodiscard]] Diff diff(const Config& before, const Config& after);

}  // namespace leasehold::config
