// SPDX-License-Identifier: Apache-2.0
// Ends a transaction that a session left open: COMMIT or ROLLBACK.
#pragma once

#include "dialects/postgres/round.hpp"

namespace leasehold::postgres {

// tag() tells what a COMMIT became: "ROLLBACK" when the transaction had failed.
class Finish final : public Round {
  public:
    explicit Finish(bool commit);

  private:
    [[nodiscard]] std::error_code judge() override;
};

}  // namespace leasehold::postgres
