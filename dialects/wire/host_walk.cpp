// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/host_walk.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace leasehold::wire {
namespace {

using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;

// Of a dial, for a host to be due: pools pause between their dials, too.
constexpr auto longest_wait = std::chrono::seconds(1);

}  // namespace

HostWalk::HostWalk(Executor executor, std::span<const std::string> names, Deadline deadline)
    : executor_(executor), turns_(host_table().turns(names, Clock::now())), deadline_(deadline) {}

bool HostWalk::must_wait() const { return more() && turns_[next_].not_before > Clock::now(); }

awaitable<HostWalk::Turn> HostWalk::next() {
    const auto now = Clock::now();
    const HostTable::Turn turn = turns_[next_];
    const Deadline until = share(now, deadline_, turns_.size() - next_);
    ++next_;
    if (turn.not_before > now) {
        const auto soon = now + std::min<Clock::duration>((until - now) / 2, longest_wait);
        Timer timer(executor_, std::min(turn.not_before, soon));
        co_await timer.async_wait(boost::asio::use_awaitable_t<Executor>{});
    }
    co_return Turn{turn.host, until};
}

}  // namespace leasehold::wire
