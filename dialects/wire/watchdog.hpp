// SPDX-License-Identifier: Apache-2.0
// One deadline for a whole conversation: when it passes, whatever waits on the transport is woken.
#pragma once

#include "dialects/wire/transport.hpp"

#include <boost/asio/steady_timer.hpp>

namespace leasehold::wire {

class Watchdog {
  public:
    Watchdog(Transport& transport, Deadline deadline)
        : timer_(transport.executor()), state_(std::make_shared<State>(State{&transport, false})) {
        if (deadline == Deadline::max()) return;
        timer_.expires_at(deadline);
        timer_.async_wait([state = state_](const boost::system::error_code& ec) {
            if (ec || state->transport == nullptr) return;
            state->expired = true;
            state->transport->wake();
        });
    }
    ~Watchdog() { state_->transport = nullptr; }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    [[nodiscard]] bool expired() const noexcept { return state_->expired; }

  private:
    using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
    struct State {
        Transport* transport;  // null once the watchdog is gone
        bool expired;
    };
    Timer timer_;
    std::shared_ptr<State> state_;
};

}  // namespace leasehold::wire
