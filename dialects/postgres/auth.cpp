// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/auth.hpp"

#include "dialects/postgres/errors.hpp"
#include "dialects/postgres/scram_text.hpp"

#include <openssl/crypto.h>

namespace leasehold::postgres {
namespace {

using wire::Action;
using wire::as_bytes;
using wire::as_text;
using wire::errc;
using Kind = ClientCredential::Kind;
using Method = ClientCredential::Method;

// The longest nonce that is echoed; libpq's has 24 characters.
constexpr std::size_t max_nonce = 256;

// The password that nobody has; its derivation costs the same as a real one.
constexpr std::string_view nobodys_password = "nobody";

}  // namespace

ClientAuthentication::ClientAuthentication(ClientCredential credential, std::string user, ScramKeyCache& cache)
    : credential_(std::move(credential)), user_(std::move(user)), cache_(cache) {}

ClientAuthentication::~ClientAuthentication() {
    OPENSSL_cleanse(credential_.secret.data(), credential_.secret.size());
    OPENSSL_cleanse(given_.data(), given_.size());
}

Action ClientAuthentication::resume(Bytes input, std::error_code ec) {
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    switch (state_) {
        case State::start: return ask();
        case State::deriving: return verify_proof(0);
        case State::comparing:
            if (!password_right_) return refuse(0);
            state_ = State::finished;
            return Action::done(0);
        case State::concluding: state_ = State::finished; return Action::done(0);
        case State::finished: return Action::done(0);
        default: break;
    }
    const Message message = first_message(input, Sender::client, Stage::login);
    if (message.kind == Message::Kind::incomplete) return Action::read(0);
    if (message.kind != Message::Kind::whole) {
        return violation(0, message.kind == Message::Kind::oversized ? "password message is too long"
                                                                     : "expected password response");
    }
    if (message.header.type == frontend::terminate) {
        state_ = State::finished;
        return Action::done(message.size(), errc::closed);
    }
    return on_message(message.size(), message.body);
}

Action ClientAuthentication::ask() {
    if (credential_.kind == Kind::trust) {
        state_ = State::finished;
        return Action::done(0);
    }
    const std::optional<ScramVerifier> verifier = parse_scram_verifier(credential_.secret);
    const bool hashed = is_md5_hash(credential_.secret);
    Method method = credential_.method;
    if (method == Method::automatic) method = hashed ? Method::md5 : Method::scram;
    if (method == Method::md5 && verifier) method = Method::scram;
    // A hash cannot be verified by SCRAM; that is not told to the client, which is asked and refused.
    if (method == Method::scram && hashed) credential_.kind = Kind::none;

    if (method == Method::cleartext) {
        state_ = State::asked_password;
        authentication(out_, Auth::cleartext);
    } else if (method == Method::md5) {
        state_ = State::asked_md5;
        fill_random(md5_salt_);
        authentication(out_, Auth::md5, md5_salt_);
    } else {
        state_ = State::asked_scram;
        if (verifier && credential_.kind == Kind::password) {
            verifier_ = *verifier;
            verifier_ready_ = true;
        } else {
            verifier_.salt = cache_.salt_for(user_);
        }
        const std::array<std::string_view, 1> mechanisms{scram_mechanism};
        authentication_sasl(out_, mechanisms);
    }
    return Action::write(0, out_.bytes());
}

Action ClientAuthentication::on_message(std::size_t consumed, Bytes body) {
    switch (state_) {
        case State::asked_scram: return on_client_first(consumed, body);
        case State::challenged: return on_client_final(consumed, as_text(body));
        default: return on_password(consumed, body);
    }
}

// SASLInitialResponse: the mechanism and the client-first-message, which a SCRAM client may not leave for later.
Action ClientAuthentication::on_client_first(std::size_t consumed, Bytes body) {
    wire::Cursor cursor(body);
    const std::string_view mechanism = cursor.cstring();
    const std::uint32_t length = cursor.u32be();
    if (!cursor.ok()) return violation(consumed, "invalid SASLInitialResponse");
    if (mechanism != scram_mechanism) {
        return violation(consumed, "client selected an invalid SASL authentication mechanism");
    }
    if (length != cursor.remaining()) return violation(consumed, "invalid SASLInitialResponse");
    return challenge(consumed, as_text(cursor.rest()));
}

Action ClientAuthentication::challenge(std::size_t consumed, std::string_view client_first) {
    const std::size_t flag_end = client_first.find(',');
    const std::size_t header_end = flag_end == client_first.npos ? flag_end : client_first.find(',', flag_end + 1);
    if (header_end == client_first.npos) return violation(consumed, "malformed SCRAM message");
    const std::string_view flag = client_first.substr(0, flag_end);
    if (flag.starts_with("p=")) {
        return violation(consumed, "client requires SCRAM channel binding, but it is not supported");
    }
    if (flag != "n" && flag != "y") return violation(consumed, "malformed SCRAM message");
    if (header_end != flag_end + 1) {
        return violation(consumed, "client uses authorization identity, but it is not supported");
    }
    gs2_header_ = client_first.substr(0, header_end + 1);
    const std::string_view bare = client_first.substr(header_end + 1);
    std::string_view rest = bare;
    // The name is not used: the startup packet has said it. Extensions behind the nonce are ignored.
    const auto name = take_attribute(rest, 'n');
    const auto nonce = take_attribute(rest, 'r');
    if (!name || !nonce || !is_scram_printable(*nonce) || nonce->size() > max_nonce) {
        return violation(consumed, "malformed SCRAM message");
    }
    nonce_ = std::string(*nonce) + scram_nonce();
    const std::string first =
        "r=" + nonce_ + ",s=" + base64(verifier_.salt) + ",i=" + std::to_string(verifier_.iterations);
    auth_message_ = std::string(bare) + ',' + first;
    state_ = State::challenged;
    out_.clear();
    authentication(out_, Auth::sasl_continue, as_bytes(first));
    return Action::write(consumed, out_.bytes());
}

Action ClientAuthentication::on_client_final(std::size_t consumed, std::string_view client_final) {
    std::string_view rest = client_final;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = take_attribute(rest, 'r');
    const std::size_t proof_at = client_final.rfind(",p=");
    if (!binding || !nonce || proof_at == client_final.npos) return violation(consumed, "malformed SCRAM message");
    if (*binding != base64(as_bytes(gs2_header_))) {
        return violation(consumed, "unexpected SCRAM channel-binding attribute");
    }
    if (*nonce != nonce_) return violation(consumed, "SCRAM nonce does not match");
    const auto proof = from_base64(client_final.substr(proof_at + 3));
    if (!proof || proof->size() != proof_.size()) return violation(consumed, "malformed SCRAM proof");
    std::copy(proof->begin(), proof->end(), proof_.begin());
    auth_message_ += ',';
    auth_message_ += client_final.substr(0, proof_at);
    if (verifier_ready_) return verify_proof(consumed);

    const bool real = credential_.kind == Kind::password;
    const std::string_view password = real ? std::string_view(credential_.secret) : nobodys_password;
    const auto known = cache_.find(password, verifier_.salt, verifier_.iterations,
                                   real ? ScramKeyCache::Share::real : ScramKeyCache::Share::mock);
    if (!known) {
        state_ = State::deriving;
        return Action::compute(consumed);
    }
    verifier_.stored_key = known->stored_key;
    verifier_.server_key = known->server_key;
    return verify_proof(consumed);
}

void ClientAuthentication::compute() {
    if (state_ == State::comparing) password_right_ = password_matches(given_);
    if (state_ != State::deriving) return;
    const bool real = credential_.kind == Kind::password;
    const ScramKeys keys =
        cache_.obtain(real ? std::string_view(credential_.secret) : nobodys_password, verifier_.salt,
                      verifier_.iterations, real ? ScramKeyCache::Share::real : ScramKeyCache::Share::mock);
    verifier_.stored_key = keys.stored_key;
    verifier_.server_key = keys.server_key;
    verifier_ready_ = true;
}

Action ClientAuthentication::verify_proof(std::size_t consumed) {
    const std::optional<Sha256Digest> client_key = recover_client_key(proof_, verifier_.stored_key, auth_message_);
    // The mock's keys can be guessed; that nobody logs in by them is decided by kind alone.
    if (!client_key || credential_.kind != Kind::password) return refuse(consumed);
    recovered_ = ScramKeys{*client_key, verifier_.stored_key, verifier_.server_key};
    state_ = State::concluding;
    out_.clear();
    const std::string last = "v=" + base64(server_signature(verifier_.server_key, auth_message_));
    authentication(out_, Auth::sasl_final, as_bytes(last));
    return Action::write(consumed, out_.bytes());
}

Action ClientAuthentication::on_password(std::size_t consumed, Bytes body) {
    wire::Cursor cursor(body);
    const std::string_view given = cursor.cstring();
    if (!cursor.ok() || cursor.remaining() != 0) return violation(consumed, "invalid password packet size");
    if (credential_.kind != Kind::password || given.empty()) return refuse(consumed);
    if (state_ == State::asked_password) {
        given_ = given;
        state_ = State::comparing;
        return Action::compute(consumed);
    }
    const std::string hash = is_md5_hash(credential_.secret) ? credential_.secret : md5_hash(credential_.secret, user_);
    const std::string expected = md5_answer(hash, md5_salt_);
    if (expected.empty() || !equal_in_constant_time(as_bytes(expected), as_bytes(given))) return refuse(consumed);
    state_ = State::finished;
    return Action::done(consumed);
}

// A password that came in clear text, against whatever is known of it.
bool ClientAuthentication::password_matches(std::string_view given) const {
    if (const std::optional<ScramVerifier> verifier = parse_scram_verifier(credential_.secret)) {
        const ScramKeys keys = derive(given, verifier->salt, verifier->iterations);
        return equal_in_constant_time(keys.stored_key, verifier->stored_key);
    }
    if (is_md5_hash(credential_.secret)) {
        return equal_in_constant_time(as_bytes(md5_hash(given, user_)), as_bytes(credential_.secret));
    }
    return equal_in_constant_time(as_bytes(given), as_bytes(credential_.secret));
}

Action ClientAuthentication::refuse(std::size_t consumed) {
    state_ = State::finished;
    diagnostics_ = authentication_failed(user_);
    return Action::done(consumed, errc::authentication_failed);
}

Action ClientAuthentication::violation(std::size_t consumed, std::string_view what) {
    state_ = State::finished;
    diagnostics_ = failure(Fault::login_violation, what);
    return Action::done(consumed, errc::protocol_violation);
}

}  // namespace leasehold::postgres
