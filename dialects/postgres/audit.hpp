// SPDX-License-Identifier: Apache-2.0
// Asks a backend, outside of a transaction, what state of a session it holds: temporary objects, advisory locks of the
// session, cursors WITH HOLD, statements prepared in SQL, channels listened to, and settings that are not as leasehold has
// set them. It answers for itself: nothing is counted here.
#pragma once

#include "dialects/postgres/hidden.hpp"
#include "dialects/postgres/lease.hpp"
#include "dialects/postgres/pins.hpp"
#include "dialects/postgres/round.hpp"

#include <optional>
#include <span>

namespace leasehold::postgres {

class Audit final : public Round {
  public:
    // The lease outlives the exchange. A server does not list custom settings (a.b): it is asked for those that the
    // text names, and the sources of these functions.
    // `along`: channels that it listens to beside the ear. `shown`: statements that it was given under the session's names.
    explicit Audit(const PostgresLease& lease, const Hidden::Suspects& suspects = {},
                   std::span<const std::string> along = {}, std::span<const std::string> shown = {});

    // With each setting that is another than the lease holds, as the server spells it, but for those that it reports.
    [[nodiscard]] const Found& found() const noexcept { return found_; }
    // What came for the client meanwhile: NotificationResponse, whole messages.
    [[nodiscard]] Bytes notifications() const noexcept { return notifications_.bytes(); }

  private:
    [[nodiscard]] std::error_code judge() override;
    [[nodiscard]] bool on_other(std::uint8_t type, Bytes body) override;
    [[nodiscard]] bool on_row(wire::Cursor& cursor);
    struct Compared;
    void compare(const Compared& each);
    [[nodiscard]] bool was_compared(std::string_view name) const noexcept;

    struct Compared {
        FoundSetting now;
        std::optional<std::string> usual;
        bool custom = false;  // that leasehold has not set, as far as the question knew
    };
    const PostgresLease& lease_;
    Found found_;
    std::optional<std::string> statement_timeout_;
    std::vector<FoundSetting> set_;  // by SET, whoever gave it; `reset`: to what is usual
    std::vector<Compared> compared_;
    unsigned answers_ = 0;
    wire::Writer notifications_;
};

}  // namespace leasehold::postgres
