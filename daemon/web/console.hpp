// SPDX-License-Identifier: Apache-2.0
// The console over the control socket: a command comes as the body of POST /console, its answer goes back as JSON. Who
// may do what is decided by who is connected.
#pragma once

#include "daemon/admin/console.hpp"
#include "daemon/web/http.hpp"

namespace leasehold::daemon::web {

// root and the daemon's own user administer; everybody else whom the socket's mode lets in reads.
[[nodiscard]] admin::Permission permission_of(std::optional<std::uint32_t> uid, std::uint32_t own) noexcept;

[[nodiscard]] Route console_route(wire::Executor loop, const admin::Console& console);

}  // namespace leasehold::daemon::web
