// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/align.hpp"

namespace leasehold::mysql {

Align::Align(const Alignment& plan, bool deprecate_eof) : round_(deprecate_eof) {
    std::size_t commands = 0;
    if (plan.reset && !plan.no_database) {
        round_.command(Command::reset_connection);
        ++commands;
    }
    if (plan.multi_statements) {
        // A 16-bit number: 0 switches them on, 1 off.
        round_.command(Command::set_option, std::string_view(*plan.multi_statements ? "\0\0" : "\1\0", 2));
        ++commands;
    }
    if (!plan.role.empty()) {
        round_.command(Command::query, plan.role);
        role_at_ = commands++;
    }
    // SET CHARACTER SET takes the current database's character set. A refusal of it leaves the rest done.
    if (plan.database) {
        round_.command(Command::init_db, *plan.database);
        database_at_ = commands++;
    }
    const auto run = [&](std::string_view sql) {
        if (sql.empty()) return;
        round_.command(Command::query, sql);
        ++commands;
    };
    run(plan.restoring);
    if (plan.charset) {
        charset_at_ = commands;
        for (const std::string& sql : charset_statements(*plan.charset)) run(sql);
    }
    run(plan.sql);
    run(plan.track);  // the session's own wishes must not blind leasehold
    run(plan.users);
}

wire::Action Align::resume(Bytes input, std::error_code ec) {
    wire::Action action = round_.resume(input, ec);
    if (action.kind != wire::Action::Kind::done) return action;
    diagnostics_ = round_.diagnostics();
    if (action.error == wire::errc::server_error) {
        database_refused_ = round_.failed_at() == database_at_;
        role_refused_ = round_.failed_at() == role_at_;
        charset_refused_ = round_.failed_at() == charset_at_;
        action.error = make_error_code(wire::errc::settings_refused);
    }
    return action;
}

}  // namespace leasehold::mysql
