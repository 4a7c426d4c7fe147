// SPDX-License-Identifier: Apache-2.0
// Thousands of random steps against a pool whose server does its worst, with what must hold checked after each one.
#include "tests/unit/pool/fakes.hpp"

#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

namespace leasehold::pool::fakes {

class PoolModel : public PoolTest {
  protected:
    struct Session {
        VisitorPtr visitor;
        Wanted wanted;
        std::uint64_t arrived = 0;
        bool seen = false;  // its outcome was judged
    };

    int roll(int sides) { return static_cast<int>(random() % static_cast<unsigned>(sides)); }

    void begin(unsigned seed) {
        random.seed(seed);
        params = defaults();
        params.pool_size = 1 + roll(4);
        params.max_overflow = roll(4);
        params.dial_parallel = 1 + roll(3);
        params.min_idle = roll(3) ? 0 : 1 + roll(2);
        params.pool_use_lifo = roll(2) == 0;
        params.pool_timeout = 5s;
        variants = 1 + roll(2);
        quota = std::make_shared<Quota>(roll(2) ? 0 : 1 + roll(5));
        connector->backends.clear();
        sessions.clear();
        arrivals = 0;
        most_open = capacity();
        start(params, quota);
    }
    [[nodiscard]] int capacity() const { return params.pool_size + params.max_overflow; }

    void step() {
        switch (roll(20)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4: return come();
            case 5:
            case 6:
            case 7:
            case 8: return go();
            case 9: return give_up_waiting();
            case 10: return dial_mode();
            case 11:
            case 12: return end_dials();
            case 13: return open_gates();
            case 14: return upset_the_server();
            case 15: return roll(4) ? pool->resume() : pool->pause();
            case 16: return resize();
            case 17: return invalidate();
            default: return time_passes();
        }
    }
    void come() {
        const Wanted wanted{static_cast<Variant>(roll(variants)), static_cast<Fingerprint>(roll(2))};
        if (roll(3) == 0) {
            if (Lease lease = pool->try_checkout(wanted)) {
                auto visitor = std::make_shared<Visitor>();
                visitor->outcome.emplace().lease = std::move(lease);
                sessions.push_back({visitor, wanted, ++arrivals});
            }
            return;
        }
        sessions.push_back({enqueue(*pool, wanted), wanted, ++arrivals});
    }
    void go() {
        std::vector<Session*> leased;
        for (auto& session : sessions) {
            if (session.visitor->leased()) leased.push_back(&session);
        }
        if (leased.empty()) return;
        Visitor& visitor = *leased[static_cast<std::size_t>(roll(static_cast<int>(leased.size())))]->visitor;
        Script& backend = script(visitor.backend());
        backend.fingerprint = static_cast<Fingerprint>(roll(2));
        backend.hang = roll(6) == 0;
        switch (roll(10)) {
            case 0: backend.condition.dirty = true; return visitor.checkin();
            case 1: backend.condition.in_transaction = true; return visitor.checkin(EndReason::client_gone);
            case 2: backend.condition.dead = true; return visitor.checkin(EndReason::backend_lost);
            case 3: visitor.outcome->lease = Lease(); return;
            case 4: return visitor.outcome->lease.invalidate(CloseReason::detached);
            default: return visitor.checkin();
        }
    }
    void give_up_waiting() {
        for (auto& session : sessions) {
            if (session.visitor->waiting() && roll(4) == 0) return pool->cancel(session.visitor->ticket);
        }
    }
    void dial_mode() {
        connector->hang = roll(3) == 0;
        switch (roll(6)) {
            case 0: connector->fail = unreachable; break;
            case 1: connector->fail = saturated; break;
            case 2: connector->fail = roll(2) ? refused : unreachable; break;
            default: connector->fail = nullptr;
        }
    }
    void end_dials() {
        while (!connector->pending.empty() && roll(3)) {
            roll(3) ? connector->finish() : connector->finish(unreachable());
        }
    }
    void open_gates() {
        for (auto& backend : connector->backends) {
            backend->hang = false;
            if (!backend->closed) backend->gate.open(roll(4) ? std::error_code() : failure());
        }
    }
    void upset_the_server() {
        for (auto& backend : connector->backends) {
            if (backend->closed) continue;
            if (roll(8) == 0) backend->ping = failure();
            if (roll(8) == 0) backend->quiet = false;
            if (backend->broken && roll(4) == 0) {
                const auto broken = std::exchange(backend->broken, nullptr);
                return broken();
            }
        }
    }
    void resize() {
        params.pool_size = 1 + roll(4);
        params.max_overflow = roll(4);
        pool->resize(params);
    }
    void invalidate() {
        if (roll(4)) return;
        if (roll(2)) return pool->server_lost();
        pool->invalidate(roll(2) == 0);
    }
    void time_passes() {
        static constexpr std::chrono::milliseconds steps[] = {0ms, 1ms, 50ms, 50ms, 200ms, 2000ms, 6000ms, 20min};
        now += steps[roll(roll(8) ? 6 : 8)];
        pool->tick();
    }

    Script& script(std::uint64_t id) {
        return **std::find_if(connector->backends.begin(), connector->backends.end(),
                              [&](auto& backend) { return backend->id == id; });
    }

