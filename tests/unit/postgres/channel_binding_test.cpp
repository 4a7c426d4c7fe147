// SPDX-License-Identifier: Apache-2.0
// SCRAM-SHA-256-PLUS as a client of ours sees it.
#include "dialects/postgres/auth.hpp"
#include "dialects/postgres/scram_text.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using test::Script;
using wire::as_bytes;
using wire::as_text;
using wire::errc;
using wire::Writer;
using Kind = ClientCredential::Kind;
using Method = ClientCredential::Method;

ClientCredential password(std::string secret) { return {Kind::password, Method::automatic, std::move(secret)}; }

std::string verifier_text(std::string_view secret, std::uint32_t iterations = 4096) {
    ScramVerifier verifier;
    verifier.salt = {1, 2, 3, 4};
    verifier.iterations = iterations;
    const ScramKeys keys = derive(secret, verifier.salt, iterations);
    verifier.stored_key = keys.stored_key;
    verifier.server_key = keys.server_key;
    return to_string(verifier);
}

Script refused(ByteVector first, std::error_code error) {
    return Script().expect_write([](wire::Bytes) {}).read(std::move(first)).expect_done(error);
}

const ClientChannel unix_socket{false, false, {}}, plain_tls{true, true, {}}, plain_tcp{};
const ClientChannel bound{true, true, {0xAA, 0xBB, 0xCC}};

// A client by the book (RFC 5802), so that it can also be one that breaks it.
struct BindingClient {
    std::string mechanism = std::string(scram_plus_mechanism);
    std::string header = "p=tls-server-end-point,,";
    std::vector<std::uint8_t> end_point{0xAA, 0xBB, 0xCC};
    std::string password = "secret";

    [[nodiscard]] std::string bare() const { return "n=,r=abc"; }
    [[nodiscard]] ByteVector first() const {
        return built([this](Writer& w) { sasl_initial_response(w, mechanism, header + bare()); });
    }
    // The client-final-message for the server's first.
    [[nodiscard]] ByteVector last(wire::Bytes message) const {
        const std::string server_first(as_text(message.subspan(9)));
        std::string_view rest = server_first;
        const auto nonce = take_attribute(rest, 'r');
        const auto salt = from_base64(*take_attribute(rest, 's'));
        std::vector<std::uint8_t> seen(header.begin(), header.end());
        if (header.starts_with("p=")) seen.insert(seen.end(), end_point.begin(), end_point.end());
        const std::string without = "c=" + base64(seen) + ",r=" + std::string(*nonce);
        const std::string all = bare() + ',' + server_first + ',' + without;
        static ScramKeyCache known;
        const ScramKeys keys = known.obtain(password, *salt, 4096);
        const std::string proof = base64(client_proof(keys.client_key, keys.stored_key, all));
        return built([&](Writer& w) { sasl_response(w, without + ",p=" + proof); });
    }
    [[nodiscard]] Script login(bool computes, std::error_code end = {}) {
        Script script;
        script.expect_write([](wire::Bytes) {})
            .read([this] { return first(); })
            .expect_write([this](wire::Bytes message) { answer = last(message); })
            .read([this] { return answer; });
        if (computes) script.expect_compute();
        if (!end) script.expect_write([](wire::Bytes) {});
        script.expect_done(end);
        return script;
    }
    ByteVector answer{};
};

TEST(PostgresChannelBinding, IsOfferedFirstWhereThereIsACertificateToBindTo) {
    const auto offer = [](const ClientChannel& channel, Kind kind) {
        ScramKeyCache cache;
        ClientAuthentication asking({kind, Method::automatic, "secret"}, "bob", cache, channel);
        return std::string(as_text(asking.resume({}, {}).output.subspan(9)));
    };
    for (const Kind kind : {Kind::password, Kind::none}) {
        EXPECT_EQ(offer(bound, kind), std::string("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", 34));
        for (const ClientChannel& channel : {plain_tls, plain_tcp, unix_socket}) {
            EXPECT_EQ(offer(channel, kind), std::string("SCRAM-SHA-256\0\0", 15));
        }
    }
}

TEST(PostgresChannelBinding, AdmitsWhoSeesTheSameCertificate) {
    BindingClient client;
    ScramKeyCache warm;
    (void)warm.obtain("secret", warm.salt_for("bob"), 4096);
    const auto make = [&warm] {
        return std::make_unique<ClientAuthentication>(password("secret"), "bob", warm, bound);
    };
    test::play_all(client.login(false), make);
    // Without a cache, and by a verifier.
    ScramKeyCache cold;
    ClientAuthentication first(password("secret"), "bob", cold, bound);
    test::play(client.login(true), first);
    ClientAuthentication verified(password(verifier_text("secret")), "bob", cold, bound);
    test::play(client.login(false), verified);
    EXPECT_TRUE(verified.recovered());
    // A client without channel binding is as welcome.
    BindingClient simple;
    simple.mechanism = scram_mechanism;
    simple.header = "n,,";
    test::play_all(simple.login(false), make);
}

