// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/challenge.hpp"

#include "dialects/postgres/scram_text.hpp"

#include <openssl/crypto.h>

#include <charconv>

namespace leasehold::postgres {
namespace {

using wire::as_bytes;
using wire::as_text;
using wire::errc;

constexpr std::string_view auth_failed = "28P01";
constexpr std::string_view violation = "08P01";
constexpr std::string_view unsupported = "0A000";
constexpr std::string_view plus_mechanism = "SCRAM-SHA-256-PLUS";
constexpr std::string_view binding_type = "p=tls-server-end-point,,";

[[nodiscard]] std::string_view method_name(std::uint32_t code) noexcept {
    switch (static_cast<Auth>(code)) {
        case Auth::kerberos: return "Kerberos V5";
        case Auth::scm: return "SCM credentials";
        case Auth::gss:
        case Auth::gss_continue: return "GSSAPI";
        case Auth::sspi: return "SSPI";
        default: return "an unknown method";
    }
}

}  // namespace

ServerChallenge::ServerChallenge(ServerCredential credential, ScramKeyCache& cache, ServerChannel channel)
    : credential_(std::move(credential)), cache_(cache), channel_(std::move(channel)) {}

ServerChallenge::~ServerChallenge() {
    if (credential_.password) OPENSSL_cleanse(credential_.password->data(), credential_.password->size());
}

ServerChallenge::Next ServerChallenge::answer(Bytes body, wire::Writer& out) {
    wire::Cursor cursor(body);
    const std::uint32_t code = cursor.u32be();
    if (!cursor.ok()) return fail(errc::protocol_violation, violation, "malformed authentication request");
    switch (static_cast<Auth>(code)) {
        case Auth::ok: return on_ok();
        case Auth::cleartext: return on_cleartext(out);
        case Auth::md5: {
            const Bytes salt = cursor.take(4);
            if (!cursor.ok()) return fail(errc::protocol_violation, violation, "malformed MD5 request");
            return on_md5(salt, out);
        }
        case Auth::sasl: return begin_scram(cursor.rest(), out);
        case Auth::sasl_continue: return on_server_first(cursor.rest(), out);
        case Auth::sasl_final: return on_server_final(cursor.rest());
        default:
            return fail(
                errc::unsupported, unsupported,
                "the server asks for authentication by " + std::string(method_name(code)) + ", which is not supported");
    }
}

ServerChallenge::Next ServerChallenge::on_ok() {
    // A server that skips its own signature has not shown that it knows the password.
    if (scram_ == Scram::first_sent || scram_ == Scram::final_sent) {
        return fail(errc::authentication_failed, auth_failed, "the server broke SCRAM authentication off");
    }
    if (channel_.binding == ServerChannel::Binding::require && !(bound_ && scram_ == Scram::verified)) {
        return fail(errc::authentication_failed, auth_failed,
                    "channel_binding=require, and the server let us in without channel binding");
    }
    return Next::passed;
}

// Nothing: the credential can answer the method. A hash proves nothing where the password itself is asked for.
std::optional<ServerChallenge::Next> ServerChallenge::must_be_able(std::string_view method) {
    const std::string asked = "the server asks user \"" + credential_.user + "\" for " + std::string(method);
    const bool scram = method == scram_mechanism;
    if (channel_.binding == ServerChannel::Binding::require && !scram) {
        return fail(errc::authentication_failed, auth_failed,
                    asked + ", which knows no channel binding, and channel_binding=require");
    }
    if (scram && credential_.keys) return std::nullopt;
    if (credential_.verifier) {
        if (!scram)
            return fail(errc::authentication_failed, auth_failed,
                        asked + ", and only its SCRAM verifier is configured");
        wants_keys_ = true;
        return fail(errc::authentication_failed, auth_failed,
                    "nobody has logged in as \"" + credential_.user +
                        "\" since the start; its SCRAM verifier cannot dial by itself");
    }
    if (!credential_.password) {
        return fail(errc::authentication_failed, auth_failed, asked + ", but no password is configured");
    }
    if (is_md5_hash(*credential_.password) && method != "MD5") {
        return fail(errc::authentication_failed, auth_failed,
                    asked + ", and only an MD5 hash of its password is configured");
    }
    return std::nullopt;
}

ServerChallenge::Next ServerChallenge::on_cleartext(wire::Writer& out) {
    if (const auto failed = must_be_able("a clear-text password")) return *failed;
    password_message(out, *credential_.password);
    return Next::reply;
}

ServerChallenge::Next ServerChallenge::on_md5(Bytes salt, wire::Writer& out) {
    if (const auto failed = must_be_able("MD5")) return *failed;
    const std::string& password = *credential_.password;
    const std::string reply = md5_answer(is_md5_hash(password) ? password : md5_hash(password, credential_.user), salt);
    if (reply.empty()) return fail(errc::unsupported, unsupported, "MD5 is switched off in libcrypto");
    password_message(out, reply);
    return Next::reply;
}

ServerChallenge::Next ServerChallenge::begin_scram(Bytes mechanisms, wire::Writer& out) {
    if (scram_ != Scram::none) return fail(errc::protocol_violation, violation, "unexpected SASL message");
    wire::Cursor cursor(mechanisms);
    bool plain = false;
    bool plus = false;
    std::string names;
    for (std::string_view name = cursor.cstring(); cursor.ok() && !name.empty(); name = cursor.cstring()) {
        plain = plain || name == scram_mechanism;
        plus = plus || name == plus_mechanism;
        (names += names.empty() ? "" : ", ") += name;
    }
    if (!cursor.ok()) return fail(errc::protocol_violation, violation, "malformed SASL request");
    if (const auto failed = choose_mechanism(plain, plus, names)) return *failed;
    if (const auto failed = must_be_able(scram_mechanism)) return *failed;
    nonce_ = scram_nonce();
    // The name is left empty: the server takes the startup packet's.
    client_first_bare_ = "n=,r=" + nonce_;
    sasl_initial_response(out, bound_ ? plus_mechanism : scram_mechanism, gs2_header_ + client_first_bare_);
    scram_ = Scram::first_sent;
    return Next::reply;
}

// As libpq does. "y" tells a server that we would bind if it could: one that did offer it then knows that somebody
// between us took the offer away.
std::optional<ServerChallenge::Next> ServerChallenge::choose_mechanism(bool plain_offered, bool plus_offered,
                                                                       const std::string& names) {
    using Binding = ServerChannel::Binding;
    if (plus_offered && !channel_.encrypted) {
        return fail(errc::unsupported, unsupported, "the server offers channel binding over a connection without TLS");
    }
    const bool able = channel_.encrypted && channel_.binding != Binding::disable && !channel_.server_end_point.empty();
    bound_ = plus_offered && able;
    if (!bound_ && channel_.binding == Binding::require) {
        const std::string_view why = !channel_.encrypted ? "the connection has no TLS"
                                     : !plus_offered     ? "the server does not offer it"
                                                         : "the server's certificate has no hash to bind to";
        return fail(errc::authentication_failed, auth_failed, "channel_binding=require, and " + std::string(why));
    }
    if (!bound_ && !plain_offered) {
        return fail(errc::unsupported, unsupported, "none of the server's SASL mechanisms is supported: " + names);
    }
    gs2_header_ = bound_ ? binding_type : able ? "y,," : "n,,";
    return std::nullopt;
}

ServerChallenge::Next ServerChallenge::on_server_first(Bytes data, wire::Writer& out) {
    if (scram_ != Scram::first_sent) return fail(errc::protocol_violation, violation, "unexpected SASL message");
    server_first_ = as_text(data);
    std::string_view rest = server_first_;
    const auto nonce = take_attribute(rest, 'r');
    const auto salt = take_attribute(rest, 's');
    const auto count = take_attribute(rest, 'i');
    const auto salt_bytes = salt ? from_base64(*salt) : std::nullopt;
    if (!nonce || !count || !salt_bytes || salt_bytes->empty()) {
        return fail(errc::protocol_violation, violation, "malformed SCRAM message of the server");
    }
    if (!is_scram_printable(*nonce) || !nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
        return fail(errc::protocol_violation, violation, "the server's SCRAM nonce does not continue ours");
    }
    const auto [end, error] = std::from_chars(count->data(), count->data() + count->size(), iterations_);
    const bool number = error == std::errc() && end == count->data() + count->size();
    if (!number || iterations_ == 0 || iterations_ > scram_max_iterations) {
        return fail(errc::unsupported, unsupported,
                    "the server asks for an unacceptable number of SCRAM iterations: " + std::string(*count));
    }
    full_nonce_ = *nonce;
    salt_ = *salt_bytes;
    const auto& verifier = credential_.verifier;
    if (verifier && (verifier->salt != salt_ || verifier->iterations != iterations_)) {
        return fail(errc::authentication_failed, auth_failed,
                    "the server's SCRAM verifier of user \"" + credential_.user +
                        "\" is another than the configured one; copy it from pg_authid anew");
    }
    keys_ = credential_.keys;
    if (!keys_) keys_ = cache_.find(*credential_.password, salt_, iterations_);
    return keys_ ? proceed(out) : Next::compute;
}

void ServerChallenge::compute() {
    if (!keys_ && credential_.password && !salt_.empty()) {
        keys_ = cache_.obtain(*credential_.password, salt_, iterations_);
    }
}

ServerChallenge::Next ServerChallenge::proceed(wire::Writer& out) {
    if (!keys_ || scram_ != Scram::first_sent) {
        return fail(errc::protocol_violation, violation, "SCRAM keys were not computed");
    }
    const std::string without_proof = "c=" + base64(as_bytes(binding_data())) + ",r=" + full_nonce_;
    const std::string auth_message = client_first_bare_ + ',' + server_first_ + ',' + without_proof;
    expected_signature_ = server_signature(keys_->server_key, auth_message);
    const Sha256Digest proof = client_proof(keys_->client_key, keys_->stored_key, auth_message);
    sasl_response(out, without_proof + ",p=" + base64(proof));
    scram_ = Scram::final_sent;
    return Next::reply;
}

// The header again and, with channel binding, the certificate's hash: what c= proves that both sides have seen.
std::string ServerChallenge::binding_data() const {
    if (!bound_) return gs2_header_;
    return gs2_header_ + std::string(as_text(channel_.server_end_point));
}

ServerChallenge::Next ServerChallenge::on_server_final(Bytes data) {
    if (scram_ != Scram::final_sent) return fail(errc::protocol_violation, violation, "unexpected SASL message");
    std::string_view text = as_text(data);
    if (const auto refusal = take_attribute(text, 'e')) {
        return fail(errc::authentication_failed, auth_failed,
                    "SCRAM authentication failed: " + std::string(refusal->substr(0, 200)));
    }
    const auto verifier = take_attribute(text, 'v');
    const auto signature = verifier ? from_base64(*verifier) : std::nullopt;
    if (!signature) return fail(errc::protocol_violation, violation, "malformed SCRAM message of the server");
    if (!equal_in_constant_time(*signature, expected_signature_)) {
        return fail(errc::authentication_failed, auth_failed,
                    "the server does not know the password: its SCRAM signature is wrong");
    }
    scram_ = Scram::verified;
    return Next::wait;
}

ServerChallenge::Next ServerChallenge::fail(errc error, std::string_view sqlstate, std::string message) {
    error_ = error;
    diagnostics_.sqlstate = sqlstate;
    diagnostics_.message = std::move(message);
    return Next::failed;
}

}  // namespace leasehold::postgres
