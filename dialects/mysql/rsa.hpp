// SPDX-License-Identifier: Apache-2.0
// RSA for a password on a connection that others can read, as caching_sha2_password has it: the password's bytes and a
// NUL, an exclusive or with the salt, encrypted with OAEP. Both ends: with a server's key, and with leasehold's own.
#pragma once

#include "dialects/mysql/messages.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace leasehold::mysql {

// With a server's public key in PEM; nothing when that is no RSA key of 1024 to 8192 bits, or too short for the
// password. Tens of microseconds, or a millisecond with a long key.
[[nodiscard]] std::optional<std::string> rsa_encrypt(std::string_view pem, std::string_view password, const Salt& salt);

// A pair of leasehold's own, 2048 bits long: what a client encrypts its password with.
class RsaKey {
  public:
    // Takes tenths of a second. Empty when libcrypto cannot make one.
    [[nodiscard]] static RsaKey make();
    [[nodiscard]] const std::string& pem() const noexcept { return pem_; }  // of the public half
    // The password without its NUL; nothing when this is no password that was encrypted with the public half.
    [[nodiscard]] std::optional<std::string> decrypt(std::string_view encrypted, const Salt& salt) const;

  private:
    struct Free {
        void operator()(evp_pkey_st* key) const noexcept;
    };
    std::unique_ptr<evp_pkey_st, Free> key_;
    std::string pem_;
};

// One for the process, made when it is first asked for: never on a worker.
[[nodiscard]] const RsaKey& own_rsa_key();

}  // namespace leasehold::mysql
