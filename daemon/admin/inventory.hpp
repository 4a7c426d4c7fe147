// SPDX-License-Identifier: Apache-2.0
// What there is rather than what happens: SHOW DATABASES, USERS, CONFIG, LISTS and STATE, from the configuration in
// force and the workers' snapshots. Pure.
#pragma once

#include "config/model.hpp"
#include "daemon/admin/tables.hpp"

namespace leasehold::daemon::admin {

// What one worker counts; they add up.
struct Counts {
    int clients = 0;  // logged in, those of the console included
    int logins = 0;   // connected, not yet let in
    int console = 0, waiting = 0, leased = 0, pinned = 0, replicating = 0;
    std::map<std::string, int, std::less<>> by_user;  // logged in to pools

    Counts& operator+=(const Counts& other);
};

[[nodiscard]] const Columns& databases_columns();
// Pools of one name (for several users) are one row.
[[nodiscard]] Rows databases_rows(std::span<const PoolRow> pools);

[[nodiscard]] const Columns& users_columns();
[[nodiscard]] Rows users_rows(const config::Config& config, const Counts& counts);

[[nodiscard]] const Columns& config_columns();
[[nodiscard]] Rows config_rows(const config::Config& config);

[[nodiscard]] const Columns& lists_columns();
[[nodiscard]] Rows lists_rows(const config::Config& config, const Counts& counts, std::span<const PoolRow> pools);

struct Daemon {
    bool draining = false;
    SystemTime started{};
    int process = 0, workers = 0;
};
[[nodiscard]] const Columns& state_columns();
[[nodiscard]] Rows state_rows(const config::Config& config, const Daemon& daemon, std::span<const PoolRow> pools,
                              SystemTime now);

}  // namespace leasehold::daemon::admin
