// SPDX-License-Identifier: Apache-2.0
// The tracker's answers of its own to a client, and the client's messages that come in several packets.
#include "dialects/mysql/attributes.hpp"
#include "dialects/mysql/tracker.hpp"

#include <algorithm>

namespace leasehold::mysql {
Tracker::Step Tracker::answer(Incoming& packet, Answer answer) {
    const std::size_t n = header_size + packet.visible().size();
    const bool whole = packet.whole();
    packet.at += n;
    scanned_.reset();
    lexer_.reset();
    reply_sequence_ = static_cast<std::uint8_t>(packet.header.sequence + 1);
    if (whole) {
        write(answer, reply_sequence_, packet.to_client);
        return answer.then_fatal ? Step::fatal : Step::taken;
    }
    body_ = {packet.left_behind(n), packet.header.continues(), true};
    answer_then_ = std::move(answer);
    return Step::taken;
}

Tracker::Step Tracker::answer(Incoming& packet, Fault fault, std::string_view detail) {
    return answer(packet, {Answer::Kind::error, failure(fault, detail), scope(fault) == Scope::ends});
}

void Tracker::write(const Answer& answer, std::uint8_t sequence, wire::Outbox& to_client) const {
    Ok ok;
    // What the last reply told of its own statement, and of changes behind it, is none of this one's.
    ok.status = status_ & status::lasting;
    switch (answer.kind) {
        case Answer::Kind::ok: write_ok(to_client.own(), ok, sequence); break;
        case Answer::Kind::end_of_rows:
            write_end_of_rows(to_client.own(), ok.status, (capabilities_ & cap::deprecate_eof) != 0, sequence);
            break;
        case Answer::Kind::error: say(answer.error, sequence, to_client); break;
        case Answer::Kind::nothing: break;
    }
}

// Carries out a command of a client with QUERY_ATTRIBUTES as one without would have sent it.
Tracker::Step Tracker::without_attributes(Incoming& packet) {
    // With the parameters' types, of which there are 65535 at most. More than this is refused.
    constexpr std::size_t seen_at_most = 1024 * 1024;
    const Bytes all = packet.visible();
    const Bytes seen = all.first(std::min(all.size(), seen_at_most));
    if (!packet.whole() && seen.size() < std::min(attributes_tried_at_ * 2, seen_at_most)) return Step::wait;
    attributes_tried_at_ = 0;
    const bool executes = packet.command == Command::stmt_execute;
    Stripped stripped;
    if (executes) {
        wire::Cursor cursor(seen.subspan(1));
        std::uint32_t number = cursor.u32le();
        if (!cursor.ok() && !packet.whole()) return Step::wait;
        const ClientStatement* named = cursor.ok() ? prepared_.find(number, options_.mariadb) : nullptr;
        if (named != nullptr) stripped = strip_execute(seen, named->parameters);
    } else {
        stripped = strip_query(seen);
    }
    if (stripped.kind == Stripped::Kind::more && seen.size() == seen_at_most)
        return answer(packet, Fault::not_supported, "more than 1 MiB of query attributes");
    if (stripped.kind == Stripped::Kind::more && !packet.whole()) {
        attributes_tried_at_ = seen.size();
        return Step::wait;
    }
    if (stripped.kind != Stripped::Kind::done) return answer(packet, Fault::malformed);
    Header header = packet.header;
    // A packet of the greatest length alone says that another follows.
    if (header.continues() && !executes) stripped.beginning.resize(stripped.replaced, ' ');
    const auto less = static_cast<std::uint32_t>(stripped.replaced - stripped.beginning.size());
    if (!header.continues()) header.length -= less;
    wire::Writer begun;
    begun.u24le(header.length);
    begun.u8(header.sequence);
    begun.append(stripped.beginning);
    plain_.assign(begun.bytes().begin(), begun.bytes().end());
    const Bytes rest = all.subspan(stripped.replaced);
    plain_.insert(plain_.end(), rest.begin(), rest.end());
    std::size_t at = 0;
    const Step step = on_command({plain_, at, header, packet.command, packet.to_backend, packet.to_client, nullptr,
                                  true, header.continues() ? less : 0});
    if (at > 0) packet.at += header_size + all.size();
    return step;
}

// An error of leasehold's own says whose it is.
void Tracker::say(wire::Diagnostics error, std::uint8_t sequence, wire::Outbox& to_client) const {
    if (error.detail.empty() && !error.from_server) error.detail = options_.identity;
    write_error(to_client.own(), error, sequence);
}

// --- long messages ---------------------------------------------------------------------------------------------

void Tracker::pass_body(Bytes in, std::size_t& at, wire::Outbox& to_backend) {
    const std::size_t n = std::min<std::size_t>(body_.left, in.size() - at);
    const Bytes part = in.subspan(at, n);
    if (lexer_) lexer_->feed(part);
    if (reframe_) {
        reframe_->feed(part, to_backend);
    } else if (!body_.dropped) {
        to_backend.pass(part);
    }
    at += n;
    body_.left -= static_cast<std::uint32_t>(n);
}

// A packet that belongs to what came before it: more of a long message, or of a file.
void Tracker::pass_header(const Header& header, Bytes in, std::size_t& at, wire::Outbox& to_backend) {
    if (reframe_) {
        reframe_->packet(header, to_backend);
    } else if (!body_.dropped && infile_ && conversion_.shift() != 0) {
        to_backend.own().u24le(header.length);
        to_backend.own().u8(static_cast<std::uint8_t>(header.sequence - conversion_.shift()));
    } else if (!body_.dropped) {
        to_backend.pass(in.subspan(at, header_size));
    }
    if (!body_.continues && header.length == 0) infile_ = false;
    at += header_size;
    body_.left = header.length;
    body_.continues = header.continues();
    reply_sequence_ = static_cast<std::uint8_t>(header.sequence + 1);
}

// A packet of the client's has been read to its end. False: its answer ends the session.
bool Tracker::message_ended(wire::Outbox& to_client) {
    if (body_.continues || infile_) return true;
    if (reframe_) grown_ = reframe_->longer();
    reframe_.reset();
    if (lexer_) {
        if (request_.active) {
            request_.statement = lexer_->finish();
            if (request_.command == Command::stmt_prepare) make_opaque(request_.statement);
            if (!request_.statement.pin.empty()) pin_to_end(request_.statement.pin);
            if (request_.statement.runs_stored) dirty_ = lease_->dirty = true;
            expect_state(request_.statement);
            request_.statement.may_insert = request_.statement.calls = request_.statement.may_commit = true;
        }
        lexer_.reset();
    }
    if (lease_ != nullptr) lease_->half_sent = false;
    body_.dropped = false;
    if (!answer_then_) return true;
    const Answer given = std::move(*answer_then_);
    answer_then_.reset();
    write(given, reply_sequence_, to_client);
    return !given.then_fatal;
}

}  // namespace leasehold::mysql
