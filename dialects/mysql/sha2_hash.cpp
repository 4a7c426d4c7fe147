// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/sha2_hash.hpp"

#include "dialects/mysql/auth.hpp"
#include "dialects/wire/text.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace leasehold::mysql {
namespace {

using wire::as_text;

constexpr std::string_view mark = "$A$";
constexpr std::size_t salt_size = 20;
constexpr std::size_t digest_size = 43;
// $A$ and three hexadecimal digits of thousands of rounds.
constexpr unsigned most_thousands = 0xFFF;
constexpr std::string_view alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// What follows "0x"; nothing when it is no hexadecimal text.
std::optional<std::string> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::string made;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = wire::hex_digit(text[i]);
        const int low = wire::hex_digit(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        made += static_cast<char>(high * 16 + low);
    }
    return made;
}

// One context for thousands of digests.
class Digest {
  public:
    Digest() : context_(EVP_MD_CTX_new()) { begin(); }
    void add(std::string_view part) noexcept {
        ok_ = ok_ && EVP_DigestUpdate(context_.get(), part.data(), part.size()) == 1;
    }
    // The first so many bytes of it, over and over.
    void add_cycled(std::string_view part, std::size_t bytes) noexcept {
        for (; bytes > part.size(); bytes -= part.size()) add(part);
        add(part.substr(0, bytes));
    }
    Sha256 take() {
        Sha256 made{};
        if (!ok_ || EVP_DigestFinal_ex(context_.get(), made.data(), nullptr) != 1)
            throw std::runtime_error("SHA-256 is not available in this libcrypto");
        begin();
        return made;
    }

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    };
    void begin() noexcept {
        // A context that has a digest keeps it: naming it anew would look it up each time.
        ok_ = context_ && EVP_DigestInit_ex(context_.get(), begun_ ? nullptr : EVP_sha256(), nullptr) == 1;
        begun_ = true;
    }
    std::unique_ptr<EVP_MD_CTX, Free> context_;
    bool begun_ = false;
    bool ok_ = false;
};

std::string cycled(std::string_view part, std::size_t bytes) {
    std::string made;
    while (made.size() < bytes) made += part.substr(0, bytes - made.size());
    return made;
}

std::string encoded(const Sha256& digest) {
    std::string made;
    const auto triple = [&made](unsigned high, unsigned middle, unsigned low, int characters) {
        unsigned bits = high << 16 | middle << 8 | low;
        for (; characters > 0; --characters, bits >>= 6) made += alphabet[bits & 63];
    };
    // Ten triples, each one's three bytes ten apart and rotated; the last two bytes are left over.
    for (std::size_t i = 0; i < 10; ++i) {
        const std::size_t turn = i % 3;
        const std::size_t at[] = {i, i + 10, i + 20};
        triple(digest[at[(3 - turn) % 3]], digest[at[(4 - turn) % 3]], digest[at[(5 - turn) % 3]], 4);
    }
    triple(0, digest[31], digest[30], 3);
    return made;
}

}  // namespace

std::string sha256_crypt(std::string_view password, std::string_view salt, unsigned rounds) {
    Digest digest;
    digest.add(password);
    digest.add(salt);
    digest.add(password);
    const Sha256 alternate = digest.take();
    digest.add(password);
    digest.add(salt);
    digest.add_cycled(as_text(alternate), password.size());
    for (std::size_t bits = password.size(); bits > 0; bits >>= 1) digest.add(bits & 1 ? as_text(alternate) : password);
    Sha256 current = digest.take();
    for (std::size_t i = 0; i < password.size(); ++i) digest.add(password);
    std::string p = cycled(as_text(digest.take()), password.size());
    for (unsigned i = 0; i < 16u + current[0]; ++i) digest.add(salt);
    const std::string s = cycled(as_text(digest.take()), salt.size());
    for (unsigned round = 0; round < rounds; ++round) {
        const bool odd = round % 2 != 0;
        digest.add(odd ? std::string_view(p) : as_text(current));
        if (round % 3 != 0) digest.add(s);
        if (round % 7 != 0) digest.add(p);
        digest.add(odd ? as_text(current) : std::string_view(p));
        current = digest.take();
    }
    wipe(p);
    return encoded(current);
}

std::optional<Sha2Hash> parse_sha2_hash(std::string_view text) {
    std::optional<std::string> decoded;
    if (text.starts_with("0x") && text.size() == 2 + 2 * (mark.size() + 4 + salt_size + digest_size)) {
        decoded = from_hex(text.substr(2));
        text = decoded ? std::string_view(*decoded) : std::string_view();
    }
    if (text.size() != mark.size() + 4 + salt_size + digest_size || !text.starts_with(mark)) return std::nullopt;
    unsigned thousands = 0;
    for (const char c : text.substr(mark.size(), 3)) {
        const int digit = wire::hex_digit(c);
        if (digit < 0) return std::nullopt;
        thousands = thousands * 16 + static_cast<unsigned>(digit);
    }
    if (thousands == 0 || thousands > most_thousands || text[mark.size() + 3] != '$') return std::nullopt;
    Sha2Hash hash;
    hash.rounds = thousands * 1000;
    hash.salt = text.substr(mark.size() + 4, salt_size);
    hash.digest = text.substr(mark.size() + 4 + salt_size);
    const bool known = std::ranges::all_of(hash.digest, [](char c) { return alphabet.find(c) != alphabet.npos; });
    return known ? std::optional(std::move(hash)) : std::nullopt;
}

bool is_sha2_hash(std::string_view text) { return parse_sha2_hash(text).has_value(); }

bool matches(const Sha2Hash& hash, std::string_view password) {
    const std::string made = sha256_crypt(password, hash.salt, hash.rounds);
    return made.size() == hash.digest.size() && CRYPTO_memcmp(made.data(), hash.digest.data(), made.size()) == 0;
}

}  // namespace leasehold::mysql
