// SPDX-License-Identifier: Apache-2.0
// What all workers hold at one moment, asked of each on its own thread: for those who wait for the end of it, and for the
// status line.
#pragma once

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace leasehold::daemon {

class Worker;

struct Census {
    std::size_t clients = 0;  // logged in, the console's and those on their way between two workers left out
    std::size_t waiting = 0;  // for a backend
    std::size_t holding = 0;  // a backend
    std::size_t logins = 0;
    std::size_t consoles = 0;
    std::size_t pools = 0;
    std::size_t backends = 0;  // of pools: idle, leased, being dialled, on the ladder
    std::size_t capacity = 0;  // as many may there be; pools without a limit count with what they have

    Census& operator+=(const Census& other) noexcept;
};

// `done` is called on `home`'s thread once every worker has answered; never, when one of them does not.
void take_census(const std::vector<Worker*>& workers, boost::asio::io_context& home, std::function<void(Census)> done);

}  // namespace leasehold::daemon
