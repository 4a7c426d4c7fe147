// SPDX-License-Identifier: Apache-2.0
// Whether a backend answers and is in no transaction: an empty query, which costs the server next to nothing.
#pragma once

#include "dialects/postgres/round.hpp"

namespace leasehold::postgres {

class Ping final : public Round {
  public:
    Ping();

  private:
    [[nodiscard]] std::error_code judge() override;
};

}  // namespace leasehold::postgres
