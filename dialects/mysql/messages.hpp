// SPDX-License-Identifier: Apache-2.0
// Reading and building the protocol's packets: "Connection Phase Packets" and "Generic Response Packets". Payloads are
// read without their headers; what is written has them. No state lives here.
#pragma once

#include "dialects/mysql/framing.hpp"
#include "dialects/wire/exchange.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::mysql {

// Capability flags. The upper half is MariaDB's: it stands in the last reserved bytes of both sides' first packets, and a
// side announces it by leaving `long_password` out.
using Capabilities = std::uint64_t;
namespace cap {
constexpr Capabilities long_password = 1u << 0;
constexpr Capabilities found_rows = 1u << 1;
constexpr Capabilities long_flag = 1u << 2;
constexpr Capabilities connect_with_db = 1u << 3;
constexpr Capabilities odbc = 1u << 6;
constexpr Capabilities local_files = 1u << 7;
constexpr Capabilities ignore_space = 1u << 8;
constexpr Capabilities protocol_41 = 1u << 9;
constexpr Capabilities interactive = 1u << 10;
constexpr Capabilities ssl = 1u << 11;
constexpr Capabilities transactions = 1u << 13;
constexpr Capabilities secure_connection = 1u << 15;
constexpr Capabilities multi_statements = 1u << 16;
constexpr Capabilities multi_results = 1u << 17;
constexpr Capabilities ps_multi_results = 1u << 18;
constexpr Capabilities plugin_auth = 1u << 19;
constexpr Capabilities connect_attrs = 1u << 20;
constexpr Capabilities plugin_auth_lenenc = 1u << 21;
constexpr Capabilities session_track = 1u << 23;
constexpr Capabilities deprecate_eof = 1u << 24;
constexpr Capabilities query_attributes = 1u << 27;
constexpr Capabilities progress = Capabilities{1} << 32;
constexpr Capabilities bulk = Capabilities{1} << 34;
constexpr Capabilities extended_types = Capabilities{1} << 35;
constexpr Capabilities cache_metadata = Capabilities{1} << 36;
constexpr Capabilities mariadb_word = ~Capabilities{0xFFFFFFFF};

// What a handshake settles for good and nobody can convert: equal on both legs of a lease, its variant.
constexpr Capabilities of_variant = found_rows | local_files | ignore_space | interactive | extended_types;
// Of these, what is no less to a session if its server does not have it.
constexpr Capabilities spared = local_files | extended_types;
// What each leg settles for itself and both need.
constexpr Capabilities needed = protocol_41 | transactions | secure_connection;
// What every backend is logged in with, as far as its server has it, whatever its clients can; convert.hpp does the rest.
// Multi-statements are switched on when a session wants them.
constexpr Capabilities canonical = long_flag | multi_results | ps_multi_results | session_track | deprecate_eof |
                                   plugin_auth | plugin_auth_lenenc | bulk;
// What a client is offered where the server has it too.
constexpr Capabilities offered =
    of_variant | canonical | needed | multi_statements | query_attributes | connect_with_db | connect_attrs;
}  // namespace cap

// Status flags of OK and EOF.
namespace status {
constexpr std::uint16_t in_transaction = 0x0001;
constexpr std::uint16_t autocommit = 0x0002;
constexpr std::uint16_t more_results = 0x0008;
constexpr std::uint16_t cursor_exists = 0x0040;
constexpr std::uint16_t last_row_sent = 0x0080;
constexpr std::uint16_t database_dropped = 0x0100;
constexpr std::uint16_t no_backslash_escapes = 0x0200;
constexpr std::uint16_t metadata_changed = 0x0400;  // an EXECUTE has other columns than its PREPARE
constexpr std::uint16_t out_params = 0x1000;
constexpr std::uint16_t session_state_changed = 0x4000;
// What holds until the next reply; the others tell of one statement.
constexpr std::uint16_t lasting = 0x0001 | 0x0002 | 0x0200 | 0x2000 | 0x8000;
}  // namespace status

