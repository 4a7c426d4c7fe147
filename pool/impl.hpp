// SPDX-License-Identifier: Apache-2.0
// The pool's whole state and the steps between its states, for the files of this folder alone. Each group of functions
// is in the file named above it. Worker thread only, but for what Quota calls (it posts).
#pragma once

#include "pool/entry.hpp"
#include "pool/pool.hpp"
#include "pool/waiters.hpp"

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace leasehold::pool {

inline constexpr auto ping_after = std::chrono::seconds(1);  // used more recently: known to be alive
inline constexpr auto quiet_after =
    std::chrono::milliseconds(1);  // read more recently: not asked whether more has come
inline constexpr auto watch_after = std::chrono::milliseconds(20);  // idle for less: in the thick of work, not watched
inline constexpr auto patience = std::chrono::milliseconds(100);  // a ping or reset that takes longer is not counted on
inline constexpr auto grace = std::chrono::milliseconds(500);     // for a coroutine that should have ended
inline constexpr auto refusal_memory = std::chrono::seconds(1);
inline constexpr auto backoff_least = std::chrono::milliseconds(100);
inline constexpr auto backoff_most = std::chrono::milliseconds(5000);
inline constexpr int fingerprints_looked_at = 8;
inline constexpr std::size_t blocked_at_most = 64;  // waiters that one walk leaves behind before it gives up

struct Pool::Impl {
    Impl(Pool& owner, Executor on, Params rules, std::shared_ptr<Connector> to, std::shared_ptr<Quota> permits,
         Events& sink, NowFunction clock);

    Pool& pool;
    Executor executor;
    Params params;
    std::shared_ptr<Connector> connector;
    std::shared_ptr<Quota> quota;  // may be null: no limit
    Events& events;
    NowFunction now;
    Describe describe;

    // Who is where. Every entry is in `entries` until it is dropped; the idle ones also in `idle`, the longest idle
    // first; those that a coroutine is about to make usable also in `coming`.
    std::vector<std::shared_ptr<Entry>> entries;
    std::vector<Entry*> idle;
    std::vector<Entry*> coming;
    std::array<int, Entry::state_count> count{};
    Waiters waiters;

    bool is_paused = false;
    bool disposed = false;
    std::vector<std::function<void()>> drained;

    // Logical time: every invalidation is a new generation, and an entry older than a mark is stale. SQLAlchemy
    // compares time stamps; a counter cannot be fooled by two events in the same tick.
    std::uint64_t generation = 1;
    std::uint64_t lost_mark = 0;
    std::uint64_t hard_mark = 0;
    std::uint64_t soft_mark = 0;
    std::uint64_t moved_mark = 0;

    Duration backoff{0};  // 0: the last dial went well
    Clock::time_point dial_after{};
    std::string last_error;
    struct Refusal {
        Variant variant;
        Clock::time_point until;
        std::string message;
        std::string sqlstate;
        int number = 0;
    };
    std::vector<Refusal> refusals;

    bool awaiting_quota = false;
    bool enlisted = false;
    std::uint64_t membership = 0;  // in the quota

    std::uint64_t last_entry = 0;
    std::uint64_t last_record = 0;
    std::uint64_t last_walk = 0;
    Variant last_variant = 0;  // min_idle dials this one; 0 is the plain one
    std::minstd_rand random;

    // pool.cpp: the only places where entries change state or leave
    void move(Entry& entry, Entry::State to, Clock::time_point time);
    void drop(Entry& entry, CloseReason reason);  // destroyed no earlier than in the loop's next turn
    void remove(Entry& entry);
    void drop_idle(CloseReason reason);
    void tell_drained();
    [[nodiscard]] int in(Entry::State state) const noexcept { return count[static_cast<std::size_t>(state)]; }
    [[nodiscard]] std::size_t capacity() const noexcept;
    [[nodiscard]] std::size_t free_places() const noexcept;
    void lost(std::uint64_t proven);  // the server of a backend of that generation is gone
    [[nodiscard]] double uniform(double least, double most);

    // checkout.cpp
    [[nodiscard]] Lease try_take(Wanted wanted, Clock::time_point time);
    [[nodiscard]] Lease take(Entry& entry, std::uint64_t session, Clock::time_point waiting_since,
                             Clock::time_point time);
    [[nodiscard]] Entry* choose(Wanted wanted, Clock::time_point time);
    [[nodiscard]] Entry* best_fit(Wanted wanted, Clock::time_point time, bool only_ready);
    [[nodiscard]] Entry* best_idle(Wanted wanted, Clock::time_point time, bool only_ready) const noexcept;
    [[nodiscard]] std::optional<CloseReason> unfit(Entry& entry, Clock::time_point time) const;
    [[nodiscard]] bool needs_ping(const Entry& entry, Clock::time_point time) const noexcept;
    void leave_idle(Entry& entry);
    void serve(Clock::time_point time);
    [[nodiscard]] bool covered(Variant variant, Clock::time_point time);
    enum class Obtained : std::uint8_t { dialling, refused, blocked };
    [[nodiscard]] Obtained obtain(Variant variant, Clock::time_point time);
    [[nodiscard]] std::optional<Permit> permit_for(Variant variant);

    // checkin.cpp
    void checkin(Entry& entry, EndReason reason, Holder* holder, Clock::time_point heard);
    void clean_or_reset(Entry& entry, Condition is, Clock::time_point time, Clock::time_point heard);
    [[nodiscard]] std::optional<CloseReason> stale(const Entry& entry) const noexcept;
    [[nodiscard]] bool outdated(const Entry& entry) const noexcept;
    [[nodiscard]] std::optional<CloseReason> departure(const Entry& entry, Clock::time_point time) const noexcept;
    void settle(Entry& entry, Clock::time_point time);

    // work.cpp: exchanges with a backend that nobody holds
    enum class Work : std::uint8_t { ping, reset, commit, recover };
    void begin_work(Entry& entry, Entry::State state, Duration at_most, Clock::time_point time, Work work);
    static awaitable<void> run(std::weak_ptr<Pool> owner, std::shared_ptr<Entry> entry, Work work);
    void pinged(Entry& entry, std::error_code outcome);
    void was_reset(Entry& entry, std::error_code outcome);
    void committed(Entry& entry, std::error_code outcome);

    // quarantine.cpp
    [[nodiscard]] QuarantineRecord record_of(Entry& entry, EndReason reason, Holder holder, Clock::time_point time);
    void quarantine(Entry& entry, EndReason reason, Holder holder, Clock::time_point time);
    void recovered(Entry& entry, std::error_code outcome);
    void drop_from_ladder(Entry& entry, CloseReason reason, std::string_view why, Clock::time_point time);

    // dial.cpp
    void start_dial(Variant variant, Permit permit, Clock::time_point time);
    static awaitable<void> dial(std::weak_ptr<Pool> owner, std::shared_ptr<Entry> entry,
                                std::shared_ptr<Connector> connector);
    void dialled(Entry& entry, Connected connected);
    void dial_failed(Entry& entry, const Connected& connected, Clock::time_point time);
    void back_off(Clock::time_point time);
    void refuse_waiters(const Refusal& refusal, Clock::time_point time);
    [[nodiscard]] const Refusal* refusal(Variant variant, Clock::time_point time) const noexcept;
    [[nodiscard]] bool may_dial(Clock::time_point time) const noexcept;

    // permits.cpp
    void follow(std::shared_ptr<Quota> reached);
    [[nodiscard]] bool count_where_reached(Entry& entry, Connected& connected);
    [[nodiscard]] std::optional<Permit> acquire();  // an empty Permit where there is no quota
    void await_quota();
    void quota_freed(const std::shared_ptr<Quota>& of);
    void yield_idle();

    // janitor.cpp
    void end_overdue(Clock::time_point time);
    void end_waits(Clock::time_point time);
    void watch_idle(Clock::time_point time);
    void trim_idle(Clock::time_point time);
    void keep_min_idle(Clock::time_point time);

    // stats.cpp
    [[nodiscard]] Checkout timed_out(Clock::time_point time) const;
    [[nodiscard]] std::string held(Clock::time_point time) const;
};

// Converts a duration for the event sinks.
[[nodiscard]] inline std::chrono::microseconds micros(Clock::duration duration) noexcept {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration);
}
[[nodiscard]] inline std::chrono::milliseconds millis(Clock::duration duration) noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

}  // namespace leasehold::pool
