// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/ed25519.hpp"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

namespace leasehold::mysql {
namespace {

using wire::Bytes;
using Bytes32 = std::array<std::uint8_t, 32>;
using Bytes64 = std::array<std::uint8_t, 64>;

// --- the field of 2^255 - 19, in five limbs of 51 bits ------------------------------------------------------------

__extension__ using Wide = unsigned __int128;
constexpr std::uint64_t limb_mask = (std::uint64_t{1} << 51) - 1;

// Limbs may have up to 54 bits between two multiplications, which bring them back to 51 and a little.
struct Field {
    std::array<std::uint64_t, 5> limbs{};
};

Field operator+(const Field& a, const Field& b) noexcept {
    Field sum;
    for (std::size_t i = 0; i < 5; ++i) sum.limbs[i] = a.limbs[i] + b.limbs[i];
    return sum;
}

// Four times the prime is added, so that no limb goes below zero.
Field operator-(const Field& a, const Field& b) noexcept {
    Field difference;
    for (std::size_t i = 0; i < 5; ++i) {
        const std::uint64_t prime = i == 0 ? limb_mask - 18 : limb_mask;
        difference.limbs[i] = a.limbs[i] + 4 * prime - b.limbs[i];
    }
    return difference;
}

// What stands above bit 255 counts 19 times at the bottom.
Field operator*(const Field& a, const Field& b) noexcept {
    std::array<Wide, 5> columns{};
    for (std::size_t i = 0; i < 5; ++i) {
        for (std::size_t j = 0; j < 5; ++j) {
            const std::uint64_t factor = i + j < 5 ? b.limbs[j] : 19 * b.limbs[j];
            columns[(i + j) % 5] += static_cast<Wide>(a.limbs[i]) * factor;
        }
    }
    Field product;
    Wide carry = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        columns[i] += carry;
        product.limbs[i] = static_cast<std::uint64_t>(columns[i]) & limb_mask;
        carry = columns[i] >> 51;
    }
    const Wide lowest = product.limbs[0] + 19 * carry;
    product.limbs[0] = static_cast<std::uint64_t>(lowest) & limb_mask;
    product.limbs[1] += static_cast<std::uint64_t>(lowest >> 51);
    return product;
}

Field field_of(const Bytes32& little_endian) noexcept {
    Field made;
    for (std::size_t bit = 0; bit < 255; ++bit) {
        const std::uint64_t set = little_endian[bit / 8] >> (bit % 8) & 1u;
        made.limbs[bit / 51] |= set << (bit % 51);
    }
    return made;
}

// By Fermat: to the power of the prime less two, whose bits are all set but 2 and 4.
Field inverse(const Field& a) noexcept {
    Field power = a;
    for (int bit = 253; bit >= 0; --bit) {
        power = power * power;
        if (bit != 2 && bit != 4) power = power * a;
    }
    return power;
}

Bytes32 to_bytes(const Field& a) noexcept {
    Field reduced = a;
    // Twice round, and every limb has 51 bits; then the prime comes off if the number is not below it.
    for (int round = 0; round < 2; ++round) {
        std::uint64_t carry = 0;
        for (std::uint64_t& limb : reduced.limbs) {
            limb += carry;
            carry = limb >> 51;
            limb &= limb_mask;
        }
        reduced.limbs[0] += 19 * carry;
    }
    std::uint64_t over = 19;
    for (const std::uint64_t limb : reduced.limbs) over = (limb + over) >> 51;
    std::uint64_t carry = 19 * over;
    for (std::uint64_t& limb : reduced.limbs) {
        limb += carry;
        carry = limb >> 51;
        limb &= limb_mask;
    }
    Bytes32 made{};
    for (std::size_t bit = 0; bit < 255; ++bit) {
        const std::uint64_t set = reduced.limbs[bit / 51] >> (bit % 51) & 1u;
        made[bit / 8] = static_cast<std::uint8_t>(made[bit / 8] | set << (bit % 8));
    }
    return made;
}

// --- the curve, in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z ------------------------------------------------

struct Point {
    Field x, y, z, t;
};

// 2d, and the base point: little endian.
constexpr Bytes32 twice_d{0x59, 0xF1, 0xB2, 0x26, 0x94, 0x9B, 0xD6, 0xEB, 0x56, 0xB1, 0x83,
                          0x82, 0x9A, 0x14, 0xE0, 0x00, 0x30, 0xD1, 0xF3, 0xEE, 0xF2, 0x80,
                          0x8E, 0x19, 0xE7, 0xFC, 0xDF, 0x56, 0xDC, 0xD9, 0x06, 0x24};
constexpr Bytes32 base_x{0x1A, 0xD5, 0x25, 0x8F, 0x60, 0x2D, 0x56, 0xC9, 0xB2, 0xA7, 0x25,
                         0x95, 0x60, 0xC7, 0x2C, 0x69, 0x5C, 0xDC, 0xD6, 0xFD, 0x31, 0xE2,
                         0xA4, 0xC0, 0xFE, 0x53, 0x6E, 0xCD, 0xD3, 0x36, 0x69, 0x21};
constexpr Bytes32 base_y{0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                         0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                         0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};

// RFC 8032, 5.1.4. Right for any two points, equal ones and the neutral one included, so that nothing branches.
Point add(const Point& p, const Point& q, const Field& d2) noexcept {
    const Field a = (p.y - p.x) * (q.y - q.x);
    const Field b = (p.y + p.x) * (q.y + q.x);
    const Field c = p.t * d2 * q.t;
    const Field zz = p.z * q.z;
    const Field d = zz + zz;
    const Field e = b - a;
    const Field f = d - c;
    const Field g = d + c;
    const Field h = b + a;
    return {e * f, g * h, f * g, e * h};
}

void swap_if(std::uint64_t condition, Field& a, Field& b) noexcept {
    const std::uint64_t mask = 0 - condition;
    for (std::size_t i = 0; i < 5; ++i) {
        const std::uint64_t difference = (a.limbs[i] ^ b.limbs[i]) & mask;
        a.limbs[i] ^= difference;
        b.limbs[i] ^= difference;
    }
}

void swap_if(std::uint64_t condition, Point& p, Point& q) noexcept {
    swap_if(condition, p.x, q.x);
    swap_if(condition, p.y, q.y);
    swap_if(condition, p.z, q.z);
    swap_if(condition, p.t, q.t);
}

// The base point so many times, encoded. A ladder: both points are worked on at every bit.
Bytes32 times_base(const Bytes32& scalar) noexcept {
    const Field d2 = field_of(twice_d);
    Field one;
    one.limbs[0] = 1;
    Point sum{Field(), one, one, Field()};
    Point next{field_of(base_x), field_of(base_y), one, field_of(base_x) * field_of(base_y)};
    for (int bit = 255; bit >= 0; --bit) {
        const std::uint64_t set = scalar[static_cast<std::size_t>(bit) / 8] >> (bit % 8) & 1u;
        swap_if(set, sum, next);
        next = add(sum, next, d2);
        sum = add(sum, sum, d2);
        swap_if(set, sum, next);
    }
    const Field z = inverse(sum.z);
    Bytes32 encoded = to_bytes(sum.y * z);
    encoded[31] = static_cast<std::uint8_t>(encoded[31] | (to_bytes(sum.x * z)[0] & 1) << 7);
    return encoded;
}

// --- scalars, modulo the group's order -----------------------------------------------------------------------------

struct FreeNumber {
    void operator()(BIGNUM* number) const noexcept { BN_clear_free(number); }
    void operator()(BN_CTX* context) const noexcept { BN_CTX_free(context); }
};
using Number = std::unique_ptr<BIGNUM, FreeNumber>;

[[noreturn]] void unavailable() { throw std::runtime_error("libcrypto fails at Ed25519"); }

Number number_of(Bytes little_endian) {
    Number made(BN_lebin2bn(little_endian.data(), static_cast<int>(little_endian.size()), nullptr));
    if (!made) unavailable();
    BN_set_flags(made.get(), BN_FLG_CONSTTIME);
    return made;
}

struct Order {
    Order() : context(BN_CTX_secure_new()) {
        BIGNUM* made = nullptr;
        if (!context || BN_hex2bn(&made, "1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED") == 0)
            unavailable();
        order.reset(made);
    }
    [[nodiscard]] Bytes32 reduced(const Number& number) const {
        const Number rest(BN_new());
        Bytes32 made{};
        if (!rest || BN_nnmod(rest.get(), number.get(), order.get(), context.get()) != 1 ||
            BN_bn2lebinpad(rest.get(), made.data(), static_cast<int>(made.size())) < 0) {
            unavailable();
        }
        return made;
    }
    // (a * b + c) modulo the order.
    [[nodiscard]] Bytes32 multiplied(const Bytes32& a, const Bytes32& b, const Bytes32& c) const {
        const Number product(BN_new());
        const Number sum(BN_new());
        if (!product || !sum || BN_mul(product.get(), number_of(a).get(), number_of(b).get(), context.get()) != 1 ||
            BN_add(sum.get(), product.get(), number_of(c).get()) != 1) {
            unavailable();
        }
        return reduced(sum);
    }

