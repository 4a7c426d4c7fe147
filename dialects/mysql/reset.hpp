// SPDX-License-Identifier: Apache-2.0
// Removes every trace of a session but the current database: COM_RESET_CONNECTION. Temporary tables, locks, user
// variables, prepared statements and settings go; an open transaction is rolled back. In the same round the connection
// is told what it forgets of its login.
#pragma once

#include "dialects/mysql/round.hpp"

#include <span>
#include <string>

namespace leasehold::mysql {

// Neither server's COM_RESET_CONNECTION ends a SET ROLE, nor does MariaDB's COM_CHANGE_USER: a statement that fails where
// another role is in effect than after the login, and is nothing to servers without roles.
[[nodiscard]] std::string role_check(bool mariadb, std::string_view login_role = {});

class Reset final : public wire::Exchange {
  public:
    explicit Reset(bool deprecate_eof, std::span<const std::string> then = {});
    // errc::protocol_violation when a transaction is open even then.
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    [[nodiscard]] std::uint16_t status() const noexcept { return round_.status(); }

  private:
    Round round_;
};

}  // namespace leasehold::mysql
