// SPDX-License-Identifier: Apache-2.0
// A client's COM_CHANGE_USER, and its proof of who it is from then on.
#include "dialects/mysql/handshake.hpp"
#include "dialects/mysql/rsa.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

[[maybe_unused]] const bool key_made = !mysql::own_rsa_key().pem().empty();

const Registered registered("mysql_returning", [](Bytes data) {
    Input input(data);
    const std::uint8_t choice = input.u8();
    const bool plugins = choice % 4 != 0;
    const std::size_t length = input.u16();
    const Bytes request = input.take(length);
    const mysql::Capabilities client = mysql::cap::protocol_41 | mysql::cap::connect_attrs |
                                       (plugins ? mysql::cap::plugin_auth : mysql::Capabilities{0});
    auto again = mysql::parse_change_user(request, client);
    if (!again) return;
    require(again->user.size() + again->database.size() <= request.size(), "nothing is made up");
    require(again->program_name.size() <= 128, "a program's name is short");
    again->plugin = choice / 4 % 2 == 0 ? mysql::native_password : mysql::sha2_password;
    const mysql::Salt salt = mysql::make_salt();
    mysql::ClientCredential credential;
    credential.kind = static_cast<mysql::ClientCredential::Kind>(choice / 8 % 3);
    credential.secret = "secret";
    mysql::Verifiers cache;
    play(
        input,
        [&] {
            const mysql::ClientGreeting over(*again, salt, std::nullopt);
            return std::make_unique<mysql::ClientAuthentication>(credential, over.hello("192.0.2.7", false), cache);
        },
        [](const mysql::ClientAuthentication& exchange) { return std::to_string(exchange.next_sequence()); });
});

}  // namespace
}  // namespace leasehold::fuzz
