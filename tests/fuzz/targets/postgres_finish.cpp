// SPDX-License-Identifier: Apache-2.0
// A server's answer to COMMIT or ROLLBACK.
#include "dialects/postgres/finish.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_finish", [](Bytes data) {
    Input input(data);
    const bool commit = input.u8() % 2 == 0;
    play(
        input, [&] { return std::make_unique<postgres::Finish>(commit); }, postgres_round);
});

}  // namespace
}  // namespace leasehold::fuzz
