// SPDX-License-Identifier: Apache-2.0
// What the workers of one process share: cancel keys, counters, quarantine records.
#include "daemon/admin/records.hpp"
#include "daemon/cancel_registry.hpp"
#include "daemon/metrics/registry.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace leasehold;

constexpr int threads = 4;

void together(const auto& work) {
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) all.emplace_back([&work, i] { work(i); });
    for (std::thread& thread : all) thread.join();
}

// The registry never looks into a worker; any address will do.
daemon::Worker* worker(std::uintptr_t number) { return reinterpret_cast<daemon::Worker*>(number << 4); }

TEST(SharedCancelKeys, AreUniqueAndFoundByAnyWorkerUntilTheyAreRevoked) {
    daemon::CancelRegistry registry;
    std::vector<std::vector<dialects::CancelKey>> kept(threads);
    std::atomic<int> wrong{0};
    together([&](int me) {
        const auto number = static_cast<std::uint64_t>(me);
        for (std::uint64_t turn = 1; turn <= 2000; ++turn) {
            const auto key = registry.issue(number * 10000 + turn, worker(1));
            registry.move(key, worker(2));
            const auto target = registry.find(key);
            if (target.session != number * 10000 + turn || target.worker != worker(2)) ++wrong;
            dialects::CancelKey guessed = key;
            guessed.secret ^= 1;
            if (registry.find(guessed).worker != nullptr) ++wrong;
            if (turn % 2 == 0) {
                registry.revoke(key);
                if (registry.find(key).worker != nullptr) ++wrong;
            } else {
                kept[number].push_back(key);
            }
        }
    });
    EXPECT_EQ(wrong.load(), 0);
    std::set<std::uint32_t> ids;
    for (const auto& keys : kept) {
        for (const auto& key : keys) ids.insert(key.id);
    }
    EXPECT_EQ(ids.size(), threads * 1000u);
}

TEST(SharedCounters, AddUpWhileSeriesComeAndGoAndAreRead) {
    daemon::metrics::Registry registry(threads);
    const auto turns = registry.counter("turns_total", "Turns taken.");
    const auto waits = registry.histogram("wait_seconds", "Waiting.");
    std::atomic<bool> over{false};
    std::atomic<std::int64_t> last{0};
    std::atomic<int> backwards{0};
    std::thread reader([&] {
        while (!over.load()) {
            registry.visit([&](const auto& sample) {
                if (sample.name != "turns_total") return;
                if (sample.value < last.load()) ++backwards;
                last.store(sample.value);
            });
        }
    });
    together([&](int me) {
        for (int turn = 0; turn < 3000; ++turn) {
            daemon::metrics::Scope scope(registry, {{"pool", "p" + std::to_string(turn % 7)}});
            const auto clients = scope.gauge("clients", "Clients.");
            clients.add(me, 1);
            turns.add(me);
            waits.observe(me, std::chrono::microseconds(turn));
            clients.add(me, -1);
        }
    });
    over.store(true);
    reader.join();
    EXPECT_EQ(registry.value("turns_total"), threads * 3000);
    EXPECT_EQ(registry.value("wait_seconds"), threads * 3000);
    EXPECT_EQ(backwards.load(), 0);
}

TEST(SharedQuarantineRecords, AreCompletedByTheIdThatTheyWereEnteredUnder) {
    daemon::admin::QuarantineRecords records(100);
    std::atomic<int> wrong{0};
    together([&](int me) {
        for (int turn = 0; turn < 500; ++turn) {
            pool::QuarantineRecord record;
            record.pool = "orders" + std::to_string(me);
            const auto id = records.add(record);
            record.outcome = "readmitted";
            records.complete(id, record);
            for (const auto& seen : records.snapshot()) {
                if (seen.pool.rfind("orders", 0) != 0) ++wrong;
            }
        }
    });
    EXPECT_EQ(wrong.load(), 0);
    EXPECT_EQ(records.total(), threads * 500u);
    for (const auto& record : records.snapshot()) EXPECT_EQ(record.outcome, "readmitted");
}

}  // namespace
