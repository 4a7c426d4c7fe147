// SPDX-License-Identifier: Apache-2.0
// The server's leg of handshake.hpp.
#include "dialects/mysql/handshake.hpp"

#include <algorithm>

namespace leasehold::mysql {
namespace {

using config::TlsMode;
using wire::Action;
using wire::errc;

constexpr std::size_t max_login_packet = 64 * 1024;
// A plugin says two things at most, and few servers switch once: more is a server that plays with us.
constexpr int max_questions = 8;

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

// To MariaDB the bit says that the client knows nothing of its further capabilities; to MySQL it is customary.
[[nodiscard]] Capabilities announced(Capabilities capabilities) noexcept {
    return capabilities | ((capabilities & cap::mariadb_word) == 0 ? cap::long_password : 0);
}

}  // namespace

// --- questions and answers --------------------------------------------------------------------------------------

Action ServerDialogue::fail(std::error_code error, std::string_view message, std::size_t consumed) {
    diagnostics_.clear();
    diagnostics_.message = message;
    return Action::done(consumed, error);
}

Action ServerDialogue::resume(Bytes input) {
    if (computing_) {
        computing_ = false;
        return perform(challenge_.proceed(), 0);
    }
    const Packet packet = first_packet(input, max_login_packet);
    if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
    if (packet.kind == Packet::Kind::too_long || packet.payload.empty()) {
        return fail(make_error_code(errc::protocol_violation), "the server sent what is no packet of a login", 0);
    }
    sequence_ = static_cast<std::uint8_t>(packet.sequence + 1);
    Action action = on_packet(packet);
    // Nothing was asked: the verdict may be there already.
    if (action.kind == Action::Kind::read && input.size() > packet.size()) {
        action = resume(input.subspan(packet.size()));
        action.consumed += packet.size();
    }
    return action;
}

Action ServerDialogue::on_packet(const Packet& packet) {
    const std::string_view rest = wire::as_text(packet.payload.subspan(1));
    if (packet.payload[0] == 0x00) {
        const std::optional<Ok> ok = parse_ok(packet.payload);
        if (!ok) return fail(make_error_code(errc::protocol_violation), "the server's OK is malformed", packet.size());
        status_ = ok->status;
        return Action::done(packet.size());
    }
    if (packet.payload[0] == 0xFF) {
        diagnostics_ = parse_error(packet.payload);
        return Action::done(packet.size(), make_error_code(error_of(diagnostics_.number)));
    }
    if (++questions_ > max_questions) {
        return fail(make_error_code(errc::protocol_violation), "the server's questions come to no end", packet.size());
    }
    if (packet.payload[0] == 0x01) return perform(challenge_.more(rest), packet.size());
    if (packet.payload[0] != 0xFE) {
        return fail(make_error_code(errc::unsupported), "the server wants to know something that leasehold cannot tell",
                    packet.size());
    }
    const AuthSwitch request = parse_auth_switch(packet.payload).value_or(AuthSwitch{});
    return perform(challenge_.start(request.plugin, request.data), packet.size());
}

Action ServerDialogue::perform(ServerChallenge::Next next, std::size_t consumed) {
    switch (next) {
        case ServerChallenge::Next::wait: return Action::read(consumed);
        case ServerChallenge::Next::compute: computing_ = true; return Action::compute(consumed);
        case ServerChallenge::Next::failed:
            diagnostics_ = challenge_.diagnostics();
            return Action::done(consumed, challenge_.error());
        case ServerChallenge::Next::reply: break;
    }
    out_.clear();
    const std::size_t mark = begin_packet(out_, sequence_);
    out_.text(challenge_.answer());
    end_packet(out_, mark);
    return Action::write(consumed, out_.bytes());
}

// --- a new connection ---------------------------------------------------------------------------------------------

Action ServerLogin::fail(std::error_code error, std::string_view message, std::size_t consumed) {
    state_ = State::finished;
    if (!message.empty()) {
        diagnostics_.clear();
        diagnostics_.message = message;
    }
    return Action::done(consumed, error);
}

Action ServerLogin::interrupted(std::error_code ec) {
    if (ec == errc::plaintext_before_tls) {
        return fail(ec, "received unencrypted data after the request for TLS", 0);
    }
    state_ = State::finished;
    return Action::done(0, ec);
}

Action ServerLogin::on_greeting(const Packet& packet) {
    std::optional<Greeting> greeting = parse_greeting(packet.payload);
    if (!greeting) return fail(make_error_code(errc::unsupported), "the server speaks another protocol", packet.size());
    greeting_ = std::move(*greeting);
    const Capabilities wanted = cap::needed | (params_.capabilities & ~cap::spared);
    if ((greeting_.capabilities & wanted) != wanted) {
        return fail(make_error_code(errc::unsupported), "the server lacks capabilities that its clients were offered",
                    packet.size());
    }
    const bool tls_offered = (greeting_.capabilities & cap::ssl) != 0;
    if (params_.tls >= TlsMode::require && !tls_offered) {
        return fail(make_error_code(errc::tls_refused), "the server does not offer TLS", packet.size());
    }
    const Capabilities optional =
        cap::canonical | params_.capabilities | (params_.program_name.empty() ? 0 : cap::connect_attrs);
    capabilities_ =
        wanted | (greeting_.capabilities & optional) | (params_.database.empty() ? 0 : cap::connect_with_db);
    const std::uint32_t compression = capability_of(params_.compression);
    if ((greeting_.capabilities & compression) != compression) {
        return fail(make_error_code(errc::unsupported),
                    "the server does not offer the compression that the URL asks for", packet.size());
    }
    capabilities_ |= compression;
    charset_ = params_.charset == 0 ? greeting_.charset : params_.charset;
    next_sequence_ = static_cast<std::uint8_t>(packet.sequence + 1);
    if (!tls_offered || params_.tls < TlsMode::prefer) return respond(packet.size());
    state_ = State::asking;
    write_ssl_request(out_, announced(capabilities_) | cap::ssl, charset_, next_sequence_++);
    return Action::write(packet.size(), out_.bytes());
}

Action ServerLogin::respond(std::size_t consumed) {
    dialogue_.emplace(params_, !params_.secure && !tls_);
    ServerChallenge& challenge = dialogue_->challenge();
    if (challenge.empty_handed()) {
        return fail(make_error_code(errc::authentication_failed),
                    "nobody has logged in as \"" + params_.user + "\" since the start; a hash cannot dial by itself",
                    consumed);
    }
    challenge.greet(greeting_.plugin, greeting_.salt);
    HandshakeResponse response;
    response.capabilities = announced(capabilities_) | (tls_ ? cap::ssl : 0);
    response.charset = charset_;
    response.user = params_.user;
    response.authentication = challenge.answer();
    response.database = params_.database;
    response.plugin = challenge.plugin();
    response.zstd_level = static_cast<std::uint8_t>(params_.zstd_level);
    out_.clear();
    write_handshake_response(out_, response, {{"_client_name", "leasehold"}, {"program_name", params_.program_name}},
                             next_sequence_);
    state_ = State::authenticating;
    return Action::write(consumed, out_.bytes());
}

Action ServerLogin::resume(Bytes input, std::error_code ec) {
    if (ec) return interrupted(ec);
    switch (state_) {
        case State::greeting: {
            const Packet packet = first_packet(input, max_login_packet);
            if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
            if (packet.kind == Packet::Kind::too_long || packet.payload.empty()) {
                return fail(make_error_code(errc::protocol_violation), "the server sent what is no packet of a login",
                            0);
            }
            if (packet.payload[0] != 0xFF) return on_greeting(packet);
            diagnostics_ = parse_error(packet.payload);
            return fail(make_error_code(error_of(diagnostics_.number)), {}, packet.size());
        }
        // A server has nothing to say until we have spoken: what is there already was put there to be taken for
        // encrypted, and drive() refuses it.
        case State::asking: state_ = State::securing; return Action::start_tls(0);
        case State::securing: return respond(0);
        case State::authenticating: {
            const Action action = dialogue_->resume(input);
            if (action.kind == Action::Kind::done) {
                state_ = State::finished;
                diagnostics_ = dialogue_->diagnostics();
            }
            return action;
        }
        case State::finished: break;
    }
    return Action::done(0);
}

// --- a new session ------------------------------------------------------------------------------------------------

Action ChangeUser::resume(Bytes input, std::error_code ec) {
    if (ec) {
        finished_ = true;
        return Action::done(0, ec);
    }
    if (finished_) return Action::done(0);
    if (started_) {
        const Action action = dialogue_.resume(input);
        if (action.kind == Action::Kind::done) {
            finished_ = true;
            diagnostics_ = dialogue_.diagnostics();
        }
        return action;
    }
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

}  // namespace leasehold::mysql
