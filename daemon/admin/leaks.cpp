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
    };
    return columns;
}

Rows leaks_rows(const std::vector<LeakRecord>& records) {
    Rows rows;
    rows.reserve(records.size());
    for (const LeakRecord& record : records) {
        rows.push_back({in_utc(record.at), record.pool, record.holder.user, record.holder.client,
                        record.holder.application, std::to_string(record.holder.session), unless_empty(record.function),
                        record.kind, unless_empty(record.what), unless_empty(record.statement),
                        std::to_string(record.times)});
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
