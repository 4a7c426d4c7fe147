// SPDX-License-Identifier: Apache-2.0
// What a pool reports, in SQLAlchemy's words; the daemon counts and logs it. Called on the pool's worker, in the middle
// of its work: a sink does not call back into the pool. It outlives the pool.
#pragma once

#include "pool/backend.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::pool {

enum class CloseReason : std::uint8_t {
    recycled,
    idle_timeout,
    overflow,
    invalidated,
    soft_invalidated,
    broken_while_idle,
    ping_failed,
    reset_failed,
    quarantine_failed,
    lease_dropped,
    server_lost,
    settings_refused,
    variant_evicted,
    detached,
    resized,
    disposed,
    yielded,    // idle here, while another pool waited for a place on the same server
    repointed,  // the pool's URL, password or start parameters changed
};
[[nodiscard]] std::string_view to_string(CloseReason reason) noexcept;

// Why a lease ended; everything but `finished` and `orderly` with a transaction open goes through the quarantine.
enum class EndReason : std::uint8_t {
    finished,     // at a boundary
    orderly,      // Terminate / COM_QUIT
    client_gone,  // FIN or RST
    killed,       // by an administrator
    transaction_idle_timeout,
    transaction_timeout,
    query_timeout,
    pin_idle_timeout,
    protocol_error,  // the client broke the protocol
    backend_lost,
    settings_refused,
    drained,
};
[[nodiscard]] std::string_view to_string(EndReason reason) noexcept;

// Who held a lease, for the record.
struct Holder {
    std::uint64_t session = 0;
    std::string client;  // address
    std::string user;
    std::string application;
    std::vector<std::string> statements;  // of the transaction, masked, oldest first; filled when a lease ends badly
    std::string shape;                    // what the transaction is known by among others of its application
    Clock::time_point transaction_since{};
    bool in_transaction = false;  // it had one open, rather than a statement alone or a pin
};

struct QuarantineRecord {
    std::uint64_t id = 0;
    std::chrono::system_clock::time_point at{};
    std::string pool;
    Holder holder;
    EndReason reason = EndReason::client_gone;
    std::chrono::milliseconds in_transaction{0};  // how long the transaction had been open
    std::chrono::milliseconds took{0};            // on the ladder
    std::string rungs;                            // "cancel drain rollback verify reset unread"
    std::string outcome;                          // "" while on the ladder, "readmitted", "closed: drain: timed out"
    std::uint64_t server_id = 0;
};

class Events {
  public:
    virtual ~Events() = default;
    virtual void connect(std::string_view address, std::chrono::microseconds took) = 0;
    virtual void connect_failed(std::string_view address, std::string_view message, bool saturated) = 0;
    virtual void checkout(std::chrono::microseconds waited) = 0;
    virtual void checkin(std::chrono::microseconds leased) = 0;
    virtual void timeout(std::chrono::microseconds waited) = 0;
    virtual void reset(std::error_code outcome) = 0;
    virtual void invalidate(bool soft) = 0;
    virtual void close(CloseReason reason, std::uint64_t server_id) = 0;
    virtual void quarantined(const QuarantineRecord& record) = 0;  // entering
    virtual void released(const QuarantineRecord& record) = 0;     // leaving, outcome filled
    virtual void lost(const QuarantineRecord& record) = 0;         // a transaction whose connection broke
};

}  // namespace leasehold::pool
