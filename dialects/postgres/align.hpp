// SPDX-License-Identifier: Apache-2.0
// Makes a backend hold a session's settings before anything of the session is written to it.
#pragma once

#include "dialects/postgres/round.hpp"
#include "dialects/postgres/settings.hpp"

namespace leasehold::postgres {

// Not to be driven when held == wanted. The server's refusal ends it with errc::settings_refused and the server's
// diagnostics; the backend still holds what it held. changes() is what the server now reports.
class Align final : public Round {
  public:
    Align(const Settings& held, const Settings& wanted);

  private:
    [[nodiscard]] std::error_code judge() override;
};

}  // namespace leasehold::postgres
