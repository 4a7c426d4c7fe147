// SPDX-License-Identifier: Apache-2.0
// What each statement of a text does to settings and savepoints, once the server has said that it is done: SET, RESET,
// set_config() with constants, SAVEPOINT and what undoes it. Read to the last byte, or not at all. Pure.
#pragma once

#include "dialects/postgres/assignment.hpp"
#include "dialects/postgres/digest.hpp"

namespace leasehold::postgres {

struct SettingStep {
    enum class Kind : std::uint8_t { other, assign, reset_all, savepoint, rollback_to, release };
    Kind kind = Kind::other;
    std::string_view tag{};  // of its CommandComplete; empty: whatever comes
    Assignments assigns{};   // in order
    std::string savepoint{};
    std::vector<std::string> locals{};        // settings that it sets up to the transaction's end, ...
    std::vector<std::string> local_resets{};  // ... of these to what the session began with
    std::size_t begin = 0, end = 0;           // where it stands in the text, without its semicolon
    bool last = false;                        // which has none
    bool own = false;                         // of leasehold's: the client is told nothing of it
    bool unknown = false;                     // what it does to settings or savepoints is not understood
};
using SettingSteps = std::vector<SettingStep>;
[[nodiscard]] bool understood(const SettingSteps& steps) noexcept;

// A step for each statement that the server answers. Nothing: there are too many.
[[nodiscard]] std::optional<SettingSteps> read_setting_steps(std::string_view sql, bool conforming, Carried carried,
                                                             const void* context);

}  // namespace leasehold::postgres
