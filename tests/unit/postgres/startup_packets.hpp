// SPDX-License-Identifier: Apache-2.0
// What a client sends first, for the tests of its reading.
#pragma once

#include "dialects/postgres/handshake.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {

using test::built;
using test::ByteVector;

[[nodiscard]] inline ByteVector startup_packet(const Parameters& parameters, std::uint32_t version = version_3_0) {
    return built([&](wire::Writer& w) { startup_message(w, parameters, version); });
}
[[nodiscard]] inline ByteVector code_packet(std::uint32_t code) {
    return built([&](wire::Writer& w) {
        w.u32be(8);
        w.u32be(code);
    });
}
[[nodiscard]] inline ByteVector joined(ByteVector a, const ByteVector& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace leasehold::postgres
