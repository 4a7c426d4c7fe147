// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/reset.hpp"

namespace leasehold::mysql {

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
