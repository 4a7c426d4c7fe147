// SPDX-License-Identifier: Apache-2.0
// Threads that begin together.
#pragma once

#include <barrier>
#include <thread>
#include <vector>

namespace leasehold::support {

// Runs `body(0)` .. `body(threads - 1)` on a thread each, from the same moment, to their ends.
template <class Body>
void at_once(int threads, Body body) {
    std::barrier start(threads);
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&start, &body, i] {
            start.arrive_and_wait();
            body(i);
        });
    }
    for (std::thread& thread : running) thread.join();
}

}  // namespace leasehold::support
