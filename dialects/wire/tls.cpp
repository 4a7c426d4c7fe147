// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/tls.hpp"

#include "dialects/wire/tls_stream.hpp"

#include <openssl/ssl.h>

namespace leasehold::wire {

TlsContext::TlsContext(Role role, Verify verify, ssl_ctx_st* context) noexcept
    : role_(role), verify_(verify), context_(context) {}
TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace leasehold::wire
