// SPDX-License-Identifier: Apache-2.0
// The record of one climb over the quarantine ladder. The rungs themselves are the dialect's; here they are written
// down.
#pragma once

#include "pool/backend.hpp"
#include "pool/events.hpp"

#include <string_view>
#include <system_error>

namespace leasehold::pool {

class Climb final : public RecoverSink {
  public:
    Climb(QuarantineRecord record, Clock::time_point started);

    void rung(Rung rung, std::error_code outcome) override;

    // The end, once: "readmitted" or "closed: why".
    const QuarantineRecord& readmitted(Clock::time_point now);
    const QuarantineRecord& closed(std::string_view why, Clock::time_point now);
    // Why it failed, for closed(): the failed rung if there was one ("drain: timed out").
    [[nodiscard]] std::string failure(std::error_code error) const;

    [[nodiscard]] const QuarantineRecord& record() const noexcept { return record_; }

  private:
    QuarantineRecord record_;
    Clock::time_point started_;
    std::string failed_rung_;
};

}  // namespace leasehold::pool
