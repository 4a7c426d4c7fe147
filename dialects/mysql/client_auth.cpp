// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/client_auth.hpp"

#include "dialects/mysql/challenge.hpp"
#include "dialects/mysql/errors.hpp"
#include "dialects/mysql/rsa.hpp"

#include <openssl/crypto.h>

namespace leasehold::mysql {
namespace {

using wire::Action;
using wire::errc;

// An answer, a password, or one that is encrypted with our key of 256 bytes.
constexpr std::size_t longest_answer = 1024;
// What caching_sha2_password says behind an answer, and how a client asks for the key.
constexpr std::string_view fast_done = "\x01\x03";
constexpr std::string_view full_wanted = "\x01\x04";
constexpr std::string_view give_key = "\x02";

bool equal(std::string_view a, std::string_view b) {
    return CRYPTO_memcmp(sha256(a).data(), sha256(b).data(), sizeof(Sha256)) == 0;
}

}  // namespace

ClientAuthentication::ClientAuthentication(ClientCredential credential, ClientHello hello, Verifiers& cache)
    : credential_(std::move(credential)), hello_(std::move(hello)), cache_(cache),
      hash_(parse_sha2_hash(credential_.secret)), native_hash_(is_native_hash(credential_.secret)),
      sequence_(hello_.next_sequence) {
    // Of nobody, a secret that nobody guesses.
    if (credential_.kind == ClientCredential::Kind::none && credential_.secret.empty()) credential_.secret = "nobody";
}

ClientAuthentication::~ClientAuthentication() {
    wipe(given_);
    wipe(credential_.secret);
}

// The one that the client named, if there is what it takes to verify its answers.
ClientAuthentication::Plugin ClientAuthentication::choose() const noexcept {
    if (credential_.clear_text && !hello_.readable) return Plugin::clear;
    if (native_hash_ || !hello_.can_switch) return Plugin::native;
    if (hash_) return Plugin::sha2;
    if (hello_.plugin == native_password) return Plugin::native;
    if (hello_.plugin == sha2_password) return Plugin::sha2;
    return hello_.greeted_with == native_password ? Plugin::native : Plugin::sha2;
}

Action ClientAuthentication::ask() {
    if (credential_.kind == ClientCredential::Kind::trust) {
        state_ = State::finished;
        return Action::done(0);
    }
    with_password_ = !hello_.answer.empty();
    if (credential_.kind == ClientCredential::Kind::refused) return conclude(false, 0);
    if (hash_ && !hello_.can_switch) {
        state_ = State::finished;
        diagnostics_ = failure(Fault::unsupported_client);
        return Action::done(0, make_error_code(errc::unsupported));
    }
    plugin_ = choose();
    const std::string_view names[] = {native_password, sha2_password, clear_password};
    const std::string_view wanted = names[static_cast<std::size_t>(plugin_)];
    // A client whose own choice is another than the greeting's has nothing to answer to yet.
    const bool answered = !hello_.can_switch || (hello_.plugin == wanted && hello_.greeted_with == wanted);
    if (answered) return judge(std::move(hello_.answer), 0);
    state_ = State::switching;
    if (!hello_.returns || plugin_ != Plugin::native) hello_.salt = make_salt();
    write_auth_switch(out_, wanted, hello_.salt, sequence_++);
    return Action::write(0, out_.bytes());
}

Action ClientAuthentication::judge(std::string answer, std::size_t consumed) {
    const bool nothing = answer.empty() || (plugin_ != Plugin::native && answer == std::string_view("\0", 1));
    with_password_ = !nothing;
    switch (plugin_) {
        case Plugin::native: {
            const NativeVerifier verifier = native_verifier(credential_.secret);
            const std::optional<Sha1> key = recover_native(verifier, answer, hello_.salt);
            if (native_hash_) recovered_.native = key;
            return conclude(verifier.empty ? nothing : key.has_value(), consumed);
        }
        case Plugin::sha2: return judge_sha2(nothing ? std::string_view() : std::string_view(answer), consumed);
        case Plugin::clear: given_ = std::move(answer); return on_full(given_, consumed);
    }
    return conclude(false, consumed);
}

Action ClientAuthentication::judge_sha2(std::string_view answer, std::size_t consumed) {
    if (answer.empty()) return conclude(credential_.secret.empty(), consumed);
    const std::optional<Sha256> verifier =
        hash_ ? cache_.find(credential_.secret) : sha256(wire::as_text(sha256(credential_.secret)));
    const std::optional<Sha256> key = recover_sha2(verifier.value_or(Sha256{}), answer, hello_.salt);
    const bool right = verifier && key && credential_.kind == ClientCredential::Kind::password;
    if (right) {
        if (hash_) recovered_.sha2 = key;
        return more(fast_done, consumed, State::confirming);
    }
    // What is known in clear text is known for certain. Of a hash the server of this plugin is never certain at first.
    if (!hash_) return conclude(false, consumed);
    return more(full_wanted, consumed, State::full_asked);
}

Action ClientAuthentication::more(std::string_view data, std::size_t consumed, State next) {
    state_ = next;
    out_.clear();
    const std::size_t mark = begin_packet(out_, sequence_++);
    out_.text(data);
    end_packet(out_, mark);
    return Action::write(consumed, out_.bytes());
}

// A password with its NUL, in clear text; or, where others could read that, a question for the key, or the password
// encrypted with it.
Action ClientAuthentication::on_full(std::string_view given, std::size_t consumed) {
    if (hello_.readable && state_ == State::full_asked && given == give_key) {
        state_ = State::making_key;
        return Action::compute(consumed);
    }
    encrypted_ = hello_.readable;
    std::string password(given);
    if (!encrypted_ && !password.empty() && password.back() == '\0') password.pop_back();
    wipe(given_);
    given_ = std::move(password);
    state_ = State::comparing;
    return Action::compute(consumed);
}

void ClientAuthentication::compute() {
    if (state_ == State::making_key) {
        (void)own_rsa_key();
        return;
    }
    if (state_ != State::comparing) return;
    bool readable = true;
    if (encrypted_) {
        std::optional<std::string> password = own_rsa_key().decrypt(given_, hello_.salt);
        readable = password.has_value();
        wipe(given_);
        given_ = std::move(password).value_or("");
    }
    const std::string& secret = credential_.secret;
    if (hash_) {
        right_ = matches(*hash_, given_) && readable;
    } else if (native_hash_) {
        right_ = sha1(wire::as_text(sha1(given_))) == native_verifier(secret).stage2 && readable;
    } else {
        right_ = equal(given_, secret) && readable;
    }
    right_ = right_ && credential_.kind == ClientCredential::Kind::password;
    if (!right_) return;
    if (hash_) cache_.put(secret, given_);
    if (hash_ || native_hash_) recovered_.password = given_;
}

Action ClientAuthentication::conclude(bool right, std::size_t consumed) {
    state_ = State::finished;
    if (right && credential_.kind == ClientCredential::Kind::password) return Action::done(consumed);
    recovered_ = {};
    diagnostics_ = access_denied(hello_.user, hello_.host, with_password_);
    return Action::done(consumed, make_error_code(errc::authentication_failed));
}

Action ClientAuthentication::violation() {
    state_ = State::finished;
    diagnostics_ = failure(Fault::login_violation, "the answer to the authentication is malformed");
    return Action::done(0, make_error_code(errc::protocol_violation));
}

Action ClientAuthentication::on_packet(const Packet& packet) {
    ++sequence_;
    const std::string_view said = wire::as_text(packet.payload);
    if (state_ == State::switching) return judge(std::string(said), packet.size());
    return on_full(said, packet.size());
}

Action ClientAuthentication::resume(Bytes input, std::error_code ec) {
    if (ec) {
        state_ = State::finished;
        return Action::done(0, ec);
    }
    switch (state_) {
        case State::start: return ask();
        case State::confirming: return conclude(true, 0);
        case State::making_key: return more("\x01" + own_rsa_key().pem(), 0, State::key_sent);
        case State::comparing: return conclude(right_, 0);
        case State::switching:
        case State::full_asked:
        case State::key_sent: {
            const Packet packet = first_packet(input, longest_answer);
            if (packet.kind == Packet::Kind::incomplete) return Action::read(0);
            if (packet.kind == Packet::Kind::too_long || packet.sequence != sequence_) return violation();
            return on_packet(packet);
        }
        case State::finished: break;
    }
    return Action::done(0);
}

}  // namespace leasehold::mysql
