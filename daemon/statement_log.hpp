// SPDX-License-Identifier: Apache-2.0
// One session's statements in the log: all of them where its pool's `echo` asks for that, and those that took
// log.slow_statement or longer. Always one line each, with literals masked; values of bound parameters are never looked at.
#pragma once

#include "daemon/home.hpp"
#include "dialects/wire/observed.hpp"

#include <deque>
#include <string>

namespace leasehold::daemon {

// Whether somebody wants to know of the statements of this pool's sessions.
[[nodiscard]] bool logs_statements(const Home& home) noexcept;

class StatementLog final : public wire::StatementObserver {
  public:
    // All of them outlive it.
    StatementLog(const Home& home, const wire::Tracker& tracker, std::uint64_t session, const std::string& user,
                 const std::string& client);
    void began(const Begun& statement) override;
    void ended(End how, std::string_view error) override;

  private:
    struct Running {
        wire::Clock::time_point since{};
        Kind kind = Kind::query;
        std::size_t length = 0;
        std::string text;
    };
    void write(const Running& statement, wire::Clock::duration took, End how, std::string_view error) const;

    const Home& home_;
    const wire::Tracker& tracker_;
    const std::uint64_t session_;
    const std::string& user_;
    const std::string& client_;
    std::deque<Running> running_;           // oldest first
    std::size_t held_ = 0;                  // bytes of their texts
    wire::Clock::time_point free_since_{};  // the server has been done with what was in front of the oldest one
};

}  // namespace leasehold::daemon
