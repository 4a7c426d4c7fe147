// SPDX-License-Identifier: Apache-2.0
// A server's answer to COMMIT or ROLLBACK.
#include "dialects/mysql/finish.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_finish", [](Bytes data) {
    Input input(data);
    const bool deprecate_eof = input.u8() % 2 != 0;
    const bool commit = input.u8() % 2 == 0;
    play(
        input, [&] { return std::make_unique<mysql::Finish>(commit, deprecate_eof); }, mysql_round);
});

}  // namespace
}  // namespace leasehold::fuzz
