// SPDX-License-Identifier: Apache-2.0
// A pool's events, counted and logged: the one place where what pools report becomes metrics, log lines and records.
// One per pool object, on its worker; the pool must be gone before it.
#pragma once

#include "daemon/metrics/outages.hpp"
#include "daemon/metrics/registry.hpp"
#include "pool/events.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace leasehold::daemon::admin {
class QuarantineRecords;
}

namespace leasehold::daemon::metrics {

class PoolEvents final : public pool::Events {
  public:
    // `user` is named in the log when it is not the URL's own.
    PoolEvents(Registry& registry, admin::QuarantineRecords& records, int worker, std::string pool,
               std::string user = {});

    // Told of each backend that the pool closes, or gives away.
    void on_close(std::function<void(std::uint64_t server_id)> closed) { on_close_ = std::move(closed); }

    void connect(std::string_view address, std::chrono::microseconds took) override;
    void connect_failed(std::string_view address, std::string_view message, bool saturated) override;
    void checkout(std::chrono::microseconds waited) override;
    void checkin(std::chrono::microseconds leased) override;
    void timeout(std::chrono::microseconds waited) override;
    void reset(std::error_code outcome) override;
    void invalidate(bool soft) override;
    void close(pool::CloseReason reason, std::uint64_t server_id) override;
    void quarantined(const pool::QuarantineRecord& record) override;
    void released(const pool::QuarantineRecord& record) override;
    void lost(const pool::QuarantineRecord& record) override;

  private:
    void register_connections();
    void register_leases();
    void register_quarantine();

    admin::QuarantineRecords& records_;
    const int worker_;
    const std::string pool_;
    const std::string user_;
    std::unordered_map<std::uint64_t, std::uint64_t> on_the_ladder_;  // the pool's record id to the process's

    std::function<void(std::uint64_t)> on_close_;

    SeenOutages outages_;

    Scope scope_;
    Counter connects_, saturated_, failed_;
    Histogram dial_;
    Counter checkouts_, checkins_, timeouts_;
    Histogram wait_, lease_;
    Counter resets_ok_, resets_failed_, invalidated_hard_, invalidated_soft_;
    std::vector<Counter> closes_;       // by CloseReason
    std::vector<Counter> quarantines_;  // by EndReason
    Counter readmitted_, closed_;
    Histogram quarantine_;
};

}  // namespace leasehold::daemon::metrics
