// SPDX-License-Identifier: Apache-2.0
// What a password of the configuration is: clear text, or what a server of one family keeps in its place.
#pragma once

#include <cstdint>
#include <string_view>

namespace leasehold::config {

enum class PasswordKind : std::uint8_t {
    none,
    clear_text,
    scram_verifier,  // PostgreSQL: SCRAM-SHA-256$...
    native_hash,     // MySQL, MariaDB: "*" and 40 hexadecimal digits, of mysql_native_password
    sha2_hash,       // MySQL: $A$005$..., of caching_sha2_password; or in hexadecimal, 0x244124...
};
[[nodiscard]] PasswordKind password_kind(std::string_view password) noexcept;
[[nodiscard]] std::string_view to_string(PasswordKind kind) noexcept;

}  // namespace leasehold::config
