// SPDX-License-Identifier: Apache-2.0
// Authentication on the client leg: asking a client for its proof (ClientAuthentication, the whole exchange), and MD5,
// which both legs speak. The backend leg's half is challenge.hpp. Manual: "SASL Authentication", "Start-up".
#pragma once

#include "dialects/postgres/errors.hpp"
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

// What is known of the connection that a client logs in on.
struct ClientChannel {
    bool encrypted = false;
    bool readable = true;                        // by others on its way: passwords in clear text are not asked for
    std::vector<std::uint8_t> server_end_point;  // RFC 5929; with it SCRAM-SHA-256-PLUS is offered
};

// Ends without an error when the client is who it says; AuthenticationOk is then the first message of the welcome.
// Else with an error whose diagnostics are what the client is to be told (FATAL); nothing of it has been written.
class ClientAuthentication final : public wire::Exchange {
  public:
    // The cache must outlive the exchange.
    ClientAuthentication(ClientCredential credential, std::string user, ScramKeyCache& cache,
                         ClientChannel channel = {});
    ~ClientAuthentication() override;

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override;

    // After a login whose secret is a SCRAM verifier: keys that log in to a server which holds the same one.
    [[nodiscard]] const std::optional<ScramKeys>& recovered() const noexcept { return recovered_; }

  private:
    enum class State : std::uint8_t {
        start,
        asked_scram,  // the mechanisms were named; a SASLInitialResponse is due
        challenged,   // server-first-message sent; client-final-message is due
        deriving,     // keys of a clear-text password are being computed
        paying,       // refused; a derivation is being made that nobody needs, see refuse()
        concluding,   // server-final-message is being written
        asked_md5,
        asked_password,  // clear text
        comparing,       // a clear-text password with what is known of it
        finished,
    };

    [[nodiscard]] wire::Action ask();
    [[nodiscard]] wire::Action on_message(std::size_t consumed, Bytes body);
    [[nodiscard]] wire::Action on_client_first(std::size_t consumed, Bytes body);
    [[nodiscard]] wire::Action ask_scram();
    [[nodiscard]] wire::Action challenge(std::size_t consumed, std::string_view client_first);
    [[nodiscard]] bool binding_offered() const noexcept;
    // Nothing: the flag agrees with the mechanism and what was offered.
    [[nodiscard]] std::optional<wire::Action> check_binding_flag(std::size_t consumed, std::string_view flag);
    [[nodiscard]] wire::Action on_client_final(std::size_t consumed, std::string_view client_final);
    // Nothing: the client sees the channel that we see.
    [[nodiscard]] std::optional<wire::Action> check_binding(std::size_t consumed, std::string_view given);
    [[nodiscard]] wire::Action verify_proof(std::size_t consumed);
    [[nodiscard]] wire::Action on_password(std::size_t consumed, Bytes body);
    [[nodiscard]] bool password_matches(std::string_view given);
    [[nodiscard]] wire::Action refuse(std::size_t consumed);
    [[nodiscard]] wire::Action refused(std::size_t consumed);
    [[nodiscard]] wire::Action fail(std::size_t consumed, Fault fault, std::string_view what);
    [[nodiscard]] wire::Action violation(std::size_t consumed, std::string_view what);

    ClientCredential credential_;
    std::string user_;
    ScramKeyCache& cache_;
    ClientChannel channel_;
    State state_ = State::start;
    wire::Writer out_;
    std::array<std::uint8_t, 4> md5_salt_{};
    ScramVerifier verifier_;
    bool configured_ = false;      // the verifier is the secret itself
    bool verifier_ready_ = false;  // stored_key and server_key are known
    bool paid_ = false;            // a derivation was made for this login
    bool bound_ = false;           // SCRAM-SHA-256-PLUS was chosen
    std::string gs2_header_;
    std::string nonce_;  // the client's and ours
    std::string auth_message_;
    Sha256Digest proof_{};
    std::string given_;  // the password that came in clear text
    bool password_right_ = false;
    std::optional<ScramKeys> recovered_;
};

}  // namespace leasehold::postgres
