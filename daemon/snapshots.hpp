// SPDX-License-Identifier: Apache-2.0
// What a worker tells of its sessions, pools and backends: plain copies, taken on its own thread and read anywhere. With
// ten thousand sessions that takes some milliseconds; what is made of the copies is made elsewhere.
#pragma once

#include "daemon/admin/holders.hpp"
#include "daemon/admin/inventory.hpp"
#include "daemon/shared.hpp"

#include <boost/asio/post.hpp>

namespace leasehold::daemon {

[[nodiscard]] std::vector<admin::ClientRow> clients_of(const Worker& worker);
[[nodiscard]] std::vector<admin::PoolRow> pools_of(const Worker& worker);
[[nodiscard]] std::vector<admin::ServerRow> servers_of(const Worker& worker);
[[nodiscard]] std::vector<admin::LeaseRow> leases_of(const Worker& worker);
[[nodiscard]] std::vector<admin::WaiterRow> waiters_of(const Worker& worker);
// One element.
[[nodiscard]] std::vector<admin::Counts> counts_of(const Worker& worker);

template <class T>
using Take = std::vector<T> (*)(const Worker&);

// Runs `task` on that worker's thread; for collect().
void post_to(Worker& worker, std::function<void()> task);

// Asks every worker, each on its own thread; `done` gets everything, in the workers' order, on a thread for reports.
template <class T>
void collect(Shared& shared, Take<T> take, std::function<void(std::vector<T>)> done) {
    struct Joint {
        std::mutex mutex;
        std::vector<std::vector<T>> parts;
        std::size_t missing = 0;
        std::function<void(std::vector<T>)> done;
    };
    auto joint = std::make_shared<Joint>();
    joint->parts.resize(shared.workers.size());
    joint->missing = shared.workers.size();
    joint->done = std::move(done);
    for (std::size_t i = 0; i < shared.workers.size(); ++i) {
        Worker* const worker = shared.workers[i];
        post_to(*worker, [&shared, joint, worker, take, i] {
            std::vector<T> part = take(*worker);
            {
                const std::lock_guard lock(joint->mutex);
                joint->parts[i] = std::move(part);
                if (--joint->missing > 0) return;
            }
            boost::asio::post(shared.reports, [joint] {
                std::vector<T> all;
                for (std::vector<T>& some : joint->parts) {
                    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
                }
                joint->done(std::move(all));
            });
        });
    }
}

}  // namespace leasehold::daemon
