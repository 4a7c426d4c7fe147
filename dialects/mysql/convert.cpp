// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/convert.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using Event = Reply::Event;
using Part = Reply::Part;

// Up to this many bytes of rows are waited for, so that the EOF in front of them has the status of the one behind. With the
// definitions it is less than what a server collects before it sends anything (net_buffer_length, 16 KB).
constexpr std::size_t held_back = 8 * 1024;
// What is renumbered is copied if it is short: thousands of short rows in pieces would cost more.
constexpr std::size_t copied = 4096;

constexpr std::uint8_t eof_mark = 0xFE;

// The status at the end of these rows; none: it is not near. `waits`: it may be, more bytes tell.
std::optional<std::uint16_t> status_of_end(Bytes rows, bool& waits) noexcept {
    std::size_t at = 0;
    while (at < held_back) {
        waits = true;
        if (rows.size() < at + header_size + 1) return std::nullopt;
        const Header header = header_of(rows.subspan(at));
        const std::uint8_t mark = rows[at + header_size];
        if (mark == eof_mark && !header.continues()) {
            const Bytes ok =
                rows.subspan(at + header_size, std::min<std::size_t>(header.length, rows.size() - at - header_size));
            if (const std::optional<Ok> end = parse_ok(ok)) return end->status;
            if (ok.size() < header.length) return std::nullopt;
            break;  // the reply is not the protocol's
        }
        if (mark == 0xFF || header.continues()) break;
        at += header_size + header.length;
    }
    waits = false;
    return std::nullopt;
}

std::string_view unquoted(std::string_view literal) noexcept {
    if (literal.size() >= 2 && (literal.front() == '\'' || literal.front() == '"')) {
        literal.remove_prefix(1);
        literal.remove_suffix(1);
    }
    return literal;
}

bool equal(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, [lower](char x, char y) { return lower(x) == lower(y); });
}

bool is_on(std::string_view literal, bool otherwise) noexcept {
    literal = unquoted(literal);
    if (equal(literal, "default")) return otherwise;
    return literal == "1" || equal(literal, "on") || equal(literal, "true");
}

// Whether a list of variables has the name.
bool lists(std::string_view list, std::string_view name) noexcept {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view item = list.substr(0, comma);
        while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
        while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
        if (item == "*" || equal(item, name)) return true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

void append_lenenc(std::string& into, std::string_view text) {
    wire::Writer length;
    length.lenenc(text.size());
    into += wire::as_text(length.bytes());
    into += text;
}

// The pairs of name and value that the session is told of.
std::string told_variables(std::string_view pairs, std::string_view list) {
    std::string kept;
    wire::Cursor cursor(wire::as_bytes(pairs));
    while (cursor.remaining() > 0) {
        const std::string_view name = cursor.lenenc_text();
        const std::string_view value = cursor.lenenc_text();
        if (!cursor.ok()) break;
        if (!lists(list, name)) continue;
        append_lenenc(kept, name);
        append_lenenc(kept, value);
    }
    return kept;
}

}  // namespace

Watched watched(const Settings& settings, std::string_view variables) noexcept {
    Watched made;
    made.variables = variables;
    for (const auto& [name, literal] : settings.variables) {
        if (name == "session_track_schema") made.schema = is_on(literal, true);
        if (name == "session_track_state_change") made.state = is_on(literal, false);
        if (name == "session_track_system_variables" && !equal(literal, "default")) made.variables = unquoted(literal);
    }
    return made;
}

bool filter_changes(Bytes entries, const Watched& by, std::string& into) {
    enum Kind : std::uint8_t { variable = 0, schema = 1, state = 2 };
    bool all = true;
    wire::Cursor cursor(entries);
    while (cursor.remaining() > 0) {
        const std::uint8_t kind = cursor.u8();
        const std::string_view data = cursor.lenenc_text();
        if (!cursor.ok()) return true;  // what cannot be read is not passed on
        const bool told = kind == schema ? by.schema : kind == state ? by.state : true;
        const std::string variables = kind == variable ? told_variables(data, by.variables) : std::string();
        if (!told || (kind == variable && variables.size() != data.size())) all = false;
        if (!told || (kind == variable && variables.empty())) continue;
        into += static_cast<char>(kind);
        append_lenenc(into, kind == variable ? std::string_view(variables) : data);
    }
    return !all;
}

