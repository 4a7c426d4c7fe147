// SPDX-License-Identifier: Apache-2.0
// A client's proof, by each method and for each kind of secret.
#include "dialects/postgres/auth.hpp"
#include "tests/fuzz/exchange.hpp"

namespace leasehold::fuzz {
namespace {

using postgres::ClientCredential;

// A verifier of the password "secret", with salt "saltsaltsaltsalt".
std::string verifier() {
    postgres::ScramVerifier made;
    const std::string_view salt = "saltsaltsaltsalt";
    made.salt.assign(salt.begin(), salt.end());
    const postgres::ScramKeys keys = postgres::derive("secret", made.salt, made.iterations);
    made.stored_key = keys.stored_key;
    made.server_key = keys.server_key;
    return to_string(made);
}

const Registered registered("postgres_authentication", [](Bytes data) {
    static const std::string secrets[] = {"secret", verifier(), postgres::md5_hash("secret", "app"), ""};
    static postgres::ScramKeyCache cache;
    Input input(data);
    const std::uint8_t choice = input.u8();
    ClientCredential credential;
    credential.kind = static_cast<ClientCredential::Kind>(choice % 3);
    credential.method = static_cast<ClientCredential::Method>(choice / 3 % 4);
    credential.secret = secrets[choice / 12 % 4];
    const std::uint8_t connection = input.u8();
    postgres::ClientChannel channel;
    channel.encrypted = connection % 2 != 0;
    channel.readable = connection / 2 % 2 != 0;
    if (connection / 4 % 2 != 0) channel.server_end_point.assign(32, 0x42);
    play(
        input, [&] { return std::make_unique<postgres::ClientAuthentication>(credential, "app", cache, channel); },
        [&](const postgres::ClientAuthentication& exchange) {
            require(!exchange.recovered() || credential.kind == ClientCredential::Kind::password,
                    "keys are recovered from real users only");
            return std::string(exchange.recovered() ? "keys" : "");
        });
});

}  // namespace
}  // namespace leasehold::fuzz
