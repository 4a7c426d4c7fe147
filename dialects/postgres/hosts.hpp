// SPDX-License-Identifier: Apache-2.0
// Several servers behind one URL: which of them will do (TargetSession, libpq's target_session_attrs), and which speak an
// old protocol. In which order they are tried is wire/hosts' business. No I/O here.
#pragma once

#include "dialects/postgres/round.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace leasehold::postgres {

// Servers that refuse something new in a startup packet (protocol 3.2, say), by "host:port", for all pools of the process.
// Thread-safe. Its size is that of the configuration: only names of URLs come here.
class OldServers {
  public:
    using Time = std::chrono::steady_clock::time_point;
    // Believed for an hour, as it may be a new server by then.
    void note_old(const std::string& host, Time now);
    [[nodiscard]] bool found_old(const std::string& host, Time now) const;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, Time> until_;
};
[[nodiscard]] OldServers& old_servers();

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
