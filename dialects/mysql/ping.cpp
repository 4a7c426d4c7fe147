// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/ping.hpp"

namespace leasehold::mysql {

Ping::Ping(bool deprecate_eof) : round_(deprecate_eof) { round_.command(Command::ping); }

wire::Action Ping::resume(Bytes input, std::error_code ec) {
    wire::Action action = round_.resume(input, ec);
    if (action.kind != wire::Action::Kind::done) return action;
    diagnostics_ = round_.diagnostics();
    if (!action.error && (round_.status() & status::in_transaction) != 0) {
        diagnostics_.message = "the server is still in a transaction";
        action.error = make_error_code(wire::errc::protocol_violation);
    }
    return action;
}

}  // namespace leasehold::mysql
