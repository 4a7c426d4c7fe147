// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/replies.hpp"

#include "dialects/mysql/errors.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

// What must be seen of a packet's beginning: an OK up to its warnings.
constexpr std::uint32_t head_size = 1 + 9 + 9 + 2 + 2;
constexpr std::uint32_t kept_row_size = 2048;
constexpr std::uint32_t waited_for = 16 * 1024;
constexpr std::uint32_t kept_error_size = 1024;
constexpr std::uint32_t max_columns = 65535;

constexpr std::uint8_t ok_mark = 0x00, infile_mark = 0xFB, eof_mark = 0xFE, error_mark = 0xFF;

}  // namespace

void Reply::start(Shape shape, bool deprecate_eof, bool keep_first_row, bool keep_error) noexcept {
    *this = Reply();
    deprecate_eof_ = deprecate_eof;
    keep_first_row_ = keep_first_row;
    keep_error_ = keep_error;
    switch (shape) {
        case Shape::simple: phase_ = Phase::simple; break;
        case Shape::query: phase_ = Phase::first; break;
        case Shape::prepare: phase_ = Phase::prepare; break;
        case Shape::field_list: phase_ = Phase::field_list; break;
        case Shape::statistics: phase_ = Phase::statistics; break;
        case Shape::fetch: phase_ = Phase::rows; break;
    }
}

// How many packets of definitions, with their ends, follow this one.
std::size_t Reply::definitions_behind(Bytes body) const noexcept {
    if (body.empty()) return 0;
    const auto number = [body](std::size_t at) { return body[at] + std::size_t{256} * body[at + 1]; };
    const auto with_end = [this](std::size_t count) { return count > 0 && !deprecate_eof_ ? count + 1 : count; };
    if (phase_ == Phase::prepare && body.size() >= 9 && body[0] == ok_mark)
        return with_end(number(5)) + with_end(number(7));
    if (phase_ != Phase::first) return 0;
    if (body.size() == 1 && body[0] != ok_mark && body[0] < infile_mark) return with_end(body[0]);
    return body.size() == 3 && body[0] == 0xfc ? with_end(number(1)) : 0;
}

// A connection that ends within a packet, or within the definitions of a result, leaves no place for an error in what was
// passed on: so a short packet is waited for as a whole, and the head of a result or of a prepared statement with all its
// definitions.
bool Reply::worth_passing(Bytes in, std::uint32_t length) const noexcept {
    if (length > waited_for || in.size() > waited_for) return true;
    if (in.size() - header_size < length) return false;
    std::size_t packets = definitions_behind(in.subspan(header_size, length));
    for (Bytes rest = in.subspan(header_size + length); packets > 0; --packets) {
        if (rest.size() < header_size) return false;
        const std::size_t size = header_size + header_of(rest).length;
        if (rest.size() < size) return false;
        if (size > header_size && rest[header_size] == error_mark) return true;
        rest = rest.subspan(size);
    }
    return true;
}

Reply::Event Reply::advance(Bytes in, std::size_t& at) noexcept {
    for (;;) {
        if (body_left_ > 0) {
            const std::size_t n = std::min<std::size_t>(body_left_, in.size() - at);
            at += n;
            body_left_ -= static_cast<std::uint32_t>(n);
            if (body_left_ > 0) return Event::more;
        }
        if (!continued_ && !stopped_ && infile_due_) {
            infile_due_ = false;
            return Event::infile;
        }
        if (!continued_ && !stopped_ && phase_ == Phase::done) {
            phase_ = Phase::none;
            return Event::complete;
        }
        if (in.size() - at < header_size) return Event::more;
        const Header header = header_of(in.subspan(at));
        if (continued_) {
            part_ = Part::other;
            if (stops_ == Stops::packets && !stopped_) {
                stopped_ = true;
                return Event::packet;
            }
        } else if (!stopped_) {
            const bool whole = keep_first_row_ && phase_ == Phase::rows;
            if (header.length > 0 && in.size() - at == header_size) return Event::more;
            const bool error = keep_error_ && header.length > 0 && in[at + header_size] == error_mark;
            const std::uint32_t need = std::min(header.length, error   ? kept_error_size
                                                               : whole ? kept_row_size
                                                                       : head_size);
            if (in.size() - at - header_size < need || !worth_passing(in.subspan(at), header.length))
                return Event::more;
            const Bytes body =
                in.subspan(at + header_size, std::min<std::size_t>(header.length, in.size() - at - header_size));
            part_ = Part::other;
            changed_ = waits_ = false;
            const Event event = judge(header.length, body.first(need), body);
            if (event != Event::more || waits_) return event;
            if (stops_here()) {
                stopped_ = true;
                return Event::packet;
            }
        }
        stopped_ = false;
        touched_ = true;
        at += header_size;
        body_left_ = header.length;
        continued_ = header.continues();
        next_sequence_ = static_cast<std::uint8_t>(header.sequence + 1);
    }
}

