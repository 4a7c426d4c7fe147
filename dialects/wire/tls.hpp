// SPDX-License-Identifier: Apache-2.0
// TLS by OpenSSL: one side's settings (TlsContext), read from files once and shared by all connections and threads, and
// one connection's state (TlsStream), which moves between threads together with its descriptor. No Asio here.
#pragma once

#include "dialects/wire/exchange.hpp"

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct ssl_session_st;

namespace leasehold::wire {

class TlsStream;

// Immutable once loaded; thread-safe.
class TlsContext {
  public:
    enum class Role : std::uint8_t { server, client };
    struct Loaded {
        std::shared_ptr<const TlsContext> context;
        std::string error;  // names the file and what is wrong with it; then no context
    };

    struct ServerFiles {
        std::string cert, key;     // PEM; cert with its chain
        std::string client_ca;     // asks clients for a certificate; one that it did not sign fails the handshake
        bool client_must = false;  // no certificate fails the handshake
        std::vector<std::string> protocols;  // ALPN: those accepted; a client that offers only others is refused
    };
    [[nodiscard]] static Loaded server(const ServerFiles& files);

    // What is verified of a server: nothing, that our CA signed its certificate, and that it is the host's as well.
    enum class Verify : std::uint8_t { none, ca, full };
    struct ClientFiles {
        Verify verify = Verify::none;
        std::string ca;                      // PEM; "system": the system's own; empty: nothing can be verified
        std::string ca_folder;               // more of them, named by their hashes (openssl rehash)
        std::string crl;                     // PEM; empty: nobody asks whether a certificate was revoked
        std::string cert, key;               // empty: none
        std::vector<std::string> protocols;  // ALPN: offered
    };
    [[nodiscard]] static Loaded client(const ClientFiles& files);

    TlsContext(Role role, Verify verify, ssl_ctx_st* context);  // takes a reference over
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;
    [[nodiscard]] Role role() const noexcept { return role_; }
    [[nodiscard]] Verify verify() const noexcept { return verify_; }
    [[nodiscard]] ssl_ctx_st* native() const noexcept { return context_; }
    [[nodiscard]] const std::string& protocols() const noexcept { return protocols_; }  // as ALPN writes a list

    // A client's sessions, for the next connection to the same host. What is given belongs to the caller (null: none);
    // keep() copies.
    [[nodiscard]] ssl_session_st* take_session(const std::string& host) const;
    void keep_session(const std::string& host, const ssl_session_st* session) const;

  private:
    struct Sessions;
    Role role_;
    Verify verify_;
    ssl_ctx_st* context_;
    std::string protocols_;
    std::unique_ptr<Sessions> sessions_;
};

// How one connection is to be secured.
struct TlsParty {
    std::shared_ptr<const TlsContext> context;  // null: not at all
    std::string host;                           // client: the name that is verified (Verify::full)
    bool send_name = true;                      // client: SNI, when `host` is a name and no address
};

}  // namespace leasehold::wire
