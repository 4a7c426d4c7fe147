// SPDX-License-Identifier: Apache-2.0
// Asking a PostgreSQL server about itself as an ordinary client, through libpq. Blocking: control threads only.
#pragma once

#include "dialects/dialect.hpp"

namespace leasehold::postgres {

class Control final : public dialects::Control {
  public:
    [[nodiscard]] dialects::ServerReport report(const config::Url& url, std::chrono::seconds timeout) override;
    [[nodiscard]] dialects::OrphansEnded end_orphans(const config::Url& url,
                                                     const std::vector<dialects::Orphan>& orphans,
                                                     std::chrono::seconds timeout) override;
};

}  // namespace leasehold::postgres
