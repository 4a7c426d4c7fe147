// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/listening.hpp"

#include "daemon/admin/cells.hpp"

namespace leasehold::daemon::admin {

const Columns& listeners_columns() {
    static const Columns columns{
        {"database", Type::text},      {"server", Type::text},           {"state", Type::text},
        {"remote_pid", Type::integer}, {"channels", Type::integer},      {"sessions", Type::integer},
        {"connect_time", Type::text},  {"notifications", Type::integer}, {"lost_connections", Type::integer},
    };
    return columns;
}

Rows listeners_rows(std::span<const ListenerRow> listeners, SystemTime now) {
    Rows rows;
    for (const ListenerRow& row : listeners) {
        const Cell since = row.server_id == 0 ? std::nullopt : Cell(in_utc(now - row.connected));
        rows.push_back({row.database, row.server, row.state, unless_zero(row.server_id), text(row.channels),
                        text(row.sessions), since, text(row.delivered), text(row.lost)});
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
