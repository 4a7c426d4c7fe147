// SPDX-License-Identifier: Apache-2.0
// One place of a pool's capacity, from the start of its dial to the end of its backend. What may be done with it is
// decided elsewhere; only Pool::Impl::move() changes its state.
#pragma once

#include "pool/backend.hpp"
#include "pool/params.hpp"
#include "pool/quarantine.hpp"
#include "pool/quota.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace leasehold::pool {

class Entry {
  public:
    enum class State : std::uint8_t {
        dialling,     // no backend yet; a coroutine connects
        idle,         // in Impl::idle, fit for the next lease as far as is known
        pinging,      // was idle; a pre-ping runs because somebody waits
        leased,       // a Lease points here
        resetting,    // came back dirty
        finishing,    // came back in order with a transaction that reset_on_return commits
        quarantined,  // on the ladder
        closed,       // no longer in the pool; a coroutine may still hold it
    };
    static constexpr std::size_t state_count = 8;

    std::uint64_t id = 0;
    Variant variant = 0;
    Fingerprint fingerprint = 0;  // as of the last checkin
    State state = State::dialling;
    bool fresh = true;  // not leased before
    bool watched = false;
    std::size_t place = 0;  // index in Impl::entries
    std::uint64_t leases = 0;
    std::uint64_t session = 0;  // of the holder
    std::uint64_t walk = 0;     // the last walk over the waiters that counted on this one

    // Generations, see Impl: what an administrator invalidated is judged by when the dial began, what a lost server
    // took along by when the login was complete.
    std::uint64_t born = 0;
    std::uint64_t proven = 0;

    Clock::time_point born_at{};  // taken just before the connect call
    Clock::time_point since{};    // in this state
    Clock::time_point used_at{};  // when its socket was read last, by an exchange known to have gone well
    Clock::time_point recycle_at = Clock::time_point::max();
    Clock::time_point deadline{};  // of the work under way
    double jitter = 0;             // 0 .. 0.1, the part of pool_recycle that this one is given less

    Permit permit;
    std::unique_ptr<Backend> backend;  // null while dialling
    std::unique_ptr<Climb> climb;      // while quarantined
    std::unique_ptr<Holder> holder;    // while finishing, for the record should it fail

    // A coroutine is about to make this one usable, or to fail.
    [[nodiscard]] bool coming() const noexcept {
        return state == State::dialling || state == State::pinging || state == State::resetting ||
               state == State::finishing;
    }
    void age_limit(std::optional<Duration> recycle) noexcept;
};

[[nodiscard]] std::string_view to_string(Entry::State state) noexcept;

// What the checkin's checklist decides.
enum class Verdict : std::uint8_t {
    close_lost,     // its server was lost meanwhile, or the connection is dead
    close_refused,  // settings could not be applied: what it holds is unknown
    commit,         // ended in order, and the pool commits what is open
    quarantine,
    depart_or_settle,  // clean or merely dirty
};
struct Returned {
    Condition condition;
    EndReason reason = EndReason::finished;
    bool server_lost = false;  // after this backend had logged in
    ResetOnReturn reset_on_return = ResetOnReturn::rollback;
};
[[nodiscard]] Verdict judge(const Returned& returned) noexcept;

}  // namespace leasehold::pool
