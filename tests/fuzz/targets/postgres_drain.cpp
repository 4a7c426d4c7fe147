// SPDX-License-Identifier: Apache-2.0
// What a server still owes a session that is gone, wherever the conversation broke off.
#include "dialects/postgres/drain.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_drain", [](Bytes data) {
    Input input(data);
    const std::uint8_t choice = input.u8();
    postgres::Unfinished unfinished;
    unfinished.without_sync = choice % 2 != 0;
    unfinished.copy_in = choice / 2 % 2 != 0;
    if (choice / 4 % 2 != 0) unfinished.body_left = input.u8();
    for (int i = choice / 8 % 4; i > 0; --i) {
        unfinished.requests.push_back(choice / 32 % 2 != 0 ? postgres::Unfinished::Request::simple
                                                           : postgres::Unfinished::Request::extended);
    }
    play(
        input, [&] { return std::make_unique<postgres::Drain>(unfinished); },
        [](const postgres::Drain& exchange) { return changes_of(exchange) + exchange.status(); });
});

}  // namespace
}  // namespace leasehold::fuzz
