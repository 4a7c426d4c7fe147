// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/hosts.hpp"

#include <algorithm>

namespace leasehold::wire {
namespace {

using Time = HostTable::Time;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 10s;
constexpr double jitter = 0.2;

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

}  // namespace leasehold::wire
