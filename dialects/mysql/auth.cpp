// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/auth.hpp"

#include "dialects/wire/text.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace leasehold::mysql {
namespace {

using wire::as_bytes;

template <class Digest>
Digest digest_of(const EVP_MD* kind, std::string_view first, std::string_view second) {
    Digest digest{};
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const bool ok = context != nullptr && EVP_DigestInit_ex(context, kind, nullptr) == 1 &&
                    EVP_DigestUpdate(context, first.data(), first.size()) == 1 &&
                    EVP_DigestUpdate(context, second.data(), second.size()) == 1 &&
                    EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) throw std::runtime_error("a digest that logins need is not available in this libcrypto");
    return digest;
}

std::string_view text(Bytes bytes) noexcept { return wire::as_text(bytes); }

// What is sent for a key, and the key behind what was sent: an exclusive or with a mask in both directions.
template <class Digest>
Digest masked(const Digest& mask, std::string_view with) noexcept {
    Digest made{};
    for (std::size_t i = 0; i < made.size(); ++i) {
        made[i] = static_cast<std::uint8_t>(mask[i] ^ (i < with.size() ? static_cast<std::uint8_t>(with[i]) : 0));
    }
    return made;
}

}  // namespace

Sha1 sha1(std::string_view first, std::string_view second) { return digest_of<Sha1>(EVP_sha1(), first, second); }
Sha256 sha256(std::string_view first, std::string_view second) {
    return digest_of<Sha256>(EVP_sha256(), first, second);
}
void wipe(std::string& secret) noexcept { OPENSSL_cleanse(secret.data(), secret.size()); }

Salt make_salt() {
    Salt salt{};
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) {
        throw std::runtime_error("no random bytes are to be had");
    }
    for (std::uint8_t& byte : salt) {
        byte &= 0x7F;
        if (byte == 0 || byte == '$') ++byte;
    }
    return salt;
}

std::optional<Salt> salt_of(std::string_view data) noexcept {
    Salt salt{};
    if (data.size() < salt.size()) return std::nullopt;
    std::copy_n(data.begin(), salt.size(), salt.begin());
    return salt;
}

std::string native_answer(std::string_view password, const Salt& salt) {
    return password.empty() ? std::string() : native_answer(sha1(password), salt);
}

std::string native_answer(const Sha1& key, const Salt& salt) {
    return std::string(text(masked(sha1(text(salt), text(sha1(text(key)))), text(key))));
}

bool is_native_hash(std::string_view secret) noexcept {
    if (secret.size() != 41 || secret.front() != '*') return false;
    return std::ranges::all_of(secret.substr(1), [](char c) { return wire::hex_digit(c) >= 0; });
}

NativeVerifier native_verifier(std::string_view secret) {
    NativeVerifier verifier;
    verifier.empty = secret.empty();
    if (is_native_hash(secret)) {
        for (std::size_t i = 0; i < verifier.stage2.size(); ++i) {
            verifier.stage2[i] =
                static_cast<std::uint8_t>(wire::hex_digit(secret[1 + 2 * i]) * 16 + wire::hex_digit(secret[2 + 2 * i]));
        }
    } else {
        verifier.stage2 = sha1(text(sha1(secret)));
    }
    return verifier;
}

std::optional<Sha1> recover_native(const NativeVerifier& verifier, std::string_view answer, const Salt& salt) {
    const Sha1 key = masked(sha1(text(salt), text(verifier.stage2)), answer);
    const bool equal = CRYPTO_memcmp(sha1(text(key)).data(), verifier.stage2.data(), verifier.stage2.size()) == 0;
    if (!equal || verifier.empty || answer.size() != key.size()) return std::nullopt;
    return key;
}

std::string sha2_answer(std::string_view password, const Salt& salt) {
    return password.empty() ? std::string() : sha2_answer(sha256(password), salt);
}

std::string sha2_answer(const Sha256& key, const Salt& salt) {
    return std::string(text(masked(sha256(text(sha256(text(key))), text(salt)), text(key))));
}

std::optional<Sha256> recover_sha2(const Sha256& verifier, std::string_view answer, const Salt& salt) {
    const Sha256 key = masked(sha256(text(verifier), text(salt)), answer);
    const bool equal = CRYPTO_memcmp(sha256(text(key)).data(), verifier.data(), verifier.size()) == 0;
    if (!equal || answer.size() != key.size()) return std::nullopt;
    return key;
}

namespace {

constexpr std::string_view keys_tag = "MYSQL-KEYS:";

}  // namespace

std::string to_string(const LoginKeys& keys) {
    if (keys.empty()) return {};
    wire::Writer out;
    out.text(keys_tag);
    const auto field = [&out](bool present, std::string_view value) {
        out.u8(present ? 1 : 0);
        out.lenenc_text(value);
    };
    field(keys.password.has_value(), keys.password ? std::string_view(*keys.password) : std::string_view());
    field(keys.native.has_value(), keys.native ? text(*keys.native) : std::string_view());
    field(keys.sha2.has_value(), keys.sha2 ? text(*keys.sha2) : std::string_view());
    return std::string(text(out.bytes()));
}

std::optional<LoginKeys> parse_login_keys(std::string_view said) {
    if (!said.starts_with(keys_tag)) return std::nullopt;
    wire::Cursor cursor(as_bytes(said.substr(keys_tag.size())));
    LoginKeys keys;
    const bool password = cursor.u8() != 0;
    const std::string_view password_text = cursor.lenenc_text();
    const bool native = cursor.u8() != 0;
    const std::string_view native_text = cursor.lenenc_text();
    const bool sha2 = cursor.u8() != 0;
    const std::string_view sha2_text = cursor.lenenc_text();
    if (!cursor.ok() || cursor.remaining() != 0) return std::nullopt;
    if ((native && native_text.size() != sizeof(Sha1)) || (sha2 && sha2_text.size() != sizeof(Sha256)))
        return std::nullopt;
    if (password) keys.password = password_text;
    if (native) std::ranges::copy(native_text, keys.native.emplace().begin());
    if (sha2) std::ranges::copy(sha2_text, keys.sha2.emplace().begin());
    return keys;
}

}  // namespace leasehold::mysql
