// SPDX-License-Identifier: Apache-2.0
// The client's leg of handshake.hpp.
#include "dialects/mysql/handshake.hpp"

#include "dialects/mysql/deflate.hpp"
#include "dialects/mysql/errors.hpp"

namespace leasehold::mysql {
namespace {

using wire::Action;
using wire::errc;

// A request for TLS is the head of a response, and nothing else.
constexpr std::size_t tls_request_size = 32;

}  // namespace

ClientGreeting::ClientGreeting(Greeting greeting, std::size_t max_bytes, TlsOffer tls)
    : greeting_(std::move(greeting)), max_bytes_(max_bytes), offer_(tls) {
    greeting_.capabilities =
        (greeting_.capabilities & cap::offered) | cap::needed | cap::plugin_auth | cap::plugin_auth_lenenc;
    const bool mariadb = is_mariadb(greeting_.version);
    // MariaDB says by its absence that further capabilities follow.
    if (!mariadb) greeting_.capabilities |= cap::long_password;
    if (offer_.offered) greeting_.capabilities |= cap::ssl;
    greeting_.capabilities |= cap::compress | cap::zstd;  // they end here, whatever the server knows
    greeting_.plugin = mariadb ? native_password : sha2_password;
}

ClientGreeting::ClientGreeting(HandshakeResponse again, const Salt& salt, std::optional<wire::TlsFacts> tls)
    : max_bytes_(0), state_(State::finished), next_sequence_(1), tls_(std::move(tls)), response_(std::move(again)),
      returns_(true) {
    greeting_.capabilities = response_.capabilities;
    greeting_.salt = salt;
}

ClientHello ClientGreeting::hello(std::string host, bool local) const {
    ClientHello made;
    made.user = response_.user;
    made.host = std::move(host);
    made.plugin = response_.plugin;
    made.answer = response_.authentication;
    made.greeted_with = greeting_.plugin;
    made.salt = greeting_.salt;
    made.can_switch = (response_.capabilities & cap::plugin_auth) != 0;
    made.readable = !local && !tls_;
    made.next_sequence = next_sequence_;
    made.returns = returns_;
    return made;
}

Action ClientGreeting::fail(errc error, const wire::Diagnostics& said) {
    state_ = State::finished;
    diagnostics_ = said;
    return Action::done(0, make_error_code(error));
}

Action ClientGreeting::interrupted(Bytes input, std::error_code ec) {
    // A client that looks whether somebody listens connects, and goes.
    left_ = ec == errc::closed && input.empty() && !tls_ && (state_ == State::greeting || state_ == State::reading);
    if (ec == errc::tls_failed) {
        diagnostics_ = failure(Fault::login_violation, "the TLS handshake failed: " + diagnostics_.message);
    }
    state_ = State::finished;
    return Action::done(0, left_ ? std::error_code() : ec);
}

Action ClientGreeting::resume(Bytes input, std::error_code ec) {
    if (ec) return interrupted(input, ec);
    switch (state_) {
        case State::start:
            state_ = State::greeting;
            write_greeting(out_, greeting_);
            return Action::write(0, out_.bytes());
        case State::greeting:
            state_ = State::reading;
            next_sequence_ = 2;
            return read_packet(input);
        case State::reading: return read_packet(input);
        case State::securing: state_ = State::reading; return read_packet(input);
        case State::finished: break;
    }
    return Action::done(0);
}

Action ClientGreeting::read_packet(Bytes input) {
    const Packet packet = first_packet(input, max_bytes_);
    if (packet.kind == Packet::Kind::too_long) {
        return fail(errc::message_too_large, failure(Fault::login_violation, "the login packet is too long"));
    }
    if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
    const std::uint8_t expected = tls_ ? 2 : 1;
    next_sequence_ = static_cast<std::uint8_t>(packet.sequence + 1);
    if (packet.sequence != expected)
        return fail(errc::protocol_violation, failure(Fault::login_violation, "packets out of order"));
    return on_packet(packet);
}

Action ClientGreeting::on_packet(const Packet& packet) {
    wire::Cursor flags(packet.payload);
    const Capabilities capabilities = flags.u32le();
    if (flags.ok() && (capabilities & cap::protocol_41) == 0)
        return fail(errc::unsupported, failure(Fault::unsupported_client));
    if (flags.ok() && (capabilities & cap::ssl) != 0 && !tls_) {
        if (!offer_.offered) return fail(errc::unsupported, failure(Fault::login_violation, "TLS was not offered"));
        if (packet.payload.size() != tls_request_size)
            return fail(errc::protocol_violation, failure(Fault::login_violation, "the request for TLS is malformed"));
        // The client waits for no answer: the bytes behind its request begin the handshake, and are taken for nothing
        // else, ever.
        state_ = State::securing;
        return Action::start_tls(packet.size(), true);
    }
    if (offer_.required && !tls_) return fail(errc::tls_refused, failure(Fault::tls_required));
    std::optional<HandshakeResponse> response = parse_handshake_response(packet.payload, greeting_.capabilities);
    if (!response)
        return fail(errc::protocol_violation, failure(Fault::login_violation, "the login packet is malformed"));
    response_ = std::move(*response);
    state_ = State::finished;
    return Action::done(packet.size());
}

}  // namespace leasehold::mysql
