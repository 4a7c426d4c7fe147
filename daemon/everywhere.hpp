// SPDX-License-Identifier: Apache-2.0
// Asks all workers at once and waits for their answers, holding none of them up.
#pragma once

#include "daemon/wakeable.hpp"
#include "daemon/worker.hpp"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace leasehold::daemon {

// Runs `work` once on each worker's thread; the answers in the workers' order. To be awaited on `executor`, which is one
// of the workers'. With a loop that ends meanwhile the wait ends unheard, and what still was on its way is dropped.
template <class Answer>
[[nodiscard]] wire::awaitable<std::vector<Answer>> everywhere(wire::Executor executor, std::vector<Worker*> workers,
                                                              std::function<Answer(Worker&)> work) {
    struct Round : Wakeable {
        Round(const wire::Executor& on, std::size_t asked) : Wakeable(on), answers(asked), missing(asked) {}
        std::vector<Answer> answers;
        std::size_t missing;
    };
    const auto round = std::make_shared<Round>(executor, workers.size());
    for (std::size_t i = 0; i < workers.size(); ++i) {
        Worker* worker = workers[i];
        worker->post([worker, work, executor, i, waiting = std::weak_ptr<Round>(round)] {
            Answer made = work(*worker);
            tell(waiting, executor, [i, made = std::move(made)](Round& still) mutable {
                still.answers[i] = std::move(made);
                --still.missing;
            });
        });
    }
    while (round->missing > 0) co_await round->wait();
    co_return std::move(round->answers);
}

}  // namespace leasehold::daemon
