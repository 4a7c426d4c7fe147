// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's MD5 passwords, as old servers and clients still use them; see auth.hpp.
#include "dialects/postgres/auth.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace leasehold::postgres {
namespace {

// Empty when libcrypto refuses.
[[nodiscard]] std::string md5_hex(std::string_view text) {
    std::array<std::uint8_t, 16> raw{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), raw.data(), &size, EVP_md5(), nullptr) != 1) return {};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t byte : raw) {
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

}  // namespace

bool is_md5_hash(std::string_view secret) noexcept {
    if (secret.size() != 35 || !secret.starts_with("md5")) return false;
    return std::all_of(secret.begin() + 3, secret.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string md5_hash(std::string_view password, std::string_view user) {
    const std::string hex = md5_hex(std::string(password).append(user));
    return hex.empty() ? hex : "md5" + hex;
}

std::string md5_answer(std::string_view hash, wire::Bytes salt) {
    if (!is_md5_hash(hash)) return {};
    const std::string hex = md5_hex(std::string(hash.substr(3)).append(wire::as_text(salt)));
    return hex.empty() ? hex : "md5" + hex;
}

}  // namespace leasehold::postgres
