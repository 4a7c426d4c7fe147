// SPDX-License-Identifier: Apache-2.0
// The settings of a session while it has a backend: what the requests on their way will do to them, what has been done
// and may still be rolled back, and what is reset and has to come back as the client asked for it when it came. Pure.
#pragma once

#include "dialects/postgres/setting_log.hpp"
#include "dialects/postgres/setting_steps.hpp"

#include <deque>

namespace leasehold::postgres {

class SettingTrail {
  public:
    // As SettingLog.
    SettingTrail(Settings& session, Settings& backend, const Settings& start, const Settings& told)
        : start_(start), log_(session, backend, start, told) {}

    // A request was sent whose statements do this; requests are numbered as they are sent.
    void send(std::uint64_t request, SettingSteps steps);
    // The next statement of that request is done. False: it is not what was read.
    [[nodiscard]] bool complete(std::uint64_t request, std::string_view tag);
    // An error: what was done since the last savepoint, or in the transaction, is undone.
    void failed();
    // ReadyForQuery answers that request; `idle`: no transaction is open any more.
    void ready(std::uint64_t request, bool idle, bool failed);
    // The backend was given what it lacked, in the transaction if one is open.
    void aligned(bool idle) {
        log_.align(hidden_);
        if (idle) log_.commit();
    }
    // What was not committed is undone: the backend is gone.
    void roll_back() { log_.roll_back(); }
    // DISCARD ALL is done.
    void forget() noexcept {
        commit();
        reset_.clear();
        kept_.clear();
    }
    // Savepoints are made or undone that are not known here: what follows up to the transaction's end is not either.
    void lose_sight() noexcept { blind_ = true; }

    // What the client is to see where the server, carrying out that request, reports what it has reset.
    [[nodiscard]] std::optional<std::string_view> restored(std::uint64_t request, std::string_view name) const noexcept;
    // The transaction is over: what it has hidden comes to light.
    void uncover() noexcept { hidden_.clear(); }
    // What was reset and then set up to the transaction's end: to bring it back would uncover it.
    [[nodiscard]] const Settings& hidden() const noexcept { return hidden_; }
    // A request is on its way that resets what the client asked for when it came.
    [[nodiscard]] bool resetting() const noexcept { return resetting_ > ready_; }
    // What was done may still be undone.
    [[nodiscard]] bool pending() const noexcept { return log_.pending(); }
    // Nothing that is on its way or done may still change what lasts.
    [[nodiscard]] bool settled() const noexcept { return sent_.empty() && !log_.pending(); }
    [[nodiscard]] bool idle() const noexcept { return sent_.empty() && log_.idle() && !blind_ && reset_.empty(); }
    [[nodiscard]] bool blind() const noexcept { return blind_ || log_.full(); }
    // How many settings the requests on their way may add.
    [[nodiscard]] std::size_t underway() const noexcept { return underway_; }
    [[nodiscard]] std::size_t requests() const noexcept { return sent_.size(); }
    [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

  private:
    struct Sent {
        std::uint64_t request = 0;
        SettingSteps steps;
        std::size_t next = 0;
    };
    [[nodiscard]] bool resets(const SettingStep& step, std::string_view name) const noexcept;
    void drop_front() noexcept;
    void carry_out(const SettingStep& step);

    const Settings& start_;
    SettingLog log_;
    std::deque<Sent> sent_;
    struct Savepoint {
        std::string name;
        Settings reset, hidden;
    };
    void commit() noexcept;
    void undo();

    Settings reset_;   // what the transaction has reset: with the value that the client began with
    Settings hidden_;  // and set once more up to its end
    Settings kept_;    // what was reset and committed in front of it
    std::vector<Savepoint> savepoints_;
    bool failed_ = false;
    std::uint64_t resetting_ = 0, ready_ = 0;
    std::size_t underway_ = 0, steps_ = 0;
    bool blind_ = false;
};

}  // namespace leasehold::postgres
