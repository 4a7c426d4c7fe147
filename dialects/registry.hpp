// SPDX-License-Identifier: Apache-2.0
// From a URL's scheme or a listener's `dialect` to the dialect that speaks it.
#pragma once

#include "dialects/dialect.hpp"

namespace leasehold::dialects {

// "postgresql", "postgres", "mysql", "mariadb"; null for any other. Lives as long as the process.
[[nodiscard]] const Dialect* find(std::string_view scheme) noexcept;

}  // namespace leasehold::dialects
