// SPDX-License-Identifier: Apache-2.0
// How frames and packets are numbered, as servers and client libraries do it: a command's frames begin with 0, its reply's
// with the number of frames that the command had, and what follows of the exchange goes on from there. The numbers of
// packets mean nothing to a compressed peer, and depend on its frames; they are made anew on their way up.
#include "dialects/mysql/compression.hpp"

#include "dialects/mysql/messages.hpp"
#include "dialects/wire/exchange.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

[[nodiscard]] std::uint32_t u24(const std::uint8_t* at) noexcept {
    return at[0] | static_cast<std::uint32_t>(at[1]) << 8 | static_cast<std::uint32_t>(at[2]) << 16;
}

[[nodiscard]] bool has_reply(std::uint8_t command) noexcept {
    const auto named = static_cast<Command>(command);
    return named != Command::stmt_close && named != Command::stmt_send_long_data && named != Command::quit;
}

}  // namespace

// --- frames of the peer ----------------------------------------------------------------------------------------

wire::Codec::Decoded Compressed::decode(Bytes in, std::span<std::uint8_t> into) noexcept {
    Decoded done;
    full_ = false;
    while (!broken_) {
        if (seen_ < frame_header) {
            if (done.consumed == in.size()) return done;
            head_[seen_++] = in[done.consumed++];
            if (seen_ == frame_header) broken_ = !begin_frame();
            continue;
        }
        const std::size_t before = done.consumed + done.produced;
        if (!unpack(in, into, done)) broken_ = true;
        if (broken_ || seen_ < frame_header) continue;
        if (done.consumed + done.produced == before) {
            full_ = done.produced == into.size();
            return done;
        }
    }
    unpacker_.reset();
    done.error = make_error_code(wire::errc::protocol_violation);
    return done;
}

bool Compressed::begin_frame() noexcept {
    left_ = u24(head_.data());
    due_ = u24(head_.data() + 4);
    const std::uint8_t number = head_[3];
    if (left_ == 0) return false;
    if (!(role_ == Role::server ? accept_from_client(number) : accept_from_server(number))) return false;
    if (due_ > 0) unpacker_ = Unpacker::borrow(algorithm_);
    return due_ == 0 || unpacker_ != nullptr;
}

void Compressed::end_frame() noexcept {
    seen_ = 0;
    unpacker_.reset();
}

// One step within a frame. False: it is not what its header says.
bool Compressed::unpack(Bytes in, std::span<std::uint8_t> into, Decoded& done) noexcept {
    const Bytes rest = in.subspan(done.consumed, std::min<std::size_t>(left_, in.size() - done.consumed));
    const std::span<std::uint8_t> room = into.subspan(done.produced);
    if (!unpacker_) {
        const std::size_t n = std::min(rest.size(), room.size());
        std::copy_n(rest.data(), n, room.data());
        follow(room.first(n));
        left_ -= static_cast<std::uint32_t>(n);
        done.consumed += n;
        done.produced += n;
        if (left_ == 0) end_frame();
        return true;
    }
    // Behind the last byte that was announced there may be a checksum, and nothing else.
    std::uint8_t excess = 0;
    const bool closing = due_ == 0;
    if (!closing && room.empty()) return true;
    const std::span<std::uint8_t> target =
        closing ? std::span(&excess, 1) : room.first(std::min<std::size_t>(due_, room.size()));
    const Unpacker::Step step = unpacker_->step(rest, target);
    left_ -= static_cast<std::uint32_t>(step.consumed);
    done.consumed += step.consumed;
    if (step.broken || (closing && step.produced > 0)) return false;
    if (!closing) {
        follow(target.first(step.produced));
        due_ -= static_cast<std::uint32_t>(step.produced);
        done.produced += step.produced;
    }
    if (step.ended) {
        if (left_ > 0 || due_ > 0) return false;
        end_frame();
        return true;
    }
    if (step.consumed == 0 && step.produced == 0) return left_ > 0 && rest.empty();
    return true;
}

