// SPDX-License-Identifier: Apache-2.0
#include "daemon/notify.hpp"

#include <systemd/sd-daemon.h>

namespace leasehold::daemon::notify {
namespace {

void tell(const std::string& state) { (void)::sd_notify(0, state.c_str()); }

}  // namespace

void ready(const std::string& status) { tell("READY=1\nSTATUS=" + status); }
void reloading() { tell("RELOADING=1"); }
void status(const std::string& line) { tell("STATUS=" + line); }
void stopping(const std::string& status) { tell("STOPPING=1\nSTATUS=" + status); }
void alive() { tell("WATCHDOG=1"); }

std::optional<std::chrono::microseconds> watchdog() {
    std::uint64_t interval = 0;
    if (::sd_watchdog_enabled(0, &interval) <= 0) return std::nullopt;
    return std::chrono::microseconds(interval);
}

std::vector<Passed> take_passed_sockets() { return {}; }

}  // namespace leasehold::daemon::notify
