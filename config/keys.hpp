// SPDX-License-Identifier: Apache-2.0
// The one table of the configuration's keys: name, type, default, whether a reload takes it up, and a line about it.
// The loader knows no other keys, and the example file is checked against it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace leasehold::config {

enum class Part : unsigned char { top, listen, listen_tls, pool, user, admin, log, limits, server };

struct Key {
    std::string_view name;
    std::string_view type;      // "duration", "count", "true or false", "a | b", ...
    std::string_view fallback;  // the default, as the file would say it; empty: none
    bool reloadable;
    std::string_view about;
};

[[nodiscard]] std::span<const Key> keys(Part part);
[[nodiscard]] std::vector<std::string_view> key_names(Part part);

}  // namespace leasehold::config
