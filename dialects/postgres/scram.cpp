// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/scram.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace leasehold::postgres {
namespace {

using wire::as_bytes;
using wire::Bytes;

constexpr std::string_view keys_prefix = "SCRAM-KEYS:";

[[nodiscard]] Sha256Digest sha256(Bytes bytes) noexcept {
    Sha256Digest out{};
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) != 1) std::abort();
    return out;
}

[[nodiscard]] Sha256Digest hmac(Bytes key, Bytes bytes) noexcept {
    Sha256Digest out{};
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(), out.data(), &size) ==
        nullptr) {
        std::abort();
    }
    return out;
}

[[nodiscard]] Sha256Digest exclusive_or(const Sha256Digest& a, const Sha256Digest& b) noexcept {
    Sha256Digest out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
    return out;
}

[[nodiscard]] std::optional<Sha256Digest> digest_from_base64(std::string_view text) {
    const auto bytes = from_base64(text);
    if (!bytes || bytes->size() != 32) return std::nullopt;
    Sha256Digest digest{};
    std::copy(bytes->begin(), bytes->end(), digest.begin());
    return digest;
}

}  // namespace

std::optional<ScramVerifier> parse_scram_verifier(std::string_view text) noexcept {
    if (!text.starts_with(scram_mechanism)) return std::nullopt;
    text.remove_prefix(scram_mechanism.size());
    if (text.empty() || text[0] != '$') return std::nullopt;
    text.remove_prefix(1);
    const std::size_t colon = text.find(':');
    const std::size_t dollar = text.find('$');
    const std::size_t last = text.rfind(':');
    if (colon == text.npos || dollar == text.npos || colon > dollar || last < dollar) return std::nullopt;
    ScramVerifier verifier;
    const auto [end, error] = std::from_chars(text.data(), text.data() + colon, verifier.iterations);
    if (error != std::errc() || end != text.data() + colon || verifier.iterations == 0 ||
        verifier.iterations > scram_max_iterations) {
        return std::nullopt;
    }
    auto salt = from_base64(text.substr(colon + 1, dollar - colon - 1));
    const auto stored = digest_from_base64(text.substr(dollar + 1, last - dollar - 1));
    const auto server = digest_from_base64(text.substr(last + 1));
    if (!salt || salt->empty() || !stored || !server) return std::nullopt;
    verifier.salt = std::move(*salt);
    verifier.stored_key = *stored;
    verifier.server_key = *server;
    return verifier;
}

std::string to_string(const ScramVerifier& verifier) {
    const std::string costs = std::to_string(verifier.iterations) + ':' + base64(verifier.salt);
    const std::string keys = base64(verifier.stored_key) + ':' + base64(verifier.server_key);
    return std::string(scram_mechanism) + '$' + costs + '$' + keys;
}

ScramKeys derive(std::string_view password, Bytes salt, std::uint32_t iterations) {
    std::string prepared = saslprep(password);
    Sha256Digest salted{};
    if (PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), salt.data(),
                          static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                          static_cast<int>(salted.size()), salted.data()) != 1) {
        std::abort();
    }
    OPENSSL_cleanse(prepared.data(), prepared.size());
    const ScramKeys keys = keys_of(hmac(salted, as_bytes("Client Key")), hmac(salted, as_bytes("Server Key")));
    OPENSSL_cleanse(salted.data(), salted.size());
    return keys;
}

ScramKeys keys_of(const Sha256Digest& client_key, const Sha256Digest& server_key) {
    return {client_key, sha256(client_key), server_key};
}

std::string to_string(const ScramKeys& keys) {
    return std::string(keys_prefix) + base64(keys.client_key) + ':' + base64(keys.server_key);
}

std::optional<ScramKeys> parse_keys(std::string_view text) {
    if (!text.starts_with(keys_prefix)) return std::nullopt;
    text.remove_prefix(keys_prefix.size());
    const std::size_t colon = text.find(':');
    if (colon == text.npos) return std::nullopt;
    const auto client_key = digest_from_base64(text.substr(0, colon));
    const auto server_key = digest_from_base64(text.substr(colon + 1));
    if (!client_key || !server_key) return std::nullopt;
    return keys_of(*client_key, *server_key);
}

Sha256Digest client_proof(const Sha256Digest& client_key, const Sha256Digest& stored_key,
                          std::string_view auth_message) {
    return exclusive_or(client_key, hmac(stored_key, as_bytes(auth_message)));
}

