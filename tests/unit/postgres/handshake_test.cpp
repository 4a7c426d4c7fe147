// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/postgres/startup_packets.hpp"

namespace leasehold::postgres {
namespace {

using test::Script;
using wire::errc;
using wire::Writer;

const auto make = [] { return std::make_unique<ClientStartup>(); };

TEST(PostgresStartup, ReadsWhatTheClientAsksFor) {
    const Script script = Script()
                              .read(startup_packet({{"user", "bob"},
                                                    {"database", "orders"},
                                                    {"options", "-c search_path=a -c work_mem=1MB -B 7"},
                                                    {"search_path", "b"},
                                                    {"application_name", "psql"},
                                                    {"replication", "off"}}))
                              .expect_done();
    test::play_all(script, make, true);
    ClientStartup exchange;
    test::play(script, exchange);
    const Startup& startup = exchange.startup();
    EXPECT_EQ(startup.kind, Startup::Kind::session);
    EXPECT_EQ(startup.user, "bob");
    EXPECT_EQ(startup.database, "orders");
    EXPECT_EQ(startup.replication, "");
    EXPECT_EQ(startup.parameters.size(), 6u);
    EXPECT_EQ(startup.settings.find("shared_buffers"), "7");
    EXPECT_EQ(startup.settings.size(), 4u);
    EXPECT_EQ(startup.settings.find("search_path"), "b");  // the packet's own wins
    EXPECT_EQ(startup.settings.find("work_mem"), "1MB");
    EXPECT_EQ(startup.settings.find("application_name"), "psql");
}

TEST(PostgresStartup, TheDatabaseIsTheUsersByDefault) {
    for (const Parameters& parameters : {Parameters{{"user", "bob"}}, Parameters{{"user", "bob"}, {"database", ""}}}) {
        ClientStartup exchange;
        test::play(Script().read(startup_packet(parameters)).expect_done(), exchange);
        EXPECT_EQ(exchange.startup().database, "bob");
    }
}

TEST(PostgresStartup, EncryptionIsDeclinedOnceEachAndPlainGoesOn) {
    test::play_all(Script()
                       .read(code_packet(code_gssenc))
                       .expect_write({'N'})
                       .read(code_packet(code_ssl))
                       .expect_write({'N'})
                       .read(startup_packet({{"user", "bob"}}))
                       .expect_done(),
                   make, true);
    ClientStartup twice;
    test::play(Script()
                   .read(code_packet(code_ssl))
                   .expect_write({'N'})
                   .read(code_packet(code_ssl))
                   .expect_done(errc::protocol_violation),
               twice);
}

TEST(PostgresStartup, BytesBehindAnEncryptionRequestAreAnAttack) {
    for (const std::uint32_t code : {code_ssl, code_gssenc}) {
        ClientStartup exchange;
        test::play(Script()
                       .read(joined(code_packet(code), startup_packet({{"user", "bob"}})))
                       .expect_done(errc::plaintext_before_tls),
                   exchange);
        EXPECT_EQ(exchange.diagnostics().sqlstate, "08P01");
    }
}

TEST(PostgresStartup, BytesBehindTheStartupPacketAreLeft) {
    ClientStartup exchange;
    test::play(Script().read(joined(startup_packet({{"user", "bob"}}), {'p', 0})).expect_done().leaving({'p', 0}),
               exchange);
}

TEST(PostgresStartup, ACancelRequestIsReadAndNothingAnswered) {
    const Script script =
        Script().read(built([](Writer& w) { cancel_request(w, 7, "\xCA\xFE\xF0\x0D"); })).expect_done();
    test::play_all(script, make, true);
    ClientStartup exchange;
    test::play(script, exchange);
    EXPECT_EQ(exchange.startup().kind, Startup::Kind::cancel);
    EXPECT_EQ(exchange.startup().cancel_id, 7u);
    EXPECT_EQ(exchange.startup().cancel_secret, "\xCA\xFE\xF0\x0D");
    ClientStartup shorter;
    const ByteVector without_secret{0, 0, 0, 12, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1};
    test::play(Script().read(without_secret).expect_done(errc::protocol_violation), shorter);
}

TEST(PostgresStartup, CancelSecretsHave4To256Bytes) {
    for (const std::size_t size : {3, 4, 5, 32, 256, 257}) {
        const std::string secret(size, 'x');
        ClientStartup exchange;
        const auto packet = built([&](Writer& w) { cancel_request(w, 7, secret); });
        const bool good = size >= 4 && size <= 256;
        test::play(
            Script().read(packet).expect_done(good ? std::error_code() : make_error_code(errc::protocol_violation)),
            exchange);
        EXPECT_EQ(exchange.startup().kind, good ? Startup::Kind::cancel : Startup::Kind::closed) << size;
        if (good) {
            EXPECT_EQ(exchange.startup().cancel_secret, secret);
        }
    }
}

// --- versions ---------------------------------------------------------------------------------------------------

TEST(PostgresStartup, Version30And32AreSpokenAsAskedFor) {
    for (const std::uint32_t minor : {0u, 2u}) {
        const Script script = Script().read(startup_packet({{"user", "bob"}}, version_3_0 + minor)).expect_done();
        test::play_all(script, make, true);
        ClientStartup exchange;
        test::play(script, exchange);
        EXPECT_EQ(exchange.startup().minor_version, minor);
    }
}

TEST(PostgresStartup, OtherMinorVersionsAreNegotiatedDownToTheNextBelow) {
    // 3.1 was never spoken, 3.9999 is what libpq asks for to keep servers honest.
    for (const auto& [asked, spoken] : {std::pair{1u, 0u}, {3u, 2u}, {9999u, 2u}, {0xFFFFu, 2u}}) {
        const Script script =
            Script()
                .read(startup_packet({{"user", "bob"}}, version_3_0 + asked))
                .expect_write(built([n = spoken](Writer& w) { negotiate_protocol_version(w, n, {}); }))
                .expect_done();
        test::play_all(script, make, true);
        ClientStartup exchange;
        test::play(script, exchange);
        EXPECT_EQ(exchange.startup().minor_version, spoken) << asked;
        EXPECT_TRUE(exchange.startup().settings.empty());
    }
}

TEST(PostgresStartup, UnknownProtocolOptionsAreNamedInTheAnswer) {
    const Parameters parameters{{"user", "bob"}, {"_pq_.grease", "1"}, {"_pq_.command_tag_format", "x"}};
    const std::string unknown[] = {"_pq_.grease", "_pq_.command_tag_format"};
    for (const auto& [asked, spoken] : {std::pair{0u, 0u}, {2u, 2u}, {9999u, 2u}}) {
        const Script script =
            Script()
                .read(startup_packet(parameters, version_3_0 + asked))
                .expect_write(built([&, n = spoken](Writer& w) { negotiate_protocol_version(w, n, unknown); }))
                .expect_done();
        test::play_all(script, make, true);
        ClientStartup exchange;
        test::play(script, exchange);
        EXPECT_TRUE(exchange.startup().settings.empty());
    }
}

// ----------------------------------------------------------------------------------------------------------------

TEST(PostgresStartup, AClientThatLeavesBetweenPacketsLeavesInOrder) {
    for (const Script& script : {Script().read_end().expect_done(),
                                 Script().read(code_packet(code_ssl)).expect_write({'N'}).read_end().expect_done()}) {
        ClientStartup exchange;
        test::play(script, exchange);
        EXPECT_EQ(exchange.startup().kind, Startup::Kind::closed);
    }
    ClientStartup half;
    test::play(Script().read({0, 0, 0}).read_end().expect_done(errc::closed), half);
    EXPECT_EQ(half.startup().kind, Startup::Kind::closed);
}

TEST(PostgresStartup, WhatIsNoStartupIsRefusedWithoutWaitingForMore) {
    const Script script = Script().read(startup_packet({{"user", "bob"}})).expect_done();
    test::play_hostile(script, make, test::bytes_of("GET / HTTP/1.1\r\n"));
    test::play_hostile(script, make, {0x16, 3, 1, 2});  // a TLS handshake
    test::play_hostile(script, make, {0, 0, 0, 0});     // a length of nothing
    test::play_hostile(script, make, {0, 0, 0, 7});
    test::play_hostile(script, make, {0, 0, 0x28, 1});  // 10 241 bytes
    test::play_hostile(script, make, {0xFF, 0xFF, 0xFF, 0xFF});
    test::play_hostile(script, make, startup_packet({{"user", "b"}}, 2u << 16));
    test::play_hostile(script, make, startup_packet({{"user", "b"}}, 4u << 16));
    test::play_hostile(script, make, startup_packet({{"database", "b"}}));
    test::play_hostile(script, make, startup_packet({}));
    test::play_hostile(script, make, startup_packet({{"user", "b"}, {"bad name", "x"}}));
    test::play_hostile(script, make, startup_packet({{"user", "b"}, {"options", "-c"}}));
    test::play_hostile(script, make, startup_packet({{"user", "b"}, {"options", "-c a\"b=1"}}));
    test::play_hostile(script, make, {0, 0, 0, 8, 0, 3, 0, 0});  // no terminator
    // A byte behind the terminator.
    test::play_hostile(script, make, {0, 0, 0, 17, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0, 'b', 0, 0, 0});
    test::play_hostile(script, make, {0, 0, 0, 13, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0});  // a name without a value
    test::play_noise(script, make, 11, 2000);
}

TEST(PostgresStartup, RefusalsSayWhy) {
    const std::tuple<ByteVector, std::string, std::string> cases[] = {
        {startup_packet({{"user", "b"}}, 2u << 16), "0A000",
         "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"},
        {startup_packet({{"x", "y"}}), "28000", "no PostgreSQL user name specified in startup packet"},
        {startup_packet({{"user", "b"}, {"a b", "y"}}), "42704", "unrecognized configuration parameter \"a b\""},
        {startup_packet({{"user", "b"}, {"options", "--x"}}), "42601", "--x requires a value"},
        {{0, 0, 0, 1}, "08P01", "invalid length of startup packet"},
    };
    for (const auto& [bytes, state, reason] : cases) {
        ClientStartup exchange;
        const auto action = exchange.resume(bytes, {});
        EXPECT_EQ(action.kind, wire::Action::Kind::done);
        EXPECT_TRUE(action.error);
        EXPECT_EQ(exchange.diagnostics().sqlstate, state);
        EXPECT_EQ(exchange.diagnostics().message, reason);
    }
}

TEST(PostgresStartup, SettingsAreLimited) {
    Parameters parameters{{"user", "b"}};
    for (int i = 0; i < 4; ++i) parameters.emplace_back("a" + std::to_string(i), "x");
    ClientStartup three(StartupLimits{10'000, 3});
    EXPECT_EQ(three.resume(startup_packet(parameters), {}).error, errc::protocol_violation);
    EXPECT_EQ(three.diagnostics().sqlstate, "54000");
    ClientStartup four(StartupLimits{10'000, 4});
    EXPECT_FALSE(four.resume(startup_packet(parameters), {}).error);
}

TEST(PostgresStartup, TheWelcomeEndsWithReadyForQuery) {
    Writer w;
    welcome(w, {{"server_version", "15.18"}}, 1, std::string_view("\0\0\0\2", 4));
    const auto expected = built([](Writer& e) {
        authentication(e, Auth::ok);
        parameter_status(e, "server_version", "15.18");
        backend_key_data(e, 1, std::string_view("\0\0\0\2", 4));
        ready_for_query(e, 'I');
    });
    EXPECT_EQ(test::bytes_of(w.bytes()), expected);
}

}  // namespace
}  // namespace leasehold::postgres
