// SPDX-License-Identifier: Apache-2.0
// What a configuration says, key by key, in the file's own words: for people who ask a running daemon. Secrets are
// masked.
#pragma once

#include "config/keys.hpp"
#include "config/model.hpp"

namespace leasehold::config {

struct InForce {
    std::string key;    // "pools.orders.pool_size", "listen[0].auth"
    std::string value;  // "5", "1h", "postgresql://app:***@db:5432/orders"; empty where nothing was said
    std::string fallback;
    bool reloadable = true;
};

// Every key of every part that there is, in the order of the reference.
[[nodiscard]] std::vector<InForce> values(const Config& config);

}  // namespace leasehold::config
