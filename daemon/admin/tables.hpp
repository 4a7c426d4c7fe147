// SPDX-License-Identifier: Apache-2.0
// From snapshots to the console's rows. Columns bear PgBouncer's names where they mean the same, ours follow them. Pure
// functions; the daemon takes the snapshots and registers the tables.
#pragma once

#include "daemon/admin/snapshot.hpp"
#include "daemon/admin/table.hpp"

#include <span>

namespace leasehold::daemon::admin {

using Columns = std::vector<dialects::Column>;

[[nodiscard]] const Columns& pools_columns();
[[nodiscard]] Rows pools_rows(std::span<const PoolRow> pools);

[[nodiscard]] const Columns& clients_columns();
[[nodiscard]] Rows clients_rows(std::span<const ClientRow> clients);

[[nodiscard]] const Columns& servers_columns();
[[nodiscard]] Rows servers_rows(std::span<const ServerRow> servers, SystemTime now);

[[nodiscard]] const Columns& quarantine_columns();
[[nodiscard]] Rows quarantine_rows(std::span<const pool::QuarantineRecord> records);

// "2026-01-01 00:00:00 UTC", "2026-01-01 00:00:00.250 UTC"
[[nodiscard]] std::string in_utc(SystemTime at, bool milliseconds = false);
// At most so many bytes of it, and then "..."; the memory of the rest is given up.
void shorten(std::string& text, std::size_t most);

}  // namespace leasehold::daemon::admin
