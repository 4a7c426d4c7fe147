// SPDX-License-Identifier: Apache-2.0
// Asks a backend, outside of a transaction, what state of a session it holds: temporary objects, session advisory locks,
// cursors WITH HOLD, statements prepared in SQL, channels listened to. It answers for itself: nothing is counted here.
#pragma once

#include "dialects/postgres/pins.hpp"
#include "dialects/postgres/round.hpp"

namespace leasehold::postgres {

class Audit final : public Round {
  public:
    Audit();

    [[nodiscard]] const Found& found() const noexcept { return found_; }
    // What came for the client meanwhile: NotificationResponse, whole messages.
    [[nodiscard]] Bytes notifications() const noexcept { return notifications_.bytes(); }

  private:
    [[nodiscard]] std::error_code judge() override;
    [[nodiscard]] bool on_other(std::uint8_t type, Bytes body) override;

    Found found_;
    unsigned rows_ = 0;
    wire::Writer notifications_;
};

}  // namespace leasehold::postgres
