// SPDX-License-Identifier: Apache-2.0
// The server's leg of handshake.hpp.
#include "dialects/mysql/handshake.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using wire::Action;
using wire::errc;

constexpr std::size_t max_login_packet = 64 * 1024;
constexpr int max_switches = 3;

[[nodiscard]] errc error_of(int number) noexcept {
    switch (number) {
        case 1040:
        case 1203:
        case 1226: return errc::server_saturated;
        case 1053: return errc::server_unready;
        case 1044:
        case 1045:
        case 1049:
        case 1130:
        case 1698: return errc::authentication_failed;
        default: return errc::server_error;
    }
}

// The answer to a server that asks for another plugin; none: that plugin is not spoken.
[[nodiscard]] std::optional<std::string> answer_to(const AuthSwitch& request, std::string_view password) {
    if (request.plugin != native_password || request.data.size() < sizeof(Salt)) return std::nullopt;
    Salt salt{};
    std::copy_n(request.data.begin(), salt.size(), salt.begin());
    return native_answer(password, salt);
}

[[nodiscard]] std::string unspoken(std::string_view plugin) {
    std::string said = "the server wants the authentication plugin ";
    said += plugin.empty() ? std::string_view("mysql_old_password") : plugin.substr(0, 64);
    return said + ", which leasehold does not speak yet; give this account mysql_native_password";
}

void write_answer(wire::Writer& out, std::string_view answer, std::uint8_t sequence) {
    out.clear();
    const std::size_t mark = begin_packet(out, sequence);
    out.text(answer);
    end_packet(out, mark);
}

}  // namespace

Action ServerLogin::fail(std::error_code error, std::string_view message, std::size_t consumed) {
    state_ = State::finished;
    if (!message.empty()) {
        diagnostics_.clear();
        diagnostics_.message = message;
    }
    return Action::done(consumed, error);
}

Action ServerLogin::on_greeting(const Packet& packet) {
    std::optional<Greeting> greeting = parse_greeting(packet.payload);
    if (!greeting) return fail(make_error_code(errc::unsupported), "the server speaks another protocol", packet.size());
    greeting_ = std::move(*greeting);
    const Capabilities wanted = cap::needed | params_.capabilities;
    if ((greeting_.capabilities & wanted) != wanted) {
        return fail(make_error_code(errc::unsupported), "the server lacks capabilities that its clients were offered",
                    packet.size());
    }
    const Capabilities optional =
        cap::long_flag | cap::plugin_auth | (params_.program_name.empty() ? 0 : cap::connect_attrs);
    capabilities_ =
        wanted | (greeting_.capabilities & optional) | (params_.database.empty() ? 0 : cap::connect_with_db);
    charset_ = params_.charset == 0 ? greeting_.charset : params_.charset;
    HandshakeResponse response;
    // To MariaDB the bit says that the client knows nothing of its further capabilities; to MySQL it is customary.
    response.capabilities = capabilities_ | cap::long_password;
    response.charset = charset_;
    response.user = params_.user;
    response.authentication = native_answer(params_.password, greeting_.salt);
    response.database = params_.database;
    response.plugin = native_password;
    write_handshake_response(out_, response, {{"_client_name", "leasehold"}, {"program_name", params_.program_name}},
                             static_cast<std::uint8_t>(packet.sequence + 1));
    state_ = State::authenticating;
    return Action::write(packet.size(), out_.bytes());
}

Action ServerLogin::resume(Bytes input, std::error_code ec) {
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    if (state_ == State::finished) return Action::done(0);
    const Packet packet = first_packet(input, max_login_packet);
    if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
    if (packet.kind == Packet::Kind::too_long || packet.payload.empty()) {
        return fail(make_error_code(errc::protocol_violation), "the server sent what is no packet of a login", 0);
    }
    if (packet.payload[0] == 0xFF) {
        diagnostics_ = parse_error(packet.payload);
        return fail(make_error_code(error_of(diagnostics_.number)), {}, packet.size());
    }
    if (state_ == State::greeting) return on_greeting(packet);
    if (packet.payload[0] == 0x00) {
        const std::optional<Ok> ok = parse_ok(packet.payload);
        if (!ok) return fail(make_error_code(errc::protocol_violation), "the server's OK is malformed", packet.size());
        status_ = ok->status;
        state_ = State::finished;
        return Action::done(packet.size());
    }
    if (packet.payload[0] != 0xFE) {
        return fail(make_error_code(errc::unsupported), unspoken(greeting_.plugin), packet.size());
    }
    const AuthSwitch request = parse_auth_switch(packet.payload).value_or(AuthSwitch{});
    const std::optional<std::string> answer = answer_to(request, params_.password);
    if (!answer || ++switches_ > max_switches) {
        return fail(make_error_code(errc::unsupported), unspoken(request.plugin), packet.size());
    }
    write_answer(out_, *answer, static_cast<std::uint8_t>(packet.sequence + 1));
    return Action::write(packet.size(), out_.bytes());
}

Action ChangeUser::fail(std::error_code error, std::string_view message, std::size_t consumed) {
    finished_ = true;
    if (!message.empty()) {
        diagnostics_.clear();
        diagnostics_.message = message;
    }
    return Action::done(consumed, error);
}

Action ChangeUser::resume(Bytes input, std::error_code ec) {
    if (ec) {
        finished_ = true;
        return Action::done(0, ec);
    }
    if (finished_) return Action::done(0);
    if (!started_) {
        started_ = true;
        const std::size_t mark = begin_packet(out_, 0);
        out_.u8(static_cast<std::uint8_t>(Command::change_user));
        out_.cstring(params_.user);
        out_.u8(0);  // the server draws a new salt and asks for the answer to it
        out_.cstring(params_.database);
        out_.u16le(params_.charset);
        if ((params_.capabilities & cap::plugin_auth) != 0) out_.cstring(native_password);
        if ((params_.capabilities & cap::connect_attrs) != 0) {
            wire::Writer pairs;
            pairs.lenenc_text("program_name");
            pairs.lenenc_text(params_.program_name);
            out_.lenenc(pairs.size());
            out_.append(pairs.bytes());
        }
        end_packet(out_, mark);
        return Action::write(0, out_.bytes());
    }
    const Packet packet = first_packet(input, max_login_packet);
    if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
    if (packet.kind == Packet::Kind::too_long || packet.payload.empty()) {
        return fail(make_error_code(errc::protocol_violation), "the server sent what is no packet of a login", 0);
    }
    if (packet.payload[0] == 0x00) {
        const std::optional<Ok> ok = parse_ok(packet.payload);
        if (!ok) return fail(make_error_code(errc::protocol_violation), "the server's OK is malformed", packet.size());
        status_ = ok->status;
        finished_ = true;
        return Action::done(packet.size());
    }
    if (packet.payload[0] == 0xFF) {
        diagnostics_ = parse_error(packet.payload);
        return fail(make_error_code(errc::server_error), {}, packet.size());
    }
    const AuthSwitch request = parse_auth_switch(packet.payload).value_or(AuthSwitch{});
    const std::optional<std::string> answer = answer_to(request, params_.password);
    if (!answer || ++switches_ > max_switches) {
        return fail(make_error_code(errc::unsupported), unspoken(request.plugin), packet.size());
    }
    write_answer(out_, *answer, static_cast<std::uint8_t>(packet.sequence + 1));
    return Action::write(packet.size(), out_.bytes());
}

}  // namespace leasehold::mysql
