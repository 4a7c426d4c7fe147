// SPDX-License-Identifier: Apache-2.0
// A scripted server, its connector and its backends, an event log, a clock that is set by hand, and visitors who
// check out. No test of the pool sleeps, and none does I/O.
#pragma once

#include "pool/pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leasehold::pool::fakes {

using namespace std::chrono_literals;
namespace asio = boost::asio;

inline std::error_code failure() { return std::make_error_code(std::errc::connection_reset); }

// An exchange that ends when the test says so.
template <class T>
class Gate {
  public:
    explicit Gate(asio::io_context& io) : timer_(io, asio::steady_timer::time_point::max()) {}

    void open(T outcome) {
        outcome_ = std::move(outcome);
        timer_.cancel();
    }
    awaitable<T> wait() {
        while (!outcome_) {
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable_t<Executor>()));
        }
        T outcome = std::move(*outcome_);
        outcome_.reset();
        co_return outcome;
    }

  private:
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
    std::optional<T> outcome_;
};

// What a test knows and decides about one backend; outlives it.
struct Script {
    explicit Script(asio::io_context& io) : gate(io) {}

    std::uint64_t id = 0;
    Variant variant = 0;
    Fingerprint fingerprint = 0;
    Condition condition;
    bool quiet = true;
    bool closed = false;
    std::function<void()> broken;
    int quiet_asked = 0, pings = 0, resets = 0, finishes = 0, recovers = 0;
    bool committed = false;
    bool hang = false;             // the next exchanges wait at the gate
    bool close_opens_gate = true;  // as a real one: closing wakes who reads from it
    bool throws = false;
    std::error_code ping, reset, finish, recover;
    std::vector<std::pair<Rung, std::error_code>> rungs{{Rung::cancel, {}}, {Rung::drain, {}}, {Rung::rollback, {}},
                                                        {Rung::verify, {}}, {Rung::reset, {}}, {Rung::unread, {}}};
    bool recover_cleans = true;
    bool reset_cleans = true;
    Gate<std::error_code> gate;
};

class FakeBackend final : public Backend {
  public:
    explicit FakeBackend(std::shared_ptr<Script> script) : script_(std::move(script)) {}
    // It is closed before it is destroyed, always.
    ~FakeBackend() override { EXPECT_TRUE(script_->closed) << "backend " << script_->id; }

    Condition condition() const noexcept override { return script_->condition; }
    Variant variant() const noexcept override { return script_->variant; }
    Fingerprint fingerprint() const noexcept override { return script_->fingerprint; }
    bool quiet() noexcept override {
        ++script_->quiet_asked;
        return script_->quiet;
    }
    void watch(std::function<void()> broken) override { script_->broken = std::move(broken); }
    awaitable<std::error_code> ping(Deadline) override {
        ++script_->pings;
        return exchange(script_, script_->ping);
    }
    awaitable<std::error_code> reset(Deadline) override {
        ++script_->resets;
        if (script_->reset_cleans) script_->condition.dirty = false;
        return exchange(script_, script_->reset);
    }
    awaitable<std::error_code> finish(bool commit, Deadline) override {
        ++script_->finishes;
        script_->committed = commit;
        if (!script_->finish) script_->condition.in_transaction = false;
        return exchange(script_, script_->finish);
    }
    awaitable<std::error_code> recover(Deadline, RecoverSink& sink) override {
        ++script_->recovers;
        for (const auto& [rung, outcome] : script_->rungs) sink.rung(rung, outcome);
        if (script_->recover_cleans) script_->condition = Condition{};
        return exchange(script_, script_->recover);
    }
    awaitable<std::error_code> cancel(Deadline) override { return exchange(script_, {}); }
    void close() noexcept override {
        script_->closed = true;
        if (script_->close_opens_gate) script_->gate.open(failure());
    }
    std::uint64_t server_id() const noexcept override { return script_->id; }
    std::string_view address() const noexcept override { return "db.test:5432"; }

  private:
    static awaitable<std::error_code> exchange(std::shared_ptr<Script> script, std::error_code outcome) {
        if (script->throws) throw std::runtime_error("scripted");
        if (script->hang) outcome = co_await script->gate.wait();
        co_return outcome;
    }
    std::shared_ptr<Script> script_;
};

struct Dial {
    explicit Dial(asio::io_context& io) : gate(io) {}
    Variant variant = 0;
    Gate<std::optional<Connected>> gate;  // empty: succeed
};

class FakeConnector final : public Connector {
  public:
    explicit FakeConnector(asio::io_context& io) : io_(io) {}

    awaitable<Connected> connect(Variant variant, Deadline) override {
        ++dials;
        std::optional<Connected> outcome;
        if (hang) {
            auto dial = std::make_shared<Dial>(io_);
            dial->variant = variant;
            pending.push_back(dial);
            ++under_way;
            most_under_way = std::max(most_under_way, under_way);
            outcome = co_await dial->gate.wait();
            --under_way;
        } else if (fail) {
            outcome = fail();
        }
        if (!outcome) {
            Connected made;
            made.backend = make(variant);
            made.quota = reached;
            co_return made;
        }
        co_return std::move(*outcome);
    }
    std::string_view address() const noexcept override { return "db.test:5432"; }

    // The oldest dial that hangs ends.
    void finish(std::optional<Connected> outcome = std::nullopt) {
        ASSERT_FALSE(pending.empty());
        pending.front()->gate.open(std::move(outcome));
        pending.pop_front();
    }
    [[nodiscard]] int open() const {
        return static_cast<int>(std::count_if(backends.begin(), backends.end(), [](auto& b) { return !b->closed; }));
    }
    [[nodiscard]] Script& backend(std::size_t index) { return *backends.at(index); }

