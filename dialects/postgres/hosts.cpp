// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/hosts.hpp"

#include <algorithm>
#include <array>

namespace leasehold::postgres {
namespace {

using Time = HostTable::Time;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 10s;
constexpr double jitter = 0.2;
constexpr auto old_for = 1h;

constexpr std::array<std::string_view, 6> words{"any",     "read-write", "read-only",
                                                "primary", "standby",    "prefer-standby"};

}  // namespace

HostTable::HostTable(std::function<double()> uniform) : random_(std::random_device{}()), uniform_(std::move(uniform)) {
    if (!uniform_) uniform_ = [this] { return std::uniform_real_distribution<double>(-1, 1)(random_); };
}

void HostTable::failed(const std::string& host, Time now, Clock::duration spent) {
    const std::lock_guard lock(mutex_);
    Known& known = known_[host];
    // Attempts made side by side are one failure.
    if (now < known.due && spent < longest_pause) {
        known.due = std::max(known.due, now + std::min<Clock::duration>(4 * spent, longest_pause));
        return;
    }
    const Clock::duration doubled = first_pause * (1 << std::min(known.failures, 7));
    known.failures = std::min(known.failures + 1, 1000);
    const auto pause = std::min<Clock::duration>(std::max<Clock::duration>(doubled, 4 * spent), longest_pause);
    known.due = now + std::chrono::duration_cast<Clock::duration>(pause * (1 + jitter * uniform_()));
}

void HostTable::answered(const std::string& host) {
    const std::lock_guard lock(mutex_);
    const auto at = known_.find(host);
    if (at == known_.end()) return;
    at->second.failures = 0;
    at->second.due = {};
}

Time HostTable::due(const std::string& host) const {
    const std::lock_guard lock(mutex_);
    const auto at = known_.find(host);
    return at == known_.end() ? Time{} : at->second.due;
}

void HostTable::speaks_only_3_0(const std::string& host, Time now) {
    const std::lock_guard lock(mutex_);
    known_[host].only_3_0_until = now + old_for;
}

bool HostTable::only_3_0(const std::string& host, Time now) const {
    const std::lock_guard lock(mutex_);
    const auto at = known_.find(host);
    return at != known_.end() && now < at->second.only_3_0_until;
}

std::vector<HostTable::Turn> HostTable::turns(std::span<const std::string> hosts, Time now) const {
    std::vector<Turn> turns;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        turns.push_back({i, hosts.size() == 1 ? now : std::max(due(hosts[i]), now)});
    }
    std::stable_sort(turns.begin(), turns.end(),
                     [](const Turn& a, const Turn& b) { return a.not_before < b.not_before; });
    return turns;
}

HostTable& host_table() {
    static HostTable table;
    return table;
}

Time share(Time now, Time deadline, std::size_t left) noexcept {
    if (left <= 1 || deadline <= now) return deadline;
    return now + (deadline - now) / static_cast<Time::rep>(left);
}

TargetSession target_session(std::string_view word) noexcept {
    const auto at = std::find(words.begin(), words.end(), word);
    return at == words.end() ? TargetSession::any : static_cast<TargetSession>(at - words.begin());
}

Fit judge(TargetSession wanted, const ServerRole& role) noexcept {
    switch (wanted) {
        case TargetSession::any: return Fit::fits;
        case TargetSession::read_write:
        case TargetSession::read_only: {
            if (role.in_hot_standby.empty() || role.default_transaction_read_only.empty()) return Fit::ask_read_only;
            const bool read_only = role.in_hot_standby == "on" || role.default_transaction_read_only == "on";
            return judge(wanted, read_only) ? Fit::fits : Fit::unfit;
        }
        case TargetSession::primary:
        case TargetSession::standby:
        case TargetSession::prefer_standby: break;
    }
    if (role.in_hot_standby.empty()) return Fit::ask_recovery;
    return judge(wanted, role.in_hot_standby == "on") ? Fit::fits : Fit::unfit;
}

bool judge(TargetSession wanted, bool answer) noexcept {
    switch (wanted) {
        case TargetSession::any: return true;
        case TargetSession::read_write:
        case TargetSession::primary: return !answer;
        case TargetSession::read_only:
        case TargetSession::standby:
        case TargetSession::prefer_standby: break;
    }
    return answer;
}

std::string_view unfit_because(TargetSession wanted) noexcept {
    switch (wanted) {
        case TargetSession::any: break;
        case TargetSession::read_write: return "its sessions are read-only (target_session_attrs=read-write)";
        case TargetSession::read_only: return "its sessions are not read-only (target_session_attrs=read-only)";
        case TargetSession::primary: return "the server is a standby (target_session_attrs=primary)";
        case TargetSession::standby: return "the server is no standby (target_session_attrs=standby)";
        case TargetSession::prefer_standby: return "the server is no standby (target_session_attrs=prefer-standby)";
    }
    return {};
}

// The count of rows in the command tag is the answer: no row has to be read.
AskRole::AskRole(Fit question)
    : Round(question == Fit::ask_read_only ? "SELECT 1 WHERE pg_catalog.current_setting('transaction_read_only') = 'on'"
                                           : "SELECT 1 WHERE pg_catalog.pg_is_in_recovery()") {}

std::error_code AskRole::judge() {
    if (tag() != "SELECT 1" && tag() != "SELECT 0") {
        diagnostics_ = {"08P01", 0, "the reply does not answer what was asked", false};
        return wire::errc::protocol_violation;
    }
    answer_ = tag() == "SELECT 1";
    return must_be_idle();
}

}  // namespace leasehold::postgres
