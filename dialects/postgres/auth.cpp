// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/auth.hpp"

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

// Derived where there is no password, or no need: it costs the same as a real one.
constexpr std::string_view nobodys_password = "nobody";

}  // namespace

ClientAuthentication::ClientAuthentication(ClientCredential credential, std::string user, ScramKeyCache& cache,
                                           ClientChannel channel)
    : credential_(std::move(credential)), user_(std::move(user)), cache_(cache), channel_(std::move(channel)) {}

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
            if (!password_right_) return refused(0);
            state_ = State::finished;
            return Action::done(0);
        case State::paying: return refused(0);
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
    if (auto verifier = parse_scram_verifier(credential_.secret); verifier && credential_.kind == Kind::password) {
        verifier_ = std::move(*verifier);
        configured_ = verifier_ready_ = true;
    } else {
        verifier_.salt = cache_.salt_for(user_);
    }
    const bool hashed = is_md5_hash(credential_.secret);
    Method method = credential_.method;
    if (method == Method::automatic) method = hashed ? Method::md5 : Method::scram;
    if (method == Method::md5 && configured_) method = Method::scram;
    // A hash cannot be verified by SCRAM; that is not told to the client, which is asked and refused.
    if (method == Method::scram && hashed) credential_.kind = Kind::none;

    if (method == Method::cleartext) {
        if (channel_.readable && !channel_.encrypted) {
            return fail(0, Fault::not_authorized,
                        "passwords in clear text are taken over TLS only: connect with sslmode=require");
        }
        state_ = State::asked_password;
        authentication(out_, Auth::cleartext);
    } else if (method == Method::md5) {
        state_ = State::asked_md5;
        fill_random(md5_salt_);
        authentication(out_, Auth::md5, md5_salt_);
    } else {
        return ask_scram();
    }
    return Action::write(0, out_.bytes());
}

bool ClientAuthentication::binding_offered() const noexcept {
    return channel_.encrypted && !channel_.server_end_point.empty();
}

