// SPDX-License-Identifier: Apache-2.0
// One thread with one loop: its sessions, the pools that have their home here, and one coarse tick for all their
// time limits. Nothing of a worker is touched by another thread but through post().
#pragma once

#include "daemon/session.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <functional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace leasehold::daemon {

class Worker {
  public:
    Worker(Shared& shared, int index);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start();
    // Runs `task` on the worker's thread.
    template <class F>
    void post(F task) {
        boost::asio::post(io_, std::move(task));
    }
    void stop();  // ends the loop; join() then waits for the thread
    void join();

    [[nodiscard]] int index() const noexcept { return index_; }
    [[nodiscard]] const Shared& shared() const noexcept { return shared_; }
    [[nodiscard]] wire::Executor executor() noexcept { return io_.get_executor(); }
    [[nodiscard]] std::span<std::uint8_t> buffer() noexcept { return buffer_; }

    // Worker thread only from here on.
    void accepted(std::shared_ptr<const config::Listen> listen, const dialects::Dialect& dialect, int descriptor,
                  const std::shared_ptr<Lobby>& lobby);
    void adopt(std::unique_ptr<Session> session);
    [[nodiscard]] Session* find(std::uint64_t id) noexcept;
    [[nodiscard]] const std::unordered_map<std::uint64_t, std::unique_ptr<Session>>& sessions() const noexcept {
        return sessions_;
    }
    void add_home(HomePtr home);
    void retire(const HomePtr& home);  // disposes of its pool; it is gone when the last lease has come back
    [[nodiscard]] const std::vector<HomePtr>& homes() const noexcept { return homes_; }
    // Ends every client at the end of its lease, and every pool. The console goes on.
    void drain(std::string reason);
    void stop_clients(std::string reason);   // those still there, now
    void stop_sessions(std::string reason);  // the console too
    // When the loop last came round. From every thread.
    [[nodiscard]] wire::Clock::time_point last_tick() const noexcept {
        return wire::Clock::time_point(wire::Clock::duration(ticked_.load(std::memory_order_relaxed)));
    }

  private:
    void run_login(Session& session);
    void run_serve(Session& session);
    void go_on(std::uint64_t id, Session::Next next);
    void remove(std::uint64_t id);
    void tick();

    Shared& shared_;
    const int index_;
    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::basic_waitable_timer<wire::Clock, boost::asio::wait_traits<wire::Clock>, wire::Executor> timer_;
    std::vector<std::uint8_t> buffer_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions_;
    std::vector<HomePtr> homes_;
    bool draining_ = false;
    std::atomic<wire::Clock::rep> ticked_{wire::Clock::now().time_since_epoch().count()};
    unsigned ticks_ = 0;
    std::thread thread_;
};

}  // namespace leasehold::daemon
