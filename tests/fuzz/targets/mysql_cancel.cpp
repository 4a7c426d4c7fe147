// SPDX-License-Identifier: Apache-2.0
// A login of our own, KILL QUERY, and goodbye.
#include "dialects/mysql/cancel.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_cancel", [](Bytes data) {
    Input input(data);
    const mysql::ServerLoginParams params{"app", "secret", "", 0, 0, "leasehold"};
    play(
        input, [&] { return std::make_unique<mysql::Cancel>(params, 42); },
        [](const mysql::Cancel&) { return std::string(); });
});

}  // namespace
}  // namespace leasehold::fuzz
