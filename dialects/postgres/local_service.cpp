// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/local_service.hpp"

#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/messages.hpp"

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

void put_columns(wire::Writer& out, const dialects::Result& result) {
    std::vector<Field> fields;
    for (const dialects::Column& column : result.columns) fields.push_back({column.name, oid_of(column.type)});
    row_description(out, fields);
}

void put_rows(wire::Writer& out, const dialects::Result& result) {
    if (result.columns.empty() && result.tag.empty()) {
        empty_query_response(out);
        return;
    }
    for (const auto& row : result.rows) data_row(out, row);
    command_complete(out, result.tag);
}

std::string statement_text(wire::Cursor& cursor) { return std::string(cursor.cstring()); }

}  // namespace

LocalService::Command LocalService::ask(Answering what, std::string text, std::size_t consumed) {
    answering_ = what;
    text_ = text;
    return {Command::Kind::query, consumed, std::move(text)};
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
        described_.clear();
        ready_for_query(out, 'I');
        return {Command::Kind::more, consumed, {}};
    }
    if (type == frontend::query) {
        skipping_ = false;
        return ask(Answering::query, std::string(cursor.cstring()), consumed);
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
        const std::string portal = statement_text(cursor);
        const std::string name = statement_text(cursor);
        const auto found = statements_.find(name);
        if (found == statements_.end()) {
            fail_extended(out, unknown_statement(name));
            return more;
        }
        if (portals_.size() >= most_statements && !portals_.contains(portal)) {
            fail_extended(out, failure(Fault::limit_exceeded, "too many portals on the console"));
            return more;
        }
        portals_[portal] = found->second;
        described_.erase(portal);
        bind_complete(out);
    } else if (type == frontend::describe || type == frontend::execute) {
        const bool of_statement = type == frontend::describe && cursor.u8() == 'S';
        if (type == frontend::describe && of_statement) {
            out.u8(backend::parameter_description);
            out.u32be(6);
            out.u16be(0);
        }
        const std::string name = statement_text(cursor);
        const auto& texts = of_statement ? statements_ : portals_;
        const auto found = texts.find(name);
        if (found == texts.end()) {
            fail_extended(out, of_statement ? unknown_statement(name) : failure(Fault::unknown_portal, name));
            return more;
        }
        const auto kept = described_.find(name);
        if (type == frontend::execute && kept != described_.end()) {
            put_rows(out, kept->second);
            described_.erase(kept);
            return more;
        }
        return ask(type == frontend::execute ? Answering::execute : Answering::describe, found->second, consumed);
    } else if (type == frontend::close) {
        (void)cursor.u8();
        const std::string name = statement_text(cursor);
        statements_.erase(name);
        close_complete(out);
    } else {
        error_response(out, Severity::fatal,
                       failure(Fault::protocol_violation, "the console does not take this message"));
        return {Command::Kind::fatal, consumed, {}};
    }
    return more;
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
            put_columns(out, result);
        }
        for (const auto& [portal, text] : portals_) {
            if (text == text_) described_[portal] = result;
        }
    } else {
        if (answering_ == Answering::query && !result.columns.empty()) put_columns(out, result);
        put_rows(out, result);
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

}  // namespace leasehold::postgres
