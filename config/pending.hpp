// SPDX-License-Identifier: Apache-2.0
// The keys whose function comes with a later version: accepted, and said so once a kind. A key whose silent absence
// would be a lie (encryption) is an error. The table is meant to shrink to nothing. Private to this folder.
#pragma once

#include "config/findings.hpp"

namespace leasehold::config {

void report_pending(const Config& config, Findings& findings);

}  // namespace leasehold::config
