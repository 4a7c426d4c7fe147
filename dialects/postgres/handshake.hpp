// SPDX-License-Identifier: Apache-2.0
// The start of a connection on both legs: what a client says before it is authenticated (ClientStartup), what it is
// told when it is in (welcome), and our own login to a server up to its first ReadyForQuery (ServerLogin).
// Manual: "Start-up", "SSL Session Encryption", "Canceling Requests in Progress".
#pragma once

#include "dialects/postgres/challenge.hpp"
#include "dialects/postgres/settings.hpp"

namespace leasehold::postgres {

using Parameters = std::vector<std::pair<std::string, std::string>>;

struct StartupLimits {
    std::size_t max_bytes = 10 * 1024;
    std::size_t max_settings = 1000;
};

// What a listener says about TLS.
struct TlsOffer {
    bool offered = false;   // SSLRequest is answered `S`, and a ClientHello in its place is taken up
    bool required = false;  // a session is refused that does not use it; a CancelRequest never is
};
// Direct TLS is for this protocol only: a client that speaks another must not be made to log in here.
inline constexpr std::string_view alpn_protocol = "postgresql";

// 3.2 has longer cancel keys; 3.1 was never spoken by anybody.
inline constexpr std::uint32_t newest_minor = 2;
inline constexpr std::size_t long_secret = 32;  // bytes of a cancel key's secret in 3.2, as PostgreSQL makes them

// What a client asked for.
struct Startup {
    enum class Kind : std::uint8_t {
        session,
        cancel,  // `cancel_id` and `cancel_secret`; nothing may be answered
        closed,  // it went away in order before it said who it is
    };
    Kind kind = Kind::closed;
    std::uint32_t cancel_id = 0;
    std::string cancel_secret;  // 4 bytes in protocol 3.0, up to 256 in 3.2
    std::string user;
    std::string database;               // the user's name when absent or empty
    Settings settings;                  // of `options`, overridden by the packet's own
    Parameters parameters;              // all of the packet, in its order, as sent
    std::string replication;            // as sent; empty when absent or false
    std::uint32_t minor_version = 0;    // spoken: what was asked for, or the newest below it
    std::optional<wire::TlsFacts> tls;  // nothing: the connection is not encrypted
};

// Server side: answers SSLRequest and GSSENCRequest, once each, or begins with a TLS handshake (direct TLS), and reads
// the startup packet. On an error the diagnostics are what the client is to be told (FATAL).
class ClientStartup final : public wire::Exchange {
  public:
    explicit ClientStartup(StartupLimits limits = {}, TlsOffer tls = {}) : limits_(limits), tls_(tls) {}

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void secured(const wire::TlsFacts& facts) override { startup_.tls = facts; }
    [[nodiscard]] const Startup& startup() const noexcept { return startup_; }
    [[nodiscard]] Startup& startup() noexcept { return startup_; }

  private:
    enum class State : std::uint8_t {
        reading,      // an untyped packet is due
        declining,    // 'N' is being written
        accepting,    // 'S' is being written
        securing,     // the handshake is being done
        negotiating,  // NegotiateProtocolVersion is being written
        finished,
    };
    [[nodiscard]] wire::Action interrupted(Bytes input, std::error_code ec);
    [[nodiscard]] wire::Action read_packet(Bytes input);
    [[nodiscard]] wire::Action begin_direct();
    [[nodiscard]] wire::Action after_handshake(Bytes input);
    [[nodiscard]] wire::Action on_packet(Bytes packet, std::size_t behind);
    [[nodiscard]] wire::Action on_encryption(std::uint32_t code, std::size_t size, std::size_t behind);
    [[nodiscard]] wire::Action on_cancel(Bytes body, std::size_t size);
    [[nodiscard]] wire::Action on_startup(std::uint32_t version, Bytes body, std::size_t size);
    [[nodiscard]] wire::Action interpret(std::size_t size);
    [[nodiscard]] bool take_options(std::string_view options);
    [[nodiscard]] wire::Action refuse(std::size_t consumed, wire::Diagnostics diagnostics,
                                      wire::errc error = wire::errc::protocol_violation);

    StartupLimits limits_;
    TlsOffer tls_;
    State state_ = State::reading;
    bool fresh_ = true;  // nothing has been read yet
    bool direct_ = false;
    bool ssl_asked_ = false;
    bool gss_asked_ = false;
    std::uint32_t asked_minor_ = 0;
    wire::Writer out_;
    Startup startup_;
};

// AuthenticationOk, ParameterStatus of each, BackendKeyData, ReadyForQuery.
void welcome(wire::Writer& to, const Parameters& parameters, std::uint32_t cancel_id, std::string_view cancel_secret);

struct ServerLoginParams {
    std::string database;
    Parameters parameters;  // of the startup packet beside user and database: application_name, options, ...
    ServerCredential credential;
    ServerChannel channel{};
    std::uint32_t minor_version = newest_minor;  // asked for; a server may negotiate it down
};

// Client side, on a connection that is ready for the startup packet. errc::server_saturated for 53300,
// server_unready for 57P01 to 57P03, authentication_failed for class 28, server_error for the rest; the diagnostics
// are the server's where it said something.
class ServerLogin final : public wire::Exchange {
  public:
    // The cache must outlive the exchange.
    ServerLogin(ServerLoginParams params, ScramKeyCache& cache);

    [[nodiscard]] wire::Action resume(Bytes input, std::error_code ec) override;
    void compute() override { challenge_.compute(); }

    // ParameterStatus, the last of each name, in the server's order.
    [[nodiscard]] const Parameters& parameters() const noexcept { return parameters_; }
    [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;  // empty: not said
    [[nodiscard]] std::uint32_t pid() const noexcept { return pid_; }
    // Empty: the server gave no key to cancel by.
    [[nodiscard]] const std::string& secret() const noexcept { return secret_; }
    // It failed before the server asked who we are, as servers and poolers do that cannot negotiate the version: 3.0
    // may still be welcome.
    [[nodiscard]] bool version_refused() const noexcept { return version_refused_; }
    [[nodiscard]] bool unanswered() const noexcept { return received_ == 0; }
    // The credential is a verifier without keys, and the server asked for a proof.
    [[nodiscard]] bool wants_keys() const noexcept { return challenge_.wants_keys(); }

  private:
    enum class State : std::uint8_t {
        start,
        authenticating,
        deriving,  // keys of the password are being computed
        admitted,  // AuthenticationOk has come; parameters follow
        finished,
    };
    // One message; nothing: go on with the next.
    [[nodiscard]] std::optional<wire::Action> on_message(const Message& message, std::size_t consumed);
    [[nodiscard]] bool take_version(Bytes body);
    [[nodiscard]] bool take_key(Bytes body);
    [[nodiscard]] std::optional<wire::Action> on_challenge(ServerChallenge::Next next, std::size_t consumed);
    [[nodiscard]] wire::Action on_error(Bytes body, std::size_t consumed);
    [[nodiscard]] bool take_parameter(Bytes body);
    [[nodiscard]] wire::Action fail(std::error_code error, std::string_view message, std::size_t consumed);

    std::string user_;
    ServerLoginParams params_;
    ServerChallenge challenge_;
    State state_ = State::start;
    std::size_t received_ = 0;  // of the whole login
    bool asked_ = false;        // the server has begun to authenticate us
    bool negotiated_ = false;   // NegotiateProtocolVersion has come
    bool version_refused_ = false;
    wire::Writer out_;
    Parameters parameters_;
    std::uint32_t pid_ = 0;
    std::string secret_;
};

}  // namespace leasehold::postgres