// --- their numbers ---------------------------------------------------------------------------------------------

bool Compressed::accept_from_client(std::uint8_t number) noexcept {
    const bool between = in_.between();
    const bool wrapped = number == 0 && next_ == 0 && answering_;  // the 256th frame of a file
    if (between && number == 0 && !wrapped) {
        command_next_ = 1;
    } else if (number == command_next_ && command_frame_ && (!between || number != next_)) {
        ++command_next_;
        return true;
    } else if (number == next_) {
        ++next_;
        command_frame_ = false;
        answering_ = true;
        return true;
    } else {
        return false;
    }
    command_frame_ = true;
    answering_ = false;
    return true;
}

bool Compressed::accept_from_server(std::uint8_t number) noexcept {
    if (in_.between() && !(replying_ && number == next_)) {
        const auto asked = std::ranges::find(ahead_, number, &Start::frames);
        if (asked != ahead_.end()) {
            const std::uint8_t packets = asked->packets;
            ahead_.erase(ahead_.begin(), asked + 1);
            begin_reply(number, packets);
            return true;
        }
        // An error in front of its command's end, or words that nobody asked for.
        const bool early = !out_.between() && out_.command;
        if (early || number == 0) {
            begin_reply(number, early ? out_.packets : std::uint8_t{0});
            return true;
        }
    }
    if (number != next_) return false;
    ++next_;
    answering_ = false;
    return true;
}

void Compressed::begin_reply(std::uint8_t frame, std::uint8_t packet) noexcept {
    next_ = static_cast<std::uint8_t>(frame + 1);
    packet_next_ = packet;
    replying_ = true;
    answering_ = false;
}

// --- packets on their way up -----------------------------------------------------------------------------------

// Goes over n bytes of a payload; true: they end a message.
bool Compressed::pass_body(Walk& walk, std::size_t n, std::uint8_t first) noexcept {
    if (walk.fresh) walk.answered = has_reply(first);
    walk.fresh = false;
    walk.left -= static_cast<std::uint32_t>(n);
    return walk.left == 0 && !walk.continues;
}

void Compressed::follow(std::span<std::uint8_t> plain) noexcept {
    Walk& walk = in_;
    bool ended = false;
    for (std::size_t at = 0; at < plain.size();) {
        if (walk.left > 0) {
            const std::size_t n = std::min<std::size_t>(walk.left, plain.size() - at);
            ended = pass_body(walk, n, plain[at]);
            at += n;
        } else {
            if (walk.seen == 3) number_incoming(plain[at]);
            walk.header[walk.seen++] = plain[at++];
            if (walk.seen < header_size) continue;
            walk.seen = 0;
            walk.left = u24(walk.header.data());
            walk.continues = walk.left == max_payload;
            ended = walk.left == 0;
        }
        if (ended && role_ == Role::server) await_reply(walk);
        ended = false;
    }
}

void Compressed::number_incoming(std::uint8_t& number) noexcept {
    Walk& walk = in_;
    if (role_ == Role::client) {
        number = packet_next_++;
    } else if (walk.continues && walk.command) {
        number = walk.packets++;
    } else if (!walk.continues && command_frame_) {
        // Servers go by the frame's number. MariaDB's Connector/J counts on in the packet from the command before.
        number = 0;
        walk.command = walk.fresh = walk.answered = true;
        walk.packets = 1;
    } else {
        walk.command = false;
        number = packet_next_++;
    }
}

// A command has ended.
void Compressed::await_reply(const Walk& walk) noexcept {
    if (!walk.command || !walk.answered) return;
    if (ahead_.size() == most_commands_ahead) ahead_.erase(ahead_.begin());
    ahead_.push_back({command_next_, walk.packets});
    commanded_ = true;
}

// --- packets on their way down ---------------------------------------------------------------------------------

