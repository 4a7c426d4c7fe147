// SPDX-License-Identifier: Apache-2.0
// Removes every trace of a session from its backend: DISCARD ALL. Settings go back to what the backend's own login
// asked for; prepared statements, temporary tables, locks, cursors and listens are gone.
#pragma once

#include "dialects/postgres/round.hpp"

namespace leasehold::postgres {

class Reset final : public Round {
  public:
    Reset();

  private:
    [[nodiscard]] std::error_code judge() override;
};

// Of a backend on which nothing is left but that it listens.
class Unlisten final : public Round {
  public:
    Unlisten();

  private:
    [[nodiscard]] std::error_code judge() override;
};

// Makes random() what nobody can foretell again.
class Reseed final : public Round {
  public:
    Reseed();

  private:
    [[nodiscard]] std::error_code judge() override;
};

}  // namespace leasehold::postgres
