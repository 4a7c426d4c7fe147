// SPDX-License-Identifier: Apache-2.0
// The console's answers and the status page's tables as JSON, for programs.
#pragma once

#include "daemon/admin/console.hpp"
#include "daemon/web/http.hpp"
#include "daemon/web/status.hpp"

namespace leasehold::daemon::web {

// {"columns":[{"name":"database","type":"text"}],"rows":[["orders",5,null]],"tag":"SHOW"}; numbers are numbers, NULL is
// null. An error has status 400, 403 (not permitted), 500 or 503 and is
// {"error":{"sqlstate":"42601","message":"...","hint":"","detail":""}}.
[[nodiscard]] Response to_json(const admin::Answer& answer);

// {"version":"0.1.0","uptime_seconds":5,"draining":false,"workers":2,"clients":1,"max_clients":10000,
//  "pools":[{"database":"orders","size":5,...}],...}; a table that could not be had is null.
[[nodiscard]] Response to_json(const About& about, const std::vector<Section>& sections);

}  // namespace leasehold::daemon::web
