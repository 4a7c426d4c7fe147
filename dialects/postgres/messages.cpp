// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/messages.hpp"

namespace leasehold::postgres {
namespace {

// Protocol 3 counts fields in 16 bits.
[[nodiscard]] std::uint16_t count16(std::size_t n) noexcept { return static_cast<std::uint16_t>(n); }

void bare(wire::Writer& to, std::uint8_t type) { Framed message(to, type); }

[[nodiscard]] Severity severity_of(std::string_view word) noexcept {
    if (word == "FATAL") return Severity::fatal;
    if (word == "PANIC") return Severity::panic;
    if (word == "WARNING") return Severity::warning;
    if (word == "NOTICE") return Severity::notice;
    if (word == "INFO") return Severity::info;
    if (word == "LOG") return Severity::log;
    if (word == "DEBUG") return Severity::debug;
    return Severity::error;
}

void fields(wire::Writer& to, Severity severity, const wire::Diagnostics& of) {
    const auto field = [&to](char code, std::string_view text) {
        to.u8(static_cast<std::uint8_t>(code));
        put_cstring(to, text);
    };
    field('S', to_string(severity));
    field('V', to_string(severity));
    field('C', of.sqlstate.size() == 5 ? std::string_view(of.sqlstate) : std::string_view("XX000"));
    field('M', of.message);
}

// The packets before and beside the typed messages: length, code.
void untyped(wire::Writer& to, std::uint32_t length, std::uint32_t code) {
    to.u32be(length);
    to.u32be(code);
}

}  // namespace

std::optional<Header> peek(Bytes in) noexcept {
    if (in.size() < header_size) return std::nullopt;
    wire::Cursor cursor(in);
    Header header;
    header.type = cursor.u8();
    header.length = cursor.u32be();
    return header;
}

std::string_view to_string(Severity severity) noexcept {
    switch (severity) {
        case Severity::debug: return "DEBUG";
        case Severity::log: return "LOG";
        case Severity::info: return "INFO";
        case Severity::notice: return "NOTICE";
        case Severity::warning: return "WARNING";
        case Severity::error: return "ERROR";
        case Severity::fatal: return "FATAL";
        case Severity::panic: return "PANIC";
    }
    return "ERROR";
}

std::optional<ServerMessage> parse_server_message(Bytes body) noexcept {
    wire::Cursor cursor(body);
    ServerMessage message;
    message.diagnostics.from_server = true;
    bool untranslated = false;
    for (;;) {
        const std::uint8_t code = cursor.u8();
        if (!cursor.ok()) return std::nullopt;
        if (code == 0) break;
        const std::string_view text = cursor.cstring();
        if (!cursor.ok()) return std::nullopt;
        switch (code) {
            case 'V':  // never translated; servers before 9.6 send only S
                message.severity = severity_of(text);
                untranslated = true;
                break;
            case 'S':
                if (!untranslated) message.severity = severity_of(text);
                break;
            case 'C': message.diagnostics.sqlstate = text; break;
            case 'M': message.diagnostics.message = text; break;
            case 'D': message.diagnostics.detail = text; break;
            case 'H': message.diagnostics.hint = text; break;
            default: break;
        }
    }
    if (cursor.remaining() != 0) return std::nullopt;
    return message;
}

std::optional<Parameter> parse_parameter_status(Bytes body) noexcept {
    wire::Cursor cursor(body);
    Parameter parameter;
    parameter.name = cursor.cstring();
    parameter.value = cursor.cstring();
    if (!cursor.ok() || cursor.remaining() != 0 || parameter.name.empty()) return std::nullopt;
    return parameter;
}

std::optional<char> parse_ready_for_query(Bytes body) noexcept {
    if (body.size() != 1) return std::nullopt;
    const char status = static_cast<char>(body[0]);
    if (status != 'I' && status != 'T' && status != 'E') return std::nullopt;
    return status;
}

std::optional<std::string_view> parse_command_complete(Bytes body) noexcept {
    wire::Cursor cursor(body);
    const std::string_view tag = cursor.cstring();
    if (!cursor.ok() || cursor.remaining() != 0) return std::nullopt;
    return tag;
}

std::string_view sqlstate_in(Bytes body) noexcept {
    wire::Cursor cursor(body);
    for (std::uint8_t code = cursor.u8(); code != 0 && cursor.ok(); code = cursor.u8()) {
        const std::string_view text = cursor.cstring();
        if (code == 'C') return text;
    }
    return {};
}

Framed::Framed(wire::Writer& to, std::uint8_t type) : to_(to), at_(to.size() + 1) {
    to_.u8(type);
    to_.u32be(0);
}

Framed::~Framed() { to_.patch_u32be(at_, static_cast<std::uint32_t>(to_.size() - at_)); }

void put_cstring(wire::Writer& to, std::string_view text) { to.cstring(text.substr(0, text.find('\0'))); }

void error_response(wire::Writer& to, Severity severity, const wire::Diagnostics& error, std::string_view detail,
                    std::string_view hint) {
    Framed message(to, backend::error);
    fields(to, severity, error);
    const auto field = [&to](char code, std::string_view text) {
        if (text.empty()) return;
        to.u8(static_cast<std::uint8_t>(code));
        put_cstring(to, text);
    };
    field('D', detail.empty() ? std::string_view(error.detail) : detail);
    field('H', hint.empty() ? std::string_view(error.hint) : hint);
    to.u8(0);
}

void notice_response(wire::Writer& to, Severity severity, const wire::Diagnostics& notice) {
    Framed message(to, backend::notice);
    fields(to, severity, notice);
    to.u8(0);
}

void ready_for_query(wire::Writer& to, char status) {
    Framed message(to, backend::ready_for_query);
    to.u8(static_cast<std::uint8_t>(status));
}

void command_complete(wire::Writer& to, std::string_view tag) {
    Framed message(to, backend::command_complete);
    put_cstring(to, tag);
}

void empty_query_response(wire::Writer& to) { bare(to, backend::empty_query); }
void parse_complete(wire::Writer& to) { bare(to, backend::parse_complete); }
void bind_complete(wire::Writer& to) { bare(to, backend::bind_complete); }
void close_complete(wire::Writer& to) { bare(to, backend::close_complete); }
void no_data(wire::Writer& to) { bare(to, backend::no_data); }

void parameter_status(wire::Writer& to, std::string_view name, std::string_view value) {
    Framed message(to, backend::parameter_status);
    put_cstring(to, name);
    put_cstring(to, value);
}

void backend_key_data(wire::Writer& to, std::uint32_t pid, std::string_view secret) {
    Framed message(to, backend::backend_key_data);
    to.u32be(pid);
    to.text(secret);
}

void negotiate_protocol_version(wire::Writer& to, std::uint32_t newest_minor,
                                std::span<const std::string> unknown_options) {
    Framed message(to, backend::negotiate_version);
    // The manual speaks of the minor version; servers send, and libpq compares, the whole number.
    to.u32be(version_3_0 + newest_minor);
    to.u32be(static_cast<std::uint32_t>(unknown_options.size()));
    for (const std::string& option : unknown_options) put_cstring(to, option);
}

void authentication(wire::Writer& to, Auth code, Bytes data) {
    Framed message(to, backend::authentication);
    to.u32be(static_cast<std::uint32_t>(code));
    to.append(data);
}

void authentication_sasl(wire::Writer& to, std::span<const std::string_view> mechanisms) {
    Framed message(to, backend::authentication);
    to.u32be(static_cast<std::uint32_t>(Auth::sasl));
    for (const std::string_view mechanism : mechanisms) put_cstring(to, mechanism);
    to.u8(0);
}

void row_description(wire::Writer& to, std::span<const Field> fields_of_row) {
    Framed message(to, backend::row_description);
    to.u16be(count16(fields_of_row.size()));
    for (const Field& field : fields_of_row) {
        put_cstring(to, field.name);
        to.u32be(0);  // no table
        to.u16be(0);  // no column of one
        to.u32be(field.type);
        to.u16be(field.type == type_oid::text ? 0xFFFF : 8);
        to.u32be(0xFFFFFFFF);  // no type modifier
        to.u16be(field.format);
    }
}

void data_row(wire::Writer& to, std::span<const std::optional<std::string>> values) {
    Framed message(to, backend::data_row);
    to.u16be(count16(values.size()));
    for (const std::optional<std::string>& value : values) {
        if (!value) {
            to.u32be(0xFFFFFFFF);
            continue;
        }
        to.u32be(static_cast<std::uint32_t>(value->size()));
        to.text(*value);
    }
}

void startup_message(wire::Writer& to, std::span<const std::pair<std::string, std::string>> parameters,
                     std::uint32_t version) {
    const std::size_t at = to.size();
    untyped(to, 0, version);
    for (const auto& [name, value] : parameters) {
        put_cstring(to, name);
        put_cstring(to, value);
    }
    to.u8(0);
    to.patch_u32be(at, static_cast<std::uint32_t>(to.size() - at));
}

void cancel_request(wire::Writer& to, std::uint32_t pid, std::string_view secret) {
    untyped(to, static_cast<std::uint32_t>(12 + secret.size()), code_cancel);
    to.u32be(pid);
    to.text(secret);
}

void ssl_request(wire::Writer& to) { untyped(to, 8, code_ssl); }

void password_message(wire::Writer& to, std::string_view password) {
    Framed message(to, frontend::password);
    put_cstring(to, password);
}

void sasl_initial_response(wire::Writer& to, std::string_view mechanism, std::string_view data) {
    Framed message(to, frontend::password);
    put_cstring(to, mechanism);
    to.u32be(static_cast<std::uint32_t>(data.size()));
    to.text(data);
}

void sasl_response(wire::Writer& to, std::string_view data) {
    Framed message(to, frontend::password);
    to.text(data);
}

void query(wire::Writer& to, std::string_view sql) {
    Framed message(to, frontend::query);
    put_cstring(to, sql);
}

void parse(wire::Writer& to, std::string_view statement, std::string_view sql, std::span<const std::uint32_t> types) {
    Framed message(to, frontend::parse);
    put_cstring(to, statement);
    put_cstring(to, sql);
    to.u16be(count16(types.size()));
    for (const std::uint32_t type : types) to.u32be(type);
}

void bind_message(wire::Writer& to, std::string_view portal, std::string_view statement) {
    Framed message(to, frontend::bind);
    put_cstring(to, portal);
    put_cstring(to, statement);
    to.u16be(0);
    to.u16be(0);
    to.u16be(0);
}

void describe(wire::Writer& to, char kind, std::string_view name) {
    Framed message(to, frontend::describe);
    to.u8(static_cast<std::uint8_t>(kind));
    put_cstring(to, name);
}

void close(wire::Writer& to, char kind, std::string_view name) {
    Framed message(to, frontend::close);
    to.u8(static_cast<std::uint8_t>(kind));
    put_cstring(to, name);
}

void execute(wire::Writer& to, std::string_view portal, std::uint32_t max_rows) {
    Framed message(to, frontend::execute);
    put_cstring(to, portal);
    to.u32be(max_rows);
}

void sync(wire::Writer& to) { bare(to, frontend::sync); }
void flush(wire::Writer& to) { bare(to, frontend::flush); }

void copy_fail(wire::Writer& to, std::string_view reason) {
    Framed message(to, frontend::copy_fail);
    put_cstring(to, reason);
}

void terminate(wire::Writer& to) { bare(to, frontend::terminate); }

}  // namespace leasehold::postgres
