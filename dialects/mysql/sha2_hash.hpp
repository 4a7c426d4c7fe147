// SPDX-License-Identifier: Apache-2.0
// What MySQL stores for a caching_sha2_password account: `$A$005$`, 20 bytes of salt, 43 characters of SHA-256 crypt
// with 5 thousand rounds. Reading it, and comparing a password with it, which takes milliseconds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::mysql {

struct Sha2Hash {
    unsigned rounds = 5000;
    std::string salt;    // 20 bytes, not all of them printable
    std::string digest;  // 43 characters
};
// As the server's authentication_string has it, or in hexadecimal as SHOW CREATE USER prints it (0x2441...).
[[nodiscard]] std::optional<Sha2Hash> parse_sha2_hash(std::string_view text);
[[nodiscard]] bool is_sha2_hash(std::string_view text);
[[nodiscard]] bool matches(const Sha2Hash& hash, std::string_view password);

// The algorithm's 43 characters.
[[nodiscard]] std::string sha256_crypt(std::string_view password, std::string_view salt, unsigned rounds);

}  // namespace leasehold::mysql
