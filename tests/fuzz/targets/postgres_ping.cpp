// SPDX-License-Identifier: Apache-2.0
// A server's answer to a ping.
#include "dialects/postgres/ping.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_ping", [](Bytes data) {
    Input input(data);
    play(
        input, [&] { return std::make_unique<postgres::Ping>(); }, postgres_round);
});

}  // namespace
}  // namespace leasehold::fuzz