Action ClientAuthentication::ask_scram() {
    state_ = State::asked_scram;
    constexpr std::array<std::string_view, 2> mechanisms{scram_plus_mechanism, scram_mechanism};
    authentication_sasl(out_, std::span(mechanisms).subspan(binding_offered() ? 0 : 1));
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
    bound_ = binding_offered() && mechanism == scram_plus_mechanism;
    if (!bound_ && mechanism != scram_mechanism) {
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
    if (auto wrong = check_binding_flag(consumed, flag)) return *wrong;
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

std::optional<Action> ClientAuthentication::check_binding_flag(std::size_t consumed, std::string_view flag) {
    if (flag == "n" || flag == "y") {
        if (bound_) return violation(consumed, "client selected SCRAM-SHA-256-PLUS, but binds to no channel");
        // A client that can bind and was offered it does; unless somebody has taken the offer away.
        if (flag == "y" && binding_offered()) {
            return fail(consumed, Fault::not_authorized,
                        "the client did not see that SCRAM-SHA-256-PLUS is offered: what stands between it and "
                        "leasehold changes their messages");
        }
        return std::nullopt;
    }
    if (!flag.starts_with("p=")) return violation(consumed, "malformed SCRAM message");
    if (!bound_) {
        return violation(consumed, channel_.encrypted
                                       ? "client binds to a channel, but did not select SCRAM-SHA-256-PLUS"
                                       : "client requires SCRAM channel binding, which needs TLS: connect with "
                                         "sslmode=require");
    }
    if (flag.substr(2) != scram_binding_type) {
        return violation(consumed, "unsupported SCRAM channel-binding type: use tls-server-end-point");
    }
    return std::nullopt;
}

Action ClientAuthentication::on_client_final(std::size_t consumed, std::string_view client_final) {
    std::string_view rest = client_final;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = take_attribute(rest, 'r');
    const std::size_t proof_at = client_final.rfind(",p=");
    if (!binding || !nonce || proof_at == client_final.npos) return violation(consumed, "malformed SCRAM message");
    if (auto wrong = check_binding(consumed, *binding)) return *wrong;
    if (*nonce != nonce_) return violation(consumed, "SCRAM nonce does not match");
    const auto proof = from_base64(client_final.substr(proof_at + 3));
    if (!proof || proof->size() != proof_.size()) return violation(consumed, "malformed SCRAM proof");
    std::copy(proof->begin(), proof->end(), proof_.begin());
    auth_message_ += ',';
    auth_message_ += client_final.substr(0, proof_at);
    if (verifier_ready_) return verify_proof(consumed);

    // What the mock would compute is not kept: names that do not exist take no room from those that do.
    const auto known = credential_.kind == Kind::password
                           ? cache_.find(credential_.secret, verifier_.salt, verifier_.iterations)
                           : std::nullopt;
    if (!known) {
        state_ = State::deriving;
        return Action::compute(consumed);
    }
    verifier_.stored_key = known->stored_key;
    verifier_.server_key = known->server_key;
    return verify_proof(consumed);
}

std::optional<Action> ClientAuthentication::check_binding(std::size_t consumed, std::string_view given) {
    std::vector<std::uint8_t> seen(gs2_header_.begin(), gs2_header_.end());
    if (!bound_) {
        if (given == base64(seen)) return std::nullopt;
        return violation(consumed, "unexpected SCRAM channel-binding attribute");
    }
    const auto decoded = from_base64(given);
    if (!decoded || decoded->size() < seen.size() || !std::equal(seen.begin(), seen.end(), decoded->begin())) {
        return violation(consumed, "unexpected SCRAM channel-binding attribute");
    }
    seen.insert(seen.end(), channel_.server_end_point.begin(), channel_.server_end_point.end());
    if (equal_in_constant_time(*decoded, seen)) return std::nullopt;
    return fail(consumed, Fault::not_authorized,
                "SCRAM channel binding failed: the client sees another TLS certificate than this listener's; connect "
                "without what ends TLS between them");
}

void ClientAuthentication::compute() {
    const bool real = credential_.kind == Kind::password;
    paid_ = true;
    if (state_ == State::comparing) {
        password_right_ = password_matches(given_);
    } else if (state_ == State::deriving && real) {
        const ScramKeys keys = cache_.obtain(credential_.secret, verifier_.salt, verifier_.iterations);
        verifier_.stored_key = keys.stored_key;
        verifier_.server_key = keys.server_key;
    } else {
        (void)derive(nobodys_password, verifier_.salt, verifier_.iterations);
    }
}

Action ClientAuthentication::verify_proof(std::size_t consumed) {
    const std::optional<Sha256Digest> client_key = recover_client_key(proof_, verifier_.stored_key, auth_message_);
    // The mock's keys are all zeros; that nobody logs in by them is decided by kind alone.
    if (!client_key || credential_.kind != Kind::password) return refuse(consumed);
    if (configured_) recovered_ = ScramKeys{*client_key, verifier_.stored_key, verifier_.server_key};
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
    if (given.empty()) return refused(consumed);
    if (state_ == State::asked_password) {
        given_ = given;
        state_ = State::comparing;
        return Action::compute(consumed);
    }
    const bool hashed = is_md5_hash(credential_.secret);
    const std::string hash = hashed ? credential_.secret : md5_hash(credential_.secret, user_);
    const std::string expected = md5_answer(hash, md5_salt_);
    const bool right = !expected.empty() && equal_in_constant_time(as_bytes(expected), as_bytes(given));
    if (!right || credential_.kind != Kind::password) return refused(consumed);
    state_ = State::finished;
    return Action::done(consumed);
}

// A password that came in clear text, against whatever is known of it. Being wrong costs a derivation in every case.
bool ClientAuthentication::password_matches(std::string_view given) {
    if (configured_) {
        const auto known = cache_.find(given, verifier_.salt, verifier_.iterations);
        const ScramKeys keys = known ? *known : derive(given, verifier_.salt, verifier_.iterations);
        if (!equal_in_constant_time(keys.stored_key, verifier_.stored_key)) return false;
        cache_.put(given, verifier_.salt, verifier_.iterations, keys);
        recovered_ = keys;
        return true;
    }
    const bool hashed = is_md5_hash(credential_.secret);
    const std::string seen = hashed ? md5_hash(given, user_) : std::string(given);
    const bool right = equal_in_constant_time(as_bytes(seen), as_bytes(credential_.secret));
    if (right && credential_.kind == Kind::password) return true;
    (void)derive(given, verifier_.salt, verifier_.iterations);
    return false;
}

// A refusal costs a derivation, whoever is refused: the time it takes does not tell which names exist, nor whose keys
// are known already.
Action ClientAuthentication::refuse(std::size_t consumed) {
    if (paid_) return refused(consumed);
    state_ = State::paying;
    return Action::compute(consumed);
}

Action ClientAuthentication::refused(std::size_t consumed) {
    state_ = State::finished;
    diagnostics_ = authentication_failed(user_);
    return Action::done(consumed, errc::authentication_failed);
}

Action ClientAuthentication::fail(std::size_t consumed, Fault fault, std::string_view what) {
    state_ = State::finished;
    diagnostics_ = failure(fault, what);
    return Action::done(consumed,
                        fault == Fault::not_authorized ? errc::authentication_failed : errc::protocol_violation);
}

Action ClientAuthentication::violation(std::size_t consumed, std::string_view what) {
    return fail(consumed, Fault::login_violation, what);
}

}  // namespace leasehold::postgres
