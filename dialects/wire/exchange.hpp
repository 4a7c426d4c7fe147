// SPDX-License-Identifier: Apache-2.0
// The calling contract of sans-I/O exchanges: a conversation with one peer (handshake, authentication, ping, reset)
// as a small state machine that never touches a socket. `drive` performs its actions.
//
// Flow: the caller calls resume() with all bytes received and not yet consumed, and the outcome of the action it
// performed last (none for the first call). The exchange consumes what it can use (`Action::consumed`, a prefix of
// the input) and says what it needs next:
//   read       more bytes; resume when the input has grown, or with the error that reading ended in
//   write      `output` sent completely (valid until the next resume)
//   start_tls  a TLS handshake, as client or server as the party given to drive() is; secured() or tls_failed() is called,
//              then resume(). Input left over before it is an attack, unless `direct`: then it begins the handshake
//   compute    compute() called, on any thread, while nothing else touches the exchange (PBKDF2: milliseconds)
//   done       finished, well or with `error`; details in diagnostics(). Unconsumed input is not the exchange's.
// A cancellation arrives as an error code; an exchange that was interrupted ends with done and that error.
#pragma once

#include "dialects/wire/writer.hpp"

#include <string>
#include <system_error>
#include <vector>

namespace leasehold::wire {

// What went wrong, in the words of the peer that said so or in ours.
struct Diagnostics {
    std::string sqlstate;  // five characters, or empty
    int number = 0;        // MySQL's error number, or 0
    std::string message;
    bool from_server = false;  // said by the database server, not by leasehold
    std::string detail{};      // "leasehold session 17": what to look for in the log
    std::string hint{};        // what to do about it

    void clear() noexcept;
};

enum class errc {
    protocol_violation = 1,  // the peer sent what the protocol does not allow here
    message_too_large,
    unsupported,  // a feature or method that leasehold does not speak
    authentication_failed,
    server_error,      // the server answered with an error: see Diagnostics
    server_saturated,  // the server has no connection left (53300, 1040)
    server_unready,    // the server is starting or stopping (57P03, 1053)
    plaintext_before_tls,
    tls_refused,  // the peer does not offer what is demanded
    tls_failed,   // the handshake: see Diagnostics
    closed,       // the peer closed in the middle
    timed_out,
    cancelled,
    settings_refused,  // the session's settings could not be applied: see Diagnostics
};

[[nodiscard]] const std::error_category& category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc e) noexcept;

struct Action {
    enum class Kind : std::uint8_t { read, write, start_tls, compute, done };
    Kind kind = Kind::done;
    std::size_t consumed = 0;
    Bytes output{};
    std::error_code error{};
    bool direct = false;

    [[nodiscard]] static Action read(std::size_t consumed) noexcept { return {Kind::read, consumed, {}, {}}; }
    [[nodiscard]] static Action write(std::size_t consumed, Bytes output) noexcept {
        return {Kind::write, consumed, output, {}};
    }
    [[nodiscard]] static Action start_tls(std::size_t consumed, bool direct = false) noexcept {
        return {Kind::start_tls, consumed, {}, {}, direct};
    }
    [[nodiscard]] static Action compute(std::size_t consumed) noexcept { return {Kind::compute, consumed, {}, {}}; }
    [[nodiscard]] static Action done(std::size_t consumed, std::error_code error = {}) noexcept {
        return {Kind::done, consumed, {}, error};
    }
};

// What a TLS handshake established.
struct TlsFacts {
    std::string version;                         // "TLSv1.3"
    std::string cipher;                          // "TLS_AES_256_GCM_SHA384"
    std::string protocol;                        // chosen by ALPN; empty: none
    bool peer_certified = false;                 // the peer showed a certificate that our CA vouches for
    std::string peer_name;                       // its common name; empty when it has none, or one with a NUL
    std::string server_name;                     // what the client asked for by SNI; on the server's side only
    std::vector<std::uint8_t> server_end_point;  // RFC 5929 channel binding: the server certificate's hash
    bool resumed = false;
};

class Exchange {
  public:
    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    virtual ~Exchange() = default;

    [[nodiscard]] virtual Action resume(Bytes input, std::error_code ec) = 0;
    virtual void compute() {}
    virtual void secured(const TlsFacts&) {}
    virtual void tls_failed(std::string why) { diagnostics_.message = std::move(why); }
    [[nodiscard]] const Diagnostics& diagnostics() const noexcept { return diagnostics_; }

  protected:
    Diagnostics diagnostics_;
};

}  // namespace leasehold::wire

template <>
struct std::is_error_code_enum<leasehold::wire::errc> : std::true_type {};
