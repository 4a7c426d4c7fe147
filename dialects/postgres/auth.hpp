// SPDX-License-Identifier: Apache-2.0
// Authentication, both sides: asking a client for its proof (ClientAuthentication, the whole exchange) and proving
// ourselves to a server (ServerChallenge, a part of the login's exchange). Manual: "SASL Authentication", "Start-up".
#pragma once

#include "dialects/postgres/framing.hpp"
#include "dialects/postgres/scram.hpp"
#include "dialects/wire/exchange.hpp"

namespace leasehold::postgres {

// "md5" and 32 hexadecimal digits: md5(password user).
[[nodiscard]] bool is_md5_hash(std::string_view secret) noexcept;
// Empty when libcrypto has no MD5 (FIPS).
[[nodiscard]] std::string md5_hash(std::string_view password, std::string_view user);
// What goes over the wire: md5(the hash's digits, the salt).
[[nodiscard]] std::string md5_answer(std::string_view hash, wire::Bytes salt);

// How a client is to be verified.
struct ClientCredential {
    enum class Kind : std::uint8_t {
        password,  // `secret`: clear text, a SCRAM verifier or an MD5 hash
        trust,     // nothing is asked
        none,      // nobody of that name: asked like everybody, and refused
    };
    // automatic: scram, or md5 for a secret that is an MD5 hash. md5: scram for a secret that is a SCRAM verifier.
    enum class Method : std::uint8_t { automatic, scram, md5, cleartext };
    Kind kind = Kind::none;
    Method method = Method::automatic;
    std::string secret;
};

// Ends without an error when the client is who it says; AuthenticationOk is then the first message of the welcome.
// Else with an error whose diagnostics are what the client is to be told (FATAL); nothing of it has been written.
class ClientAuthentication final : public wire::Exchange {
  public:
    // The cache must outlive the exchange.
    ClientAuthentication(ClientCredential credential, std::string user, ScramKeyCache& cache);
    ~ClientAuthentication() override;

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override;

    // After a login by SCRAM: keys that log in to a server which holds the same verifier.
    [[nodiscard]] const std::optional<ScramKeys>& recovered() const noexcept { return recovered_; }

  private:
    enum class State : std::uint8_t {
        start,
        asked_scram,  // the mechanisms were named; a SASLInitialResponse is due
        challenged,   // server-first-message sent; client-final-message is due
        deriving,     // keys of a clear-text password are being computed
        concluding,   // server-final-message is being written
        asked_md5,
        asked_password,  // clear text
        comparing,       // a clear-text password with what is known of it
        finished,
    };

    [[nodiscard]] wire::Action ask();
    [[nodiscard]] wire::Action on_message(std::size_t consumed, Bytes body);
    [[nodiscard]] wire::Action on_client_first(std::size_t consumed, Bytes body);
    [[nodiscard]] wire::Action challenge(std::size_t consumed, std::string_view client_first);
    [[nodiscard]] wire::Action on_client_final(std::size_t consumed, std::string_view client_final);
    [[nodiscard]] wire::Action verify_proof(std::size_t consumed);
    [[nodiscard]] wire::Action on_password(std::size_t consumed, Bytes body);
    [[nodiscard]] bool password_matches(std::string_view given) const;
    [[nodiscard]] wire::Action refuse(std::size_t consumed);
    [[nodiscard]] wire::Action violation(std::size_t consumed, std::string_view what);

    ClientCredential credential_;
    std::string user_;
    ScramKeyCache& cache_;
    State state_ = State::start;
    wire::Writer out_;
    std::array<std::uint8_t, 4> md5_salt_{};
    ScramVerifier verifier_;
    bool verifier_ready_ = false;  // stored_key and server_key are known
    std::string gs2_header_;
    std::string nonce_;  // the client's and ours
    std::string auth_message_;
    Sha256Digest proof_{};
    std::string given_;  // the password that came in clear text
    bool password_right_ = false;
    std::optional<ScramKeys> recovered_;
};

// What we have to prove ourselves to a server with: the password, or keys recovered from a client's login.
struct ServerCredential {
    std::string user;
    std::optional<std::string> password;
    std::optional<ScramKeys> keys;
};

// Answers a server's Authentication messages. The caller owns the reading and writing.
class ServerChallenge {
  public:
    ServerChallenge(ServerCredential credential, ScramKeyCache& cache);
    ~ServerChallenge();
    ServerChallenge(const ServerChallenge&) = delete;
    ServerChallenge& operator=(const ServerChallenge&) = delete;

    enum class Next : std::uint8_t {
        reply,    // `out` has the answer
        wait,     // nothing to answer
        compute,  // run compute(), then take proceed()
        passed,   // AuthenticationOk
        failed,   // see error() and diagnostics()
    };
    // The body of one Authentication message.
    [[nodiscard]] Next answer(Bytes body, wire::Writer& out);
    void compute();
    [[nodiscard]] Next proceed(wire::Writer& out);

    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    [[nodiscard]] const wire::Diagnostics& diagnostics() const noexcept { return diagnostics_; }

  private:
    enum class Scram : std::uint8_t { none, first_sent, final_sent, verified };

    [[nodiscard]] Next begin_scram(Bytes mechanisms, wire::Writer& out);
    [[nodiscard]] Next on_server_first(Bytes data, wire::Writer& out);
    [[nodiscard]] Next on_server_final(Bytes data);
    [[nodiscard]] Next fail(wire::errc error, std::string_view sqlstate, std::string message);
    [[nodiscard]] Next no_password(std::string_view method);

    ServerCredential credential_;
    ScramKeyCache& cache_;
    Scram scram_ = Scram::none;
    std::string nonce_;
    std::string client_first_bare_;
    std::string server_first_;
    std::string full_nonce_;
    std::vector<std::uint8_t> salt_;
    std::uint32_t iterations_ = 0;
    std::optional<ScramKeys> keys_;
    Sha256Digest expected_signature_{};
    std::error_code error_;
    wire::Diagnostics diagnostics_;
};

}  // namespace leasehold::postgres
