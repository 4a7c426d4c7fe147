// SPDX-License-Identifier: Apache-2.0
// The tracker's half of binary prepared statements: COM_STMT_PREPARE, EXECUTE, FETCH, RESET, CLOSE, SEND_LONG_DATA.
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {
Tracker::Step Tracker::on_prepare(Incoming& packet) {
    const Statement* statement = scan(packet);
    if (statement == nullptr) return Step::wait;
    if (statement->kill) {
        return answer(packet, Fault::not_supported, "KILL is not supported yet: the numbers are not the server's");
    }
    if (statement->begins && options_.mode == wire::LeaseMode::statement) return answer(packet, Fault::begin_refused);
    if (prepared_.full()) return answer(packet, Fault::too_many_statements);
    if (!attached()) return want_lease(packet);
    if (!in_transaction()) transcript_.clear();
    transcript_.add(wire::as_text(packet.visible().subspan(1)));
    Statement taken = std::move(*scanned_);
    scanned_.reset();
    prepared_inserts_ = prepared_inserts_ || taken.may_insert;
    make_opaque(taken);
    return forward(packet, Shape::prepare, std::move(taken));
}

Tracker::Step Tracker::on_statement_command(Incoming& packet) {
    // Without a lease there is no statement; to a backend its number could be anybody's.
    if (!attached()) return answer(packet, Fault::unknown_statement);
    Statement statement;
    statement.may_commit = true;
    statement.may_insert = statement.calls = prepared_inserts_;
    switch (packet.command) {
        case Command::stmt_execute: return forward(packet, Shape::query, std::move(statement));
        case Command::stmt_fetch: return forward(packet, Shape::fetch, {});
        default: return forward(packet, Shape::simple, {});
    }
}

Tracker::Step Tracker::on_without_reply(Incoming& packet) {
    if (!attached()) return answer(packet, {Answer::Kind::nothing, {}, false});
    if (packet.command == Command::stmt_close) {
        if (!packet.whole())
            return packet.header.length > 16 ? answer(packet, {Answer::Kind::nothing, {}, false}) : Step::wait;
        wire::Cursor cursor(packet.visible().subspan(1));
        const std::uint32_t statement = cursor.u32le();
        if (cursor.ok()) prepared_.close(statement);
    }
    const std::size_t n = header_size + packet.visible().size();
    packet.to_backend.pass(packet.in.subspan(packet.at, n));
    packet.at += n;
    body_ = {static_cast<std::uint32_t>(packet.header.length + header_size - n), packet.header.continues(), false};
    lease_->half_sent = receiving();
    return Step::taken;
}

}  // namespace leasehold::mysql
