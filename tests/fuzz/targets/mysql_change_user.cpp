// SPDX-License-Identifier: Apache-2.0
// A server's answer to COM_CHANGE_USER.
#include "dialects/mysql/handshake.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_change_user", [](Bytes data) {
    Input input(data);
    const mysql::ServerLoginParams params{"app", "secret",   "", mysql::cap::plugin_auth | mysql::cap::connect_attrs,
                                          45,    "leasehold"};
    play(
        input, [&] { return std::make_unique<mysql::ChangeUser>(params); }, mysql_round);
});

}  // namespace
}  // namespace leasehold::fuzz
