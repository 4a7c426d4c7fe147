// SPDX-License-Identifier: Apache-2.0
// The pools of one worker that an operator means: paused or resumed as was decided, and who holds their connections, in
// words. Worker thread only.
#pragma once

#include "daemon/worker.hpp"

namespace leasehold::daemon {

// Whether a pool of that name is meant; an empty name means all.
[[nodiscard]] bool concerns(const std::string& wanted, const HomePtr& home) noexcept;

// Pauses and resumes the worker's pools as it has been decided by now, so that of two commands at once the later one
// counts everywhere. False: one of them gives leases.
bool settle(const Standing& standing, const std::string& wanted, Worker& worker);

// "session 17 of app@127.0.0.1:50212 (billing), in a transaction for 31 s, pinned: temporary table"
[[nodiscard]] std::string in_words(const SessionView& view);

// "two; three; and 4 more"
[[nodiscard]] std::string listed(const std::vector<std::string>& holders, std::size_t at_most);

}  // namespace leasehold::daemon
