// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's messages: their types, reading a header and the few bodies that leasehold looks into, and building
// messages of our own. No state and no conversation lives here. Manual: "Message Formats" (protocol 3.0).
#pragma once

#include "dialects/wire/exchange.hpp"
#include "dialects/wire/writer.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::postgres {

using wire::Bytes;

// Types of messages that a client sends.
namespace frontend {
inline constexpr std::uint8_t bind = 'B';
inline constexpr std::uint8_t close = 'C';
inline constexpr std::uint8_t copy_data = 'd';
inline constexpr std::uint8_t copy_done = 'c';
inline constexpr std::uint8_t copy_fail = 'f';
inline constexpr std::uint8_t describe = 'D';
inline constexpr std::uint8_t execute = 'E';
inline constexpr std::uint8_t flush = 'H';
inline constexpr std::uint8_t function_call = 'F';
inline constexpr std::uint8_t parse = 'P';
inline constexpr std::uint8_t password = 'p';  // PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse
inline constexpr std::uint8_t query = 'Q';
inline constexpr std::uint8_t sync = 'S';
inline constexpr std::uint8_t terminate = 'X';
}  // namespace frontend

// Types of messages that a server sends.
namespace backend {
inline constexpr std::uint8_t authentication = 'R';
inline constexpr std::uint8_t backend_key_data = 'K';
inline constexpr std::uint8_t bind_complete = '2';
inline constexpr std::uint8_t close_complete = '3';
inline constexpr std::uint8_t command_complete = 'C';
inline constexpr std::uint8_t copy_both = 'W';
inline constexpr std::uint8_t copy_data = 'd';
inline constexpr std::uint8_t copy_done = 'c';
inline constexpr std::uint8_t copy_in = 'G';
inline constexpr std::uint8_t copy_out = 'H';
inline constexpr std::uint8_t data_row = 'D';
inline constexpr std::uint8_t empty_query = 'I';
inline constexpr std::uint8_t error = 'E';
inline constexpr std::uint8_t function_result = 'V';
inline constexpr std::uint8_t negotiate_version = 'v';
inline constexpr std::uint8_t no_data = 'n';
inline constexpr std::uint8_t notice = 'N';
inline constexpr std::uint8_t notification = 'A';
inline constexpr std::uint8_t parameter_description = 't';
inline constexpr std::uint8_t parameter_status = 'S';
inline constexpr std::uint8_t parse_complete = '1';
inline constexpr std::uint8_t portal_suspended = 's';
inline constexpr std::uint8_t ready_for_query = 'Z';
inline constexpr std::uint8_t row_description = 'T';
}  // namespace backend

// Codes in the place of a version, of the untyped first packet.
inline constexpr std::uint32_t version_3_0 = 196608;
inline constexpr std::uint32_t code_cancel = 80877102;
inline constexpr std::uint32_t code_ssl = 80877103;
inline constexpr std::uint32_t code_gssenc = 80877104;

// The sub-codes of Authentication.
enum class Auth : std::uint32_t {
    ok = 0,
    kerberos = 2,
    cleartext = 3,
    md5 = 5,
    scm = 6,
    gss = 7,
    gss_continue = 8,
    sspi = 9,
    sasl = 10,
    sasl_continue = 11,
    sasl_final = 12,
};

// --- reading ----------------------------------------------------------------------------------------------------

inline constexpr std::size_t header_size = 5;

struct Header {
    std::uint8_t type = 0;
    std::uint32_t length = 0;  // counts itself, not the type; below 4 in a broken header: ask valid() before body()

    [[nodiscard]] bool valid() const noexcept { return length >= 4 && length <= 0x3FFFFFFF + 4u; }
    [[nodiscard]] std::size_t size() const noexcept { return std::size_t{length} + 1; }  // the whole message
    [[nodiscard]] std::size_t body() const noexcept { return length < 4 ? 0 : length - 4; }
};

// Nothing when fewer than five bytes are there. Whether a length is acceptable is framing's question.
[[nodiscard]] std::optional<Header> peek(Bytes in) noexcept;

enum class Severity : std::uint8_t { debug, log, info, notice, warning, error, fatal, panic };
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

// An ErrorResponse or NoticeResponse.
struct ServerMessage {
    Severity severity = Severity::error;
    wire::Diagnostics diagnostics;  // from_server is set; detail and hint too, where there are any
};
// The bodies of messages. A body that breaks the format yields nothing.
[[nodiscard]] std::optional<ServerMessage> parse_server_message(Bytes body) noexcept;

