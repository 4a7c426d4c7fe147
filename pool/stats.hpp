// SPDX-License-Identifier: Apache-2.0
// A pool's figures at one moment, with SQLAlchemy's definitions.
#pragma once

#include "pool/backend.hpp"

#include <string>

namespace leasehold::pool {

struct Stats {
    int size = 0;        // pool_size
    int checkedin = 0;   // idle
    int checkedout = 0;  // leased
    int overflow = 0;    // open less pool_size (negative while fewer are open)
    int waiting = 0;
    int dialling = 0;
    int quarantined = 0;  // on the ladder (and in reset)
    int open = 0;         // all that count against the capacity
    int outdated = 0;     // of them, to be closed when they come back: invalidated, or their server was lost
    std::chrono::milliseconds oldest_wait{0};
    bool paused = false;
    std::string last_error;  // of the last dial, empty after a success
    // "Pool size: 5  Connections in pool: 1 Current Overflow: -3 Current Checked out connections: 1"
    [[nodiscard]] std::string status() const;
};

// One that waits, in the queue's order.
struct WaitingRow {
    std::uint64_t session = 0;  // 0: none of a client's
    std::chrono::microseconds waited{0};
};

struct BackendRow {
    std::uint64_t id = 0;  // of the entry
    std::uint64_t server_id = 0;
    std::string address;
    std::string state;  // idle, leased, dialling, pinging, resetting, quarantined
    std::chrono::milliseconds age{0}, in_state{0};
    std::uint64_t leases = 0;
    std::uint64_t session = 0;  // the holder's, 0 for none
    bool stale = false;         // closed when it comes back: it was invalidated, or its server was lost, meanwhile
    Variant variant = 0;
    Fingerprint fingerprint = 0;
};

}  // namespace leasehold::pool