    bool hang = false;
    std::function<Connected()> fail;
    std::shared_ptr<Quota> reached;  // of the server that lets in
    int dials = 0;
    int under_way = 0;
    int most_under_way = 0;
    std::deque<std::shared_ptr<Dial>> pending;
    std::vector<std::shared_ptr<Script>> backends;

  private:
    std::unique_ptr<Backend> make(Variant variant) {
        auto script = std::make_shared<Script>(io_);
        script->id = 1000 + backends.size();
        script->variant = variant;
        backends.push_back(script);
        return std::make_unique<FakeBackend>(script);
    }
    asio::io_context& io_;
};

inline Connected unreachable() {
    Connected connected;
    connected.error = std::make_error_code(std::errc::connection_refused);
    connected.message = "db.test:5432: connection refused";
    return connected;
}
inline Connected saturated() {
    Connected connected = unreachable();
    connected.message = "db.test:5432: too many clients already";
    connected.saturated = true;
    return connected;
}
inline Connected refused() {
    Connected connected = unreachable();
    connected.message = "password authentication failed for user \"app\"";
    connected.refused = true;
    connected.sqlstate = "28P01";
    return connected;
}

class EventLog final : public Events {
  public:
    void connect(std::string_view, std::chrono::microseconds) override { ++connects; }
    void connect_failed(std::string_view, std::string_view message, bool) override { failures.emplace_back(message); }
    void checkout(std::chrono::microseconds) override { ++checkouts; }
    void checkin(std::chrono::microseconds) override { ++checkins; }
    void timeout(std::chrono::microseconds) override { ++timeouts; }
    void reset(std::error_code) override { ++resets; }
    void invalidate(bool soft) override { soft ? ++soft_invalidations : ++hard_invalidations; }
    void close(CloseReason reason, std::uint64_t) override { closes.push_back(reason); }
    void quarantined(const QuarantineRecord& record) override { entered.push_back(record); }
    void released(const QuarantineRecord& record) override { left.push_back(record); }
    void lost(const QuarantineRecord& record) override { torn.push_back(record); }

    [[nodiscard]] int closed(CloseReason reason) const {
        return static_cast<int>(std::count(closes.begin(), closes.end(), reason));
    }

    int connects = 0, checkouts = 0, checkins = 0, timeouts = 0, resets = 0;
    int soft_invalidations = 0, hard_invalidations = 0;
    std::vector<std::string> failures;
    std::vector<CloseReason> closes;
    std::vector<QuarantineRecord> entered, left, torn;
};

// A session as the pool sees it: it asks, and keeps what it is given.
struct Visitor {
    Pool::Ticket ticket = 0;
    std::optional<Checkout> outcome;
    std::uint64_t order = 0;  // when it was told, 1 for the first

    [[nodiscard]] bool waiting() const { return !outcome; }
    [[nodiscard]] bool leased() const { return outcome && outcome->lease; }
    [[nodiscard]] Checkout::Error error() const { return outcome ? outcome->error : Checkout::Error::none; }
    [[nodiscard]] std::uint64_t backend() const { return leased() ? outcome->lease.backend().server_id() : 0; }
    void checkin() { outcome->lease.checkin(); }
    void checkin(EndReason reason, Holder holder = {}) { outcome->lease.checkin(reason, std::move(holder)); }
};
using VisitorPtr = std::shared_ptr<Visitor>;

class PoolTest : public testing::Test {
  protected:
    static Params defaults() {
        Params params;
        params.name = "orders";
        params.pool_size = 2;
        params.max_overflow = 1;
        params.dial_parallel = 10;
        return params;
    }
    void start(Params params = defaults(), std::shared_ptr<Quota> quota = nullptr) {
        pool = std::make_shared<Pool>(io.get_executor(), std::move(params), connector, std::move(quota), events,
                                      [this] { return now; });
    }
    void poll() {
        io.restart();
        io.poll();
    }
    void pass(Clock::duration time)  // time passes, the janitor comes round
    {
        now += time;
        pool->tick();
        poll();
    }

    static awaitable<void> visit(Pool* pool, Wanted wanted, VisitorPtr visitor, std::uint64_t* told) {
        Checkout outcome = co_await pool->checkout(wanted, &visitor->ticket);
        visitor->order = ++*told;
        visitor->outcome.emplace(std::move(outcome));
    }
    // Asks, and lets the loop run until nothing moves.
    VisitorPtr arrive(Wanted wanted = {}) { return arrive(*pool, wanted); }
    VisitorPtr arrive(Pool& at, Wanted wanted = {}) {
        auto visitor = enqueue(at, wanted);
        poll();
        return visitor;
    }
    VisitorPtr enqueue(Pool& at, Wanted wanted = {}) {
        auto visitor = std::make_shared<Visitor>();
        asio::co_spawn(io, visit(&at, wanted, visitor, &told), [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
        return visitor;
    }
    // The pool's only backend, leased and given back.
    Script& one_idle(Wanted wanted = {}) {
        arrive(wanted)->checkin();
        return *connector->backends.back();
    }

    ~PoolTest() override {
        if (pool) pool->dispose();
        poll();
    }

    asio::io_context io{1};
    Clock::time_point now = Clock::time_point(1000h);
    EventLog events;
    std::shared_ptr<FakeConnector> connector = std::make_shared<FakeConnector>(io);
    std::uint64_t told = 0;
    std::shared_ptr<Pool> pool;
};

}  // namespace leasehold::pool::fakes