Sha256Digest server_signature(const Sha256Digest& server_key, std::string_view auth_message) {
    return hmac(server_key, as_bytes(auth_message));
}

std::optional<Sha256Digest> recover_client_key(const Sha256Digest& proof, const Sha256Digest& stored_key,
                                               std::string_view auth_message) {
    const Sha256Digest client_key = exclusive_or(proof, hmac(stored_key, as_bytes(auth_message)));
    if (!equal_in_constant_time(sha256(client_key), stored_key)) return std::nullopt;
    return client_key;
}

std::string base64(Bytes bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // EVP_EncodeBlock ends with a NUL
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

// Strict: no blanks, padding only at the end. EVP_DecodeBlock forgives both.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    std::vector<std::uint8_t> bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::size_t value = 0;
        if (i < text.size() - padding) {
            value = alphabet.find(text[i]);
            if (value == alphabet.npos) return std::nullopt;
        }
        group = group << 6 | static_cast<std::uint32_t>(value);
        if (i % 4 == 3) {
            for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(group >> shift));
            group = 0;
        }
    }
    bytes.resize(bytes.size() - padding);
    return bytes;
}

bool equal_in_constant_time(Bytes a, Bytes b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void fill_random(std::span<std::uint8_t> into) noexcept {
    // Without randomness every nonce and key would be guessable: nothing sensible is left to do.
    if (RAND_bytes(into.data(), static_cast<int>(into.size())) != 1) std::abort();
}

std::string scram_nonce() {
    std::array<std::uint8_t, 18> raw{};
    fill_random(raw);
    return base64(raw);
}

ScramKeyCache::ScramKeyCache(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {
    fill_random(key_);
}

ScramKeyCache::~ScramKeyCache() {
    for (auto& [hash, entry] : by_hash_) OPENSSL_cleanse(&entry.keys, sizeof entry.keys);
    OPENSSL_cleanse(key_.data(), key_.size());
}

Sha256Digest ScramKeyCache::hash(std::string_view password, Bytes salt, std::uint32_t iterations) const {
    // The password by itself is hashed to a fixed length first, so that no two triples run together.
    const Sha256Digest hidden = hmac(key_, as_bytes(password));
    std::vector<std::uint8_t> text(hidden.begin(), hidden.end());
    for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<std::uint8_t>(iterations >> shift));
    text.insert(text.end(), salt.begin(), salt.end());
    return hmac(key_, text);
}

std::optional<ScramKeys> ScramKeyCache::find(std::string_view password, Bytes salt, std::uint32_t iterations) {
    const Sha256Digest wanted = hash(password, salt, iterations);
    const std::lock_guard lock(mutex_);
    const auto at = by_hash_.find(wanted);
    if (at == by_hash_.end()) return std::nullopt;
    order_.splice(order_.begin(), order_, at->second.at);
    return at->second.keys;
}

void ScramKeyCache::put(std::string_view password, Bytes salt, std::uint32_t iterations, const ScramKeys& keys) {
    const Sha256Digest name = hash(password, salt, iterations);
    const std::lock_guard lock(mutex_);
    if (by_hash_.contains(name)) return;
    if (by_hash_.size() >= capacity_) {
        const auto oldest = by_hash_.find(order_.back());
        OPENSSL_cleanse(&oldest->second.keys, sizeof oldest->second.keys);
        by_hash_.erase(oldest);
        order_.pop_back();
    }
    order_.push_front(name);
    by_hash_.emplace(name, Entry{keys, order_.begin()});
}

ScramKeys ScramKeyCache::obtain(std::string_view password, Bytes salt, std::uint32_t iterations) {
    if (const std::optional<ScramKeys> known = find(password, salt, iterations)) return *known;
    const ScramKeys keys = derive(password, salt, iterations);  // without the lock: two at once do it twice
    put(password, salt, iterations, keys);
    return keys;
}

std::size_t ScramKeyCache::size() const {
    const std::lock_guard lock(mutex_);
    return by_hash_.size();
}

std::vector<std::uint8_t> ScramKeyCache::salt_for(std::string_view user) const {
    const Sha256Digest made = hmac(key_, as_bytes("salt:" + std::string(user)));
    return {made.begin(), made.begin() + 16};
}

ScramKeyCache& scram_keys() {
    static ScramKeyCache cache;
    return cache;
}

}  // namespace leasehold::postgres