TEST(PostgresChannelBinding, RefusesWhoSeesAnotherCertificate) {
    for (const std::vector<std::uint8_t>& other :
         {std::vector<std::uint8_t>{0xAA, 0xBB, 0xCD}, {}, {0xAA, 0xBB}, {0xAA, 0xBB, 0xCC, 0xDD}}) {
        for (const char* secret : {"secret", "wrong"}) {
            BindingClient client;
            client.end_point = other;
            client.password = secret;
            ScramKeyCache cache;
            ClientAuthentication asking(password("secret"), "bob", cache, bound);
            test::play(client.login(false, errc::authentication_failed), asking);
            EXPECT_EQ(asking.diagnostics().sqlstate, "28000");
            EXPECT_NE(asking.diagnostics().message.find("another TLS certificate"), std::string::npos);
        }
    }
}

TEST(PostgresChannelBinding, AnUnknownUserPlaysTheSameExchange) {
    BindingClient client;
    client.password = "nobody";
    ScramKeyCache cache;
    for (const ClientCredential& credential : {ClientCredential{}, password("secret")}) {
        ClientAuthentication asking(credential, "bob", cache, bound);
        test::play(client.login(true, errc::authentication_failed), asking);
        EXPECT_EQ(asking.diagnostics().sqlstate, "28P01");
    }
}

TEST(PostgresChannelBinding, WhatDoesNotFitTheOfferIsRefusedAtOnce) {
    struct Case {
        ClientChannel channel;
        std::string_view mechanism;
        std::string header;
        std::error_code error;
        std::string_view state, reason;
    };
    const Case cases[] = {
        // A client that can bind believes that we cannot: somebody removed the offer.
        {bound, scram_mechanism, "y,,", errc::authentication_failed, "28000", "did not see"},
        {bound, scram_plus_mechanism, "y,,", errc::protocol_violation, "08P01", "binds to no channel"},
        {bound, scram_plus_mechanism, "n,,", errc::protocol_violation, "08P01", "binds to no channel"},
        {bound, scram_mechanism, "p=tls-server-end-point,,", errc::protocol_violation, "08P01", "did not select"},
        {bound, scram_plus_mechanism, "p=tls-unique,,", errc::protocol_violation, "08P01", "channel-binding type"},
        {bound, scram_plus_mechanism, "p=,,", errc::protocol_violation, "08P01", "channel-binding type"},
        {bound, scram_plus_mechanism, "p=tls-server-end-point,a=x,", errc::protocol_violation, "08P01",
         "authorization identity"},
        {bound, "SCRAM-SHA-1", "n,,", errc::protocol_violation, "08P01", "invalid SASL"},
        {plain_tls, scram_plus_mechanism, "p=tls-server-end-point,,", errc::protocol_violation, "08P01",
         "invalid SASL"},
        {plain_tcp, scram_plus_mechanism, "p=tls-server-end-point,,", errc::protocol_violation, "08P01",
         "invalid SASL"},
        {plain_tcp, scram_mechanism, "p=tls-server-end-point,,", errc::protocol_violation, "08P01", "sslmode=require"},
    };
    for (const Case& c : cases) {
        BindingClient client;
        client.mechanism = c.mechanism;
        client.header = c.header;
        SCOPED_TRACE(client.mechanism + ' ' + c.header);
        ScramKeyCache cache;
        ClientAuthentication asking(password("secret"), "bob", cache, c.channel);
        test::play(refused(client.first(), c.error), asking);
        EXPECT_EQ(asking.diagnostics().sqlstate, c.state);
        EXPECT_NE(asking.diagnostics().message.find(c.reason), std::string::npos) << asking.diagnostics().message;
    }
    // Without an offer `y` is the truth.
    BindingClient honest;
    honest.mechanism = scram_mechanism;
    honest.header = "y,,";
    ScramKeyCache cache;
    ClientAuthentication asking(password("secret"), "bob", cache, plain_tls);
    test::play(honest.login(true), asking);
}

TEST(PostgresChannelBinding, TheBindingCannotBeLeftOutOfTheProof) {
    ScramKeyCache cache;
    for (const std::string& binding : {base64(as_bytes("n,,")), base64(as_bytes("p=tls-server-end-point,")),
                                       base64(as_bytes("y,,\xAA\xBB\xCC")), std::string("===="), std::string()}) {
        ClientAuthentication asking(password("secret"), "bob", cache, bound);
        (void)asking.resume({}, {});
        const auto action = asking.resume(BindingClient().first(), {});
        const std::string text(as_text(action.output.subspan(9)));
        const std::string last =
            "c=" + binding + ",r=" + text.substr(2, text.find(',') - 2) + ",p=" + base64(Sha256Digest{});
        EXPECT_EQ(asking.resume(built([&](Writer& w) { sasl_response(w, last); }), {}).error, errc::protocol_violation)
            << binding;
    }
}

}  // namespace
}  // namespace leasehold::postgres
