// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/pool_events.hpp"

#include "daemon/admin/records.hpp"
#include "daemon/admin/unfinished.hpp"
#include "daemon/logging.hpp"
#include "daemon/metrics/names.hpp"

namespace leasehold::daemon::metrics {
namespace {

// What a log line about this pool begins with, then its own fields. A pool that connects and closes all the time does not
// fill the log with it.
void report(LogLevel level, std::string_view event, const std::string& pool, const std::string& user,
            std::initializer_list<LogField> more) {
    if (!log_enabled(level)) return;
    std::vector<LogField> fields{{"pool", pool}};
    if (!user.empty()) fields.push_back({"user", user});
    fields.insert(fields.end(), more.begin(), more.end());
    if (level == LogLevel::info) {
        log_kin(level, pool + '\0' + user, event, fields);
    } else {
        log(level, event, fields);
    }
}

// One series per value of the pool's enumeration, whose words end with the last value.
template <class Reason>
std::vector<Counter> by_reason(Scope& scope, std::string_view name, std::string_view help) {
    std::vector<Counter> counters;
    for (int i = 0; i < 256; ++i) {
        const std::string_view reason = to_string(static_cast<Reason>(i));
        if (reason == "unknown") break;
        counters.push_back(scope.counter(name, help, {{"reason", std::string(reason)}}));
    }
    return counters;
}

bool readmitted(const pool::QuarantineRecord& record) noexcept { return record.outcome == "readmitted"; }

}  // namespace

PoolEvents::PoolEvents(Registry& registry, admin::QuarantineRecords& records, int worker, std::string pool,
                       std::string user)
    : records_(records), worker_(worker), pool_(std::move(pool)), user_(std::move(user)),
      scope_(registry, {{"pool", pool_}}) {
    register_connections();
    register_leases();
    register_quarantine();
}

void PoolEvents::register_connections() {
    connects_ = scope_.counter(names::connects, "Backends connected");
    constexpr auto failures = "Attempts to connect a backend that failed";
    saturated_ = scope_.counter(names::connect_failures, failures, {{"reason", "saturated"}});
    failed_ = scope_.counter(names::connect_failures, failures, {{"reason", "error"}});
    dial_ = scope_.histogram(names::dial_seconds, "Time to connect and log in to the server");
    constexpr auto resets = "Backends whose session state was reset";
    resets_ok_ = scope_.counter(names::resets, resets, {{"outcome", "ok"}});
    resets_failed_ = scope_.counter(names::resets, resets, {{"outcome", "failed"}});
    constexpr auto invalidations = "Invalidations of the pool or of one of its backends";
    invalidated_hard_ = scope_.counter(names::invalidations, invalidations, {{"kind", "hard"}});
    invalidated_soft_ = scope_.counter(names::invalidations, invalidations, {{"kind", "soft"}});
    closes_ = by_reason<pool::CloseReason>(scope_, names::closes, "Backends closed");
}

void PoolEvents::register_leases() {
    checkouts_ = scope_.counter(names::checkouts, "Leases begun");
    wait_ = scope_.histogram(names::wait_seconds, "Time a session waited for a backend");
    checkins_ = scope_.counter(names::checkins, "Leases ended in order");
    lease_ = scope_.histogram(names::lease_seconds, "Time a backend was leased");
    timeouts_ = scope_.counter(names::timeouts, "Sessions that got no backend within pool_timeout");
}

void PoolEvents::register_quarantine() {
    quarantines_ = by_reason<pool::EndReason>(scope_, names::quarantines, "Backends quarantined");
    constexpr auto outcomes = "Backends that left the quarantine";
    readmitted_ = scope_.counter(names::quarantine_outcomes, outcomes, {{"outcome", "readmitted"}});
    closed_ = scope_.counter(names::quarantine_outcomes, outcomes, {{"outcome", "closed"}});
    quarantine_ = scope_.histogram(names::quarantine_seconds, "Time a backend spent in quarantine");
}

void PoolEvents::connect(std::string_view address, std::chrono::microseconds took) {
    connects_.add(worker_);
    dial_.observe(worker_, took);
    if (outages_.over()) report(LogLevel::info, "connect_recovered", pool_, user_, {{"address", address}});
    report(LogLevel::info, "connect", pool_, user_, {{"address", address}, {"ms", took}});
}

void PoolEvents::connect_failed(std::string_view address, std::string_view message, bool saturated) {
    (saturated ? saturated_ : failed_).add(worker_);
    // The same again, from this pool or another one, is no news until a server answers.
    const LogLevel level = outages_.begin(message) ? LogLevel::warn : LogLevel::debug;
    report(level, "connect_failed", pool_, user_,
           {{"address", address}, {"reason", saturated ? "saturated" : "error"}, {"message", message}});
}

void PoolEvents::checkout(std::chrono::microseconds waited) {
    checkouts_.add(worker_);
    wait_.observe(worker_, waited);
}

void PoolEvents::checkin(std::chrono::microseconds leased) {
    checkins_.add(worker_);
    lease_.observe(worker_, leased);
}

void PoolEvents::timeout(std::chrono::microseconds waited) {
    timeouts_.add(worker_);
    report(LogLevel::warn, "pool_timeout", pool_, user_, {{"waited_ms", waited}});
}

void PoolEvents::reset(std::error_code outcome) {
    (outcome ? resets_failed_ : resets_ok_).add(worker_);
    if (outcome) report(LogLevel::warn, "reset_failed", pool_, user_, {{"reason", outcome.message()}});
}

void PoolEvents::invalidate(bool soft) {
    (soft ? invalidated_soft_ : invalidated_hard_).add(worker_);
    report(LogLevel::info, "invalidate", pool_, user_, {{"kind", soft ? "soft" : "hard"}});
}

void PoolEvents::close(pool::CloseReason reason, std::uint64_t server_id) {
    if (on_close_) on_close_(server_id);
    if (const auto index = static_cast<std::size_t>(reason); index < closes_.size()) closes_[index].add(worker_);
    report(LogLevel::info, "close", pool_, user_, {{"reason", to_string(reason)}, {"server_pid", server_id}});
}

void PoolEvents::quarantined(const pool::QuarantineRecord& record) {
    if (const auto index = static_cast<std::size_t>(record.reason); index < quarantines_.size()) {
        quarantines_[index].add(worker_);
    }
    admin::unfinished_records().add(record);
    const std::uint64_t id = records_.add(record);
    on_the_ladder_[record.id] = id;
    report(LogLevel::info, "quarantine", pool_, {},
           {{"id", id},
            {"reason", to_string(record.reason)},
            {"session", record.holder.session},
            {"client", record.holder.client},
            {"user", record.holder.user},
            {"application", record.holder.application},
            {"transaction_ms", record.in_transaction},
            {"server_pid", record.server_id}});
}

void PoolEvents::released(const pool::QuarantineRecord& record) {
    const bool again = readmitted(record);
    (again ? readmitted_ : closed_).add(worker_);
    quarantine_.observe(worker_, record.took);
    std::uint64_t id = 0;
    if (const auto entered = on_the_ladder_.extract(record.id)) {
        id = entered.mapped();
        records_.complete(id, record);
    } else {
        id = records_.add(record);
    }
    report(again ? LogLevel::info : LogLevel::warn, "quarantine_end", pool_, {},
           {{"id", id},
            {"reason", to_string(record.reason)},
            {"session", record.holder.session},
            {"user", record.holder.user},
            {"application", record.holder.application},
            {"transaction_ms", record.in_transaction},
            {"outcome", record.outcome},
            {"ms", record.took},
            {"rungs", record.rungs},
            {"server_pid", record.server_id}});
}

void PoolEvents::lost(const pool::QuarantineRecord& record) {
    const std::uint64_t id = records_.add(record);
    report(LogLevel::info, "transaction_lost", pool_, {},
           {{"id", id},
            {"session", record.holder.session},
            {"client", record.holder.client},
            {"user", record.holder.user},
            {"application", record.holder.application},
            {"transaction_ms", record.in_transaction},
            {"server_pid", record.server_id}});
}

}  // namespace leasehold::daemon::metrics
