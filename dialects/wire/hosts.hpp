// SPDX-License-Identifier: Apache-2.0
// Several servers behind one URL: what the process remembers of each, in which order they are tried, and for how long.
// No I/O here; host_walk waits for their turns.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace leasehold::wire {

// What is known of servers by all pools of the process, by "host:port". Thread-safe. Its size is that of the
// configuration: only names of URLs come here.
class HostTable {
  public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;
    // `uniform`: a number from -1 to 1, evenly spread; for tests.
    explicit HostTable(std::function<double()> uniform = {});

    // It could not be reached or broke off, after `spent`. It is better left alone for 0.1 s, twice as long after each
    // further failure, and four times as long as the attempt took; at most 10 s, each ±20 %.
    void failed(const std::string& host, Time now, Clock::duration spent);
    void answered(const std::string& host);
    [[nodiscard]] Time due(const std::string& host) const;  // when it may be tried again; in the past: now

    // In which order to try them: in the URL's, those to be left alone last, the first due first. A single one is
    // always tried at once: its pool has a back-off of its own.
    struct Turn {
        std::size_t host = 0;
        Time not_before{};
    };
    [[nodiscard]] std::vector<Turn> turns(std::span<const std::string> hosts, Time now) const;

  private:
    struct Known {
        int failures = 0;
        Time due{};
    };
    mutable std::mutex mutex_;  // over all below
    std::map<std::string, Known> known_;
    std::minstd_rand random_;
    std::function<double()> uniform_;
};
[[nodiscard]] HostTable& host_table();

// How long one of `left` attempts may take: its share of what is left.
[[nodiscard]] HostTable::Time share(HostTable::Time now, HostTable::Time deadline, std::size_t left) noexcept;

}  // namespace leasehold::wire