struct Parameter {
    std::string_view name, value;  // into the body
};
[[nodiscard]] std::optional<Parameter> parse_parameter_status(Bytes body) noexcept;

// 'I', 'T' or 'E'; nothing for another status or another length.
[[nodiscard]] std::optional<char> parse_ready_for_query(Bytes body) noexcept;
// CommandComplete's tag, or nothing.
[[nodiscard]] std::optional<std::string_view> parse_command_complete(Bytes body) noexcept;
// The SQLSTATE of an error whose end may be missing; empty where none is seen. Into the body.
[[nodiscard]] std::string_view sqlstate_in(Bytes body) noexcept;

// --- building ---------------------------------------------------------------------------------------------------

// Frames what is written during its life: the type and a length that is filled in at the end.
class Framed {
  public:
    Framed(wire::Writer& to, std::uint8_t type);
    ~Framed();
    Framed(const Framed&) = delete;
    Framed& operator=(const Framed&) = delete;

  private:
    wire::Writer& to_;
    std::size_t at_;
};

// A string of a message; ends at its first NUL, if it has one, so that no text can break the framing.
void put_cstring(wire::Writer& to, std::string_view text);

// As a server.
void error_response(wire::Writer& to, Severity severity, const wire::Diagnostics& error, std::string_view detail = {},
                    std::string_view hint = {});
void notice_response(wire::Writer& to, Severity severity, const wire::Diagnostics& notice);
void ready_for_query(wire::Writer& to, char status);
void command_complete(wire::Writer& to, std::string_view tag);
void empty_query_response(wire::Writer& to);
void parse_complete(wire::Writer& to);
void bind_complete(wire::Writer& to);
void close_complete(wire::Writer& to);
void no_data(wire::Writer& to);
void parameter_status(wire::Writer& to, std::string_view name, std::string_view value);
void backend_key_data(wire::Writer& to, std::uint32_t pid, std::string_view secret);
// Tells a client of a later minor version that only 3.0 is spoken, and which of its `_pq_.` options are not known.
void negotiate_protocol_version(wire::Writer& to, std::uint32_t newest_minor,
                                std::span<const std::string> unknown_options);
void authentication(wire::Writer& to, Auth code, Bytes data = {});
void authentication_sasl(wire::Writer& to, std::span<const std::string_view> mechanisms);

namespace type_oid {
inline constexpr std::uint32_t text = 25, int8 = 20, float8 = 701;
}
struct Field {
    std::string_view name;
    std::uint32_t type = type_oid::text;
    std::uint16_t format = 0;  // 1: binary
};
void row_description(wire::Writer& to, std::span<const Field> fields);
void data_row(wire::Writer& to, std::span<const std::optional<std::string>> values);

// As a client.
void startup_message(wire::Writer& to, std::span<const std::pair<std::string, std::string>> parameters,
                     std::uint32_t version = version_3_0);
// A cancel key's secret: 4 bytes in protocol 3.0.
inline constexpr std::size_t shortest_secret = 4, longest_secret = 256;
void cancel_request(wire::Writer& to, std::uint32_t pid, std::string_view secret);
void ssl_request(wire::Writer& to);
void password_message(wire::Writer& to, std::string_view password);
void sasl_initial_response(wire::Writer& to, std::string_view mechanism, std::string_view data);
void sasl_response(wire::Writer& to, std::string_view data);
void query(wire::Writer& to, std::string_view sql);
void parse(wire::Writer& to, std::string_view statement, std::string_view sql,
           std::span<const std::uint32_t> types = {});
// Without parameters, all results as text. Were it called `bind`, std::bind would be found as well, and do nothing.
void bind_message(wire::Writer& to, std::string_view portal, std::string_view statement);
// `kind`: 'S' statement, 'P' portal.
void describe(wire::Writer& to, char kind, std::string_view name);
void close(wire::Writer& to, char kind, std::string_view name);
void execute(wire::Writer& to, std::string_view portal, std::uint32_t max_rows = 0);
void sync(wire::Writer& to);
void flush(wire::Writer& to);
void copy_fail(wire::Writer& to, std::string_view reason);
void terminate(wire::Writer& to);

}  // namespace leasehold::postgres
