// SPDX-License-Identifier: Apache-2.0
// Keeps the service manager told for as long as the daemon runs: the status line when it changed, that all workers are
// alive, and how long an end may still take. Main thread only.
#pragma once

#include "daemon/census.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>

namespace leasehold::daemon {

class Drain;
struct Shared;

// "2 pools; clients 12 (3 waiting); servers 5 of 30"
[[nodiscard]] std::string status_line(const Census& census);
// Whether each worker has ticked within `limit`.
[[nodiscard]] bool all_tick(std::span<const std::chrono::steady_clock::time_point> last_ticks,
                            std::chrono::steady_clock::time_point now, std::chrono::steady_clock::duration limit);

class Supervision {
  public:
    // All outlive it.
    Supervision(boost::asio::io_context& main, const Shared& shared, const Drain& drain);
    Supervision(const Supervision&) = delete;
    Supervision& operator=(const Supervision&) = delete;

    void start();     // listening: tells so
    void stopping();  // an end has begun

  private:
    void wait();
    void beat();
    void refresh();
    void tell(std::string line);

    boost::asio::io_context& main_;
    const Shared& shared_;
    const Drain& drain_;
    boost::asio::steady_timer timer_;
    std::optional<std::chrono::microseconds> watchdog_;
    std::chrono::steady_clock::time_point refreshed_{}, extended_{}, told_at_{};
    std::string told_;
    bool asked_ = false;  // a census is on its way
    bool stuck_ = false;  // some worker did not tick, and that was logged
};

}  // namespace leasehold::daemon
