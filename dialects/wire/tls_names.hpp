// SPDX-License-Identifier: Apache-2.0
// Who the two ends of a TLS connection are: the name that is asked for and verified, and what the certificates say.
#pragma once

#include "dialects/wire/tls.hpp"

struct ssl_st;

namespace leasehold::wire {

// A client's part before the handshake: SNI and what the server's certificate is verified against. False: no name.
[[nodiscard]] bool name_server(ssl_st* connection, const TlsParty& party);
// After the handshake.
[[nodiscard]] TlsFacts facts_of(ssl_st* connection, const TlsParty& party);
// OpenSSL's reason for the end of a handshake, in words for people.
[[nodiscard]] std::string reason_of(ssl_st* connection, unsigned long code);

}  // namespace leasehold::wire
