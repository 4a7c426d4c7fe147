// SPDX-License-Identifier: Apache-2.0
#include "daemon/worker.hpp"

#include "daemon/homes.hpp"

#include "daemon/logging.hpp"

#include <boost/asio/co_spawn.hpp>

#include <cstdlib>

namespace leasehold::daemon {
namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;
constexpr auto tick_every = std::chrono::milliseconds(50);
constexpr unsigned ticks_per_second = 20;

void report(const std::exception_ptr& failure, std::string_view where) {
    if (!failure) return;
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        log_error("internal_error", {{"where", where}, {"what", e.what()}});
    } catch (...) {
        log_error("internal_error", {{"where", where}});
    }
}

}  // namespace

Worker::Worker(Shared& shared, int index)
    // Only post() may be used from other threads: descriptors need no lock.
    : shared_(shared), index_(index), io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), work_(io_.get_executor()),
      timer_(io_.get_executor()), buffer_(buffer_bytes) {}

Worker::~Worker() {
    join();
    sessions_.clear();
    for (const HomePtr& home : homes_) home->pool->dispose();  // breaks the ring of waiters and pool
    homes_.clear();
}

void Worker::start() {
    post([this] { tick(); });
    thread_ = std::thread([this] {
        try {
            io_.run();
        } catch (...) {
            // State that a callback left half changed cannot be trusted: better a restart that says why.
            report(std::current_exception(), "worker");
            stop_logging();
            std::abort();
        }
    });
}

void Worker::stop() { io_.stop(); }

void Worker::join() {
    if (thread_.joinable()) thread_.join();
}

void Worker::accepted(std::shared_ptr<const config::Listen> listen, const dialects::Dialect& dialect, int descriptor,
                      const std::shared_ptr<Lobby>& lobby) {
    auto session = std::make_unique<Session>(shared_, *this, std::move(listen), dialect, descriptor, lobby);
    Session& started = *session;
    sessions_.emplace(started.id(), std::move(session));
    run_login(started);
}

void Worker::run_login(Session& session) {
    boost::asio::co_spawn(io_, session.login(),
                          [this, id = session.id()](const std::exception_ptr& failure, Session::Next next) {
                              report(failure, "login");
                              go_on(id, failure ? Session::Next::done : next);
                          });
}

void Worker::go_on(std::uint64_t id, Session::Next next) {
    if (next == Session::Next::done) {
        remove(id);
        return;
    }
    auto node = sessions_.extract(id);
    std::unique_ptr<Session> moving = std::move(node.mapped());
    Worker* home = moving->home()->worker;
    if (home == this) {
        adopt(std::move(moving));
        return;
    }
    moving->leave();
    home->post([home, moving = std::move(moving)]() mutable {
        moving->join(*home);
        home->adopt(std::move(moving));
    });
}

void Worker::adopt(std::unique_ptr<Session> session) {
    Session& joined = *session;
    sessions_.emplace(joined.id(), std::move(session));
    run_serve(joined);
}

void Worker::run_serve(Session& session) {
    boost::asio::co_spawn(io_, session.serve(),
                          [this, id = session.id()](const std::exception_ptr& failure, Session::Next next) {
                              report(failure, "session");
                              go_on(id, failure ? Session::Next::done : next);
                          });
}

void Worker::remove(std::uint64_t id) { sessions_.erase(id); }

Session* Worker::find(std::uint64_t id) noexcept {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second.get();
}

void Worker::add_home(HomePtr home) {
    if (draining_ && home->pool) home->pool->dispose();
    if (shared_.standing.paused(home->name())) home->pool->pause();
    homes_.push_back(std::move(home));
}

void Worker::retire(const HomePtr& home) {
    home->retired = true;
    // Until then it needs its ticks.
    home->pool->dispose([this, weak = std::weak_ptr<Home>(home)] { std::erase(homes_, weak.lock()); });
}

void Worker::tick() {
    const auto now = wire::Clock::now();
    ticked_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    for (const HomePtr& home : homes_) home->pool->tick();
    if (shared_.homes != nullptr && ++ticks_ % ticks_per_second == 0) shared_.homes->retire_idle(*this);
    for (const auto& [id, session] : sessions_) session->tick(now);
    timer_.expires_after(tick_every);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) tick();
    });
}

void Worker::drain(std::string reason) {
    draining_ = true;
    for (const auto& [id, session] : sessions_) session->drain(reason);
    for (const HomePtr& home : homes_) home->pool->dispose();
}

void Worker::stop_clients(std::string reason) {
    for (const auto& [id, session] : sessions_) {
        if (session->standing() != Session::Standing::console) session->stop(reason);
    }
}

void Worker::stop_sessions(std::string reason) {
    for (const auto& [id, session] : sessions_) session->stop(reason);
}

}  // namespace leasehold::daemon
