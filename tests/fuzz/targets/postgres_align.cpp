// SPDX-License-Identifier: Apache-2.0
// A server's answer to the settings it is to hold.
#include "dialects/postgres/align.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_align", [](Bytes data) {
    Input input(data);
    postgres::Settings held, wanted;
    held.set("TimeZone", "UTC");
    wanted.set("search_path", "a, b");
    play(
        input, [&] { return std::make_unique<postgres::Align>(held, wanted); }, postgres_round);
});

}  // namespace
}  // namespace leasehold::fuzz
