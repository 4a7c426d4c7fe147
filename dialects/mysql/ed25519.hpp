// SPDX-License-Identifier: Apache-2.0
// MariaDB's client_ed25519: a signature by Ed25519 (RFC 8032) whose secret key is a password of any length. libcrypto
// signs with keys of 32 bytes only, and offers neither the curve's arithmetic nor a way to give it the hashed key;
// for passwords of 32 bytes both are the same, which is how this is tested.
#pragma once

#include "dialects/wire/cursor.hpp"

#include <array>
#include <string_view>

namespace leasehold::mysql {

inline constexpr std::string_view ed25519_plugin = "client_ed25519";
inline constexpr std::size_t ed25519_nonce = 32;
using Ed25519Signature = std::array<std::uint8_t, 64>;

// Takes a time that depends on neither password nor message, beyond their lengths: some tenths of a millisecond.
[[nodiscard]] Ed25519Signature ed25519_sign(std::string_view password, wire::Bytes message);

}  // namespace leasehold::mysql