// A packet that is not the next of its message begins a command (towards a server) or a reply (towards a client).
bool Compressed::begins(std::uint8_t number) const noexcept {
    if (role_ == Role::client) return number == 0 && !(answering_ && last_out_ == 0xFF);
    return number != packet_next_ || (commanded_ && !ahead_.empty() && number == ahead_.front().packets);
}

void Compressed::begin_outgoing() noexcept {
    if (role_ == Role::client) {
        if (replying_) ahead_.clear();
        crowded_ = !ahead_.empty();
        replying_ = false;
        command_next_ = 0;
        return;
    }
    commanded_ = false;
    if (ahead_.empty()) {
        next_ = command_next_;  // in front of the command's end
        in_.answered = false;
        return;
    }
    next_ = ahead_.front().frames;
    ahead_.erase(ahead_.begin());
}

void Compressed::note_outgoing(std::uint8_t number, bool begun) noexcept {
    if (role_ == Role::server) {
        packet_next_ = static_cast<std::uint8_t>(number + 1);
        return;
    }
    last_out_ = number;
    if (begun) {
        out_.command = out_.fresh = out_.answered = true;
        out_.packets = 1;
    } else if (out_.continues && out_.command) {
        ++out_.packets;
    } else {
        out_.command = false;
        packet_next_ = static_cast<std::uint8_t>(number + 1);
    }
}

// How much of it the next frame may have: a command and a reply begin with a frame.
std::size_t Compressed::chunk(Bytes plain) noexcept {
    Walk& walk = out_;
    bool begun = false;
    std::size_t at = 0;
    while (at < plain.size() && at < largest_frame) {
        if (walk.left > 0) {
            const std::size_t n = std::min({std::size_t{walk.left}, plain.size() - at, largest_frame - at});
            ended_ = pass_body(walk, n, plain[at]) || ended_;
            at += n;
            continue;
        }
        if (walk.seen == 0) {
            const bool visible = plain.size() - at >= header_size;
            if (!visible && at > 0) return at;
            begun = visible && !walk.continues && begins(plain[at + 3]);
            if (begun && at > 0) return at;
            if (begun) begin_outgoing();
        }
        if (walk.seen == 3) note_outgoing(plain[at], begun);
        walk.header[walk.seen++] = plain[at++];
        if (walk.seen < header_size) continue;
        walk.seen = 0;
        walk.left = u24(walk.header.data());
        walk.continues = walk.left == max_payload;
        ended_ = ended_ || walk.left == 0;
    }
    return at;
}

std::size_t Compressed::encode(Bytes plain, wire::Writer& out) noexcept {
    std::size_t done = 0;
    while (done < plain.size()) {
        ended_ = false;
        const std::size_t n = chunk(plain.subspan(done));
        Bytes rest = plain.subspan(done, n);
        const bool ends_command = role_ == Role::client && out_.command && ended_;
        // Behind a command that is not answered one of two frames is not sent: the number with which its reply would begin
        // is that of a second frame of the reply in front of it.
        if (ends_command && crowded_ && command_next_ == 1 && rest.size() > 1) {
            write_frame(rest.first(1), out);
            rest = rest.subspan(1);
        }
        write_frame(rest, out);
        if (ends_command) await_reply(out_);
        done += n;
        if (plain.size() - done < header_size) break;
    }
    return done;
}

void Compressed::write_frame(Bytes plain, wire::Writer& out) noexcept {
    const bool command = role_ == Role::client && out_.command;
    const std::size_t mark = out.size();
    out.u24le(0);
    out.u8(command ? command_next_++ : next_++);
    out.u24le(0);
    const bool packed = plain.size() >= least_packed && pack(algorithm_, level_, plain, out);
    if (packed) {
        out.patch_u24le(mark + 4, static_cast<std::uint32_t>(plain.size()));
    } else {
        out.append(plain);
    }
    out.patch_u24le(mark, static_cast<std::uint32_t>(out.size() - mark - frame_header));
    answering_ = role_ == Role::client && !command;
    commanded_ = commanded_ && role_ == Role::client;
}

}  // namespace leasehold::mysql
