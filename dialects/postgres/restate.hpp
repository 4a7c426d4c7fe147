// SPDX-License-Identifier: Apache-2.0
// RESET, SET x TO DEFAULT and RESET ALL go back to what the session began with. A backend knows of its own defaults only:
// behind each such statement it is told the session's, by statements that the client is told nothing of. Pure.
#pragma once

#include "dialects/postgres/setting_steps.hpp"
#include "dialects/postgres/settings.hpp"
#include "dialects/postgres/sql_prepared.hpp"

namespace leasehold::postgres {

// One statement that gives the setting this value, without a row; `local`: up to the transaction's end.
[[nodiscard]] std::string setting_statement(std::string_view name, std::string_view value, bool local);

// What must be executed behind the step, so that what it resets is as the session began.
[[nodiscard]] std::vector<std::string> restoring_statements(const SettingStep& step, const Settings& start);

struct Restated {
    std::string sql{};
    SettingSteps steps{};  // leasehold's own among them
    Rewriting places{};
};
// The text with those statements in it. Nothing: it needs none.
[[nodiscard]] std::optional<Restated> restate(std::string_view sql, const SettingSteps& steps, const Settings& start);

}  // namespace leasehold::postgres
