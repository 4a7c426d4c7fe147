// SPDX-License-Identifier: Apache-2.0
// Asks all workers at once and waits for their answers, holding none of them up.
#pragma once

#include "daemon/worker.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace leasehold::daemon {

using Timer = boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor>;

// Runs `work` once on each worker's thread; the answers in the workers' order. To be awaited on `executor`, which is one
// of the workers'. With a loop that ends meanwhile the wait ends unheard, and what still was on its way is dropped.
template <class Answer>
[[nodiscard]] wire::awaitable<std::vector<Answer>> everywhere(wire::Executor executor, std::vector<Worker*> workers,
                                                              std::function<Answer(Worker&)> work) {
    struct Round {
        Timer answered;
        std::vector<Answer> answers;
        std::size_t missing;
    };
    const auto round = std::make_shared<Round>(
        Round{Timer(executor, Timer::time_point::max()), std::vector<Answer>(workers.size()), workers.size()});
    for (std::size_t i = 0; i < workers.size(); ++i) {
        Worker* worker = workers[i];
        worker->post([worker, work, executor, i, waiting = std::weak_ptr<Round>(round)] {
            Answer made = work(*worker);
            boost::asio::post(executor, [waiting, i, made = std::move(made)]() mutable {
                const auto still = waiting.lock();
                if (!still) return;
                still->answers[i] = std::move(made);
                if (--still->missing == 0) still->answered.cancel();
            });
        });
    }
    const boost::asio::as_tuple_t<boost::asio::use_awaitable_t<wire::Executor>> either_way;
    while (round->missing > 0) (void)co_await round->answered.async_wait(either_way);
    co_return std::move(round->answers);
}

}  // namespace leasehold::daemon
