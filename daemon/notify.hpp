// SPDX-License-Identifier: Apache-2.0
// What the service manager is told and asked: readiness, reloads, the status line, the watchdog, and the sockets that it
// opened for us (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)). Without one, each call does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::daemon::notify {

[[nodiscard]] bool watched();  // there is a service manager that wants to know
void ready(const std::string& status);
void reloading();                      // ready() has to follow, whatever the reload's outcome
void status(const std::string& line);  // what `systemctl status` shows
void stopping(const std::string& status);
void extend(std::chrono::microseconds more);  // the end takes longer: that much from now
void alive();                                 // to be called at least twice per watchdog() while all workers tick
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog();

// Sockets that were handed over, taken once: `address` as a listener's ("127.0.0.1:6432", "unix:/run/...").
struct Passed {
    int descriptor = -1;
    std::string address;
    std::string problem;  // why nobody can listen on it; empty: one can
};
[[nodiscard]] std::vector<Passed> take_passed_sockets();

}  // namespace leasehold::daemon::notify
