// SPDX-License-Identifier: Apache-2.0
// The console over the control socket: a command comes as the body of POST /console, its answer goes back as JSON. Who
// may do what is decided by who is connected.
#pragma once

#include "daemon/admin/console.hpp"
#include "daemon/web/http.hpp"

namespace leasehold::daemon::web {

// root and the daemon's own user administer; everybody else whom the socket's mode lets in reads.
[[nodiscard]] admin::Permission permission_of(std::optional<std::uint32_t> uid, std::uint32_t own) noexcept;

// {"columns":[{"name":"database","type":"text"}],"rows":[["orders",5,null]],"tag":"SHOW"}; numbers are numbers, NULL is
// null. An error has status 400, 403 (not permitted), 500 or 503 and is
// {"error":{"sqlstate":"42601","message":"...","hint":"","detail":""}}.
[[nodiscard]] Response to_json(const admin::Answer& answer);

[[nodiscard]] Route console_route(const admin::Console& console);

}  // namespace leasehold::daemon::web
