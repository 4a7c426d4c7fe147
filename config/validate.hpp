// SPDX-License-Identifier: Apache-2.0
// What no single key can show: names that must fit together, addresses that collide, values that contradict each
// other, and what is dangerous though it is allowed. Private to this folder.
#pragma once

#include "config/findings.hpp"

namespace leasehold::config {

void validate(const Config& config, Findings& findings);

}  // namespace leasehold::config
