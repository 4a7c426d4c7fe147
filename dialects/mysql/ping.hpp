// SPDX-License-Identifier: Apache-2.0
// Is the server there, and does it say "no transaction"? COM_PING: it touches neither warnings nor transactions.
#pragma once

#include "dialects/mysql/round.hpp"

namespace leasehold::mysql {

class Ping final : public wire::Exchange {
  public:
    explicit Ping(bool deprecate_eof);
    // errc::protocol_violation when the server answers from within a transaction.
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    [[nodiscard]] std::uint16_t status() const noexcept { return round_.status(); }

  private:
    Round round_;
};

}  // namespace leasehold::mysql
