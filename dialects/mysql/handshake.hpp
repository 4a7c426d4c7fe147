// SPDX-License-Identifier: Apache-2.0
// The start of a connection on both legs: greeting a client (ClientGreeting; client_auth asks who it is), and our own
// login to a server (ServerLogin, ChangeUser). "Connection Phase" of the manual.
#pragma once

#include "config/url.hpp"
#include "dialects/mysql/challenge.hpp"
#include "dialects/mysql/client_auth.hpp"
#include "dialects/mysql/deflate.hpp"
#include "dialects/wire/exchange.hpp"

namespace leasehold::mysql {

// --- the client's leg ------------------------------------------------------------------------------------------

// What a listener says about TLS.
struct TlsOffer {
    bool offered = false;   // the greeting names it, and a request for it is granted
    bool required = false;  // who sends a response without it is refused
};

// Writes the greeting, grants a request for TLS, reads the response. Diagnostics are what the client is to be told.
class ClientGreeting final : public wire::Exchange {
  public:
    // `greeting.capabilities`: what the server can do; the client is offered what leasehold passes on of it.
    ClientGreeting(Greeting greeting, std::size_t max_bytes, TlsOffer tls = {});
    // One that is over: its client begins a session anew on its connection. `salt`: the last one that it was sent.
    ClientGreeting(HandshakeResponse again, const Salt& salt, std::optional<wire::TlsFacts> tls);
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void secured(const wire::TlsFacts& facts) override { tls_ = facts; }

    [[nodiscard]] const Greeting& greeting() const noexcept { return greeting_; }
    [[nodiscard]] const HandshakeResponse& response() const noexcept { return response_; }
    [[nodiscard]] const std::optional<wire::TlsFacts>& tls() const noexcept { return tls_; }
    // For the authentication that follows. `host`: what errors call the client's; `local`: a unix socket.
    [[nodiscard]] ClientHello hello(std::string host, bool local) const;
    // Before the greeting was written: an error has sequence 0 and no SQLSTATE.
    [[nodiscard]] bool greeted() const noexcept { return state_ > State::greeting; }
    // It closed in order before it answered.
    [[nodiscard]] bool left() const noexcept { return left_; }
    [[nodiscard]] std::uint8_t next_sequence() const noexcept { return next_sequence_; }

  private:
    enum class State : std::uint8_t {
        start,
        greeting,  // is being written
        reading,
        securing,  // the handshake is being done
        finished,
    };
    [[nodiscard]] wire::Action interrupted(Bytes input, std::error_code ec);
    [[nodiscard]] wire::Action read_packet(Bytes input);
    [[nodiscard]] wire::Action on_packet(const Packet& packet);
    [[nodiscard]] wire::Action fail(wire::errc error, const wire::Diagnostics& said);

    Greeting greeting_;
    std::size_t max_bytes_;
    TlsOffer offer_;
    State state_ = State::start;
    bool left_ = false;
    std::uint8_t next_sequence_ = 0;
    std::optional<wire::TlsFacts> tls_;
    HandshakeResponse response_;
    bool returns_ = false;
    wire::Writer out_;
};

// --- the server's leg ------------------------------------------------------------------------------------------

struct ServerLoginParams {
    std::string user;
    std::string password;           // clear text, or a hash as servers store it
    std::string database;           // may be empty
    Capabilities capabilities = 0;  // of cap::of_variant
    std::uint8_t charset = 0;       // 0: the server's own
    std::string program_name;
    Compression compression = Compression::none;
    int zstd_level = default_zstd_level;
    LoginKeys keys{};  // recovered from a client's login, where the password is a hash
    // prefer: TLS where the server offers it; from `require` on, errc::tls_refused where it does not.
    config::TlsMode tls = config::TlsMode::disable;
    bool secure = false;  // encrypted already, or a unix socket: a password in clear text is read by the server alone
};

// The server's questions and our answers, from the first answer to the server's OK or ERR.
class ServerDialogue {
  public:
    ServerDialogue(const ServerLoginParams& params, bool readable)
        : challenge_({params.password, params.keys}, readable) {}
    [[nodiscard]] ServerChallenge& challenge() noexcept { return challenge_; }
    [[nodiscard]] const ServerChallenge& challenge() const noexcept { return challenge_; }

