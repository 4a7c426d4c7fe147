// SPDX-License-Identifier: Apache-2.0
// How many files may be open, and how many clients that leaves room for.
#pragma once

#include "config/model.hpp"

#include <cstdint>
#include <string>

namespace leasehold::daemon {

// Raises the soft limit to the hard one, unless more than anybody needs is open to us already. What may be open then.
[[nodiscard]] std::uint64_t raise_open_files();

// For clients, backends as far as pools name a number, and what else is open.
[[nodiscard]] std::uint64_t descriptors_needed(const config::Config& config);

// limits.max_clients, or as many as fit beside the backends and the console where `descriptors` is too few.
[[nodiscard]] int clients_at_most(const config::Config& config, std::uint64_t descriptors);

// What to do about too few; empty: they suffice.
[[nodiscard]] std::string too_few_descriptors(const config::Config& config, std::uint64_t descriptors);

}  // namespace leasehold::daemon
