// SPDX-License-Identifier: Apache-2.0
// SCRAM-SHA-256 (RFC 5802, RFC 7677) without a conversation: keys, verifiers, proofs, the password's preparation, and
// the cache that makes the costly derivation happen once per password. The conversations are in auth.hpp.
#pragma once

#include "dialects/wire/cursor.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres {

inline constexpr std::string_view scram_mechanism = "SCRAM-SHA-256";
// With channel binding: both sides prove that they see the same server certificate (RFC 5929, tls-server-end-point).
inline constexpr std::string_view scram_plus_mechanism = "SCRAM-SHA-256-PLUS";
inline constexpr std::string_view scram_binding_type = "tls-server-end-point";
inline constexpr std::uint32_t scram_default_iterations = 4096;
// What a server may ask of us; beyond it a login would be a denial of service.
inline constexpr std::uint32_t scram_max_iterations = 1'000'000;

using Sha256Digest = std::array<std::uint8_t, 32>;

// What the server side keeps. `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, base64, as in pg_authid.
struct ScramVerifier {
    std::uint32_t iterations = scram_default_iterations;
    std::vector<std::uint8_t> salt;
    Sha256Digest stored_key{};
    Sha256Digest server_key{};
};

// What the client side computes from a password; as good as the password for the salt and iterations they belong to.
struct ScramKeys {
    Sha256Digest client_key{};
    Sha256Digest stored_key{};
    Sha256Digest server_key{};
    friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

[[nodiscard]] std::optional<ScramVerifier> parse_scram_verifier(std::string_view text) noexcept;
[[nodiscard]] std::string to_string(const ScramVerifier& verifier);

// PBKDF2: about a millisecond per 4096 iterations. The password is prepared first (see saslprep).
[[nodiscard]] ScramKeys derive(std::string_view password, wire::Bytes salt, std::uint32_t iterations);
// Keys from a ClientKey recovered at a login and the ServerKey of the verifier that admitted it.
[[nodiscard]] ScramKeys keys_of(const Sha256Digest& client_key, const Sha256Digest& server_key);
// `SCRAM-KEYS:<ClientKey>:<ServerKey>`, base64: how recovered keys travel from a client's login to the backend's. As
// secret as a password: never logged.
[[nodiscard]] std::string to_string(const ScramKeys& keys);
[[nodiscard]] std::optional<ScramKeys> parse_keys(std::string_view text);

// ClientProof and its inverse (an exclusive or with the signature), and ServerSignature.
[[nodiscard]] Sha256Digest client_proof(const Sha256Digest& client_key, const Sha256Digest& stored_key,
                                        std::string_view auth_message);
[[nodiscard]] Sha256Digest server_signature(const Sha256Digest& server_key, std::string_view auth_message);
// The ClientKey behind a proof; nothing when the proof is wrong.
[[nodiscard]] std::optional<Sha256Digest> recover_client_key(const Sha256Digest& proof, const Sha256Digest& stored_key,
                                                             std::string_view auth_message);

// RFC 4013 as far as it goes without Unicode tables: other spaces become a blank, what is "commonly mapped to nothing"
// goes, and text that is not UTF-8 or holds prohibited characters is taken raw, as PostgreSQL does. Not done: NFKC (a
// password with ligatures or other compatibility characters must be given in its normalised form).
[[nodiscard]] std::string saslprep(std::string_view password);

[[nodiscard]] std::string base64(wire::Bytes bytes);
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);
[[nodiscard]] bool equal_in_constant_time(wire::Bytes a, wire::Bytes b) noexcept;
void fill_random(std::span<std::uint8_t> into) noexcept;
// 18 random bytes as base64: printable, without commas.
[[nodiscard]] std::string scram_nonce();

// Keys by password, salt and iterations, shared by all threads and both legs, so that a login after the first costs no
// PBKDF2. Holds no password: entries are found by a keyed hash whose key lives as long as the process. Bounded; the
// longest unused entry goes first. What a client merely guessed is never put into it.
class ScramKeyCache {
  public:
    explicit ScramKeyCache(std::size_t capacity = 4096);
    ScramKeyCache(const ScramKeyCache&) = delete;
    ScramKeyCache& operator=(const ScramKeyCache&) = delete;
    ~ScramKeyCache();

    [[nodiscard]] std::optional<ScramKeys> find(std::string_view password, wire::Bytes salt, std::uint32_t iterations);
    void put(std::string_view password, wire::Bytes salt, std::uint32_t iterations, const ScramKeys& keys);
    // find(), or derive() and put().
    [[nodiscard]] ScramKeys obtain(std::string_view password, wire::Bytes salt, std::uint32_t iterations);
    [[nodiscard]] std::size_t size() const;

    // The salt that a user without a verifier of its own is asked with, whether there is such a user or not: the same
    // at each login, different per process.
    [[nodiscard]] std::vector<std::uint8_t> salt_for(std::string_view user) const;

  private:
    using Order = std::list<Sha256Digest>;  // front: the last used
    struct Entry {
        ScramKeys keys;
        Order::iterator at;
    };
    [[nodiscard]] Sha256Digest hash(std::string_view password, wire::Bytes salt, std::uint32_t iterations) const;

    mutable std::mutex mutex_;  // over by_hash_ and order_
    std::map<Sha256Digest, Entry> by_hash_;
    Order order_;
    std::size_t capacity_;
    Sha256Digest key_{};  // constant after construction
};

// One for the process: both legs and all workers share what a password's derivation has cost once.
[[nodiscard]] ScramKeyCache& scram_keys();

}  // namespace leasehold::postgres
