// SPDX-License-Identifier: Apache-2.0
// What a session's settings lack on a backend, as messages that stand in front of the client's first request, in the same
// write. They end without a Sync: when one of them fails the server skips what follows them, whatever it is, up to a Sync
// that nobody sends before they are known to be done. Pure.
#pragma once

#include "dialects/postgres/messages.hpp"
#include "dialects/postgres/settings.hpp"

#include <array>

namespace leasehold::postgres {

// Whether they may be sent so. Not: equal ones; those that decide what a statement may see or change, or who it is, which
// are confirmed first (Align); time-outs so short that they could end the very statements that set them; and more than
// belongs in front of a request.
[[nodiscard]] bool replayable(const Settings& held, const Settings& wanted) noexcept;

// The requests that replay() consists of; the last one's CommandComplete says that the settings stand.
inline constexpr std::array replayed_requests{
    frontend::parse, frontend::bind, frontend::execute,  // BEGIN
    frontend::parse, frontend::bind, frontend::execute,  // all settings in one SELECT
    frontend::parse, frontend::bind, frontend::execute,  // COMMIT
};
// A transaction of their own, so that a client's statement that fails takes nothing back, and one that must be the first
// of its transaction is. Leaves an unnamed statement of ours behind.
void replay(wire::Writer& to, const Settings& held, const Settings& wanted);

// SELECT set_config(...), ...: what `wanted` lacks goes back to the backend's own default.
[[nodiscard]] std::string replay_sql(const Settings& held, const Settings& wanted);

}  // namespace leasehold::postgres
