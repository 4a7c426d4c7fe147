// SPDX-License-Identifier: Apache-2.0
// A server's answer to the question whether it is the one that is wanted.
#include "dialects/postgres/hosts.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_ask_role", [](Bytes data) {
    Input input(data);
    const postgres::Fit question = input.u8() % 2 == 0 ? postgres::Fit::ask_read_only : postgres::Fit::ask_recovery;
    play(
        input, [&] { return std::make_unique<postgres::AskRole>(question); },
        [](const postgres::AskRole& exchange) { return postgres_round(exchange) + (exchange.answer() ? 'y' : 'n'); });
});

}  // namespace
}  // namespace leasehold::fuzz
