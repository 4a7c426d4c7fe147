// SPDX-License-Identifier: Apache-2.0
// What the system says of this process, read from /proc and getrusage.
#pragma once

#include <cstdint>
#include <optional>

namespace leasehold::daemon::web {

struct Process {
    double cpu_seconds = 0;
    double start_time = 0;  // seconds since 1970
    std::uint64_t resident_bytes = 0, virtual_bytes = 0;
    std::uint64_t open_files = 0;
    std::optional<std::uint64_t> max_files;  // none: no limit
};
[[nodiscard]] Process read_process();

}  // namespace leasehold::daemon::web
