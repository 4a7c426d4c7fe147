// SPDX-License-Identifier: Apache-2.0
// The console asks every worker at once, from several consoles at once, and answers each command once.
#include "daemon/admin/console.hpp"
#include "daemon/admin/records.hpp"
#include "daemon/admin/tables.hpp"
#include "daemon/logging.hpp"
#include "tests/thread_safety/support.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>

namespace leasehold::daemon::admin {
namespace {

constexpr int workers = 4;

// A thread that does what it is told, as a worker's loop does.
class Loop {
  public:
    Loop() : thread_([this] { run(); }) {}
    ~Loop() {
        post(nullptr);
        thread_.join();
    }
    void post(std::function<void()> task) {
        {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        wake_.notify_one();
    }

  private:
    void run() {
        for (;;) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return !tasks_.empty(); });
            const auto task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            if (!task) return;
            task();
        }
    }
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> tasks_;
    std::thread thread_;
};

TEST(ThreadSafety, ConsolesGatherFromAllWorkersAtOnce) {
    std::array<Loop, workers> loops;
    Tables tables;
    Console console(tables);
    tables.add({"POOLS", {{"worker"}}, Permission::read, "", [&loops](Done done) {
                    const Part<Row> part = join<Row>(workers, std::move(done));
                    for (std::size_t i = 0; i < workers; ++i) {
                        loops[i].post([part, i] { part(i, {{std::to_string(i)}}); });
                    }
                }});
    std::atomic<int> answers{0};
    std::atomic<int> right{0};
    support::at_once(workers, [&](int) {
        for (int i = 0; i < 200; ++i) {
            console.execute("SHOW POOLS", Permission::read, [&](const Answer& answer) {
                if (answer.result.rows == Rows{{"0"}, {"1"}, {"2"}, {"3"}}) ++right;
                ++answers;
            });
            console.execute("SHOW HELP", Permission::read, [](const Answer&) {});
        }
    });
    while (answers < workers * 200) std::this_thread::yield();
    EXPECT_EQ(right, workers * 200);
}

TEST(ThreadSafety, QuarantinesAreRecordedByAllWorkersWhileTheyAreShown) {
    QuarantineRecords records(100);
    std::atomic<bool> reading{true};
    std::thread reader([&] {
        while (reading) {
            const auto all = records.snapshot();
            EXPECT_LE(all.size(), 100u);
            for (std::size_t i = 1; i < all.size(); ++i) EXPECT_EQ(all[i].id + 1, all[i - 1].id);
            EXPECT_EQ(quarantine_rows(all).size(), all.size());
        }
    });
    support::at_once(workers, [&](int worker) {
        for (int i = 0; i < 2000; ++i) {
            pool::QuarantineRecord record;
            record.pool = std::to_string(worker);
            const auto id = records.add(record);
            record.outcome = "readmitted";
            records.complete(id, record);
        }
    });
    reading = false;
    reader.join();
    EXPECT_EQ(records.total(), workers * 2000u);
    for (const auto& record : records.snapshot()) EXPECT_EQ(record.outcome, "readmitted");
}

TEST(ThreadSafety, LogLinesAreWholeAndNoneIsLost) {
    const CapturedLog captured;
    support::at_once(workers, [&](int worker) {
        for (int i = 0; i < 2000; ++i) {
            log_info("n", {{"worker", worker}, {"i", i}});
            if (i % 100 == 0) tick_logging();
        }
    });
    const auto lines = captured.lines();
    EXPECT_EQ(lines.size(), workers * 2000u);
    for (const auto& line : lines) EXPECT_TRUE(line.starts_with("info event=n worker=")) << line;
}

}  // namespace
}  // namespace leasehold::daemon::admin