// Event::more: the packet is one of the reply's; anything else is reported and the packet stays where it is.
Reply::Event Reply::judge(std::uint32_t length, Bytes head, Bytes body) noexcept {
    if (head.empty()) return phase_ == Phase::statistics ? (phase_ = Phase::done, Event::more) : Event::bad;
    if (head[0] == error_mark) return on_error(head);
    switch (phase_) {
        case Phase::simple:
        case Phase::infile_end: return on_terminal(length, body);
        case Phase::first: return on_first(length, head, body);
        case Phase::columns:
        case Phase::parameters:
        case Phase::prepared_columns: return on_definition();
        case Phase::columns_end: {
            const std::optional<Ok> eof = length == 5 && head[0] == eof_mark ? parse_eof(head) : std::nullopt;
            if (!eof) return Event::bad;
            take(*eof);
            const bool cursor = (eof->status & status::cursor_exists) != 0;
            out_params_ = (eof->status & status::out_params) != 0;
            part_ = cursor ? Part::end : Part::definitions_end;
            phase_ = cursor ? Phase::done : Phase::rows;
            return Event::more;
        }
        case Phase::rows: return on_row(length, head, body);
        case Phase::prepare: return on_prepare(head);
        case Phase::parameters_end:
        case Phase::prepared_columns_end:
            if (length != 5 || head[0] != eof_mark) return Event::bad;
            part_ = Part::definitions_end;
            next_definitions(phase_ == Phase::parameters_end ? Phase::prepared_columns : Phase::done);
            return Event::more;
        case Phase::field_list:
            if (head[0] == eof_mark) return on_terminal(length, body);
            part_ = Part::definition;
            return Event::more;
        case Phase::statistics: phase_ = Phase::done; return Event::more;
        case Phase::none:
        case Phase::done: break;
    }
    return Event::bad;
}

Reply::Event Reply::on_first(std::uint32_t length, Bytes head, Bytes body) noexcept {
    if (head[0] == ok_mark) return on_terminal(length, body);
    if (head[0] == infile_mark) {
        infile_due_ = true;
        phase_ = Phase::infile_end;
        return Event::more;
    }
    wire::Cursor cursor(head);
    const std::uint64_t columns = cursor.lenenc();
    if (!cursor.ok() || columns == 0 || columns > max_columns || cursor.position() != length) return Event::bad;
    if (!had_rows_) columns_ = static_cast<std::uint32_t>(columns);
    had_rows_ = true;
    out_params_ = false;
    definitions_left_ = static_cast<std::uint32_t>(columns);
    phase_ = Phase::columns;
    return Event::more;
}

Reply::Event Reply::on_definition() noexcept {
    part_ = --definitions_left_ == 0 ? Part::last_definition : Part::definition;
    if (definitions_left_ > 0) return Event::more;
    if (phase_ == Phase::columns) {
        phase_ = deprecate_eof_ ? Phase::rows : Phase::columns_end;
    } else if (!deprecate_eof_) {
        phase_ = phase_ == Phase::parameters ? Phase::parameters_end : Phase::prepared_columns_end;
    } else {
        next_definitions(phase_ == Phase::parameters ? Phase::prepared_columns : Phase::done);
    }
    return Event::more;
}

