// SPDX-License-Identifier: Apache-2.0
// mysql_native_password: "Native Authentication" of the protocol's manual. What a client answers to a salt, and whether
// an answer is right. Other plugins have no place here yet.
#pragma once

#include "dialects/mysql/messages.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::mysql {

using Sha1 = std::array<std::uint8_t, 20>;

// Random, without NUL and '$', which clients and servers take for ends.
[[nodiscard]] Salt make_salt();

// SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))); empty for an empty password.
[[nodiscard]] std::string native_answer(std::string_view password, const Salt& salt);

// What verifies a client's answer: SHA1(SHA1(password)), or "no password".
struct NativeVerifier {
    bool empty = false;
    Sha1 stage2{};
};
// `secret`: the password, or its hash as servers write it ("*" and 40 hexadecimal digits).
[[nodiscard]] NativeVerifier native_verifier(std::string_view secret);
[[nodiscard]] bool is_native_hash(std::string_view secret) noexcept;
// Takes the same time for right and wrong answers of one length.
[[nodiscard]] bool verify_native(const NativeVerifier& verifier, std::string_view answer, const Salt& salt);

}  // namespace leasehold::mysql
