// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/unfinished.hpp"

#include "daemon/admin/tables.hpp"

#include <algorithm>
#include <initializer_list>

namespace leasehold::daemon::admin {
namespace {

constexpr std::size_t max_name = 256;
constexpr std::size_t max_statement = 1024;

using std::chrono::hours;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool begins_with_one_of(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
    const std::size_t end = std::min(text.find_first_of(" (;"), text.size());
    return std::ranges::any_of(words, [word = text.substr(0, end)](std::string_view one) {
        return std::ranges::equal(word, one, {}, [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
    });
}

bool writes(std::string_view text) noexcept {
    if (begins_with_one_of(text,
                           {"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "TRUNCATE", "COPY", "LOAD", "LOCK"})) {
        return true;
    }
    return text.find(" FOR UPDATE") != std::string_view::npos || text.find(" for update") != std::string_view::npos;
}

bool is_control(std::string_view text) noexcept {
    return begins_with_one_of(text, {"BEGIN", "START", "SET", "SHOW", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT",
                                     "END", "ABORT", "XA", "DEALLOCATE"});
}

// "?" for a parameter of either protocol's spelling: $1 of the one that begins at `at`, 0 where none does.
std::size_t parameter(std::string_view text, std::size_t at) noexcept {
    if (text[at] == '?') return 1;
    std::size_t end = at + 1;
    if (text[at] == '$') {
        while (end < text.size() && is_digit(text[end])) ++end;
    }
    return end > at + 1 ? end - at : 0;
}

// Where a list goes on with a further `one` ("?" or "(?)") behind a comma; `at` where it does not.
std::size_t behind_further(std::string_view text, std::size_t at, std::string_view one) noexcept {
    std::size_t next = at;
    while (next < text.size() && text[next] == ' ') ++next;
    if (next == text.size() || text[next] != ',') return at;
    ++next;
    while (next < text.size() && text[next] == ' ') ++next;
    return text.substr(next).starts_with(one) ? next + one.size() : at;
}

std::string folded(std::string_view text, std::string_view one) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        if (!text.substr(at).starts_with(one)) {
            out += text[at++];
            continue;
        }
        out += one;
        at += one.size();
        for (std::size_t next = behind_further(text, at, one); next != at; next = behind_further(text, at, one))
            at = next;
    }
    return out;
}

std::string shape(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = parameter(text, at);
        out += length > 0 ? '?' : text[at];
        at += std::max<std::size_t>(length, 1);
    }
    return folded(folded(out, "?"), "(?)");
}

// Its application could have ended it.
bool applications_doing(pool::EndReason reason) noexcept {
    switch (reason) {
        case pool::EndReason::orderly:
        case pool::EndReason::client_gone:
        case pool::EndReason::killed:
        case pool::EndReason::transaction_idle_timeout:
        case pool::EndReason::transaction_timeout:
        case pool::EndReason::protocol_error: return true;
        default: return false;
    }
}

std::int64_t hour_of(SystemTime at) noexcept {
    return std::chrono::duration_cast<hours>(at.time_since_epoch()).count();
}

void note(UnfinishedRecord& known, const pool::QuarantineRecord& record) {
    known.at = record.at;
    known.last.session = record.holder.session;
    known.last.client = record.holder.client;
    known.last.user = record.holder.user;
    shorten(known.last.client, max_name);
    shorten(known.last.user, max_name);
    ++known.times;
    ++known.reasons[record.reason];
    known.open += record.in_transaction;
    known.longest = std::max(known.longest, record.in_transaction);
    const std::int64_t number = hour_of(record.at);
    UnfinishedRecord::Hour& hour = known.hours[static_cast<std::size_t>(number) % known.hours.size()];
    if (hour.number != number) hour = {number, 0};
    ++hour.times;
}

}  // namespace

std::string shape_of(const std::vector<std::string>& masked) {
    if (masked.empty()) return {};
    auto chosen = std::ranges::find_if(masked, [](const std::string& text) { return writes(text); });
    if (chosen == masked.end()) {
        const auto last = std::find_if(masked.rbegin(), masked.rend(),
                                       [](const std::string& text) { return !text.empty() && !is_control(text); });
        chosen = last == masked.rend() ? masked.end() - 1 : last.base() - 1;
    }
    return shape(*chosen);
}

std::uint64_t UnfinishedRecord::last_day(SystemTime now) const noexcept {
    const std::int64_t latest = hour_of(now);
    std::uint64_t sum = 0;
    for (const Hour& hour : hours) {
        if (hour.number > latest - std::int64_t{24}) sum += hour.times;  // a clock that was set back hides none
    }
    return sum;
}

UnfinishedRecords::UnfinishedRecords(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void UnfinishedRecords::add(const pool::QuarantineRecord& record) {
    if (!record.holder.in_transaction || !applications_doing(record.reason)) return;
    std::string application = record.holder.application;
    std::string statement = record.holder.shape;
    shorten(application, max_name);
    shorten(statement, max_statement);
    const std::lock_guard lock(mutex_);
    const auto same = std::ranges::find_if(records_, [&](const UnfinishedRecord& one) {
        return one.pool == record.pool && one.application == application && one.statement == statement;
    });
    if (same == records_.end()) {
        records_.emplace_back();
        records_.back().pool = record.pool;
        records_.back().application = std::move(application);
        records_.back().statement = std::move(statement);
        if (records_.size() > capacity_) records_.pop_front();
    } else {
        records_.splice(records_.end(), records_, same);
    }
    note(records_.back(), record);
}

std::vector<UnfinishedRecord> UnfinishedRecords::snapshot() const {
    std::vector<UnfinishedRecord> all;
    {
        const std::lock_guard lock(mutex_);
        all.assign(records_.rbegin(), records_.rend());
    }
    std::ranges::stable_sort(all, std::ranges::greater(), &UnfinishedRecord::times);
    return all;
}

UnfinishedRecords& unfinished_records() {
    static UnfinishedRecords& all = *new UnfinishedRecords;
    return all;
}

}  // namespace leasehold::daemon::admin
