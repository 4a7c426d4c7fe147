// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/challenge.hpp"

#include "dialects/mysql/ed25519.hpp"
#include "dialects/mysql/rsa.hpp"
#include "dialects/mysql/sha2_hash.hpp"

namespace leasehold::mysql {
namespace {

using wire::errc;

// What caching_sha2_password says behind the answer, and how its key is asked for.
constexpr std::string_view fast_done = "\x03";
constexpr std::string_view full_wanted = "\x04";
constexpr std::string_view give_key = "\x02";
// MariaDB's servers and clients have the same limit for PEM; a key of 8192 bits takes 1.6 KB.
constexpr std::size_t longest_key = 8 * 1024;

std::string said(std::string_view plugin) { return std::string(plugin.substr(0, 64)); }

}  // namespace

ServerChallenge::ServerChallenge(const ServerCredential& credential, bool readable) : readable_(readable) {
    const bool hashed = is_native_hash(credential.password) || is_sha2_hash(credential.password);
    if (!hashed) {
        password_ = credential.password;
    } else if (credential.keys.password) {
        password_ = credential.keys.password;
    }
    if (password_) {
        native_ = sha1(*password_);
        sha2_ = sha256(*password_);
    } else {
        native_ = credential.keys.native;
        sha2_ = credential.keys.sha2;
    }
}

ServerChallenge::~ServerChallenge() {
    if (password_) wipe(*password_);
    wipe(answer_);
}

std::optional<std::string> ServerChallenge::quick_answer(std::string_view plugin, const Salt& salt) const {
    if (password_ && password_->empty()) return std::string();
    if (plugin == native_password && native_) return native_answer(*native_, salt);
    if (plugin == sha2_password && sha2_) return sha2_answer(*sha2_, salt);
    return std::nullopt;
}

void ServerChallenge::greet(std::string_view plugin, const Salt& salt) {
    for (const std::string_view candidate : {plugin, native_password, sha2_password}) {
        if (candidate != native_password && candidate != sha2_password) continue;
        std::optional<std::string> answer = quick_answer(candidate, salt);
        if (!answer) continue;
        plugin_ = candidate;
        answer_ = std::move(*answer);
        state_ = candidate == sha2_password ? State::sha2_sent : State::answered;
        salt_ = salt;
        return;
    }
    // Neither of them: with an answer that is none the server says which it wants.
    plugin_ = native_password;
    answer_.clear();
}

ServerChallenge::Next ServerChallenge::start(std::string_view plugin, std::string_view data) {
    plugin_ = plugin;
    answer_.clear();
    state_ = State::answered;
    if (plugin == native_password || plugin == sha2_password) {
        const std::optional<Salt> salt = salt_of(data);
        if (!salt) return fail(errc::protocol_violation, "the server's challenge is malformed");
        salt_ = *salt;
        std::optional<std::string> answer = quick_answer(plugin, salt_);
        if (!answer) return lacks(plugin);
        answer_ = std::move(*answer);
        if (plugin == sha2_password) {
            state_ = State::sha2_sent;
            if (answer_.empty()) answer_.assign(1, '\0');  // "no password" of this plugin
        }
        return Next::reply;
    }
    if (plugin == ed25519_plugin) {
        if (!password_) return lacks(plugin);
        if (data.size() < ed25519_nonce) return fail(errc::protocol_violation, "the server's challenge is malformed");
        data_ = data.substr(0, ed25519_nonce);
        state_ = State::signing;
        return Next::compute;
    }
    if (plugin == clear_password) {
        if (!password_) return lacks(plugin);
        return send_password();
    }
    return fail(errc::unsupported, "the server wants the authentication plugin " +
                                       (plugin.empty() ? std::string("mysql_old_password") : said(plugin)) +
                                       ", which leasehold does not speak; give this account caching_sha2_password, "
                                       "mysql_native_password or ed25519");
}

// In clear text, to whom alone may read it.
ServerChallenge::Next ServerChallenge::send_password() {
    if (readable_) {
        return fail(errc::unsupported, "the server wants the password in clear text (" + said(plugin_) +
                                           "), and the connection is not encrypted: use ssl_mode=REQUIRED");
    }
    answer_ = *password_;
    answer_ += '\0';
    state_ = State::answered;
    return Next::reply;
}

ServerChallenge::Next ServerChallenge::more(std::string_view data) {
    if (state_ == State::sha2_sent) {
        if (data == fast_done) {
            state_ = State::answered;
            return Next::wait;
        }
        if (data != full_wanted) return fail(errc::protocol_violation, "the server's challenge is malformed");
        if (!password_) return lacks("the full exchange of caching_sha2_password");
        if (!readable_) return send_password();
        answer_ = give_key;
        state_ = State::key_asked;
        return Next::reply;
    }
    if (state_ == State::key_asked && data.size() <= longest_key) {
        data_ = data;
        state_ = State::encrypting;
        return Next::compute;
    }
    return fail(errc::protocol_violation, "the server says something that its authentication plugin does not have");
}

void ServerChallenge::compute() {
    if (state_ == State::signing) {
        answer_ = wire::as_text(ed25519_sign(*password_, wire::as_bytes(data_)));
    } else if (state_ == State::encrypting) {
        answer_ = rsa_encrypt(data_, *password_, salt_).value_or("");
    }
}

ServerChallenge::Next ServerChallenge::proceed() {
    const bool encrypted = state_ == State::encrypting;
    state_ = State::answered;
    if (!encrypted || !answer_.empty()) return Next::reply;
    return fail(errc::unsupported,
                "the server's public key is no RSA key of 1024 to 8192 bits that has room for the password");
}

ServerChallenge::Next ServerChallenge::fail(errc error, std::string message) {
    error_ = make_error_code(error);
    diagnostics_.clear();
    diagnostics_.message = std::move(message);
    return Next::failed;
}

ServerChallenge::Next ServerChallenge::lacks(std::string_view what) {
    wants_keys_ = true;
    return fail(errc::authentication_failed, "a hash does not answer " + said(what) +
                                                 ", and no client's login since the start has shown what would");
}

}  // namespace leasehold::mysql
