// SPDX-License-Identifier: Apache-2.0
// What a client says before it is authenticated.
#include "dialects/postgres/handshake.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

const Registered registered("postgres_startup", [](Bytes data) {
    Input input(data);
    const std::uint8_t choice = input.u8();
    const postgres::StartupLimits limits{.max_bytes = 10240, .max_settings = 20};
    const postgres::TlsOffer tls{.offered = choice % 2 != 0, .required = choice / 2 % 2 != 0};
    play(
        input, [&] { return std::make_unique<postgres::ClientStartup>(limits, tls); },
        [&](const postgres::ClientStartup& exchange) {
            const postgres::Startup& said = exchange.startup();
            require(said.settings.size() <= limits.max_settings, "settings are limited");
            std::string all = said.user + '/' + said.database + '/' + said.replication + '/' +
                              std::to_string(static_cast<int>(said.kind)) + '/' + std::to_string(said.cancel_id);
            for (const auto& setting : said.settings) {
                require(postgres::well_formed(setting.name), "names of settings can be written down");
                ((all += setting.name) += '=') += setting.value;
            }
            return all + (said.tls ? "tls" : "") + std::to_string(said.minor_version);
        });
});

}  // namespace
}  // namespace leasehold::fuzz
