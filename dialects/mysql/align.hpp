// SPDX-License-Identifier: Apache-2.0
// Makes a backend hold a session's settings before anything of the session is written to it.
#pragma once

#include "dialects/mysql/round.hpp"
#include "dialects/mysql/settings.hpp"

namespace leasehold::mysql {

// Reset, current database, character set and SET of a plan in one round; forgetting a database is ChangeUser's. Ends with
// errc::settings_refused and the server's diagnostics when one of them fails.
class Align final : public wire::Exchange {
  public:
    Align(const Alignment& plan, bool deprecate_eof);
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    // The refusal was of the database: it is gone, or not for this user.
    [[nodiscard]] bool database_refused() const noexcept { return database_refused_; }
    // ... was of the handshake's character set: the server does not know its number.
    [[nodiscard]] bool charset_refused() const noexcept { return charset_refused_; }
    // ... of SET ROLE: the role is gone, or granted no more.
    [[nodiscard]] bool role_refused() const noexcept { return role_refused_; }
    [[nodiscard]] std::uint16_t status() const noexcept { return round_.status(); }

  private:
    Round round_;
    std::size_t database_at_ = SIZE_MAX, charset_at_ = SIZE_MAX, role_at_ = SIZE_MAX;
    bool database_refused_ = false, charset_refused_ = false, role_refused_ = false;
};

}  // namespace leasehold::mysql
