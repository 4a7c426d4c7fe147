// SPDX-License-Identifier: Apache-2.0
// The settings that a session changes in a transaction, by the server's own rules: what ROLLBACK and ROLLBACK TO undo,
// what COMMIT keeps. What SET LOCAL sets needs no record: it ends with the transaction and hides, but does not change,
// what lasts. Pure.
#pragma once

#include "dialects/postgres/assignment.hpp"
#include "dialects/postgres/settings.hpp"

#include <iterator>
#include <vector>

namespace leasehold::postgres {

// The latest savepoint of that name; the end: there is none.
template <class Savepoint>
[[nodiscard]] auto latest(std::vector<Savepoint>& savepoints, std::string_view name) {
    auto at = savepoints.end();
    while (at != savepoints.begin()) {
        if (std::prev(at)->name == name) return std::prev(at);
        --at;
    }
    return savepoints.end();
}

class SettingLog {
  public:
    // What can be undone; beyond it the log is full.
    static constexpr std::size_t most_changes = 1024, most_savepoints = 1024;

    // `session`: what the client wants to last; `backend`: what its backend has beyond its own defaults; `start`: what
    // the session began with, and goes back to; `told`: what the server reports, and so takes back by itself; `stuck`: names
    // of what has a value that no other backend can be given. All outlive the log.
    SettingLog(Settings& session, Settings& backend, const Settings& start, const Settings& told, Settings& stuck)
        : session_(session), backend_(backend), start_(start), told_(told), stuck_(stuck) {}

    void assign(const Assignment& assignment);
    // RESET ALL, which spares who the session is.
    void reset_all();
    // The backend was given what it lacked.
    void align();
    void savepoint(std::string_view name);
    void release(std::string_view name);
    void rollback_to(std::string_view name);
    void commit() noexcept;
    void roll_back();

    // Changes have been made that may be undone.
    [[nodiscard]] bool pending() const noexcept { return !changes_.empty(); }
    [[nodiscard]] bool idle() const noexcept { return changes_.empty() && savepoints_.empty(); }
    // More was done than can be undone: what the session's settings are after a rollback is not known.
    [[nodiscard]] bool full() const noexcept { return full_; }

  private:
    struct Change {
        std::string name;
        std::optional<std::string> session, backend, stuck;  // before it
    };
    struct Savepoint {
        std::string name;
        std::size_t changes = 0;  // that were made before it
    };
    [[nodiscard]] bool reported(std::string_view name) const noexcept {
        return is_carriable(name) && told_.contains(name);
    }
    [[nodiscard]] bool record(std::string_view name);
    void undo(std::size_t down_to);

    Settings& session_;
    Settings& backend_;
    const Settings& start_;
    const Settings& told_;
    Settings& stuck_;
    std::vector<Change> changes_;
    std::vector<Savepoint> savepoints_;
    bool full_ = false;
};

}  // namespace leasehold::postgres