Reply::Event Reply::on_row(std::uint32_t length, Bytes head, Bytes body) noexcept {
    // A row that begins with 0xFE has a field of 16 MB.
    if (head[0] == eof_mark && length < (deprecate_eof_ ? max_payload : 9)) return on_terminal(length, body);
    part_ = Part::row;
    if (keep_first_row_ && first_field_.empty()) {
        wire::Cursor cursor(head);
        const std::string_view field = cursor.lenenc_text();
        if (cursor.ok() && field.size() <= kept_row_size) first_field_ = field;
    }
    return Event::more;
}

Reply::Event Reply::on_prepare(Bytes head) noexcept {
    wire::Cursor cursor(head);
    if (cursor.u8() != ok_mark) return Event::bad;
    statement_ = cursor.u32le();
    columns_ = cursor.u16le();
    definitions_left_ = parameters_ = cursor.u16le();
    cursor.skip(1);
    if (cursor.remaining() >= 2) warned_ = cursor.u16le() > 0;
    if (!cursor.ok()) return Event::bad;
    if (definitions_left_ > 0) {
        phase_ = Phase::parameters;
    } else {
        next_definitions(Phase::prepared_columns);
    }
    return Event::more;
}

void Reply::next_definitions(Phase definitions) noexcept {
    definitions_left_ = columns_;
    phase_ = definitions == Phase::prepared_columns && columns_ > 0 ? Phase::prepared_columns : Phase::done;
}

// An OK or an EOF: the end of a result set, or of the reply.
Reply::Event Reply::on_terminal(std::uint32_t length, Bytes body) noexcept {
    std::optional<Ok> ok;
    if (body[0] == eof_mark && length == 5) {
        ok = parse_eof(body);
    } else if (body[0] == ok_mark || (body[0] == eof_mark && length >= 7)) {
        ok = parse_ok(body);
        if (ok && (ok->status & status::session_state_changed) != 0 && !take_changes(length, body)) {
            waits_ = true;
            return Event::more;
        }
    }
    if (!ok) return Event::bad;
    part_ = body[0] == eof_mark ? Part::end : Part::ok;
    // MySQL forgets both of the flags in the EOF behind the values of OUT parameters; an OK follows all the same.
    if (out_params_ && phase_ == Phase::rows) ok->status |= status::out_params | status::more_results;
    take(*ok);
    ++results_;
    const bool further =
        (ok->status & status::more_results) != 0 && phase_ != Phase::simple && phase_ != Phase::field_list;
    phase_ = further ? Phase::first : Phase::done;
    return Event::more;
}

// False: the rest of the packet has to come first.
bool Reply::take_changes(std::uint32_t length, Bytes body) noexcept {
    changed_ = true;
    if (length > max_kept_ok || changes_.size() > max_kept_ok) {
        changes_lost_ = true;
        return true;
    }
    if (body.size() < length) return false;
    wire::Cursor cursor(body);
    cursor.skip(1);
    (void)cursor.lenenc();
    (void)cursor.lenenc();
    cursor.skip(4);
    (void)cursor.lenenc_text();  // the message
    const std::string_view changes = cursor.lenenc_text();
    if (cursor.ok() && !changes.empty()) {
        changes_of_.push_back({changes_.size(), results_});
        changes_ += changes;
    }
    return true;
}

Reply::Event Reply::on_error(Bytes head) noexcept {
    if (head.size() < 3) return Event::bad;
    error_ = error_number(head);
    if (keep_error_) error_packet_ = wire::as_text(head);
    if (is_farewell(error_)) return Event::farewell;
    failed_ = true;
    phase_ = Phase::done;
    return Event::more;
}

void Reply::take(const Ok& ok) noexcept {
    has_status_ = true;
    status_ = ok.status;
    if (ok.insert_id != 0) insert_id_ = ok.insert_id;
    if (ok.warnings > 0) warned_ = true;
}

}  // namespace leasehold::mysql
