// SPDX-License-Identifier: Apache-2.0
// A server's answer to COM_RESET_CONNECTION.
#include "dialects/mysql/reset.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_reset", [](Bytes data) {
    Input input(data);
    const bool deprecate_eof = input.u8() % 2 != 0;
    play(
        input, [&] { return std::make_unique<mysql::Reset>(deprecate_eof); }, mysql_round);
});

}  // namespace
}  // namespace leasehold::fuzz
