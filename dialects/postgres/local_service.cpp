// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/local_service.hpp"

#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/messages.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <span>

namespace leasehold::postgres {
namespace {

constexpr std::size_t longest_command = 64 * 1024;
constexpr std::size_t most_statements = 100;

std::uint32_t oid_of(dialects::Column::Type type) noexcept {
    switch (type) {
        case dialects::Column::Type::text: return type_oid::text;
        case dialects::Column::Type::integer: return type_oid::int8;
        case dialects::Column::Type::real: return type_oid::float8;
    }
    return type_oid::text;
}

std::uint16_t format_of(std::span<const std::uint16_t> formats, std::size_t column) noexcept {
    if (formats.empty()) return 0;
    return formats[formats.size() == 1 ? 0 : std::min(column, formats.size() - 1)];
}

// The binary form of a number that is written as text; text is the same in both.
std::string in_binary(dialects::Column::Type type, const std::string& text) {
    std::uint64_t bits = 0;
    if (type == dialects::Column::Type::text) return text;
    if (type == dialects::Column::Type::integer) {
        bits = static_cast<std::uint64_t>(std::strtoll(text.c_str(), nullptr, 10));
    } else {
        bits = std::bit_cast<std::uint64_t>(std::strtod(text.c_str(), nullptr));
    }
    std::string bytes(8, '\0');
    for (std::size_t i = bytes.size(); i-- > 0; bits >>= 8) bytes[i] = static_cast<char>(bits & 0xFF);
    return bytes;
}

void put_columns(wire::Writer& out, const dialects::Result& result, std::span<const std::uint16_t> formats) {
    std::vector<Field> fields;
    for (std::size_t i = 0; i < result.columns.size(); ++i)
        fields.push_back({result.columns[i].name, oid_of(result.columns[i].type), format_of(formats, i)});
    row_description(out, fields);
}

void put_rows(wire::Writer& out, const dialects::Result& result, std::span<const std::uint16_t> formats) {
    if (result.columns.empty() && result.tag.empty()) {
        empty_query_response(out);
        return;
    }
    std::vector<std::optional<std::string>> cells;
    for (const auto& row : result.rows) {
        cells = row;
        for (std::size_t i = 0; i < cells.size() && i < result.columns.size(); ++i)
            if (cells[i] && format_of(formats, i) == 1) cells[i] = in_binary(result.columns[i].type, *cells[i]);
        data_row(out, cells);
    }
    command_complete(out, result.tag);
}

std::string statement_text(wire::Cursor& cursor) { return std::string(cursor.cstring()); }

}  // namespace

LocalService::Command LocalService::ask(Answering what, Portal portal, std::size_t consumed) {
    answering_ = what;
    formats_ = std::move(portal.formats);
    Command command{Command::Kind::query, consumed, std::move(portal.text)};
    command.describes = what == Answering::describe;
    return command;
}

LocalService::Command LocalService::next(wire::Bytes in, wire::Outbox& to_client) {
    std::size_t consumed = 0;
    for (;;) {
        const wire::Bytes rest = in.subspan(consumed);
        const std::optional<Header> header = peek(rest);
        if (!header) return {Command::Kind::more, consumed, {}};
        if (!header->valid() || header->body() > longest_command) {
            error_response(to_client.own(), Severity::fatal,
                           failure(Fault::protocol_violation, "a command of that length is not accepted"));
            return {Command::Kind::fatal, consumed, {}};
        }
        if (rest.size() < header->size()) return {Command::Kind::more, consumed, {}};
        consumed += header->size();
        Command command = on_message(header->type, rest.subspan(header_size, header->body()), consumed, to_client);
        if (command.kind != Command::Kind::more) return command;
    }
}

LocalService::Command LocalService::on_message(std::uint8_t type, wire::Bytes body, std::size_t consumed,
                                               wire::Outbox& to_client) {
    wire::Cursor cursor(body);
    wire::Writer& out = to_client.own();
    if (type == frontend::terminate) return {Command::Kind::close, consumed, {}};
    if (type == frontend::sync) {
        skipping_ = false;
        portals_.clear();
        ready_for_query(out, 'I');
        return {Command::Kind::more, consumed, {}};
    }
    if (type == frontend::query) {
        skipping_ = false;
        return ask(Answering::query, {std::string(cursor.cstring()), {}}, consumed);
    }
    const Command more{Command::Kind::more, consumed, {}};
    if (skipping_ || type == frontend::flush) return more;
    if (type == frontend::parse) {
        const std::string name = statement_text(cursor);
        if (statements_.size() >= most_statements && !statements_.contains(name)) {
            fail_extended(out, failure(Fault::limit_exceeded, "too many prepared statements on the console"));
            return more;
        }
        statements_[name] = statement_text(cursor);
        parse_complete(out);
    } else if (type == frontend::bind) {
        bind(cursor, out);
    } else if (type == frontend::describe || type == frontend::execute) {
        return look_up(type, cursor, consumed, out);
    } else if (type == frontend::close) {
        const bool portal = cursor.u8() == 'P';
        const std::string name = statement_text(cursor);
        if (portal) {
            portals_.erase(name);
        } else {
            statements_.erase(name);
        }
        close_complete(out);
    } else {
        error_response(out, Severity::fatal,
                       failure(Fault::protocol_violation, "the console does not take this message"));
        return {Command::Kind::fatal, consumed, {}};
    }
    return more;
}

void LocalService::bind(wire::Cursor& cursor, wire::Writer& out) {
    const std::string portal = statement_text(cursor);
    const std::string name = statement_text(cursor);
    const auto found = statements_.find(name);
    if (found == statements_.end()) return fail_extended(out, unknown_statement(name));
    if (portals_.size() >= most_statements && !portals_.contains(portal))
        return fail_extended(out, failure(Fault::limit_exceeded, "too many portals on the console"));
    cursor.skip(2u * cursor.u16be());
    if (cursor.u16be() != 0)
        return fail_extended(out, failure(Fault::refused_here, "the console's commands take no parameters"));
    Portal made{found->second, {}};
    for (std::size_t left = cursor.u16be(); left > 0 && cursor.ok(); --left) made.formats.push_back(cursor.u16be());
    if (!cursor.ok()) return fail_extended(out, failure(Fault::refused_here, "the Bind message is cut short"));
    portals_[portal] = std::move(made);
    bind_complete(out);
}

LocalService::Command LocalService::look_up(std::uint8_t type, wire::Cursor& cursor, std::size_t consumed,
                                            wire::Writer& out) {
    const bool describes = type == frontend::describe;
    const bool of_statement = describes && cursor.u8() == 'S';
    const std::string name = statement_text(cursor);
    const auto statement = statements_.find(name);
    const auto portal = portals_.find(name);
    if (of_statement ? statement == statements_.end() : portal == portals_.end()) {
        fail_extended(out, of_statement ? unknown_statement(name) : failure(Fault::unknown_portal, name));
        return {Command::Kind::more, consumed, {}};
    }
    if (of_statement) {
        out.u8(backend::parameter_description);
        out.u32be(6);
        out.u16be(0);
        return ask(Answering::describe, {statement->second, {}}, consumed);
    }
    return ask(describes ? Answering::describe : Answering::execute, portal->second, consumed);
}

void LocalService::fail_extended(wire::Writer& out, const wire::Diagnostics& error) {
    error_response(out, Severity::error, error);
    skipping_ = true;
}

void LocalService::result(const dialects::Result& result, wire::Outbox& to_client) {
    wire::Writer& out = to_client.own();
    if (answering_ == Answering::describe) {
        if (result.columns.empty()) {
            no_data(out);
        } else {
            put_columns(out, result, formats_);
        }
    } else {
        for (const std::string& text : result.notices) notice(text, to_client);
        if (answering_ == Answering::query && !result.columns.empty()) put_columns(out, result, formats_);
        put_rows(out, result, formats_);
        if (answering_ == Answering::query) ready_for_query(out, 'I');
    }
    answering_ = Answering::nothing;
}

void LocalService::error(const wire::Diagnostics& error, wire::Outbox& to_client) {
    wire::Writer& out = to_client.own();
    if (answering_ == Answering::query) {
        error_response(out, Severity::error, error);
        ready_for_query(out, 'I');
    } else {
        fail_extended(out, error);
    }
    answering_ = Answering::nothing;
}

void LocalService::notice(const std::string& text, wire::Outbox& to_client) {
    wire::Diagnostics said;
    said.sqlstate = "00000";
    said.message = text;
    notice_response(to_client.own(), Severity::notice, said);
}

}  // namespace leasehold::postgres
