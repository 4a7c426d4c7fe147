// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/handshake.hpp"

#include "dialects/postgres/errors.hpp"

#include <algorithm>

namespace leasehold::postgres {
namespace {

using wire::Action;
using wire::errc;

// The untyped packets begin with a length, which counts itself, and a code or version.
constexpr std::size_t smallest_packet = 8;
// The first byte of a TLS connection; as a length it would be that of a packet far too long.
constexpr std::uint8_t tls_handshake = 0x16;

[[nodiscard]] wire::Diagnostics diagnostics_of(std::string_view sqlstate, std::string message) {
    wire::Diagnostics diagnostics;
    diagnostics.sqlstate = sqlstate;
    diagnostics.message = std::move(message);
    return diagnostics;
}

// The server reads `replication` as a boolean, or "database".
[[nodiscard]] bool means_no(std::string_view value) noexcept {
    return value.empty() || value == "0" || same_name(value, "off") || same_name(value, "no") ||
           same_name(value, "false") || same_name(value, "f") || same_name(value, "n");
}

}  // namespace

Action ClientStartup::resume(Bytes input, std::error_code ec) {
    if (ec) return interrupted(input, ec);
    switch (state_) {
        case State::reading: return read_packet(input);
        case State::declining: state_ = State::reading; return read_packet(input);
        case State::accepting: state_ = State::securing; return Action::start_tls(0);
        case State::securing: return after_handshake(input);
        case State::negotiating: state_ = State::finished; return Action::done(0);
        case State::finished: break;
    }
    return Action::done(0);
}

Action ClientStartup::interrupted(Bytes input, std::error_code ec) {
    const bool in_order = ec == errc::closed && state_ == State::reading && input.empty();
    if (ec == errc::plaintext_before_tls) {
        diagnostics_ = failure(Fault::login_violation, "received unencrypted data after SSL request");
    }
    if (ec == errc::tls_failed) {
        diagnostics_ = failure(Fault::login_violation, "the TLS handshake failed: " + diagnostics_.message);
    }
    state_ = State::finished;
    startup_.kind = Startup::Kind::closed;
    return in_order ? Action::done(0) : Action::done(0, ec);
}

Action ClientStartup::read_packet(Bytes input) {
    if (fresh_ && !input.empty() && input[0] == tls_handshake) return begin_direct();
    if (input.size() < 4) return Action::read(0);
    wire::Cursor cursor(input);
    const std::uint32_t length = cursor.u32be();
    // Decided by the length alone: nothing is waited for that would be refused anyway.
    if (length < smallest_packet || length > limits_.max_bytes) {
        return refuse(0, failure(Fault::login_violation, "invalid length of startup packet"),
                      length > limits_.max_bytes ? errc::message_too_large : errc::protocol_violation);
    }
    if (input.size() < length) return Action::read(0);
    fresh_ = false;
    return on_packet(input.first(length), input.size() - length);
}

// A ClientHello where a packet is due: its bytes belong to the handshake.
Action ClientStartup::begin_direct() {
    if (!tls_.offered) {
        return refuse(0, failure(Fault::login_violation, "this listener offers no TLS: connect with sslmode=disable"),
                      errc::unsupported);
    }
    fresh_ = false;
    direct_ = true;
    ssl_asked_ = true;
    state_ = State::securing;
    return Action::start_tls(0, true);
}

Action ClientStartup::after_handshake(Bytes input) {
    if (!startup_.tls) {
        return refuse(0, failure(Fault::login_violation, "the TLS handshake was not done"), errc::tls_failed);
    }
    if (direct_ && startup_.tls->protocol != alpn_protocol) {
        return refuse(0,
                      failure(Fault::login_violation,
                              "direct TLS without the ALPN protocol \"postgresql\": "
                              "update the client, or connect with sslnegotiation=postgres"),
                      errc::tls_refused);
    }
    state_ = State::reading;
    return read_packet(input);
}

Action ClientStartup::on_packet(Bytes packet, std::size_t behind) {
    wire::Cursor cursor(packet);
    cursor.skip(4);
    const std::uint32_t code = cursor.u32be();
    switch (code) {
        case code_ssl:
        case code_gssenc: return on_encryption(code, packet.size(), behind);
        case code_cancel: return on_cancel(cursor.rest(), packet.size());
        default: return on_startup(code, cursor.rest(), packet.size());
    }
}

Action ClientStartup::on_encryption(std::uint32_t code, std::size_t size, std::size_t behind) {
    bool& asked = code == code_ssl ? ssl_asked_ : gss_asked_;
    if (asked || startup_.tls || size != smallest_packet) {
        return refuse(size, failure(Fault::login_violation, "invalid or repeated encryption request"));
    }
    asked = true;
    // Whoever sends more before our answer believes, or wants us to believe, that it will be encrypted.
    if (behind != 0) {
        const std::string_view what = code == code_ssl ? "received unencrypted data after SSL request"
                                                       : "received unencrypted data after GSSAPI encryption request";
        return refuse(size, failure(Fault::login_violation, what), errc::plaintext_before_tls);
    }
    const bool accepted = code == code_ssl && tls_.offered;
    state_ = accepted ? State::accepting : State::declining;
    out_.clear();
    out_.u8(accepted ? 'S' : 'N');
    return Action::write(size, out_.bytes());
}

Action ClientStartup::on_cancel(Bytes body, std::size_t size) {
    wire::Cursor cursor(body);
    startup_.cancel_id = cursor.u32be();
    const Bytes secret = cursor.rest();
    startup_.cancel_secret.assign(secret.begin(), secret.end());
    if (!cursor.ok() || secret.size() < shortest_secret || secret.size() > longest_secret) {
        return refuse(size, failure(Fault::login_violation, "invalid length of query cancel packet"));
    }
    startup_.kind = Startup::Kind::cancel;
    state_ = State::finished;
    return Action::done(size);
}

Action ClientStartup::on_startup(std::uint32_t version, Bytes body, std::size_t size) {
    const std::uint32_t major = version >> 16;
    asked_minor_ = version & 0xFFFF;
    if (major != 3) {
        return refuse(
            size,
            failure(Fault::unsupported_protocol, "unsupported frontend protocol " + std::to_string(major) + '.' +
                                                     std::to_string(asked_minor_) + ": server supports 3.0 to 3.2"),
            errc::unsupported);
    }
    if (tls_.required && !startup_.tls) {
        return refuse(size, failure(Fault::not_authorized, "this listener requires TLS: connect with sslmode=require"),
                      errc::tls_refused);
    }
    startup_.minor_version = asked_minor_ < newest_minor ? 0 : newest_minor;
    wire::Cursor cursor(body);
    for (;;) {
        const std::string_view name = cursor.cstring();
        if (!cursor.ok()) break;
        if (name.empty()) {
            if (cursor.remaining() != 0) break;
            return interpret(size);
        }
        const std::string_view value = cursor.cstring();
        if (!cursor.ok()) break;
        startup_.parameters.emplace_back(name, value);
    }
    return refuse(size,
                  failure(Fault::login_violation, "invalid startup packet layout: expected terminator as last byte"));
}

Action ClientStartup::interpret(std::size_t size) {
    std::vector<std::string> unknown_options;
    for (const auto& [name, value] : startup_.parameters) {
        if (name == "options" && !take_options(value)) {
            state_ = State::finished;
            return Action::done(size, errc::protocol_violation);
        }
    }
    for (const auto& [name, value] : startup_.parameters) {
        if (name == "user") {
            startup_.user = value;
        } else if (name == "database") {
            startup_.database = value;
        } else if (name == "replication") {
            startup_.replication = means_no(value) ? std::string() : value;
        } else if (name.starts_with("_pq_.")) {
            unknown_options.push_back(name);
        } else if (name != "options" && !startup_.settings.set(name, value)) {
            return refuse(size, diagnostics_of("42704", "unrecognized configuration parameter \"" + name + '"'));
        }
    }
    if (startup_.user.empty()) {
        return refuse(size, diagnostics_of("28000", "no PostgreSQL user name specified in startup packet"));
    }
    if (startup_.settings.size() > limits_.max_settings) {
        return refuse(size, diagnostics_of("54000", "too many settings in startup packet"));
    }
    if (startup_.database.empty()) startup_.database = startup_.user;
    startup_.kind = Startup::Kind::session;
    if (startup_.minor_version == asked_minor_ && unknown_options.empty()) {
        state_ = State::finished;
        return Action::done(size);
    }
    state_ = State::negotiating;
    out_.clear();
    negotiate_protocol_version(out_, startup_.minor_version, unknown_options);
    return Action::write(size, out_.bytes());
}

bool ClientStartup::take_options(std::string_view options) {
    StartupOptions parsed = parse_options(options);
    if (!parsed.error.empty()) {
        diagnostics_ = diagnostics_of("42601", std::move(parsed.error));
        return false;
    }
    for (const auto& [name, value] : parsed.settings) {
        if (!startup_.settings.set(name, value)) {
            diagnostics_ = diagnostics_of("42704", "unrecognized configuration parameter \"" + name + '"');
            return false;
        }
    }
    return true;
}

Action ClientStartup::refuse(std::size_t consumed, wire::Diagnostics diagnostics, errc error) {
    state_ = State::finished;
    diagnostics_ = std::move(diagnostics);
    return Action::done(consumed, error);
}

void welcome(wire::Writer& to, const Parameters& parameters, std::uint32_t cancel_id, std::string_view cancel_secret) {
    authentication(to, Auth::ok);
    for (const auto& [name, value] : parameters) parameter_status(to, name, value);
    backend_key_data(to, cancel_id, cancel_secret);
    ready_for_query(to, 'I');
}

}  // namespace leasehold::postgres
