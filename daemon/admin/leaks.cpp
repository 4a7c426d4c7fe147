// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/leaks.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon::admin {
namespace {

using Type = dialects::Column::Type;

constexpr std::size_t max_name = 256;
constexpr std::size_t max_statement = 1024;

std::optional<std::string> unless_empty(const std::string& text) {
    if (text.empty()) return std::nullopt;
    return text;
}

// "client_gone 38, killed 2"
std::string ways(const std::map<pool::EndReason, std::uint64_t>& reasons) {
    std::string text;
    for (const auto& [reason, times] : reasons) {
        text += (text.empty() ? "" : ", ") + std::string(pool::to_string(reason)) + ' ' + std::to_string(times);
    }
    return text;
}

}  // namespace

LeakRecords::LeakRecords(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void LeakRecords::add(LeakRecord record) {
    for (std::string* text : {&record.holder.client, &record.holder.user, &record.holder.application, &record.function,
                              &record.kind, &record.what}) {
        shorten(*text, max_name);
    }
    shorten(record.statement, max_statement);
    const std::lock_guard lock(mutex_);
    const auto same = std::ranges::find_if(records_, [&record](const LeakRecord& one) {
        return one.pool == record.pool && one.function == record.function && one.kind == record.kind &&
               one.what == record.what;
    });
    if (same != records_.end()) {
        record.times += same->times;
        records_.erase(same);
    }
    records_.push_back(std::move(record));
    if (records_.size() > capacity_) records_.pop_front();
}

std::vector<LeakRecord> LeakRecords::snapshot() const {
    const std::lock_guard lock(mutex_);
    return {records_.rbegin(), records_.rend()};
}

LeakRecords& leak_records() {
    static LeakRecords& all = *new LeakRecords;
    return all;
}

const Columns& leaks_columns() {
    static const Columns columns{
        {"time", Type::text},
        {"database", Type::text},
        {"user", Type::text},
        {"addr", Type::text},
        {"application_name", Type::text},
        {"session", Type::integer},
        {"function", Type::text},
        {"kind", Type::text},
        {"what", Type::text},
        {"statement", Type::text},
        {"times", Type::integer},
        {"last_day", Type::integer},
        {"mean_ms", Type::integer},
        {"longest_ms", Type::integer},
    };
    return columns;
}

Rows leaks_rows(const std::vector<UnfinishedRecord>& unfinished, const std::vector<LeakRecord>& records,
                SystemTime now) {
    Rows rows;
    rows.reserve(unfinished.size() + records.size());
    for (const UnfinishedRecord& record : unfinished) {
        const auto times = static_cast<std::int64_t>(std::max<std::uint64_t>(record.times, 1));
        rows.push_back({in_utc(record.at), record.pool, record.last.user, record.last.client, record.application,
                        std::to_string(record.last.session), std::nullopt, "open transaction", ways(record.reasons),
                        unless_empty(record.statement), std::to_string(record.times),
                        std::to_string(record.last_day(now)), std::to_string(record.open.count() / times),
                        std::to_string(record.longest.count())});
    }
    for (const LeakRecord& record : records) {
        rows.push_back({in_utc(record.at), record.pool, record.holder.user, record.holder.client,
                        record.holder.application, std::to_string(record.holder.session), unless_empty(record.function),
                        record.kind, unless_empty(record.what), unless_empty(record.statement),
                        std::to_string(record.times), std::nullopt, std::nullopt, std::nullopt});
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
