// SPDX-License-Identifier: Apache-2.0
// The list of targets, the report of a violation, and fixed randomness.
#define OPENSSL_SUPPRESS_DEPRECATED  // a random source of one's own has no other interface in OpenSSL 3

#include "tests/fuzz/target.hpp"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace leasehold::fuzz {
namespace {

std::string shown(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes.substr(0, 400)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F && c != '\\') {
            text += c;
        } else {
            ((text += '\\') += digits[byte >> 4]) += digits[byte & 15];
        }
    }
    return text;
}

int same_bytes(unsigned char* into, int size) {
    std::memset(into, 0x2A, static_cast<std::size_t>(size));
    return 1;
}

}  // namespace

void violated(std::string_view what, std::string_view detail) {
    std::fflush(stdout);
    std::fprintf(stderr, "property violated: %.*s\n%s\n", static_cast<int>(what.size()), what.data(),
                 std::string(detail).c_str());
    std::abort();
}

void require_same(std::string_view whole, std::string_view pieces, std::string_view what) {
    if (whole == pieces) return;
    const std::size_t at = static_cast<std::size_t>(
        std::mismatch(whole.begin(), whole.end(), pieces.begin(), pieces.end()).first - whole.begin());
    const std::size_t from = at < 60 ? 0 : at - 60;
    violated(std::string(what) + ": fed in pieces it differs from fed whole, at byte " + std::to_string(at),
             "whole:  ..." + shown(whole.substr(from)) + "\npieces: ..." + shown(pieces.substr(from)));
}

std::vector<Target>& targets() {
    static std::vector<Target> all;
    return all;
}

void fix_randomness() {
    static const RAND_METHOD fixed = [] {
        RAND_METHOD method{};
        method.bytes = same_bytes;
        method.pseudorand = same_bytes;
        method.status = [] { return 1; };
        return method;
    }();
    RAND_set_rand_method(&fixed);
}

}  // namespace leasehold::fuzz
