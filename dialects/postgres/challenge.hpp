// SPDX-License-Identifier: Apache-2.0
// Proving ourselves to a server: the part of the login on the backend leg that answers its Authentication messages.
// Whoever drives the login owns the reading and writing. Manual: "SASL Authentication", "Start-up".
#pragma once

#include "dialects/postgres/auth.hpp"

namespace leasehold::postgres {

// What we have to prove ourselves with: the password (clear text or an MD5 hash), or a SCRAM verifier together with
// keys recovered from a client's login.
struct ServerCredential {
    std::string user;
    std::optional<std::string> password;
    std::optional<ScramKeys> keys;
    std::optional<ScramVerifier> verifier{};  // what the keys belong to; without keys it answers nothing
};

// The connection that the login takes place on, and libpq's channel_binding.
struct ServerChannel {
    enum class Binding : std::uint8_t { disable, prefer, require };
    bool encrypted = false;
    std::vector<std::uint8_t> server_end_point;  // RFC 5929; empty: this certificate has none
    Binding binding = Binding::prefer;
};

class ServerChallenge {
  public:
    // The cache must outlive the challenge.
    ServerChallenge(ServerCredential credential, ScramKeyCache& cache, ServerChannel channel = {});
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
    // The server asks for a proof that only a client's login can bring: keys to the configured verifier.
    [[nodiscard]] bool wants_keys() const noexcept { return wants_keys_; }

  private:
    enum class Scram : std::uint8_t { none, first_sent, final_sent, verified };

    [[nodiscard]] Next on_ok();
    [[nodiscard]] Next on_cleartext(wire::Writer& out);
    [[nodiscard]] Next on_md5(Bytes salt, wire::Writer& out);
    [[nodiscard]] Next begin_scram(Bytes mechanisms, wire::Writer& out);
    [[nodiscard]] std::optional<Next> choose_mechanism(bool plain_offered, bool plus_offered, const std::string& names);
    [[nodiscard]] std::optional<Next> must_be_able(std::string_view method);
    [[nodiscard]] Next on_server_first(Bytes data, wire::Writer& out);
    [[nodiscard]] Next on_server_final(Bytes data);
    [[nodiscard]] std::string binding_data() const;
    [[nodiscard]] Next fail(wire::errc error, std::string_view sqlstate, std::string message);

    ServerCredential credential_;
    ScramKeyCache& cache_;
    ServerChannel channel_;
    Scram scram_ = Scram::none;
    bool bound_ = false;      // SCRAM-SHA-256-PLUS was chosen
    std::string gs2_header_;  // "n,,", "y,," or "p=tls-server-end-point,,"
    std::string nonce_;
    std::string client_first_bare_;
    std::string server_first_;
    std::string full_nonce_;
    std::vector<std::uint8_t> salt_;
    std::uint32_t iterations_ = 0;
    std::optional<ScramKeys> keys_;
    Sha256Digest expected_signature_{};
    bool wants_keys_ = false;
    std::error_code error_;
    wire::Diagnostics diagnostics_;
};

}  // namespace leasehold::postgres