    void check() {
        const Stats stats = pool->stats();
        const auto rows = pool->backends();
        // Bounded: above the capacity only after a shrink, and then it does not grow.
        ASSERT_LE(stats.open, std::max(capacity(), most_open));
        most_open = stats.open;
        ASSERT_LE(connector->open(), stats.open);
        ASSERT_EQ(static_cast<std::size_t>(stats.open), rows.size());
        ASSERT_GE(quota->used(), stats.open);
        ASSERT_TRUE(quota->limit() <= 0 || quota->used() <= quota->limit());
        ASSERT_LE(connector->under_way, 50);

        int leased = 0, waiting = 0;
        std::set<std::uint64_t> held;
        const Session* first_waiting[2] = {nullptr, nullptr};
        const Session* first = nullptr;
        for (auto& session : sessions) {
            if (session.visitor->waiting()) {
                ++waiting;
                if (!first) first = &session;
                const Session*& slot = first_waiting[session.wanted.variant];
                if (!slot) slot = &session;
            }
            if (!session.visitor->leased()) continue;
            ++leased;
            // Nobody shares, and what is handed out is clean, open and of the right variant.
            const Script& backend = script(session.visitor->backend());
            ASSERT_TRUE(held.insert(backend.id).second);
            ASSERT_FALSE(backend.closed);
            ASSERT_EQ(backend.variant, session.wanted.variant);
            if (session.seen) continue;
            session.seen = true;
            ASSERT_FALSE(backend.condition.dirty || backend.condition.in_transaction || backend.condition.dead);
            // First come first served: no earlier one of the same variant still waits.
            ASSERT_FALSE(first_waiting[session.wanted.variant]) << "overtaken";
        }
        ASSERT_EQ(stats.checkedout, leased);
        ASSERT_EQ(stats.waiting, waiting);
        if (!first || pool->paused()) return;
        // Nobody waits in vain: the first one has nothing idle to take, unless that needs a ping (whose place one
        // that is already on its way takes).
        const auto for_the_first = [&](const char* state) {
            return std::any_of(rows.begin(), rows.end(), [&](const BackendRow& row) {
                return row.state == state && row.variant == first->wanted.variant;
            });
        };
        const bool soon = for_the_first("dialling") || for_the_first("pinging") || for_the_first("resetting");
        ASSERT_FALSE(for_the_first("idle") && !soon) << "idle, and somebody waits";
        // And with a server that is well and room left, somebody is dialling for it.
        const bool room = stats.open < capacity() && (quota->limit() <= 0 || quota->used() < quota->limit());
        if (room && stats.last_error.empty()) {
            const bool coming = std::any_of(rows.begin(), rows.end(), [](const BackendRow& row) {
                return row.state == "dialling" || row.state == "pinging" || row.state == "resetting";
            });
            ASSERT_TRUE(coming) << "room, and nobody dials";
        }
    }

    // With everything well again, everybody who waits is served and nothing is left behind.
    void wind_up() {
        connector->hang = false;
        connector->fail = nullptr;
        pool->resume();
        for (int turn = 0; turn < 400; ++turn) {
            while (!connector->pending.empty()) connector->finish();
            for (auto& backend : connector->backends) {
                backend->hang = false;
                backend->ping = {};
                if (!backend->closed) backend->gate.open({});
            }
            for (auto& session : sessions) {
                if (session.visitor->leased()) session.visitor->checkin();
            }
            pass(50ms);
        }
        for (auto& session : sessions) {
            ASSERT_FALSE(session.visitor->waiting()) << "lost waiter " << session.arrived;
        }
        bool drained = false;
        pool->dispose([&] { drained = true; });
        poll();
        EXPECT_TRUE(drained);
        EXPECT_EQ(connector->open(), 0);
        EXPECT_EQ(quota->used(), 0);
        EXPECT_EQ(events.entered.size(), events.left.size());
        EXPECT_EQ(static_cast<std::size_t>(events.connects), events.closes.size());  // each once, with a reason
    }

    void run(unsigned seed, int steps) {
        events = EventLog();
        begin(seed);
        for (int i = 0; i < steps; ++i) {
            SCOPED_TRACE("seed " + std::to_string(seed) + " step " + std::to_string(i));
            step();
            poll();
            check();
            if (HasFatalFailure()) return;
            std::erase_if(sessions, [](const Session& session) {
                return session.visitor->outcome && !session.visitor->leased();
            });
        }
        SCOPED_TRACE("seed " + std::to_string(seed) + " winding up");
        wind_up();
    }

    std::mt19937 random;
    Params params;
    std::shared_ptr<Quota> quota;
    std::vector<Session> sessions;
    std::uint64_t arrivals = 0;
    int variants = 1;
    int most_open = 0;
};

TEST_F(PoolModel, HoldsItsPromisesOverRandomPrograms) {
    const char* more = std::getenv("LEASEHOLD_SEEDS");
    const unsigned last = more ? static_cast<unsigned>(std::atoi(more)) : 100;
    const unsigned fresh = std::random_device{}();
    std::cout << "seeds 1 to " << last << ", and " << fresh << "\n";
    for (unsigned seed = 1; seed <= last && !HasFailure(); ++seed) run(seed, 500);
    if (!HasFailure()) run(fresh, 2000);
}

}  // namespace leasehold::pool::fakes
