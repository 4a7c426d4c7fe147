// SPDX-License-Identifier: Apache-2.0
// Reports on a server as an ordinary client of it, by the vendor's library.
#pragma once

#include "dialects/dialect.hpp"

namespace leasehold::mysql {

class Control final : public dialects::Control {
  public:
    [[nodiscard]] dialects::ServerReport report(const config::Url& url, std::chrono::seconds timeout) override;
    [[nodiscard]] dialects::OrphansEnded end_orphans(const config::Url& url,
                                                     const std::vector<dialects::Orphan>& orphans,
                                                     std::chrono::seconds timeout) override;
};

}  // namespace leasehold::mysql