enum class Command : std::uint8_t {
    sleep = 0x00,
    quit = 0x01,
    init_db = 0x02,
    query = 0x03,
    field_list = 0x04,
    statistics = 0x09,
    process_info = 0x0A,
    process_kill = 0x0C,
    debug = 0x0D,
    ping = 0x0E,
    change_user = 0x11,
    binlog_dump = 0x12,
    register_slave = 0x15,
    stmt_prepare = 0x16,
    stmt_execute = 0x17,
    stmt_send_long_data = 0x18,
    stmt_close = 0x19,
    stmt_reset = 0x1A,
    set_option = 0x1B,
    stmt_fetch = 0x1C,
    binlog_dump_gtid = 0x1E,
    reset_connection = 0x1F,
    stmt_bulk_execute = 0xFA,  // MariaDB's
};

constexpr std::string_view native_password = "mysql_native_password";
using Salt = std::array<std::uint8_t, 20>;

struct Greeting {
    std::string version;  // as it stands in the packet
    std::uint32_t connection_id = 0;
    Salt salt{};
    Capabilities capabilities = 0;
    std::uint8_t charset = 0;
    std::uint16_t status = 0;
    std::string plugin;
};
[[nodiscard]] std::optional<Greeting> parse_greeting(Bytes payload) noexcept;
void write_greeting(wire::Writer& out, const Greeting& greeting);

struct HandshakeResponse {
    Capabilities capabilities = 0;
    std::uint8_t charset = 0;
    std::string user;
    std::string authentication;
    std::string database;
    std::string plugin;
    std::string program_name;  // of the connection attributes
    std::uint8_t zstd_level = 0;
};
// `offered`: fields are laid out by the capabilities that both sides have.
[[nodiscard]] std::optional<HandshakeResponse> parse_handshake_response(Bytes payload, Capabilities offered) noexcept;
// COM_CHANGE_USER behind its first byte, laid out by the capabilities of the connection's handshake, which stay. Without a
// character set in it, `charset` is 0; so are numbers that no handshake could have.
[[nodiscard]] std::optional<HandshakeResponse> parse_change_user(Bytes payload, Capabilities capabilities) noexcept;
using Attributes = std::vector<std::pair<std::string_view, std::string_view>>;
void write_handshake_response(wire::Writer& out, const HandshakeResponse& response, const Attributes& attributes,
                              std::uint8_t sequence);

// The head of a response, which asks for TLS: the response follows encrypted.
void write_ssl_request(wire::Writer& out, Capabilities capabilities, std::uint8_t charset, std::uint8_t sequence);

struct AuthSwitch {
    std::string plugin;
    std::string data;  // with the NUL that most plugins have behind their salts
};
[[nodiscard]] std::optional<AuthSwitch> parse_auth_switch(Bytes payload) noexcept;
void write_auth_switch(wire::Writer& out, std::string_view plugin, const Salt& salt, std::uint8_t sequence);

struct Ok {
    std::uint64_t affected = 0;
    std::uint64_t insert_id = 0;
    std::uint16_t status = 0;
    std::uint16_t warnings = 0;
};
// The fields of an OK (0x00, or 0xFE behind rows); what follows them is not looked at.
[[nodiscard]] std::optional<Ok> parse_ok(Bytes payload) noexcept;
void write_ok(wire::Writer& out, const Ok& ok, std::uint8_t sequence);
// An EOF has five bytes of payload.
[[nodiscard]] std::optional<Ok> parse_eof(Bytes payload) noexcept;
// The end of rows: EOF, or OK with a header of 0xFE for clients with DEPRECATE_EOF.
void write_end_of_rows(wire::Writer& out, std::uint16_t status, bool deprecate_eof, std::uint8_t sequence);

// An ERR; before a login there is no SQLSTATE in it.
[[nodiscard]] wire::Diagnostics parse_error(Bytes payload);
void write_error(wire::Writer& out, const wire::Diagnostics& error, std::uint8_t sequence, bool with_sqlstate = true);
[[nodiscard]] std::uint16_t error_number(Bytes payload) noexcept;

// One command of ours: a packet with sequence 0.
void write_command(wire::Writer& out, Command command, std::string_view argument = {});

// "5.5.5-10.11.6-MariaDB-0+deb12u1" is MariaDB 10.11.6.
[[nodiscard]] bool is_mariadb(std::string_view version) noexcept;
[[nodiscard]] std::string_view plain_version(std::string_view version) noexcept;

}  // namespace leasehold::mysql
