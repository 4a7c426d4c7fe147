// SPDX-License-Identifier: Apache-2.0
// Encryption before a client has said who it is: asked for, begun at once, required, and attacked.
#include "tests/unit/postgres/startup_packets.hpp"

namespace leasehold::postgres {
namespace {

using test::Script;
using wire::errc;
using wire::Writer;

constexpr TlsOffer offered{true, false}, required{true, true};
const auto make_secure = [] { return std::make_unique<ClientStartup>(StartupLimits(), offered); };
const auto make_demanding = [] { return std::make_unique<ClientStartup>(StartupLimits(), required); };

// A ClientHello's beginning.
const ByteVector hello{0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3};
wire::TlsFacts facts(std::string protocol = {}) {
    wire::TlsFacts made;
    made.version = "TLSv1.3";
    made.protocol = std::move(protocol);
    made.peer_certified = true;
    made.peer_name = "bob";
    made.server_end_point = {1, 2, 3};
    return made;
}

TEST(PostgresStartupTls, AnSslRequestIsAcceptedAndTheStartupPacketReadInside) {
    const Script script = Script()
                              .read(code_packet(code_ssl))
                              .expect_write({'S'})
                              .expect_start_tls(facts())
                              .read(startup_packet({{"user", "bob"}}))
                              .expect_done();
    test::play_all(script, make_secure, true);
    test::play_all(script, make_demanding, true);
    const auto exchange = make_secure();
    test::play(script, *exchange);
    ASSERT_TRUE(exchange->startup().tls);
    EXPECT_EQ(exchange->startup().tls->peer_name, "bob");
    EXPECT_EQ(exchange->startup().tls->server_end_point, (std::vector<std::uint8_t>{1, 2, 3}));
    EXPECT_EQ(exchange->startup().user, "bob");
}

TEST(PostgresStartupTls, GssapiIsDeclinedAndTlsTakenUp) {
    test::play_all(Script()
                       .read(code_packet(code_gssenc))
                       .expect_write({'N'})
                       .read(code_packet(code_ssl))
                       .expect_write({'S'})
                       .expect_start_tls(facts())
                       .read(startup_packet({{"user", "bob"}}))
                       .expect_done(),
                   make_secure, true);
}

TEST(PostgresStartupTls, NoSecondEncryptionIsNegotiatedInside) {
    for (const std::uint32_t code : {code_ssl, code_gssenc}) {
        const auto inside = make_secure();
        test::play(Script()
                       .read(code_packet(code_ssl))
                       .expect_write({'S'})
                       .expect_start_tls(facts())
                       .read(code_packet(code))
                       .expect_done(errc::protocol_violation),
                   *inside);
        const auto direct = make_secure();
        test::play(Script()
                       .read(hello)
                       .expect_start_tls(facts("postgresql"), true)
                       .read(code_packet(code))
                       .expect_done(errc::protocol_violation),
                   *direct);
        EXPECT_EQ(direct->diagnostics().sqlstate, "08P01");
    }
    const auto hello_inside = make_secure();
    test::play(Script()
                   .read(code_packet(code_ssl))
                   .expect_write({'S'})
                   .expect_start_tls(facts())
                   .read(hello)
                   .expect_done(errc::message_too_large),
               *hello_inside);
}

TEST(PostgresStartupTls, BytesBehindTheRequestAreAnAttackBeforeTheAnswerAndAfterIt) {
    const auto before = make_secure();
    test::play(Script()
                   .read(joined(code_packet(code_ssl), startup_packet({{"user", "bob"}})))
                   .expect_done(errc::plaintext_before_tls),
               *before);
    // drive() finds them in the inbox when the handshake is to begin.
    const auto after = make_secure();
    (void)after->resume(code_packet(code_ssl), {});
    EXPECT_EQ(after->resume({}, {}).kind, wire::Action::Kind::start_tls);
    const auto action = after->resume(hello, errc::plaintext_before_tls);
    EXPECT_EQ(action.kind, wire::Action::Kind::done);
    EXPECT_EQ(action.error, errc::plaintext_before_tls);
    for (const auto& exchange : {before.get(), after.get()}) {
        EXPECT_EQ(exchange->diagnostics().sqlstate, "08P01");
        EXPECT_EQ(exchange->diagnostics().message, "received unencrypted data after SSL request");
    }
}

TEST(PostgresStartupTls, AClientHelloInTheFirstPacketsPlaceIsTakenUpByAlpn) {
    const Script script = Script()
                              .read(hello)
                              .expect_start_tls(facts("postgresql"), true)
                              .read(startup_packet({{"user", "bob"}}))
                              .expect_done();
    test::play_all(script, make_secure, true);
    const auto exchange = make_demanding();
    test::play(script, *exchange);
    EXPECT_TRUE(exchange->startup().tls);
}

TEST(PostgresStartupTls, DirectTlsWithoutAlpnIsRefused) {
    for (const char* protocol : {"", "http/1.1"}) {
        const auto exchange = make_secure();
        test::play(Script().read(hello).expect_start_tls(facts(protocol), true).expect_done(errc::tls_refused),
                   *exchange);
        EXPECT_EQ(exchange->diagnostics().sqlstate, "08P01");
        EXPECT_NE(exchange->diagnostics().message.find("sslnegotiation=postgres"), std::string::npos);
    }
}

TEST(PostgresStartupTls, DirectTlsIsForAFreshConnectionOfAListenerThatOffersTls) {
    ClientStartup without;
    test::play(Script().read(hello).expect_done(errc::unsupported), without);
    EXPECT_NE(without.diagnostics().message.find("sslmode=disable"), std::string::npos);
    const auto late = make_secure();
    test::play(
        Script().read(code_packet(code_gssenc)).expect_write({'N'}).read(hello).expect_done(errc::message_too_large),
        *late);
}

TEST(PostgresStartupTls, WhatFailedInTheHandshakeIsTheError) {
    const auto exchange = make_secure();
    (void)exchange->resume(hello, {});
    exchange->tls_failed("no shared cipher");
    const auto action = exchange->resume({}, errc::tls_failed);
    EXPECT_EQ(action.kind, wire::Action::Kind::done);
    EXPECT_EQ(action.error, errc::tls_failed);
    EXPECT_EQ(exchange->diagnostics().message, "the TLS handshake failed: no shared cipher");
    EXPECT_EQ(exchange->diagnostics().sqlstate, "08P01");
    EXPECT_EQ(exchange->startup().kind, Startup::Kind::closed);
}

TEST(PostgresStartupTls, ASessionWithoutTlsIsRefusedWhereItIsRequiredAndACancelRequestIsNot) {
    const Script refusals[] = {
        Script().read(startup_packet({{"user", "bob"}})).expect_done(errc::tls_refused),
        Script()
            .read(code_packet(code_gssenc))
            .expect_write({'N'})
            .read(startup_packet({{"user", "bob"}}))
            .expect_done(errc::tls_refused),
    };
    for (const Script& script : refusals) {
        const auto exchange = make_demanding();
        test::play(script, *exchange);
        EXPECT_EQ(exchange->diagnostics().sqlstate, "28000");
        EXPECT_EQ(exchange->diagnostics().message, "this listener requires TLS: connect with sslmode=require");
        EXPECT_EQ(exchange->startup().user, "");
    }
    const auto cancel = make_demanding();
    test::play(Script().read(built([](Writer& w) { cancel_request(w, 7, "abcd"); })).expect_done(), *cancel);
    EXPECT_EQ(cancel->startup().kind, Startup::Kind::cancel);
}

TEST(PostgresStartupTls, HostileBytesInsideAreRefusedAsOutside) {
    const Script script = Script()
                              .read(code_packet(code_ssl))
                              .expect_write({'S'})
                              .expect_start_tls(facts())
                              .read(startup_packet({{"user", "bob"}}))
                              .expect_done();
    test::play_hostile(script, make_secure, test::bytes_of("GET / HTTP/1.1\r\n"));
    test::play_hostile(script, make_secure, {0, 0, 0, 7});
    test::play_hostile(script, make_secure, {0xFF, 0xFF, 0xFF, 0xFF});
    test::play_hostile(script, make_secure, hello);
    test::play_noise(script, make_secure, 5, 1000);
    test::play_noise(script, make_demanding, 6, 1000);
}

}  // namespace
}  // namespace leasehold::postgres
