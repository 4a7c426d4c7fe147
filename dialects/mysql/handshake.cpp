// SPDX-License-Identifier: Apache-2.0
// The client's leg of handshake.hpp.
#include "dialects/mysql/handshake.hpp"

#include "dialects/mysql/deflate.hpp"
#include "dialects/mysql/errors.hpp"

namespace leasehold::mysql {

using wire::Action;
using wire::errc;

ClientGreeting::ClientGreeting(Greeting greeting, std::size_t max_bytes)
    : greeting_(std::move(greeting)), max_bytes_(max_bytes) {
    greeting_.capabilities =
        (greeting_.capabilities & cap::offered) | cap::needed | cap::plugin_auth | cap::plugin_auth_lenenc;
    // MariaDB says by its absence that further capabilities follow.
    if (!is_mariadb(greeting_.version)) greeting_.capabilities |= cap::long_password;
    greeting_.capabilities |= cap::compress | cap::zstd;  // they end here, whatever the server knows
    greeting_.plugin = native_password;
}

Action ClientGreeting::fail(errc error, const wire::Diagnostics& said) {
    finished_ = true;
    diagnostics_ = said;
    return Action::done(0, make_error_code(error));
}

Action ClientGreeting::resume(Bytes input, std::error_code ec) {
    if (ec) {
        // A client that looks whether somebody listens connects, and goes.
        left_ = ec == errc::closed && input.empty() && started_;
        finished_ = true;
        return Action::done(0, left_ ? std::error_code() : ec);
    }
    if (finished_) return Action::done(0);
    if (!started_) {
        started_ = true;
        write_greeting(out_, greeting_);
        return Action::write(0, out_.bytes());
    }
    greeted_ = true;
    if (next_sequence_ == 0) next_sequence_ = 2;
    const Packet packet = first_packet(input, max_bytes_);
    if (packet.kind == Packet::Kind::too_long) {
        return fail(errc::message_too_large, failure(Fault::login_violation, "the login packet is too long"));
    }
    if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
    next_sequence_ = static_cast<std::uint8_t>(packet.sequence + 1);
    if (packet.sequence != 1)
        return fail(errc::protocol_violation, failure(Fault::login_violation, "packets out of order"));
    wire::Cursor flags(packet.payload);
    const Capabilities capabilities = flags.u32le();
    if (flags.ok() && (capabilities & cap::protocol_41) == 0)
        return fail(errc::unsupported, failure(Fault::unsupported_client));
    if (flags.ok() && (capabilities & cap::ssl) != 0) {
        return fail(errc::unsupported, failure(Fault::login_violation, "TLS was not offered"));
    }
    std::optional<HandshakeResponse> response = parse_handshake_response(packet.payload, greeting_.capabilities);
    if (!response)
        return fail(errc::protocol_violation, failure(Fault::login_violation, "the login packet is malformed"));
    response_ = std::move(*response);
    finished_ = true;
    return Action::done(packet.size());
}

ClientAuthentication::ClientAuthentication(ClientCredential credential, const ClientGreeting& greeting)
    : credential_(std::move(credential)), user_(greeting.response().user), answer_(greeting.response().authentication),
      right_plugin_(greeting.response().plugin == native_password ||
                    (greeting.response().capabilities & cap::plugin_auth) == 0),
      salt_(greeting.greeting().salt), next_sequence_(greeting.next_sequence()) {}

Action ClientAuthentication::conclude(std::string_view answer, std::size_t consumed) {
    state_ = State::finished;
    if (credential_.kind == ClientCredential::Kind::trust) return Action::done(consumed);
    const bool right = verify_native(native_verifier(credential_.secret), answer, salt_);
    if (right && credential_.kind == ClientCredential::Kind::password) return Action::done(consumed);
    diagnostics_ = access_denied(user_, !answer.empty());
    return Action::done(consumed, make_error_code(errc::authentication_failed));
}

Action ClientAuthentication::resume(Bytes input, std::error_code ec) {
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    switch (state_) {
        case State::start:
            if (credential_.kind == ClientCredential::Kind::none) credential_.secret = "no such user";
            if (right_plugin_) return conclude(answer_, 0);
            state_ = State::switching;
            salt_ = make_salt();
            write_auth_switch(out_, native_password, salt_, next_sequence_++);
            return Action::write(0, out_.bytes());
        case State::switching: {
            const Packet packet = first_packet(input, 1024);
            if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
            if (packet.kind == Packet::Kind::too_long || packet.sequence != next_sequence_) {
                state_ = State::finished;
                diagnostics_ = failure(Fault::login_violation, "the answer to the authentication is malformed");
                return Action::done(0, make_error_code(errc::protocol_violation));
            }
            ++next_sequence_;
            return conclude(wire::as_text(packet.payload), packet.size());
        }
        case State::finished: break;
    }
    return Action::done(0);
}

}  // namespace leasehold::mysql
