// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/align.hpp"

namespace leasehold::postgres {

Align::Align(const Settings& held, const Settings& wanted)
    : Round(diff_sql(held, wanted), wire::errc::settings_refused) {}

std::error_code Align::judge() {
    if (tag() != "SELECT 1" && tag() != "RESET") {
        diagnostics_ = {"08P01", 0, "the reply does not answer the settings", false};
        return wire::errc::protocol_violation;
    }
    return must_be_idle();
}

}  // namespace leasehold::postgres
