// SPDX-License-Identifier: Apache-2.0
// Ends a transaction that a session left open: COMMIT or ROLLBACK, and no transaction after it.
#pragma once

#include "dialects/mysql/round.hpp"

namespace leasehold::mysql {

class Finish final : public wire::Exchange {
  public:
    Finish(bool commit, bool deprecate_eof);
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    [[nodiscard]] std::uint16_t status() const noexcept { return round_.status(); }

  private:
    Round round_;
};

}  // namespace leasehold::mysql
