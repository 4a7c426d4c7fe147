// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/encrypt.hpp"

#include "dialects/postgres/handshake.hpp"

namespace leasehold::postgres {

using config::TlsMode;
using wire::Action;
using wire::errc;

Action Encrypt::resume(wire::Bytes input, std::error_code ec) {
    if (state_ == State::finished) return Action::done(0);
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    switch (state_) {
        case State::start:
            if (direct_) {
                state_ = State::securing;
                return Action::start_tls(0);
            }
            state_ = State::asking;
            ssl_request(out_);
            return Action::write(0, out_.bytes());
        case State::asking: return on_answer(input);
        case State::securing: return conclude();
        case State::finished: break;
    }
    return Action::done(0);
}

Action Encrypt::on_answer(wire::Bytes input) {
    if (input.empty()) return Action::read(0);
    if (input[0] != 'S' && input[0] != 'N') {
        // An old server's error. Nobody has vouched for its words: they are not shown.
        return fail(input.size(), errc::protocol_violation, "the server answers a request for TLS with an error");
    }
    // A server has nothing to say until we have spoken: whoever does wants it to be taken for encrypted later.
    if (input.size() > 1) {
        return fail(input.size(), errc::plaintext_before_tls,
                    "received unencrypted data after the answer to the request for TLS");
    }
    if (input[0] == 'N') return fail(1, errc::tls_refused, "the server does not offer TLS");
    state_ = State::securing;
    return Action::start_tls(1);
}

Action Encrypt::conclude() {
    // Direct TLS is told apart by ALPN alone: another service behind the same port must not get our login.
    if (direct_ && facts_.protocol != alpn_protocol) {
        return fail(0, errc::tls_failed,
                    "the server does not choose the protocol \"postgresql\" by ALPN, which direct TLS needs");
    }
    state_ = State::finished;
    return Action::done(0);
}

void Encrypt::tls_failed(std::string why) {
    diagnostics_.sqlstate = "08001";
    diagnostics_.message = std::move(why);
}

Action Encrypt::fail(std::size_t consumed, errc error, std::string_view message) {
    state_ = State::finished;
    diagnostics_.sqlstate = "08001";
    diagnostics_.message = message;
    return Action::done(consumed, error);
}

EncryptionChoice::EncryptionChoice(TlsMode mode, bool local) noexcept
    : mode_(local ? TlsMode::disable : mode), encrypt_(mode_ >= TlsMode::prefer) {}

EncryptionChoice::Next EncryptionChoice::after(Obstacle obstacle) noexcept {
    if (changed_ || obstacle == Obstacle::other) return Next::give_up;
    const bool to_plain = mode_ == TlsMode::prefer && encrypt_;
    const bool to_tls = mode_ == TlsMode::allow && !encrypt_ && obstacle == Obstacle::refused;
    if (!to_plain && !to_tls) return Next::give_up;
    changed_ = true;
    encrypt_ = !encrypt_;
    return obstacle == Obstacle::declined ? Next::same_connection : Next::new_connection;
}

}  // namespace leasehold::postgres
