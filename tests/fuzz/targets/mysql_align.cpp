// SPDX-License-Identifier: Apache-2.0
// A server's answers to the settings and the database it is to hold.
#include "dialects/mysql/align.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_align", [](Bytes data) {
    Input input(data);
    const bool deprecate_eof = input.u8() % 2 != 0;
    const std::uint8_t choice = input.u8();
    mysql::Alignment plan;
    plan.reset = choice % 2 != 0;
    if (choice / 2 % 2 == 0) plan.sql = "SET SESSION sql_mode=''";
    if (choice / 4 % 2 != 0) plan.database = "shop";
    if (plan.nothing()) return;  // such a plan is not driven
    play(
        input, [&] { return std::make_unique<mysql::Align>(plan, deprecate_eof); }, mysql_round);
});

}  // namespace
}  // namespace leasehold::fuzz
