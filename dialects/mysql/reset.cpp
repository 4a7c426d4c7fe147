// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/reset.hpp"

namespace leasehold::mysql {

// A variable gets the value that it has, or one that it cannot have. (A SELECT would be what FOUND_ROWS() tells of, and
// MariaDB's DO makes a warning of every error.)
std::string role_check(bool mariadb, std::string_view login_role) {
    const bool plain =
        login_role.find_first_of("'\\") == std::string_view::npos && login_role.find("*/") == std::string_view::npos;
    const std::string version = mariadb ? "/*M!100005 " : "/*!80000 ";
    std::string sql = "SET lc_time_names=" + version + "IF(";
    if (mariadb && login_role.empty()) {
        sql += "CURRENT_ROLE() IS NULL";
    } else {
        // One that cannot be written down is never the one that is left.
        ((sql += "CURRENT_ROLE()='") += login_role.empty() ? "NONE" : plain ? login_role : "") += '\'';
    }
    sql += ",*/@@lc_time_names";
    return (sql += version) += ",'a role is left')*/";
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
