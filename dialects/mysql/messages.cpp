// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/messages.hpp"

#include "dialects/mysql/deflate.hpp"

#include <algorithm>
#include <limits>

namespace leasehold::mysql {
namespace {

using wire::Cursor;
using wire::Writer;

constexpr std::string_view mariadb_prefix = "5.5.5-";
// A greeting of ours says "no packet is too large": the server has the last word on that.
constexpr std::uint32_t client_max_packet = 1u << 30;

// MariaDB's word; none from a side that says by a bit of the first word that it does not know it.
std::uint32_t further_of(Capabilities capabilities) noexcept {
    return (capabilities & cap::long_password) != 0 ? 0 : static_cast<std::uint32_t>(capabilities >> 32);
}

}  // namespace

std::optional<Greeting> parse_greeting(Bytes payload) noexcept {
    Cursor cursor(payload);
    Greeting greeting;
    if (cursor.u8() != 10) return std::nullopt;
    greeting.version = cursor.cstring();
    greeting.connection_id = cursor.u32le();
    const Bytes first = cursor.take(8);
    cursor.skip(1);
    greeting.capabilities = cursor.u16le();
    greeting.charset = cursor.u8();
    greeting.status = cursor.u16le();
    greeting.capabilities |= Capabilities{cursor.u16le()} << 16;
    const std::size_t salt_length = cursor.u8();
    cursor.skip(6);
    const Capabilities further = cursor.u32le();
    if ((greeting.capabilities & cap::long_password) == 0) greeting.capabilities |= further << 32;
    if (!cursor.ok() || (greeting.capabilities & cap::secure_connection) == 0) return std::nullopt;
    // Eight bytes came before; the second part has at least thirteen, the last of them a NUL.
    const std::size_t second_length = std::max<std::size_t>(13, salt_length > 8 ? salt_length - 8 : 0);
    const Bytes second = cursor.take(std::min(second_length, cursor.remaining()));
    if (!cursor.ok() || second.size() < 12) return std::nullopt;
    std::ranges::copy(first, greeting.salt.begin());
    std::copy_n(second.begin(), 12, greeting.salt.begin() + 8);
    if ((greeting.capabilities & cap::plugin_auth) != 0) {
        const std::string_view rest = wire::as_text(cursor.rest());
        greeting.plugin = rest.substr(0, rest.find('\0'));
    }
    return greeting;
}

void write_greeting(Writer& out, const Greeting& greeting) {
    const std::size_t mark = begin_packet(out, 0);
    out.u8(10);
    out.cstring(greeting.version);
    out.u32le(greeting.connection_id);
    out.append(Bytes(greeting.salt).first(8));
    out.u8(0);
    out.u16le(static_cast<std::uint16_t>(greeting.capabilities));
    out.u8(greeting.charset);
    out.u16le(greeting.status);
    out.u16le(static_cast<std::uint16_t>(greeting.capabilities >> 16));
    out.u8(21);
    out.zeros(6);
    out.u32le(further_of(greeting.capabilities));
    out.append(Bytes(greeting.salt).subspan(8));
    out.u8(0);
    out.cstring(greeting.plugin);
    end_packet(out, mark);
}

namespace {

std::string program_of(Cursor& cursor) noexcept {
    const std::uint64_t length = cursor.lenenc();
    if (!cursor.ok() || length > cursor.remaining()) return {};
    Cursor attributes(cursor.take(static_cast<std::size_t>(length)));
    std::string_view program;
    std::string_view client;
    while (attributes.ok() && attributes.remaining() > 0) {
        const std::string_view key = attributes.lenenc_text();
        const std::string_view value = attributes.lenenc_text();
        if (!attributes.ok()) break;
        if (key == "program_name") program = value;
        if (key == "_client_name") client = value;
    }
    return std::string(program.empty() ? client : program).substr(0, 128);
}

}  // namespace

std::optional<HandshakeResponse> parse_handshake_response(Bytes payload, Capabilities offered) noexcept {
    Cursor cursor(payload);
    HandshakeResponse response;
    response.capabilities = cursor.u32le();
    if (!cursor.ok() || (response.capabilities & cap::protocol_41) == 0) return std::nullopt;
    cursor.skip(4);
    response.charset = cursor.u8();
    cursor.skip(19);
    const Capabilities further = cursor.u32le();
    if (((response.capabilities | offered) & cap::long_password) == 0) response.capabilities |= further << 32;
    const Capabilities both = response.capabilities & offered;
    response.user = cursor.cstring();
    if ((response.capabilities & cap::plugin_auth_lenenc) != 0) {
        response.authentication = cursor.lenenc_text();
    } else if ((response.capabilities & cap::secure_connection) != 0) {
        response.authentication = wire::as_text(cursor.take(cursor.u8()));
    } else {
        response.authentication = cursor.cstring();
    }
    if (!cursor.ok()) return std::nullopt;
    // Some clients name a database without the NUL that ends it, or leave out what they announced.
    if ((both & cap::connect_with_db) != 0 && cursor.remaining() > 0) {
        response.database = cursor.cstring();
    }
    if ((both & cap::plugin_auth) != 0 && cursor.ok() && cursor.remaining() > 0) response.plugin = cursor.cstring();
    if (!cursor.ok()) return std::nullopt;
    if ((both & cap::connect_attrs) != 0 && cursor.remaining() > 0) response.program_name = program_of(cursor);
    if ((both & cap::zstd) != 0 && cursor.ok() && cursor.remaining() > 0) response.zstd_level = cursor.u8();
    return response;
}

std::optional<HandshakeResponse> parse_change_user(Bytes payload, Capabilities capabilities) noexcept {
    Cursor cursor(payload);
    HandshakeResponse response;
    response.capabilities = capabilities;
    response.user = cursor.cstring();
    response.authentication = wire::as_text(cursor.take(cursor.u8()));
    if (!cursor.ok() || cursor.remaining() == 0) return std::nullopt;
    response.database = cursor.cstring();
    if (!cursor.ok()) return std::nullopt;
    // Old clients end here.
    if (cursor.remaining() == 0) return response;
    const std::uint16_t charset = cursor.u16le();
    if (charset <= std::numeric_limits<std::uint8_t>::max()) response.charset = static_cast<std::uint8_t>(charset);
    if ((capabilities & cap::plugin_auth) != 0 && cursor.ok() && cursor.remaining() > 0)
        response.plugin = cursor.cstring();
    if (!cursor.ok()) return std::nullopt;
    if ((capabilities & cap::connect_attrs) != 0 && cursor.remaining() > 0) response.program_name = program_of(cursor);
    return response;
}

namespace {

void write_response_head(Writer& out, Capabilities capabilities, std::uint8_t charset) {
    out.u32le(static_cast<std::uint32_t>(capabilities));
    out.u32le(client_max_packet);
    out.u8(charset);
    out.zeros(19);
    out.u32le(further_of(capabilities));
}

}  // namespace

void write_ssl_request(Writer& out, Capabilities capabilities, std::uint8_t charset, std::uint8_t sequence) {
    const std::size_t mark = begin_packet(out, sequence);
    write_response_head(out, capabilities, charset);
    end_packet(out, mark);
}

void write_handshake_response(Writer& out, const HandshakeResponse& response, const Attributes& attributes,
                              std::uint8_t sequence) {
    const std::size_t mark = begin_packet(out, sequence);
    write_response_head(out, response.capabilities, response.charset);
    out.cstring(response.user);
    out.u8(static_cast<std::uint8_t>(response.authentication.size()));
    out.text(response.authentication);
    if ((response.capabilities & cap::connect_with_db) != 0) out.cstring(response.database);
    if ((response.capabilities & cap::plugin_auth) != 0) out.cstring(response.plugin);
    if ((response.capabilities & cap::connect_attrs) != 0) {
        Writer pairs;
        for (const auto& [key, value] : attributes) {
            pairs.lenenc_text(key);
            pairs.lenenc_text(value);
        }
        out.lenenc(pairs.size());
        out.append(pairs.bytes());
    }
    if ((response.capabilities & cap::zstd) != 0) out.u8(response.zstd_level);
    end_packet(out, mark);
}

std::optional<AuthSwitch> parse_auth_switch(Bytes payload) noexcept {
    Cursor cursor(payload);
    if (cursor.u8() != 0xFE) return std::nullopt;
    AuthSwitch request;
    request.plugin = cursor.cstring();
    if (!cursor.ok()) return std::nullopt;
    request.data = wire::as_text(cursor.rest());
    return request;
}

void write_auth_switch(Writer& out, std::string_view plugin, const Salt& salt, std::uint8_t sequence) {
    const std::size_t mark = begin_packet(out, sequence);
    out.u8(0xFE);
    out.cstring(plugin);
    out.append(salt);
    out.u8(0);
    end_packet(out, mark);
}

std::optional<Ok> parse_ok(Bytes payload) noexcept {
    Cursor cursor(payload);
    cursor.skip(1);
    Ok ok;
    ok.affected = cursor.lenenc();
    ok.insert_id = cursor.lenenc();
    ok.status = cursor.u16le();
    ok.warnings = cursor.u16le();
    if (!cursor.ok()) return std::nullopt;
    return ok;
}

void write_ok(Writer& out, const Ok& ok, std::uint8_t sequence) {
    const std::size_t mark = begin_packet(out, sequence);
    out.u8(0x00);
    out.lenenc(ok.affected);
    out.lenenc(ok.insert_id);
    out.u16le(ok.status);
    out.u16le(ok.warnings);
    end_packet(out, mark);
}

std::optional<Ok> parse_eof(Bytes payload) noexcept {
    Cursor cursor(payload);
    cursor.skip(1);
    Ok ok;
    ok.warnings = cursor.u16le();
    ok.status = cursor.u16le();
    if (!cursor.ok() || cursor.remaining() > 0) return std::nullopt;
    return ok;
}

void write_end_of_rows(Writer& out, std::uint16_t status, bool deprecate_eof, std::uint8_t sequence) {
    const std::size_t mark = begin_packet(out, sequence);
    out.u8(0xFE);
    out.u16le(0);  // EOF: no warnings; OK: nothing affected, no insert id
    out.u16le(status);
    if (deprecate_eof) out.u16le(0);
    end_packet(out, mark);
}

wire::Diagnostics parse_error(Bytes payload) {
    Cursor cursor(payload);
    cursor.skip(1);
    wire::Diagnostics error;
    error.from_server = true;
    error.number = cursor.u16le();
    std::string_view text = wire::as_text(cursor.rest());
    if (text.size() >= 6 && text.front() == '#') {
        error.sqlstate = text.substr(1, 5);
        text.remove_prefix(6);
    }
    error.message = text.substr(0, 1024);
    return error;
}

void write_error(Writer& out, const wire::Diagnostics& error, std::uint8_t sequence, bool with_sqlstate) {
    const std::size_t mark = begin_packet(out, sequence);
    out.u8(0xFF);
    out.u16le(error.number > 0 && error.number <= 0xFFFF ? static_cast<std::uint16_t>(error.number) : 1105);
    if (with_sqlstate) {
        out.u8('#');
        out.text(error.sqlstate.size() == 5 ? std::string_view(error.sqlstate) : std::string_view("HY000"));
    }
    // Clients keep 512 bytes of a message at most; the protocol has no room for a detail but there.
    constexpr std::size_t most = 511;
    std::string text = error.message;
    if (!error.detail.empty()) {
        const std::string detail = " (" + error.detail + ")";
        text = text.substr(0, most - std::min<std::size_t>(detail.size(), most)) + detail;
    }
    // Half of it would help nobody.
    if (!error.hint.empty() && text.size() + error.hint.size() + 2 <= most) (text += ". ") += error.hint;
    out.text(std::string_view(text).substr(0, most));
    end_packet(out, mark);
}

std::uint16_t error_number(Bytes payload) noexcept {
    Cursor cursor(payload);
    cursor.skip(1);
    return cursor.u16le();
}

void write_command(Writer& out, Command command, std::string_view argument) {
    const std::size_t mark = begin_packet(out, 0);
    out.u8(static_cast<std::uint8_t>(command));
    out.text(argument);
    end_packet(out, mark);
}

bool is_mariadb(std::string_view version) noexcept { return version.find("MariaDB") != std::string_view::npos; }

std::string_view plain_version(std::string_view version) noexcept {
    if (is_mariadb(version) && version.starts_with(mariadb_prefix)) version.remove_prefix(mariadb_prefix.size());
    return version;
}

}  // namespace leasehold::mysql
