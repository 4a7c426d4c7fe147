// SPDX-License-Identifier: Apache-2.0
// A server's answer to DISCARD ALL.
#include "dialects/postgres/reset.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_reset", [](Bytes data) {
    Input input(data);
    play(
        input, [&] { return std::make_unique<postgres::Reset>(); }, postgres_round);
});

}  // namespace
}  // namespace leasehold::fuzz
