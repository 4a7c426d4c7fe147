// SPDX-License-Identifier: Apache-2.0
// The dialect's front door; everything else of it is reached through dialects/dialect.hpp.
#pragma once

#include "dialects/dialect.hpp"

namespace leasehold::mysql {

[[nodiscard]] std::unique_ptr<dialects::Dialect> make_dialect();

}  // namespace leasehold::mysql
