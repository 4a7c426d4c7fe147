// SPDX-License-Identifier: Apache-2.0
// A cancel request: the server's only answer is to close.
#include "dialects/postgres/cancel.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_cancel", [](Bytes data) {
    Input input(data);
    play(
        input, [] { return std::make_unique<postgres::Cancel>(42, "secret"); },
        [](const postgres::Cancel&) { return std::string(); });
});

}  // namespace
}  // namespace leasehold::fuzz
