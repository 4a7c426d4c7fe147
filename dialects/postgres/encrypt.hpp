// SPDX-License-Identifier: Apache-2.0
// TLS on the backend leg, before anything else is said: asking a server for it (Encrypt), and which way a connection is
// tried first and what follows a failure (EncryptionChoice), both as libpq does. Manual: "SSL Session Encryption".
#pragma once

#include "config/url.hpp"
#include "dialects/wire/exchange.hpp"
#include "dialects/wire/writer.hpp"

namespace leasehold::postgres {

// Client side: SSLRequest and the server's one byte, or at once (`direct`) the handshake; then done, and the login
// follows on the same transport. errc::tls_refused: the server answered `N`, and the connection can go on in plain.
class Encrypt final : public wire::Exchange {
  public:
    explicit Encrypt(bool direct) noexcept : direct_(direct) {}

    [[nodiscard]] wire::Action resume(wire::Bytes input, std::error_code ec) override;
    void secured(const wire::TlsFacts& facts) override { facts_ = facts; }
    void tls_failed(std::string why) override;

    [[nodiscard]] const wire::TlsFacts& facts() const noexcept { return facts_; }

  private:
    enum class State : std::uint8_t {
        start,
        asking,    // SSLRequest is being written, or its answer is due
        securing,  // the handshake is being done
        finished,
    };
    [[nodiscard]] wire::Action on_answer(wire::Bytes input);
    [[nodiscard]] wire::Action conclude();
    [[nodiscard]] wire::Action fail(std::size_t consumed, wire::errc error, std::string_view message);

    bool direct_;
    State state_ = State::start;
    wire::Writer out_;
    wire::TlsFacts facts_;
};

// Why a connection to a server did not come to be.
enum class Obstacle : std::uint8_t {
    declined,   // the server answered `N` to SSLRequest
    unwilling,  // it answered something else, or the handshake failed
    refused,    // it answered the login with an error of class 28: another rule of its pg_hba.conf may say otherwise
    other,
};

// One attempt after another at one server.
class EncryptionChoice {
  public:
    // `local`: a unix socket, which is never encrypted.
    EncryptionChoice(config::TlsMode mode, bool local) noexcept;

    [[nodiscard]] bool encrypt() const noexcept { return encrypt_; }
    // What to do about an obstacle; after `same_connection` and `new_connection` encrypt() says how.
    enum class Next : std::uint8_t { give_up, same_connection, new_connection };
    [[nodiscard]] Next after(Obstacle obstacle) noexcept;

  private:
    config::TlsMode mode_;
    bool encrypt_;
    bool changed_ = false;
};

}  // namespace leasehold::postgres