Conversion::Conversion(Capabilities client, std::string variables)
    : variables_(std::move(variables)), client_eof_((client & cap::deprecate_eof) == 0),
      client_tracks_((client & cap::session_track) != 0) {}

void Conversion::attach(Capabilities server) noexcept {
    server_eof_ = (server & cap::deprecate_eof) == 0;
    if (server_eof_ != client_eof_) {
        stops_ = Reply::Stops::packets;
    } else {
        stops_ = (server & cap::session_track) != 0 ? Reply::Stops::changes : Reply::Stops::nowhere;
    }
    shift_ = 0;
    skip_ = 0;
    eof_due_ = held_ = false;
}

void Conversion::start(Reply& reply, std::uint16_t status, int grown, std::uint16_t said) noexcept {
    reply.stop_at(grown == 0 && said == 0 ? stops_ : Reply::Stops::packets);
    status_ = status & status::lasting;
    said_ = said;
    shift_ = static_cast<std::uint8_t>(-grown);
    skip_ = 0;
    eof_due_ = held_ = false;
    number_.reset();
}

Event Conversion::relay(Reply& reply, Bytes in, std::size_t& at, const Settings& settings, wire::Outbox& to_client) {
    for (;;) {
        Event event = Event::packet;
        if (!held_) {
            const std::size_t from = at;
            const bool within = reply.in_packet();
            event = reply.advance(in, at);
            Bytes moved = in.subspan(from, at - from);
            if (number_ && !moved.empty()) moved = numbered(moved, to_client);
            emit(moved, within, to_client);
            if (event == Event::complete && eof_due_) {
                write_end_of_rows(to_client.own(), status_, false,
                                  static_cast<std::uint8_t>(reply.next_sequence() + shift_));
                ++shift_;
                eof_due_ = false;
            }
            next_sequence_ = static_cast<std::uint8_t>(reply.next_sequence() + shift_);
        }
        if (event != Event::packet) return event;
        held_ = !convert(reply, in.subspan(at), settings, to_client);
        if (held_) return Event::more;
    }
}

// The beginning of a reply to COM_STMT_PREPARE, its number replaced. What is left of it.
Bytes Conversion::numbered(Bytes reply, wire::Outbox& to_client) {
    constexpr std::size_t front = header_size + 1, replaced = front + 4;
    const std::uint32_t number = *number_;
    number_.reset();
    if (reply.size() < replaced || reply[header_size] != 0) return reply;  // an error
    to_client.own().append(reply.first(front));
    to_client.own().u32le(number);
    return reply.subspan(replaced);
}

// Bytes that were moved over, less those that something else stands for. What goes on `within` a packet is the server's.
void Conversion::emit(Bytes bytes, bool within, wire::Outbox& to_client) {
    const std::size_t n = std::min(skip_, bytes.size());
    skip_ -= n;
    bytes = bytes.subspan(n);
    if (bytes.empty()) return;
    if (stops_ == Reply::Stops::packets && bytes.size() <= copied && !within) {
        to_client.own().append(bytes);
    } else {
        to_client.pass(bytes);
    }
}

// What stands in front of the packet or in its place is written, the rest is left to emit(). False: more must be seen.
bool Conversion::convert(const Reply& reply, Bytes packet, const Settings& settings, wire::Outbox& to_client) {
    const Header header = header_of(packet);
    const Bytes body = packet.subspan(header_size, std::min<std::size_t>(header.length, packet.size() - header_size));
    if (eof_due_ && !put_eof(reply, header, packet, to_client)) return false;
    switch (reply.part()) {
        case Part::last_definition: eof_due_ = client_eof_ && !server_eof_; break;
        case Part::definitions_end:
            if (client_eof_) {
                pass_status(header, body, to_client);
            } else {
                leave_out(header);
                --shift_;
            }
            return true;
        case Part::end:
        case Part::ok: end(reply, header, body, settings, to_client); return true;
        case Part::other:
        case Part::definition:
        case Part::row: break;
    }
    renumber(header, to_client);
    return true;
}

// Behind definitions, in front of this packet. With a cursor there is only one, behind them: the packet itself.
bool Conversion::put_eof(const Reply& reply, const Header& header, Bytes packet, wire::Outbox& to_client) {
    std::uint16_t status = status_;
    if (reply.part() == Part::end) {
        status = reply.status();
        if ((status & status::cursor_exists) != 0) {
            eof_due_ = false;
            return true;
        }
    } else if (reply.part() == Part::row) {
        bool waits = false;
        const std::optional<std::uint16_t> found = status_of_end(packet, waits);
        if (waits && !found) return false;
        if (found) status = *found;
    }
    status = static_cast<std::uint16_t>((status & ~status::session_state_changed) | said_);
    write_end_of_rows(to_client.own(), status, false, number(header));
    ++shift_;
    eof_due_ = false;
    return true;
}

