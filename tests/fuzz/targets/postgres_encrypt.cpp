// SPDX-License-Identifier: Apache-2.0
// A server's answer to SSLRequest, and the handshake in its place.
#include "dialects/postgres/encrypt.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_encrypt", [](Bytes data) {
    Input input(data);
    const bool direct = input.u8() % 2 != 0;
    play(
        input, [&] { return std::make_unique<postgres::Encrypt>(direct); },
        [](const postgres::Encrypt& exchange) { return exchange.facts().version; });
});

}  // namespace
}  // namespace leasehold::fuzz