    std::unique_ptr<BN_CTX, FreeNumber> context;
    Number order;
};

Bytes64 sha512(std::initializer_list<Bytes> parts) {
    Bytes64 digest{};
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    bool ok = context != nullptr && EVP_DigestInit_ex(context, EVP_sha512(), nullptr) == 1;
    for (const Bytes part : parts) ok = ok && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
    ok = ok && EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) unavailable();
    return digest;
}

}  // namespace

// RFC 8032, 5.1.6; the password stands where that has a key of 32 bytes.
Ed25519Signature ed25519_sign(std::string_view password, Bytes message) {
    const Order order;
    Bytes64 expanded = sha512({wire::as_bytes(password)});
    Bytes32 secret{};
    std::copy_n(expanded.begin(), secret.size(), secret.begin());
    secret[0] &= 0xF8;
    secret[31] = static_cast<std::uint8_t>((secret[31] & 0x3F) | 0x40);
    Bytes32 once = order.reduced(number_of(sha512({Bytes(expanded).subspan(32), message})));
    const Bytes32 commitment = times_base(once);
    const Bytes32 key = times_base(secret);
    const Bytes32 challenge = order.reduced(number_of(sha512({commitment, key, message})));
    const Bytes32 response = order.multiplied(challenge, secret, once);
    OPENSSL_cleanse(expanded.data(), expanded.size());
    OPENSSL_cleanse(secret.data(), secret.size());
    OPENSSL_cleanse(once.data(), once.size());
    Ed25519Signature signature{};
    std::ranges::copy(commitment, signature.begin());
    std::ranges::copy(response, signature.begin() + 32);
    return signature;
}

}  // namespace leasehold::mysql
