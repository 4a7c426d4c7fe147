// SPDX-License-Identifier: Apache-2.0
// The connections that listen for the sessions of a database: SHOW LISTENERS. Pure.
#pragma once

#include "daemon/admin/tables.hpp"

namespace leasehold::daemon::admin {

struct ListenerRow {
    std::string database, server, state;  // listening, connecting, closed
    std::uint64_t server_id = 0;          // 0: it is not connected
    std::size_t channels = 0, sessions = 0;
    std::chrono::milliseconds connected{0};  // for how long
    std::uint64_t delivered = 0, lost = 0;   // notifications; connections
};

[[nodiscard]] const Columns& listeners_columns();
[[nodiscard]] Rows listeners_rows(std::span<const ListenerRow> listeners, SystemTime now);

}  // namespace leasehold::daemon::admin
