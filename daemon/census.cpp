// SPDX-License-Identifier: Apache-2.0
#include "daemon/census.hpp"

#include "daemon/worker.hpp"

#include <algorithm>
#include <memory>

namespace leasehold::daemon {
namespace {

// Worker thread only.
Census count(const Worker& worker) {
    Census found;
    for (const auto& [id, session] : worker.sessions()) {
        switch (session->standing()) {
            case Session::Standing::login: ++found.logins; break;
            case Session::Standing::console: ++found.consoles; break;
            case Session::Standing::idle: ++found.clients; break;
            case Session::Standing::waiting: ++found.clients, ++found.waiting; break;
            case Session::Standing::holding: ++found.clients, ++found.holding; break;
        }
    }
    for (const HomePtr& home : worker.homes()) {
        const pool::Stats stats = home->pool->stats();
        const pool::Params& params = home->pool->params();
        const int most =
            params.max_overflow < 0 ? std::max(params.pool_size, stats.open) : params.pool_size + params.max_overflow;
        ++found.pools;
        found.backends += static_cast<std::size_t>(std::max(0, stats.open));
        found.capacity += static_cast<std::size_t>(std::max(0, most));
    }
    return found;
}

struct Asking {
    std::size_t left = 0;
    Census sum;
    std::function<void(Census)> done;
};

}  // namespace

Census& Census::operator+=(const Census& other) noexcept {
    clients += other.clients;
    waiting += other.waiting;
    holding += other.holding;
    logins += other.logins;
    consoles += other.consoles;
    pools += other.pools;
    backends += other.backends;
    capacity += other.capacity;
    return *this;
}

void take_census(const std::vector<Worker*>& workers, boost::asio::io_context& home, std::function<void(Census)> done) {
    const auto asking = std::make_shared<Asking>(Asking{workers.size(), {}, std::move(done)});
    for (Worker* worker : workers) {
        worker->post([worker, asking, &home] {
            boost::asio::post(home, [asking, part = count(*worker)] {
                asking->sum += part;
                if (--asking->left == 0) asking->done(asking->sum);
            });
        });
    }
}

}  // namespace leasehold::daemon
