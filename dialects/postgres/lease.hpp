// SPDX-License-Identifier: Apache-2.0
// What is known of one backend between and during leases: the settings, parameters and statements it holds, and how far
// a conversation had come that broke off. The tracker writes it while attached; the backend's own exchanges otherwise.
#pragma once

#include "dialects/postgres/drain.hpp"
#include "dialects/postgres/numbers.hpp"
#include "dialects/postgres/prepared.hpp"
#include "dialects/postgres/settings.hpp"
#include "dialects/wire/tracker.hpp"

namespace leasehold::postgres {

// Whose unnamed statement a backend holds; {0, 0}: none.
struct UnnamedOwner {
    std::uint64_t session = 0;
    std::uint64_t serial = 0;
    friend bool operator==(const UnnamedOwner&, const UnnamedOwner&) = default;
};
inline constexpr UnnamedOwner nobodys_unnamed{0, 1};  // one of ours: no session has that number

struct PostgresLease final : wire::LeaseState {
    static constexpr std::size_t max_reported = 256;
    explicit PostgresLease(std::size_t prepared_per_backend) : statements(prepared_per_backend) {}

    Settings held;      // set beyond the backend's defaults; what align() compares with the session's settings
    Settings reported;  // every ParameterStatus as it stands
    Settings defaults;  // every ParameterStatus as it stood after the login: what RESET ALL goes back to
    HeldStatements statements;
    UnnamedOwner unnamed;
    NumbersOwner numbers;
    std::shared_ptr<SequencesAsked> asked{};  // of its pool; null: of nobody's
    char status = 'I';                        // of the last ReadyForQuery
    bool dirty = false;                       // session state that DISCARD ALL must remove
    bool along = false;                       // it listens beside the ear: UNLISTEN * ends that, as DISCARD ALL does
    bool seeded = false;                      // random() goes on as a session has begun it: DISCARD ALL leaves that
    Unfinished unfinished;
    std::uint64_t half_sent = 0;  // bytes due of a message to the server whose beginning was sent: nothing can follow

    // Keeps shared texts alive while backends hold them.
    std::shared_ptr<StatementCache> cache;

    // A ParameterStatus came, in a lease or outside of one.
    void report(std::string_view name, std::string_view value) {
        // Some twenty are reported; a server that invents names is not listened to for ever.
        if (reported.size() >= max_reported && !reported.contains(name)) return;
        reported.set(name, value);
        if (!is_carriable(name)) return;
        const auto usual = defaults.find(name);
        if (usual && *usual == value) {
            held.erase(name);
        } else {
            held.set(name, value);
        }
    }
    // What stands of what it reported, where `held` was cleared without a report.
    void recount() {
        for (const Settings::Setting& each : reported) {
            const auto usual = defaults.find(each.name);
            if (is_carriable(each.name) && !(usual && *usual == each.value)) held.set(each.name, each.value);
        }
    }
    // DISCARD ALL was done.
    void forget() {
        held.clear();
        statements.clear();
        unnamed = {};
        numbers = {};
        dirty = along = false;
    }
    // Replies, bodies or copies are unfinished.
    [[nodiscard]] bool outstanding() const noexcept {
        return !unfinished.requests.empty() || unfinished.without_sync || unfinished.copy_in;
    }
    [[nodiscard]] bool half_message() const noexcept { return unfinished.body_left > 0 || half_sent > 0; }
};

}  // namespace leasehold::postgres
