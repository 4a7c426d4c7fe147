// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/records.hpp"

#include "daemon/admin/tables.hpp"

#include <algorithm>
#include <string>

namespace leasehold::daemon::admin {
namespace {

constexpr std::size_t max_name = 256;
constexpr std::size_t max_statement = 1024;
constexpr std::size_t max_statements = 20;

void bound(pool::QuarantineRecord& record) {
    shorten(record.holder.client, max_name);
    shorten(record.holder.user, max_name);
    shorten(record.holder.application, max_name);
    shorten(record.outcome, max_statement);
    auto& statements = record.holder.statements;
    if (statements.size() > max_statements) {
        // The first ones say what the transaction was about, the last ones where it stopped; keep the last.
        statements.erase(statements.begin(), statements.end() - static_cast<std::ptrdiff_t>(max_statements));
    }
    for (std::string& statement : statements) shorten(statement, max_statement);
}

}  // namespace

QuarantineRecords::QuarantineRecords(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

std::uint64_t QuarantineRecords::add(pool::QuarantineRecord record) {
    bound(record);
    const std::lock_guard lock(mutex_);
    record.id = ++last_;
    records_.push_back(std::move(record));
    if (records_.size() > capacity_) records_.pop_front();
    return last_;
}

void QuarantineRecords::complete(std::uint64_t id, pool::QuarantineRecord record) {
    bound(record);
    record.id = id;
    const std::lock_guard lock(mutex_);
    if (records_.empty() || id < records_.front().id || id > records_.back().id) return;
    records_[static_cast<std::size_t>(id - records_.front().id)] = std::move(record);
}

std::vector<pool::QuarantineRecord> QuarantineRecords::snapshot() const {
    const std::lock_guard lock(mutex_);
    return {records_.rbegin(), records_.rend()};
}

std::uint64_t QuarantineRecords::total() const {
    const std::lock_guard lock(mutex_);
    return last_;
}

}  // namespace leasehold::daemon::admin
