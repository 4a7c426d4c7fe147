// SPDX-License-Identifier: Apache-2.0
// Our own login to a server, which greets with whatever it wants.
#include "dialects/mysql/handshake.hpp"
#include "tests/fuzz/round.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_login", [](Bytes data) {
    Input input(data);
    const std::uint8_t choice = input.u8();
    mysql::ServerLoginParams params{"app", choice % 2 == 0 ? "secret" : "", "", 0, 0, "leasehold"};
    params.secure = choice / 8 % 2 != 0;
    params.tls = static_cast<config::TlsMode>(choice / 16 % 6);
    if (choice / 96 % 2 != 0) {
        params.password = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
        params.keys.sha2 = mysql::sha256("secret");
    }
    if (choice / 2 % 2 != 0) params.database = "shop";
    if (choice / 4 % 2 != 0) params.capabilities = mysql::cap::deprecate_eof | mysql::cap::multi_results;
    play(
        input, [&] { return std::make_unique<mysql::ServerLogin>(params); },
        [](const mysql::ServerLogin& exchange) {
            return exchange.greeting().version + '/' + std::to_string(exchange.capabilities()) + '/' +
                   std::to_string(exchange.charset()) + '/' + std::to_string(exchange.status()) +
                   (exchange.tls() ? "tls" : "");
        });
});

}  // namespace
}  // namespace leasehold::fuzz
