// SPDX-License-Identifier: Apache-2.0
// The daemon's end, in order: nobody new, then nobody without a lease, then nobody past the limit, then the console. Each
// way of ending begins at its own step; a more urgent one takes over from a patient one. Main thread only.
#pragma once

#include "daemon/census.hpp"
#include "daemon/operations.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace leasehold::daemon {

struct Shared;

class Drain {
  public:
    using Clock = std::chrono::steady_clock;
    enum class Step : std::uint8_t {
        none,      // clients come and go
        clients,   // no new client; those who are there go on as long as they like
        leases,    // no new lease; whoever holds none is sent away
        overdue,   // whoever is still there is sent away now, with a little time for words and for the ladder
        farewell,  // nobody is left but the console
        over,
    };
    // What a drain has done to the outside, in the server's hands.
    struct Actions {
        std::function<void()> close_doors;      // listeners whose clients are better served by a refused connection
        std::function<void()> close_all_doors;  // those that were open for the console, too
        std::function<void()> ended;            // called once
    };

    // Both outlive it.
    Drain(boost::asio::io_context& main, Shared& shared, Actions actions);
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;

    // Without effect when something at least as urgent is under way.
    void begin(Shutdown how);
    [[nodiscard]] Step step() const noexcept { return step_; }
    [[nodiscard]] bool limited() const noexcept { return limit_ != Clock::time_point::max(); }
    // "draining for 12 s, 18 s left: 3 clients hold a lease, 4 backends"; empty when it does not.
    [[nodiscard]] std::string status() const;
    // How much longer it may take, for the service manager; none: it does not drain.
    [[nodiscard]] std::chrono::seconds expected() const;

  private:
    void enter(Step step);
    void watch();
    void look(const Census& census);
    void send_away(bool now);

    boost::asio::io_context& main_;
    Shared& shared_;
    Actions actions_;
    boost::asio::steady_timer timer_;
    Step step_ = Step::none;
    Clock::time_point began_{}, entered_{}, limit_ = Clock::time_point::max();
    Census census_;
    bool asked_ = false;  // a census is on its way
};

}  // namespace leasehold::daemon
