// SPDX-License-Identifier: Apache-2.0
// Several servers behind one URL: what the process remembers of each and in which order they are tried (HostTable), for
// how long, and which of them will do (TargetSession, libpq's target_session_attrs). No I/O here.
#pragma once

#include "dialects/postgres/round.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace leasehold::postgres {

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

    // It refuses a startup packet of protocol 3.2; believed for an hour, as it may be a new server by then.
    void speaks_only_3_0(const std::string& host, Time now);
    [[nodiscard]] bool only_3_0(const std::string& host, Time now) const;

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
        Time only_3_0_until{};
    };
    mutable std::mutex mutex_;  // over all below
    std::map<std::string, Known> known_;
    std::minstd_rand random_;
    std::function<double()> uniform_;
};
[[nodiscard]] HostTable& host_table();

// How long one of `left` attempts may take: its share of what is left.
[[nodiscard]] HostTable::Time share(HostTable::Time now, HostTable::Time deadline, std::size_t left) noexcept;

enum class TargetSession : std::uint8_t { any, read_write, read_only, primary, standby, prefer_standby };
[[nodiscard]] TargetSession target_session(std::string_view word) noexcept;  // any, when it is no such word

// What a server says of itself at login since version 14, "on" or "off"; empty: it did not.
struct ServerRole {
    std::string_view in_hot_standby;
    std::string_view default_transaction_read_only;
};
enum class Fit : std::uint8_t {
    fits,
    unfit,
    ask_read_only,  // whether transactions are read-only has to be asked
    ask_recovery,   // whether the server is a standby has to be asked
};
[[nodiscard]] Fit judge(TargetSession wanted, const ServerRole& role) noexcept;
// After the answer to what judge() wanted to ask. A fit for prefer_standby is a standby.
[[nodiscard]] bool judge(TargetSession wanted, bool answer) noexcept;
// "the server is a standby": why it does not fit.
[[nodiscard]] std::string_view unfit_because(TargetSession wanted) noexcept;

// Asks a server that does not say so by itself.
class AskRole final : public Round {
  public:
    explicit AskRole(Fit question);
    [[nodiscard]] bool answer() const noexcept { return answer_; }

  private:
    [[nodiscard]] std::error_code judge() override;
    bool answer_ = false;
};

}  // namespace leasehold::postgres
