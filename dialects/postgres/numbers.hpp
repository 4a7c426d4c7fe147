// SPDX-License-Identifier: Apache-2.0
// The numbers that sequences gave on a backend, which currval() and lastval() tell: whose they are. Plain values; the
// rules are the tracker's (tracker_numbers).
#pragma once

#include <cstdint>

namespace leasehold::postgres {

// {0, 0}: nobody's. Else a session, and which of its leases that may have used sequences was the last: one that has used
// some on another backend since does not find its own here.
struct NumbersOwner {
    std::uint64_t session = 0;
    std::uint64_t lease = 0;
    friend bool operator==(const NumbersOwner&, const NumbersOwner&) = default;
};
inline constexpr NumbersOwner several_owners{~std::uint64_t{0}, 0};

// Shared by the backends of a pool, on its thread.
struct SequencesAsked {
    bool ever = false;  // somebody's text has named currval() or lastval()
    // As long as nobody has, so many transactions with an INSERT are prepared for it all the same: whoever asks at all asks early.
    std::uint32_t ahead = 1000;
};

}  // namespace leasehold::postgres
