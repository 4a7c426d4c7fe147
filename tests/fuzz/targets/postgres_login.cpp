// SPDX-License-Identifier: Apache-2.0
// Our own login to a server, which asks for whatever it wants.
#include "dialects/postgres/handshake.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_login", [](Bytes data) {
    // A million iterations are a second of work: they say nothing new.
    const std::string_view text = wire::as_text(data);
    for (std::size_t at = text.find(",i="); at != text.npos; at = text.find(",i=", at + 3)) {
        if (text.size() - at > 8 && text.substr(at + 3, 5).find_first_not_of("0123456789") == text.npos) return;
    }
    static postgres::ScramKeyCache cache(64);
    Input input(data);
    const std::uint8_t choice = input.u8();
    postgres::ServerLoginParams params{"orders", {{"application_name", "leasehold"}}, {"app", {}, {}}};
    if (choice % 4 != 0) params.credential.password = choice % 4 == 1 ? "secret" : "";
    if (choice % 4 == 3) params.credential.keys = postgres::ScramKeys{};
    params.channel.binding = static_cast<postgres::ServerChannel::Binding>(choice / 4 % 3);
    params.channel.encrypted = choice / 16 % 2 != 0;
    if (choice / 32 % 2 != 0) params.channel.server_end_point.assign(32, 0x42);
    params.minor_version = choice / 64 % 2 == 0 ? 0 : postgres::newest_minor;
    play(
        input, [&] { return std::make_unique<postgres::ServerLogin>(params, cache); },
        [](const postgres::ServerLogin& exchange) {
            std::string all = std::to_string(exchange.pid()) + '/' + exchange.secret();
            all += exchange.version_refused() ? 'v' : exchange.wants_keys() ? 'k' : '-';
            for (const auto& [name, value] : exchange.parameters()) ((all += name) += '=') += value;
            return all;
        });
});

}  // namespace
}  // namespace leasehold::fuzz
