// SPDX-License-Identifier: Apache-2.0
// What a client answers to a salt, and whether an answer is right, for the two plugins that prove a password without
// showing it: "Native Authentication" and "Caching_sha2_password" of the protocol's manual. The conversations are in
// challenge (with a server) and client_auth (with a client).
#pragma once

#include "dialects/mysql/messages.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::mysql {

using Sha1 = std::array<std::uint8_t, 20>;
using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha1 sha1(std::string_view first, std::string_view second = {});
[[nodiscard]] Sha256 sha256(std::string_view first, std::string_view second = {});
// Into the bytes themselves: a password is not left in memory for longer than it is used.
void wipe(std::string& secret) noexcept;

// Random, without NUL and '$', which clients and servers take for ends.
[[nodiscard]] Salt make_salt();
[[nodiscard]] std::optional<Salt> salt_of(std::string_view data) noexcept;

// --- mysql_native_password --------------------------------------------------------------------------------------

// SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))); empty for an empty password.
[[nodiscard]] std::string native_answer(std::string_view password, const Salt& salt);
// The same from SHA1(password), which is all that a client needs.
[[nodiscard]] std::string native_answer(const Sha1& key, const Salt& salt);

// What verifies a client's answer: SHA1(SHA1(password)), or "no password".
struct NativeVerifier {
    bool empty = false;
    Sha1 stage2{};
};
// `secret`: the password, or its hash as servers write it ("*" and 40 hexadecimal digits).
[[nodiscard]] NativeVerifier native_verifier(std::string_view secret);
[[nodiscard]] bool is_native_hash(std::string_view secret) noexcept;
// SHA1(password) from an answer that is right; nothing from a wrong one, nor where there is no password. Takes the same
// time for right and wrong answers of one length.
[[nodiscard]] std::optional<Sha1> recover_native(const NativeVerifier& verifier, std::string_view answer,
                                                 const Salt& salt);

// --- caching_sha2_password: its fast path -----------------------------------------------------------------------

// SHA256(password) XOR SHA256(SHA256(SHA256(password)) + salt); empty for an empty password.
[[nodiscard]] std::string sha2_answer(std::string_view password, const Salt& salt);
[[nodiscard]] std::string sha2_answer(const Sha256& key, const Salt& salt);
// SHA256(password) from an answer that is right for the verifier SHA256(SHA256(password)); nothing from a wrong one.
[[nodiscard]] std::optional<Sha256> recover_sha2(const Sha256& verifier, std::string_view answer, const Salt& salt);

// --- what logs in to a server -------------------------------------------------------------------------------------

// What a client's login showed of its password. As secret as that: never logged.
struct LoginKeys {
    std::optional<std::string> password{};
    std::optional<Sha1> native{};  // SHA1(password)
    std::optional<Sha256> sha2{};  // SHA256(password)
    [[nodiscard]] bool empty() const noexcept { return !password && !native && !sha2; }
    friend bool operator==(const LoginKeys&, const LoginKeys&) = default;
};
// How keys travel from a client's login to the backend's; for Connector::learn().
[[nodiscard]] std::string to_string(const LoginKeys& keys);
[[nodiscard]] std::optional<LoginKeys> parse_login_keys(std::string_view text);

}  // namespace leasehold::mysql
