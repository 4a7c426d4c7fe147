// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/local_service.hpp"

#include "dialects/mysql/attributes.hpp"
#include "dialects/mysql/errors.hpp"
#include "dialects/mysql/local_courtesy.hpp"
#include "dialects/mysql/messages.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using wire::Writer;

constexpr std::size_t max_command = 64 * 1024;
constexpr std::size_t max_cell = 1024 * 1024;
constexpr std::uint16_t utf8mb4 = 45;
constexpr std::uint8_t type_long_long = 8, type_double = 5, type_var_string = 253;

using Type = dialects::Column::Type;

void column(Writer& out, const dialects::Column& column, bool extended, std::uint8_t sequence) {
    const std::size_t mark = begin_packet(out, sequence);
    out.lenenc_text("def");
    out.lenenc_text("");
    out.lenenc_text("");
    out.lenenc_text("");
    out.lenenc_text(column.name);
    out.lenenc_text("");
    if (extended) out.lenenc_text("");  // MariaDB's extended type: none
    out.lenenc(0x0C);
    out.u16le(utf8mb4);
    out.u32le(1024);
    switch (column.type) {
        case dialects::Column::Type::text: out.u8(type_var_string); break;
        case dialects::Column::Type::integer: out.u8(type_long_long); break;
        case dialects::Column::Type::real: out.u8(type_double); break;
    }
    out.u16le(0);
    out.u8(column.type == dialects::Column::Type::real ? 31 : 0);
    out.zeros(2);
    end_packet(out, mark);
}

}  // namespace

LocalService::Command LocalService::next(wire::Bytes in, wire::Outbox& to_client) {
    Command command;
    for (;;) {
        const Packet packet = first_packet(in.subspan(command.consumed), max_command);
        if (packet.kind == Packet::Kind::incomplete) return command;
        if (packet.kind == Packet::Kind::too_long || packet.payload.empty() || packet.sequence != 0) {
            write_error(to_client.own(), failure(Fault::packet_too_large),
                        static_cast<std::uint8_t>(packet.sequence + 1));
            command.kind = Command::Kind::fatal;
            return command;
        }
        command.consumed += packet.size();
        Ok ok;
        ok.status = status::autocommit;
        switch (static_cast<mysql::Command>(packet.payload[0])) {
            case mysql::Command::quit: command.kind = Command::Kind::close; return command;
            case mysql::Command::ping:
            case mysql::Command::init_db:
            case mysql::Command::reset_connection: write_ok(to_client.own(), ok, 1); break;
            case mysql::Command::set_option: write_end_of_rows(to_client.own(), ok.status, deprecate_eof_, 1); break;
            case mysql::Command::query: {
                const Stripped front = attributes_ ? strip_query(packet.payload) : Stripped{{}, 1, {}};
                if (front.kind != Stripped::Kind::done) {
                    write_error(to_client.own(), failure(Fault::malformed), 1);
                    break;
                }
                const std::string_view text = without_comments(wire::as_text(packet.payload.subspan(front.replaced)));
                if (answered(text, to_client)) break;
                command.kind = Command::Kind::query;
                command.text = text;
                return command;
            }
            case mysql::Command::stmt_close:
            case mysql::Command::stmt_send_long_data: break;
            // Drivers then send their statement as text.
            case mysql::Command::stmt_prepare: write_error(to_client.own(), failure(Fault::unpreparable), 1); break;
            // The command line asks for the columns of each table.
            case mysql::Command::field_list: write_end_of_rows(to_client.own(), ok.status, false, 1); break;
            case mysql::Command::statistics: {
                const std::size_t mark = begin_packet(to_client.own(), 1);
                to_client.own().text("leasehold " LEASEHOLD_VERSION ", console");
                end_packet(to_client.own(), mark);
                break;
            }
            case mysql::Command::process_kill: {
                wire::Cursor cursor(packet.payload.subspan(1));
                command.kind = Command::Kind::query;
                command.text = "KILL_CLIENT " + std::to_string(cursor.u32le());
                return command;
            }
            case mysql::Command::change_user:
                write_error(to_client.own(), failure(Fault::not_supported, "log in anew to leave the console"), 1);
                break;
            default: write_error(to_client.own(), failure(Fault::unknown_command), 1); break;
        }
    }
}

// What drivers and the command line send by themselves.
bool LocalService::answered(std::string_view text, wire::Outbox& to_client) {
    if (begins(text, "SHOW") && begins(trimmed(text.substr(4)), "WARNINGS")) {
        dialects::Result answer{{{"Level", Type::text}, {"Code", Type::integer}, {"Message", Type::text}}, {}, "SHOW"};
        for (const std::string& notice : notices_) answer.rows.push_back({"Note", "0", notice});
        notices_.clear();
        result(answer, to_client);
        return true;
    }
    const std::optional<dialects::Result> polite = courtesy(text, identity_);
    if (!polite) return false;
    result(*polite, to_client);
    return true;
}

void LocalService::result(const dialects::Result& result, wire::Outbox& to_client) {
    Writer& out = to_client.own();
    std::uint8_t sequence = 1;
    notices_ = result.notices;
    if (result.columns.empty()) {
        Ok ok;
        ok.status = status::autocommit;
        ok.warnings = static_cast<std::uint16_t>(std::min<std::size_t>(notices_.size(), 100));
        write_ok(out, ok, sequence);
        return;
    }
    const std::size_t count = begin_packet(out, sequence++);
    out.lenenc(result.columns.size());
    end_packet(out, count);
    for (const dialects::Column& one : result.columns) column(out, one, extended_, sequence++);
    if (!deprecate_eof_) write_end_of_rows(out, status::autocommit, false, sequence++);
    for (const auto& row : result.rows) {
        const std::size_t mark = begin_packet(out, sequence++);
        for (std::size_t i = 0; i < result.columns.size(); ++i) {
            if (i < row.size() && row[i]) {
                out.lenenc_text(std::string_view(*row[i]).substr(0, max_cell / result.columns.size()));
            } else {
                out.u8(0xFB);
            }
        }
        end_packet(out, mark);
    }
    write_end_of_rows(out, status::autocommit, deprecate_eof_, sequence);
}

void LocalService::error(const wire::Diagnostics& error, wire::Outbox& to_client) {
    notices_.clear();
    write_error(to_client.own(), said(error), 1);
}

// A console's error may come without a number: then its SQLSTATE is another protocol's.
wire::Diagnostics LocalService::said(const wire::Diagnostics& error) const {
    if (error.number != 0) return error;
    wire::Diagnostics made = failure(Fault::syntax, error.message);
    made.detail = error.detail;
    made.hint = error.hint;
    return made;
}

}  // namespace leasehold::mysql
