// SPDX-License-Identifier: Apache-2.0
#include "config/password_kind.hpp"

#include <algorithm>

namespace leasehold::config {
namespace {

constexpr std::size_t sha2_size = 70;  // "$A$005$", 20 bytes of salt, 43 characters

bool hexadecimal(std::string_view text) noexcept {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

}  // namespace

PasswordKind password_kind(std::string_view password) noexcept {
    if (password.empty()) return PasswordKind::none;
    if (password.starts_with("SCRAM-SHA-256$")) return PasswordKind::scram_verifier;
    if (password.size() == 41 && password.front() == '*' && hexadecimal(password.substr(1)))
        return PasswordKind::native_hash;
    if (password.size() == sha2_size && password.starts_with("$A$") && password[6] == '$' &&
        hexadecimal(password.substr(3, 3))) {
        return PasswordKind::sha2_hash;
    }
    const bool printed = password.size() == 2 + 2 * sha2_size && password.starts_with("0x244124");
    return printed && hexadecimal(password.substr(2)) ? PasswordKind::sha2_hash : PasswordKind::clear_text;
}

std::string_view to_string(PasswordKind kind) noexcept {
    switch (kind) {
        case PasswordKind::none: return "none";
        case PasswordKind::clear_text: return "clear text";
        case PasswordKind::scram_verifier: return "SCRAM verifier";
        case PasswordKind::native_hash:
        case PasswordKind::sha2_hash: return "MySQL hash";
    }
    return "none";
}

}  // namespace leasehold::config
