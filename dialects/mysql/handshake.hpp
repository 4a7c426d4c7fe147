// SPDX-License-Identifier: Apache-2.0
// The start of a connection on both legs: greeting a client and asking who it is (ClientGreeting, ClientAuthentication),
// and our own login to a server (ServerLogin, ChangeUser). "Connection Phase" of the manual.
#pragma once

#include "config/url.hpp"
#include "dialects/mysql/challenge.hpp"
#include "dialects/mysql/deflate.hpp"
#include "dialects/wire/exchange.hpp"

namespace leasehold::mysql {

// --- the client's leg ------------------------------------------------------------------------------------------

// Writes the greeting, reads the response. Diagnostics are what the client is to be told.
class ClientGreeting final : public wire::Exchange {
  public:
    // `greeting.capabilities`: what the server can do; the client is offered what leasehold passes on of it.
    ClientGreeting(Greeting greeting, std::size_t max_bytes);
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;

    [[nodiscard]] const Greeting& greeting() const noexcept { return greeting_; }
    [[nodiscard]] const HandshakeResponse& response() const noexcept { return response_; }
    // Before the greeting was written: an error has sequence 0 and no SQLSTATE.
    [[nodiscard]] bool greeted() const noexcept { return greeted_; }
    // It closed in order before it answered.
    [[nodiscard]] bool left() const noexcept { return left_; }
    [[nodiscard]] std::uint8_t next_sequence() const noexcept { return next_sequence_; }

  private:
    [[nodiscard]] wire::Action fail(wire::errc error, const wire::Diagnostics& said);

    Greeting greeting_;
    std::size_t max_bytes_;
    bool started_ = false, greeted_ = false, finished_ = false, left_ = false;
    std::uint8_t next_sequence_ = 0;
    HandshakeResponse response_;
    wire::Writer out_;
};

struct ClientCredential {
    enum class Kind : std::uint8_t {
        password,  // `secret`: clear text, or "*" and the hash
        trust,     // nothing is asked
        none,      // nobody of that name: played to the end all the same
    };
    Kind kind = Kind::none;
    std::string secret;
};

// Has a client that named another plugin switch to mysql_native_password; verifies its answer.
class ClientAuthentication final : public wire::Exchange {
  public:
    ClientAuthentication(ClientCredential credential, const ClientGreeting& greeting);
    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    [[nodiscard]] std::uint8_t next_sequence() const noexcept { return next_sequence_; }

  private:
    enum class State : std::uint8_t { start, switching, finished };
    [[nodiscard]] wire::Action conclude(std::string_view answer, std::size_t consumed);

    ClientCredential credential_;
    std::string user_;
    std::string answer_;
    bool right_plugin_;
    Salt salt_;
    std::uint8_t next_sequence_;
    State state_ = State::start;
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
    [[nodiscard]] bool wants_keys() const noexcept { return dialogue_ && dialogue_->challenge().wants_keys(); }

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
