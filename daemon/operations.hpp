// SPDX-License-Identifier: Apache-2.0
// What operators may ask of the daemon as a whole, whichever way they ask: a signal, the console, the command line. The
// server puts them in place before the workers start; each may be called on any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace leasehold::daemon {

struct ReloadReport {
    bool applied = false;  // all of the file is in force, but for what `restart` names; else nothing changed
    std::vector<std::string> problems;  // why not: "leasehold.yaml:12: pools.orders.pool_size: ..."
    std::vector<std::string> warnings;
    std::vector<std::string> restart;  // keys that changed in the file and wait for a restart: "workers"
    std::string changes;               // "pools +reports ~orders(pool_size)", "nothing"
};

enum class Shutdown : std::uint8_t {
    drain,             // as SIGTERM: transactions may end within drain_timeout
    wait_for_servers,  // no new transaction; ends when the last lease has come back, without a limit
    wait_for_clients,  // no new client; ends when the last one has left, without a limit
    now,               // as a second SIGTERM
};

struct Operations {
    // Reads the configuration file again. `done` is called once, on any thread.
    std::function<void(std::function<void(ReloadReport)> done)> reload;
    std::function<void(Shutdown how)> shutdown;
};

}  // namespace leasehold::daemon
