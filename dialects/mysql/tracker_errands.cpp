// SPDX-License-Identifier: Apache-2.0
// The tracker's half of what concerns the session as such: KILL, a login anew, a reset, and which number the session has.
// What only the daemon can do is described here and done there.
#include "dialects/mysql/connection_id.hpp"
#include "dialects/mysql/tracker.hpp"

#include <limits>

namespace leasehold::mysql {
namespace {

// A text with CONNECTION_ID() in it that is longer is passed on as it is.
constexpr std::uint32_t max_renumbered = 16 * 1024;
// The attributes of a connection have up to 64 KiB.
constexpr std::uint32_t max_change_user = 128 * 1024;

}  // namespace

// The request is read to its end and answered when the daemon has done it.
Tracker::Step Tracker::send_on_errand(Incoming& packet, wire::Errand errand) {
    packet.at += header_size + packet.visible().size();
    scanned_.reset();
    lexer_.reset();
    reply_sequence_ = static_cast<std::uint8_t>(packet.header.sequence + 1);
    errand_ = std::move(errand);
    return Step::errand;
}

wire::Aftermath Tracker::carried_out(const wire::Diagnostics* error, wire::Outbox& to_client) {
    errand_ = {};
    if (error == nullptr) {
        write({}, reply_sequence_, to_client);
    } else {
        write({Answer::Kind::error, *error, false}, reply_sequence_, to_client);
    }
    return wire::Aftermath::lives;
}

Tracker::Step Tracker::on_kill(Incoming& packet, const Kill& kill) {
    if (!packet.whole() || scanned_->count != 1)
        return answer(packet, Fault::not_supported, "KILL has to be a statement of its own here");
    if (!kill.objection.empty()) return answer(packet, Fault::not_supported, kill.objection);
    const bool itself = kill.itself || (kill.number == options_.number && options_.number != 0);
    if (itself) return answer(packet, kill.query ? Fault::query_cancelled : Fault::killed);
    if (kill.number > std::numeric_limits<std::uint32_t>::max())
        return answer(packet, Fault::unknown_thread, std::to_string(kill.number));
    const auto kind = kill.query ? wire::Errand::Kind::cancel : wire::Errand::Kind::kill;
    return send_on_errand(packet, {kind, static_cast<std::uint32_t>(kill.number), {}});
}

Tracker::Step Tracker::on_process_kill(Incoming& packet) {
    if (packet.header.length != 5) return answer(packet, Fault::unknown_command);
    if (!packet.whole()) return Step::wait;
    wire::Cursor cursor(packet.visible().subspan(1));
    const std::uint32_t number = cursor.u32le();
    if (number == options_.number && number != 0) return answer(packet, Fault::killed);
    return send_on_errand(packet, {wire::Errand::Kind::kill, number, {}});
}

Tracker::Step Tracker::on_change_user(Incoming& packet) {
    if (packet.header.length > max_change_user) return answer(packet, Fault::packet_too_large);
    if (!packet.whole()) return Step::wait;
    const Bytes request = packet.visible().subspan(1);
    if (!parse_change_user(request, options_.capabilities)) return answer(packet, Fault::unknown_command);
    return send_on_errand(packet, {wire::Errand::Kind::log_in_again, 0, std::string(wire::as_text(request))});
}

// The session is as after its login. Its backend is not asked: it goes back to the pool, which rolls back and resets
// what there is.
Tracker::Step Tracker::on_reset_connection(Incoming& packet) {
    const bool leased = attached();
    if (leased) {
        if (dirty()) lease_->dirty = true;
        // What an error may have ended counts as open until somebody has looked.
        if (unsure()) lease_->status |= status::in_transaction;
        savepoint_open_ = state_unknown_ = suspect_ = settles_ = false;
        session_pinned_ = false;
    }
    reset_session();
    const Step step = answer(packet, Answer{});
    return leased && step == Step::taken ? Step::boundary : step;
}

// --- its number ------------------------------------------------------------------------------------------------

std::optional<Tracker::Step> Tracker::with_number(Incoming& packet, Read read) {
    const bool certain = packet.whole() && packet.header.length <= max_renumbered && options_.number != 0 &&
                         !is_unsafe_charset(options_.charset);
    if (!certain) return std::nullopt;
    const std::string_view sql = wire::as_text(packet.visible().subspan(1));
    const std::optional<std::string> text = with_connection_id(sql, options_.number, lex_mode());
    if (!text) return std::nullopt;
    wire::Writer made;
    const std::size_t mark = begin_packet(made, packet.header.sequence);
    made.u8(static_cast<std::uint8_t>(packet.command));
    made.text(*text);
    end_packet(made, mark);
    renumbered_.assign(made.bytes().begin(), made.bytes().end());
    scanned_.reset();
    std::size_t at = 0;
    Incoming other{
        renumbered_, at,          header_of(renumbered_), packet.command, packet.to_backend, packet.to_client,
        nullptr,     packet.plain};
    const Step step = (this->*read)(other);
    if (at == 0) {
        scanned_.reset();  // read again, when it is presented again
    } else {
        packet.at += header_size + packet.visible().size();
    }
    return step;
}

}  // namespace leasehold::mysql
