// SPDX-License-Identifier: Apache-2.0
// What a worker tells of its sessions, pools and backends: plain copies, taken on its own thread and read anywhere. With
// ten thousand sessions that takes some milliseconds; what is made of the copies is made elsewhere.
#pragma once

#include "daemon/admin/holders.hpp"
#include "daemon/admin/inventory.hpp"
#include "daemon/admin/listening.hpp"
#include "daemon/shared.hpp"

namespace leasehold::daemon {

[[nodiscard]] std::vector<admin::ClientRow> clients_of(const Worker& worker);
[[nodiscard]] std::vector<admin::PoolRow> pools_of(const Worker& worker);
[[nodiscard]] std::vector<admin::ServerRow> servers_of(const Worker& worker);
[[nodiscard]] std::vector<admin::LeaseRow> leases_of(const Worker& worker);
[[nodiscard]] std::vector<admin::ListenerRow> listeners_of(const Worker& worker);
[[nodiscard]] std::vector<admin::WaiterRow> waiters_of(const Worker& worker);
// One element.
[[nodiscard]] std::vector<admin::Counts> counts_of(const Worker& worker);

template <class T>
using Take = std::vector<T> (*)(const Worker&);

// For collect(): runs `task` on that worker's thread; on the one for reports.
void post_to(Worker& worker, std::function<void()> task);
void post_report(Shared& shared, std::function<void()> task);

// Asks every worker, each on its own thread; `done` gets everything, in the workers' order, on the thread for reports.
template <class T>
void collect(Shared& shared, Take<T> take, std::function<void(std::vector<T>)> done) {
    const admin::Part<T> part =
        admin::join<T>(shared.workers.size(), [&shared, done = std::move(done)](std::vector<T> all) {
            post_report(shared, [done, all = std::move(all)]() mutable { done(std::move(all)); });
        });
    for (std::size_t i = 0; i < shared.workers.size(); ++i) {
        Worker* const worker = shared.workers[i];
        post_to(*worker, [part, worker, take, i] { part(i, take(*worker)); });
    }
}

}  // namespace leasehold::daemon
