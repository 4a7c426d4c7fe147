// SPDX-License-Identifier: Apache-2.0
// Those who wait for a backend, first come first served. A waiter is a stored completion handler; it owns no timer,
// the janitor judges its time.
#pragma once

#include "pool/pool.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <map>

namespace leasehold::pool {

using WaiterCompletion =
    boost::asio::async_result<boost::asio::use_awaitable_t<Executor>, void(Checkout)>::handler_type;

struct Waiter {
    Wanted wanted;
    Clock::time_point since;
    WaiterCompletion completion;
};

class Waiters {
  public:
    using Queue = std::map<Pool::Ticket, Waiter>;  // tickets only grow, so their order is the order of arrival

    explicit Waiters(Executor executor) : executor_(std::move(executor)) {}

    [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }
    [[nodiscard]] Queue::iterator begin() noexcept { return queue_.begin(); }
    [[nodiscard]] Queue::iterator end() noexcept { return queue_.end(); }
    [[nodiscard]] Queue::iterator find(Pool::Ticket ticket) noexcept { return queue_.find(ticket); }
    // Of an empty queue: `none`.
    [[nodiscard]] Clock::time_point oldest(Clock::time_point none) const noexcept;

    Pool::Ticket push(Waiter waiter);
    // Takes the waiter out; it learns its outcome from the loop, never inside this call. Returns the one after it.
    Queue::iterator tell(Queue::iterator waiter, Checkout outcome);

  private:
    Executor executor_;
    Queue queue_;
    Pool::Ticket last_ = 0;
};

}  // namespace leasehold::pool
