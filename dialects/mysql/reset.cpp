// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/reset.hpp"

namespace leasehold::mysql {

std::string_view role_check(bool mariadb) noexcept {
    // A variable gets the value that it has, or one that it cannot have. (A SELECT would be what FOUND_ROWS() tells of, and
    // MariaDB's DO makes a warning of every error.)
    return mariadb
               ? "SET lc_time_names=/*M!100005 IF(CURRENT_ROLE() IS NULL,*/@@lc_time_names/*M!100005 ,'a role is "
                 "left')*/"
               : "SET lc_time_names=/*!80000 IF(CURRENT_ROLE()='NONE',*/@@lc_time_names/*!80000 ,'a role is left')*/";
}

Reset::Reset(bool deprecate_eof, std::span<const std::string> then) : round_(deprecate_eof) {
    round_.command(Command::reset_connection);
    for (const std::string& sql : then) round_.command(Command::query, sql);
}

wire::Action Reset::resume(Bytes input, std::error_code ec) {
    wire::Action action = round_.resume(input, ec);
    if (action.kind != wire::Action::Kind::done) return action;
    diagnostics_ = round_.diagnostics();
    if (!action.error && (round_.status() & status::in_transaction) != 0) {
        diagnostics_.message = "the server is in a transaction after a reset";
        action.error = make_error_code(wire::errc::protocol_violation);
    }
    return action;
}

}  // namespace leasehold::mysql