    [[nodiscard]] wire::Action resume(Bytes input);
    void compute() { challenge_.compute(); }
    // When it is done.
    [[nodiscard]] const wire::Diagnostics& diagnostics() const noexcept { return diagnostics_; }
    [[nodiscard]] std::uint16_t status() const noexcept { return status_; }  // of the OK

  private:
    [[nodiscard]] wire::Action on_packet(const Packet& packet);
    [[nodiscard]] wire::Action perform(ServerChallenge::Next next, std::size_t consumed);
    [[nodiscard]] wire::Action fail(std::error_code error, std::string_view message, std::size_t consumed);

    ServerChallenge challenge_;
    bool computing_ = false;
    std::uint8_t sequence_ = 0;  // of our next packet
    int questions_ = 0;
    std::uint16_t status_ = 0;
    wire::Diagnostics diagnostics_;
    wire::Writer out_;
};

// errc::server_saturated for 1040 and 1203, server_unready for 1053, authentication_failed for 1045, 1044 and 1698,
// unsupported for another plugin, tls_refused and tls_failed as they say. TLS begins behind the server's greeting.
class ServerLogin final : public wire::Exchange {
  public:
    explicit ServerLogin(ServerLoginParams params) : params_(std::move(params)) {}
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override { dialogue_->compute(); }
    void secured(const wire::TlsFacts& facts) override { tls_ = facts; }

    [[nodiscard]] const Greeting& greeting() const noexcept { return greeting_; }
    [[nodiscard]] Capabilities capabilities() const noexcept { return capabilities_; }  // negotiated
    [[nodiscard]] std::uint8_t charset() const noexcept { return charset_; }
    [[nodiscard]] std::uint16_t status() const noexcept {
        return dialogue_ ? dialogue_->status() : 0;
    }  // of the last OK
    [[nodiscard]] const std::optional<wire::TlsFacts>& tls() const noexcept { return tls_; }
    // The server asks for a proof that only a client's login can bring: what is configured is a hash.
    [[nodiscard]] bool wants_keys() const noexcept {
        return dialogue_ && (dialogue_->challenge().wants_keys() || dialogue_->challenge().empty_handed());
    }

  private:
    enum class State : std::uint8_t {
        greeting,
        asking,    // SSLRequest is being written
        securing,  // the handshake is being done
        authenticating,
        finished,
    };
    [[nodiscard]] wire::Action interrupted(std::error_code ec);
    [[nodiscard]] wire::Action on_greeting(const Packet& packet);
    [[nodiscard]] wire::Action respond(std::size_t consumed);
    [[nodiscard]] wire::Action fail(std::error_code error, std::string_view message, std::size_t consumed);

    ServerLoginParams params_;
    State state_ = State::greeting;
    Greeting greeting_;
    Capabilities capabilities_ = 0;
    std::uint8_t charset_ = 0;
    std::uint8_t next_sequence_ = 0;
    std::optional<wire::TlsFacts> tls_;
    std::optional<ServerDialogue> dialogue_;
    wire::Writer out_;
};

// A session begun anew on a connection that stands, without a current database: COM_CHANGE_USER. The server always asks
// for an answer to a new salt.
class ChangeUser final : public wire::Exchange {
  public:
    // `capabilities`, `charset`: of the connection's own handshake.
    explicit ChangeUser(ServerLoginParams params) : params_(std::move(params)), dialogue_(params_, !params_.secure) {}
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override { dialogue_.compute(); }
    [[nodiscard]] std::uint16_t status() const noexcept { return dialogue_.status(); }

  private:
    ServerLoginParams params_;
    ServerDialogue dialogue_;
    bool started_ = false, finished_ = false;
    wire::Writer out_;
};

}  // namespace leasehold::mysql
