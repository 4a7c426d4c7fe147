// SPDX-License-Identifier: Apache-2.0
// The settings of a session while it has a backend: what the requests on their way will do to them, and what has been done
// and may still be rolled back. Pure.
#pragma once

#include "dialects/postgres/restate.hpp"
#include "dialects/postgres/setting_log.hpp"

#include <deque>

namespace leasehold::postgres {

class SettingTrail {
  public:
    // As SettingLog.
    SettingTrail(Settings& session, Settings& backend, const Settings& start, const Settings& told, Settings& stuck)
        : start_(start), log_(session, backend, start, told, stuck) {}

    // A request was sent whose statements do this; requests are numbered as they are sent. `places`: how its text was
    // written anew.
    void send(std::uint64_t request, SettingSteps steps, Rewriting places = {});
    // The statement of that request which is done next is leasehold's own.
    [[nodiscard]] bool own(std::uint64_t request) const noexcept;
    // The next statement of that request is done. False: it is not what was read.
    [[nodiscard]] bool complete(std::uint64_t request, std::string_view tag);
    // An error.
    void failed() noexcept { failed_ = true; }
    // How its text was written anew; null: it was not.
    [[nodiscard]] const Rewriting* places(std::uint64_t request) const noexcept;
    // ReadyForQuery answers that request; `idle`: no transaction is open any more.
    void ready(std::uint64_t request, bool idle, bool failed);
    // The backend was given what it lacked, in the transaction if one is open.
    void aligned(bool idle) {
        log_.align();
        if (idle) log_.commit();
    }
    // What was not committed is undone: the backend is gone.
    void roll_back() { log_.roll_back(); }
    // DISCARD ALL is done.
    void forget() noexcept { log_.commit(); }
    // Savepoints are made or undone that are not known here: what follows up to the transaction's end is not either.
    void lose_sight() noexcept { blind_ = true; }

    // What the client is to see where a server before 14 reports what it resets while it carries out that request.
    [[nodiscard]] std::optional<std::string_view> restored(std::uint64_t request, std::string_view name) const noexcept;
    // What was done may still be undone.
    [[nodiscard]] bool pending() const noexcept { return log_.pending(); }
    // Nothing that is on its way or done may still change what lasts.
    [[nodiscard]] bool settled() const noexcept { return sent_.empty() && !log_.pending(); }
    [[nodiscard]] bool idle() const noexcept { return sent_.empty() && log_.idle() && !blind_; }
    [[nodiscard]] bool blind() const noexcept { return blind_ || log_.full(); }
    // How many settings the requests on their way may add.
    [[nodiscard]] std::size_t underway() const noexcept { return underway_; }
    [[nodiscard]] std::size_t requests() const noexcept { return sent_.size(); }
    [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

  private:
    struct Sent {
        std::uint64_t request = 0;
        SettingSteps steps;
        Rewriting places;
        std::size_t next = 0;
    };
    [[nodiscard]] const Sent* find(std::uint64_t request) const noexcept;
    void drop_front() noexcept;
    void carry_out(const SettingStep& step);

    const Settings& start_;
    SettingLog log_;
    std::deque<Sent> sent_;
    bool failed_ = false;
    std::size_t underway_ = 0, steps_ = 0;
    bool blind_ = false;
};

}  // namespace leasehold::postgres
