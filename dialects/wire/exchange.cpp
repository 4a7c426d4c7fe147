// SPDX-License-Identifier: Apache-2.0
#include "dialects/wire/exchange.hpp"

namespace leasehold::wire {
namespace {

class Category final : public std::error_category {
  public:
    [[nodiscard]] const char* name() const noexcept override { return "leasehold.wire"; }
    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::protocol_violation: return "protocol violation";
            case errc::message_too_large: return "message too large";
            case errc::unsupported: return "not supported";
            case errc::authentication_failed: return "authentication failed";
            case errc::server_error: return "the server answered with an error";
            case errc::server_saturated: return "the server has no connection left";
            case errc::server_unready: return "the server is starting up or shutting down";
            case errc::plaintext_before_tls: return "unencrypted bytes were sent before the TLS handshake";
            case errc::tls_refused: return "the server does not offer TLS";
            case errc::tls_failed: return "the TLS handshake failed";
            case errc::closed: return "the peer closed the connection";
            case errc::timed_out: return "timed out";
            case errc::cancelled: return "cancelled";
            case errc::settings_refused: return "the session's settings were refused";
        }
        return "unknown error";
    }
};

}  // namespace

const std::error_category& category() noexcept {
    static const Category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), category()}; }

void Diagnostics::clear() noexcept {
    sqlstate.clear();
    number = 0;
    message.clear();
    from_server = false;
    detail.clear();
    hint.clear();
}

}  // namespace leasehold::wire
