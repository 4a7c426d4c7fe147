// SPDX-License-Identifier: Apache-2.0
#include "pool/waiters.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::pool {

Clock::time_point Waiters::oldest(Clock::time_point none) const noexcept {
    return queue_.empty() ? none : queue_.begin()->second.since;
}

Pool::Ticket Waiters::push(Waiter waiter) {
    queue_.emplace_hint(queue_.end(), ++last_, std::move(waiter));
    return last_;
}

Waiters::Queue::iterator Waiters::tell(Queue::iterator waiter, Checkout outcome) {
    WaiterCompletion completion = std::move(waiter->second.completion);
    const auto next = queue_.erase(waiter);
    boost::asio::post(executor_, [completion = std::move(completion), outcome = std::move(outcome)]() mutable {
        std::move(completion)(std::move(outcome));
    });
    return next;
}

}  // namespace leasehold::pool
