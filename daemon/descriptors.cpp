// SPDX-License-Identifier: Apache-2.0
#include "daemon/descriptors.hpp"

#include <sys/resource.h>
#include <algorithm>
#include <limits>

namespace leasehold::daemon {
namespace {

// Listeners, event descriptors, the log, the console's places, and the first of those who log in.
constexpr std::uint64_t other_descriptors = 96;

std::uint64_t backends(const config::Config& config) {
    std::uint64_t sum = 0;
    for (const config::Pool& pool : config.pools) {
        const auto of_one =
            static_cast<std::uint64_t>(pool.pool_size) + static_cast<std::uint64_t>(std::max(0, pool.max_overflow));
        std::uint64_t pools = 1;
        for (const config::User& user : config.users) {
            const bool own = !user.as_pool && user.name != pool.url.user;
            if (own && (user.pools.empty() || std::ranges::find(user.pools, pool.name) != user.pools.end())) ++pools;
        }
        sum += of_one * pools + static_cast<std::uint64_t>(std::max(0, pool.max_replication));
    }
    return sum;
}

}  // namespace

std::uint64_t raise_open_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<std::uint64_t>::max();
    if (limit.rlim_cur < limit.rlim_max) {
        rlimit raised = limit;
        raised.rlim_cur = limit.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max() : limit.rlim_cur;
}

std::uint64_t descriptors_needed(const config::Config& config) {
    return static_cast<std::uint64_t>(config.limits.max_clients) + backends(config) + other_descriptors;
}

int clients_at_most(const config::Config& config, std::uint64_t descriptors) {
    const std::uint64_t wanted = descriptors_needed(config);
    if (wanted <= descriptors) return config.limits.max_clients;
    // However many backends the pools could have: some clients are let in all the same.
    const std::uint64_t missing = wanted - descriptors;
    const auto clients = static_cast<std::uint64_t>(config.limits.max_clients);
    const std::uint64_t left = clients > missing ? clients - missing : 0;
    return static_cast<int>(std::min(clients, std::max({left, descriptors / 4, std::uint64_t{1}})));
}

std::string too_few_descriptors(const config::Config& config, std::uint64_t descriptors) {
    const std::uint64_t needed = descriptors_needed(config);
    if (needed <= descriptors) return {};
    const std::string wanted = std::to_string(needed);
    return "at most " + std::to_string(descriptors) + " files may be open, and max_clients " +
           std::to_string(config.limits.max_clients) + " with its backends needs " + wanted + ": no more than " +
           std::to_string(clients_at_most(config, descriptors)) + " clients will be let in; set LimitNOFILE=" + wanted +
           " in the unit (or `ulimit -Hn " + wanted + "`), or lower limits.max_clients";
}

}  // namespace leasehold::daemon
