// SPDX-License-Identifier: Apache-2.0
// A wait of a session's that other threads end: for another worker, the console, servers that are asked.
#pragma once

#include "dialects/wire/transport.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <utility>

namespace leasehold::daemon {

using Timer = boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor>;

// Derived from by those that are told more than that it is over. Held by a shared_ptr.
struct Wakeable {
    explicit Wakeable(const wire::Executor& executor, wire::Deadline until = wire::Deadline::max())
        : woken(executor, until) {}
    // Until it is told something, or its time is up; without cause, too.
    [[nodiscard]] wire::awaitable<void> wait() {
        const boost::asio::as_tuple_t<boost::asio::use_awaitable_t<wire::Executor>> either_way;
        (void)co_await woken.async_wait(either_way);
    }
    Timer woken;
};

// From any thread: `note` is called on the waiting one's, with what waits there; with nobody, once it is gone. The timer
// dies with its worker's loop; who tells may still hold on to it then: hence the executor.
template <class Waiting, class Note>
void tell(const std::weak_ptr<Waiting>& waiting, const wire::Executor& executor, Note note) {
    boost::asio::post(executor, [waiting, note = std::move(note)]() mutable {
        const auto still = waiting.lock();
        if (!still) return;
        note(*still);
        still->woken.cancel();
    });
}

}  // namespace leasehold::daemon
