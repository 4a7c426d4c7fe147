// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/cancelling.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace leasehold::wire {
namespace {

using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
using DeliverPtr = std::shared_ptr<const Cancelling::Deliver>;

// Counts a request from its start to its end, however it ends.
struct Underway {
    explicit Underway(std::shared_ptr<int> of) : count(std::move(of)) { ++*count; }
    ~Underway() { --*count; }
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;
    std::shared_ptr<int> count;
};

awaitable<std::error_code> deliver_one(DeliverPtr deliver, std::shared_ptr<int> underway, Deadline deadline) {
    const Underway counted(std::move(underway));
    const std::error_code ec = co_await (*deliver)(deadline);
    co_return ec;
}

awaitable<void> keep_delivering(Executor executor, DeliverPtr deliver, std::shared_ptr<int> underway,
                                std::shared_ptr<bool> over, Deadline deadline) {
    auto pause = std::chrono::milliseconds(20);
    for (;;) {
        Timer timer(executor, pause);
        co_await timer.async_wait(boost::asio::use_awaitable_t<Executor>{});
        if (*over || Clock::now() >= deadline) co_return;
        (void)co_await deliver_one(deliver, underway, deadline);
        if (*over) co_return;
        pause = std::min(pause * 2, std::chrono::milliseconds(80));
    }
}

}  // namespace

Cancelling::Cancelling(Executor executor, Deliver deliver)
    : executor_(executor), deliver_(std::make_shared<const Deliver>(std::move(deliver))) {}

awaitable<std::error_code> Cancelling::deliver(Deadline deadline) { return deliver_one(deliver_, underway_, deadline); }

awaitable<std::error_code> Cancelling::delivered(Deadline deadline) {
    const std::shared_ptr<int> underway = underway_;
    while (*underway > 0) {
        Timer timer(executor_, std::chrono::milliseconds(2));
        co_await timer.async_wait(boost::asio::use_awaitable_t<Executor>{});
        if (Clock::now() >= deadline) co_return make_error_code(errc::timed_out);
    }
    co_return std::error_code{};
}

Cancelling::Repetition Cancelling::repeat(Deadline deadline) {
    const auto over = std::make_shared<bool>(false);
    // A request that could not be delivered is no failure of its own: the drain's deadline decides.
    boost::asio::co_spawn(executor_, keep_delivering(executor_, deliver_, underway_, over, deadline),
                          [](const std::exception_ptr&) {});
    return Repetition(over);
}

}  // namespace leasehold::wire
