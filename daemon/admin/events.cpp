// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/events.hpp"

#include "daemon/admin/tables.hpp"

#include <algorithm>
#include <utility>

namespace leasehold::daemon::admin {
namespace {

using Type = dialects::Column::Type;

constexpr std::size_t max_value = 256;

// Readable apart; consoles escape control characters by themselves.
std::string quoted(const std::string& value) {
    return value.empty() || value.find(' ') != std::string::npos ? '"' + value + '"' : value;
}

}  // namespace

EventRecords::EventRecords(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void EventRecords::add(const LogLine& line) {
    if (line.level < LogLevel::info) return;
    LogLine kept = line;
    for (LogLine::Field& field : kept.fields) shorten(field.value, max_value);
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(kept));
    if (lines_.size() > capacity_) lines_.pop_front();
}

std::vector<LogLine> EventRecords::snapshot() const {
    const std::lock_guard lock(mutex_);
    return {lines_.rbegin(), lines_.rend()};
}

EventRecords& event_records() {
    static EventRecords& all = *new EventRecords;
    return all;
}

const std::vector<dialects::Column>& events_columns() {
    static const std::vector<dialects::Column> columns{
        {"time", Type::text},       {"level", Type::text},  {"event", Type::text},   {"database", Type::text},
        {"session", Type::integer}, {"reason", Type::text}, {"details", Type::text}, {"repeated", Type::integer},
    };
    return columns;
}

Rows events_rows(const std::vector<LogLine>& lines) {
    Rows rows;
    rows.reserve(lines.size());
    for (const LogLine& line : lines) {
        std::optional<std::string> pool, session, reason;
        std::string details;
        for (const LogLine::Field& field : line.fields) {
            std::optional<std::string>* const own = field.key == "pool"      ? &pool
                                                    : field.key == "session" ? &session
                                                    : field.key == "reason"  ? &reason
                                                                             : nullptr;
            if (own != nullptr) {
                *own = field.value;
            } else {
                details += (details.empty() ? "" : " ") + field.key + '=' + quoted(field.value);
            }
        }
        if (session == "0") session.reset();  // a quarantine without a holder
        rows.push_back({in_utc(line.at, true), std::string(name_of(line.level)), line.event, pool, session, reason,
                        details, std::to_string(line.repeated)});
    }
    return rows;
}

}  // namespace leasehold::daemon::admin
