// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/auth.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <stdexcept>

namespace leasehold::mysql {
namespace {

Sha1 sha1(std::string_view first, std::string_view second = {}) {
    Sha1 digest{};
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const bool ok = context != nullptr && EVP_DigestInit_ex(context, EVP_sha1(), nullptr) == 1 &&
                    EVP_DigestUpdate(context, first.data(), first.size()) == 1 &&
                    EVP_DigestUpdate(context, second.data(), second.size()) == 1 &&
                    EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) throw std::runtime_error("SHA-1 is not available in this libcrypto");
    return digest;
}

std::string_view text(Bytes bytes) noexcept { return wire::as_text(bytes); }

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

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

std::string native_answer(std::string_view password, const Salt& salt) {
    if (password.empty()) return {};
    const Sha1 stage1 = sha1(password);
    const Sha1 stage2 = sha1(text(stage1));
    const Sha1 mask = sha1(text(salt), text(stage2));
    std::string answer(stage1.size(), '\0');
    for (std::size_t i = 0; i < stage1.size(); ++i) answer[i] = static_cast<char>(stage1[i] ^ mask[i]);
    return answer;
}

bool is_native_hash(std::string_view secret) noexcept {
    if (secret.size() != 41 || secret.front() != '*') return false;
    for (const char c : secret.substr(1)) {
        if (hex_digit(c) < 0) return false;
    }
    return true;
}

NativeVerifier native_verifier(std::string_view secret) {
    NativeVerifier verifier;
    verifier.empty = secret.empty();
    if (is_native_hash(secret)) {
        for (std::size_t i = 0; i < verifier.stage2.size(); ++i) {
            verifier.stage2[i] =
                static_cast<std::uint8_t>(hex_digit(secret[1 + 2 * i]) * 16 + hex_digit(secret[2 + 2 * i]));
        }
    } else {
        verifier.stage2 = sha1(text(sha1(secret)));
    }
    return verifier;
}

bool verify_native(const NativeVerifier& verifier, std::string_view answer, const Salt& salt) {
    const bool right_length = answer.size() == (verifier.empty ? 0 : sizeof(Sha1));
    const Sha1 mask = sha1(text(salt), text(verifier.stage2));
    Sha1 stage1{};
    for (std::size_t i = 0; i < stage1.size(); ++i) {
        stage1[i] = static_cast<std::uint8_t>(mask[i] ^ (i < answer.size() ? static_cast<std::uint8_t>(answer[i]) : 0));
    }
    const Sha1 stage2 = sha1(text(stage1));
    const bool equal = CRYPTO_memcmp(stage2.data(), verifier.stage2.data(), stage2.size()) == 0;
    return right_length && (verifier.empty || equal);
}

}  // namespace leasehold::mysql
