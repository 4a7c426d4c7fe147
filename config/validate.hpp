// SPDX-License-Identifier: Apache-2.0
// What no single key can show: names that must fit together, addresses that collide, values that contradict each
// other, and what is dangerous though it is allowed. Private to this folder.
#pragma once

#include "config/findings.hpp"

namespace leasehold::config {

void validate(const Config& config, Findings& findings);
// Its part about passwords that are a server's hashes.
void check_secrets(const Config& config, Findings& findings);

[[nodiscard]] std::string element(std::string_view list, std::size_t index);       // list[index]
[[nodiscard]] std::string pool_key(const Pool& pool, std::string_view key);        // pools.name.key
[[nodiscard]] bool over_tcp(const Listen& listen);                                 // else by a unix socket
[[nodiscard]] bool names(const std::vector<std::string>& list, const Pool& pool);  // or an alias; a template always
[[nodiscard]] bool serves(const Listen& listen, const Pool& pool);

}  // namespace leasehold::config
