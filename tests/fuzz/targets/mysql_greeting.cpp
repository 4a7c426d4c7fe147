// SPDX-License-Identifier: Apache-2.0
// What a client answers to the greeting.
#include "dialects/mysql/handshake.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("mysql_greeting", [](Bytes data) {
    Input input(data);
    mysql::Greeting greeting;
    const std::uint8_t choice = input.u8();
    greeting.version = choice % 2 == 0 ? "5.5.5-10.11.6-MariaDB" : "9.7.4";
    const mysql::TlsOffer offer{choice / 2 % 2 == 0, choice / 4 % 2 == 0};
    greeting.capabilities = 0xFFFFFFFF;
    play(
        input, [&] { return std::make_unique<mysql::ClientGreeting>(greeting, 10240, offer); },
        [](const mysql::ClientGreeting& exchange) {
            const mysql::HandshakeResponse& said = exchange.response();
            return said.user + '/' + said.database + '/' + said.authentication + '/' + said.plugin + '/' +
                   said.program_name + '/' + std::to_string(said.capabilities) + '/' + std::to_string(said.charset) +
                   '/' + std::to_string(exchange.next_sequence()) + (exchange.left() ? "left" : "") +
                   (exchange.tls() ? "tls" : "");
        });
});

}  // namespace
}  // namespace leasehold::fuzz