void Conversion::end(const Reply& reply, const Header& header, Bytes body, const Settings& settings,
                     wire::Outbox& to_client) {
    status_ = reply.status() & (status::lasting | status::more_results);
    const bool is_eof = header.length == 5;
    const bool rows = reply.part() == Part::end;
    if (!rows || is_eof == client_eof_) {
        pass_ok(header, body, settings, to_client);
        return;
    }
    // Both parsers have read it before.
    const Ok ok = (is_eof ? parse_eof(body) : parse_ok(body)).value_or(Ok{});
    const auto status = static_cast<std::uint16_t>((reply.status() & ~status::session_state_changed) | said_);
    wire::Writer& out = to_client.own();
    const std::size_t mark = begin_packet(out, number(header));
    out.u8(eof_mark);
    out.u16le(client_eof_ ? ok.warnings : std::uint16_t{0});  // or nothing affected, no id
    out.u16le(status);
    if (!client_eof_) out.u16le(ok.warnings);
    end_packet(out, mark);
    leave_out(header);
}

// An OK, less what the client is not told of.
void Conversion::pass_ok(const Header& header, Bytes body, const Settings& settings, wire::Outbox& to_client) {
    wire::Cursor cursor(body);
    const std::uint8_t mark = cursor.u8();
    const std::uint64_t affected = cursor.lenenc();
    const std::uint64_t insert_id = cursor.lenenc();
    std::uint16_t status = cursor.u16le();
    const std::uint16_t warnings = cursor.u16le();
    if (header.length == 5 || !cursor.ok() || (status & status::session_state_changed) == 0) {
        pass_status(header, body, to_client);
        return;
    }
    std::string_view message;
    std::string told;
    if (header.length <= Reply::max_kept_ok) {  // then all of it is there
        message = cursor.lenenc_text();
        const std::string_view changes = cursor.lenenc_text();
        if (!cursor.ok()) message = {};
        if (cursor.ok() && client_tracks_ &&
            !filter_changes(wire::as_bytes(changes), watched(settings, variables_), told)) {
            pass_status(header, body, to_client);
            return;
        }
    }
    if (told.empty()) status = static_cast<std::uint16_t>(status & ~status::session_state_changed);
    wire::Writer& out = to_client.own();
    const std::size_t begun = begin_packet(out, number(header));
    out.u8(mark);
    out.lenenc(affected);
    out.lenenc(insert_id);
    out.u16le(static_cast<std::uint16_t>(status | said_));
    out.u16le(warnings);
    if (!message.empty() || !told.empty()) out.lenenc_text(message);
    if (!told.empty()) out.lenenc_text(told);
    end_packet(out, begun);
    leave_out(header);
}

// An EOF or an OK as it stands, but for what its status has to say besides.
void Conversion::pass_status(const Header& header, Bytes body, wire::Outbox& to_client) {
    if (said_ == 0) return renumber(header, to_client);
    wire::Cursor cursor(body);
    cursor.skip(header.length == 5 ? 3 : 1);
    if (header.length != 5) {
        (void)cursor.lenenc();
        (void)cursor.lenenc();
    }
    const std::size_t at = cursor.position();
    const std::uint16_t status = cursor.u16le();
    if (!cursor.ok()) return renumber(header, to_client);
    wire::Writer& out = to_client.own();
    out.u24le(header.length);
    out.u8(number(header));
    out.append(body.first(at));
    out.u16le(static_cast<std::uint16_t>(status | said_));
    skip_ = header_size + at + 2;
}

void Conversion::renumber(const Header& header, wire::Outbox& to_client) {
    if (shift_ == 0) return;
    wire::Writer& out = to_client.own();
    out.u24le(header.length);
    out.u8(number(header));
    skip_ = header_size;
}

bool Conversion::settle(wire::Writer& to_client) {
    if (!eof_due_) return false;
    write_end_of_rows(to_client, status_, false, next_sequence_);
    ++shift_;
    ++next_sequence_;
    eof_due_ = held_ = false;
    return true;
}

}  // namespace leasehold::mysql
