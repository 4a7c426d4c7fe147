// SPDX-License-Identifier: Apache-2.0
// The whole daemon: opens listeners, deals pools over workers, runs until a signal, drains, and reports its exit code.
#pragma once

#include "config/model.hpp"

#include <memory>

namespace leasehold::daemon {

struct RunOptions {
    bool allow_root = false;
};

// Blocks until the daemon has ended. 0 after an orderly end, 69 when it could not listen, 78 when the log cannot be written.
[[nodiscard]] int run(std::shared_ptr<const config::Config> config, RunOptions options);

}  // namespace leasehold::daemon
