// SPDX-License-Identifier: Apache-2.0
// Logins on both legs, and what logs in for a moment, played by script: whole, byte by byte, broken off, fed with noise.
#include "dialects/mysql/cancel.hpp"
#include "dialects/mysql/handshake.hpp"
#include "tests/support/exchange_script.hpp"
#include "tests/unit/mysql/packets.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using leasehold::test::bytes_of;
using leasehold::test::play;
using leasehold::test::play_all;
using leasehold::test::play_hostile;
using leasehold::test::play_noise;
using leasehold::test::Script;
using wire::errc;

const Salt salt{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't'};
const Raw too_long = packet(Raw(70000, 0xFF), 1);

Greeting greeting(std::string version = "5.5.5-10.11.6-MariaDB") {
    Greeting made;
    made.version = std::move(version);
    made.connection_id = 42;
    made.salt = salt;
    made.capabilities = 0x81FFF7FE;
    made.charset = 8;
    made.status = 2;
    made.plugin = native_password;
    return made;
}

Raw greeting_packet(const Greeting& made = greeting()) {
    return leasehold::test::built([&](wire::Writer& out) { write_greeting(out, made); });
}

Raw response_packet(std::string_view user, std::string_view password, std::string_view plugin,
                    Capabilities capabilities, std::string_view database = "shop") {
    HandshakeResponse response;
    response.capabilities =
        capabilities | cap::protocol_41 | cap::secure_connection | cap::plugin_auth | cap::connect_with_db;
    response.charset = 45;
    response.user = user;
    response.authentication = native_answer(password, salt);
    response.database = database;
    response.plugin = plugin;
    return leasehold::test::built([&](wire::Writer& out) { write_handshake_response(out, response, {}, 1); });
}

TEST(MysqlMessages, GreetingsSurviveWritingAndReading) {
    const Raw made = greeting_packet();
    const std::optional<Greeting> read = parse_greeting(Bytes(made).subspan(4));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->version, "5.5.5-10.11.6-MariaDB");
    EXPECT_EQ(read->connection_id, 42u);
    EXPECT_EQ(read->salt, salt);
    EXPECT_EQ(read->capabilities, 0x81FFF7FEu);
    EXPECT_EQ(read->plugin, native_password);
    for (std::size_t n = 4; n < 60 && n < made.size(); ++n) (void)parse_greeting(Bytes(made).subspan(4, n - 4));
    EXPECT_EQ(plain_version(read->version), "10.11.6-MariaDB");
    EXPECT_TRUE(is_mariadb(read->version));
    EXPECT_FALSE(is_mariadb("8.0.36"));
}

TEST(MysqlMessages, ResponsesAreReadInAllTheirForms) {
    const Raw made = response_packet("app", "secret", native_password, cap::found_rows);
    const auto read = parse_handshake_response(Bytes(made).subspan(4), 0xFFFFFFFF);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->user, "app");
    EXPECT_EQ(read->database, "shop");
    EXPECT_EQ(read->plugin, native_password);
    EXPECT_EQ(read->charset, 45);
    EXPECT_EQ(read->authentication.size(), 20u);
    for (std::size_t n = 0; n < made.size() - 4; ++n)
        (void)parse_handshake_response(Bytes(made).subspan(4, n), 0xFFFFFFFF);
    std::uint32_t x = 3;
    for (int round = 0; round < 5000; ++round) {
        Raw noisy(made.begin() + 4, made.end());
        x = x * 1664525u + 1013904223u;
        noisy[(x >> 8) % noisy.size()] = static_cast<std::uint8_t>(x >> 24);
        (void)parse_handshake_response(noisy, 0xFFFFFFFF);
    }
}

TEST(MysqlClientGreeting, ReadsWhoTheClientIs) {
    const auto make = [] { return std::make_unique<ClientGreeting>(greeting(), 10240); };
    const Script script = Script()
                              .expect_write([](Bytes) {})
                              .read(response_packet("app", "secret", native_password, cap::found_rows))
                              .expect_done();
    play_all(script, make, true);
    play_noise(script, make, 7);
    play_hostile(script, make, packet(Raw(11000, 1), 1));
    play_hostile(script, make, packet(Raw(100, 1), 9));
    play_hostile(script, make, packet(Raw{0, 0, 0, 0}, 1));
    ClientGreeting exchange(greeting(), 10240);
    play(script, exchange);
    EXPECT_EQ(exchange.response().user, "app");
    EXPECT_EQ(exchange.next_sequence(), 2);
    // No TLS, nothing that is not understood is offered. Compression is leasehold's own.
    EXPECT_EQ(exchange.greeting().capabilities & (cap::ssl | 1u << 27 | 1u << 31), 0u);
}

TEST(MysqlClientGreeting, AClientThatOnlyLooksIsNoError) {
    ClientGreeting exchange(greeting(), 10240);
    play(Script().expect_write([](Bytes) {}).read_end().expect_done(), exchange);
    EXPECT_TRUE(exchange.left());
}

TEST(MysqlClientGreeting, TlsIsGrantedWhereItIsOffered) {
    const Raw request =
        leasehold::test::built([](wire::Writer& out) { write_ssl_request(out, cap::protocol_41 | cap::ssl, 45, 1); });
    Raw response = response_packet("app", "secret", native_password, cap::ssl);
    response[3] = 2;
    wire::TlsFacts facts;
    facts.peer_certified = true;
    facts.peer_name = "client.example";
    const auto make = [] { return std::make_unique<ClientGreeting>(greeting(), 10240, TlsOffer{true, true}); };
    const Script script = Script()
                              .expect_write([](Bytes bytes) {
                                  const auto said = parse_greeting(bytes.subspan(4));
                                  ASSERT_TRUE(said);
                                  EXPECT_NE(said->capabilities & cap::ssl, 0u);
                              })
                              .read(request)
                              .expect_start_tls(facts, true)
                              .read(response)
                              .expect_done();
    play_all(script, make, true);
    play_noise(script, make, 9);
    ClientGreeting exchange(greeting(), 10240, {true, false});
    play(script, exchange);
    EXPECT_EQ(exchange.response().user, "app");
    EXPECT_EQ(exchange.next_sequence(), 3);
    ASSERT_TRUE(exchange.tls());
    EXPECT_EQ(exchange.tls()->peer_name, "client.example");
    EXPECT_FALSE(exchange.hello("h", false).readable);
    // Once is enough, and what comes encrypted goes on counting.
    ClientGreeting twice(greeting(), 10240, {true, false});
    Raw again = request;
    again[3] = 2;
    play(Script()
             .expect_write([](Bytes) {})
             .read(request)
             .expect_start_tls({}, true)
             .read(again)
             .expect_done(errc::protocol_violation),
         twice);
    // A whole response that claims TLS is no request for it.
    ClientGreeting claiming(greeting(), 10240, {true, false});
    play(Script()
             .expect_write([](Bytes) {})
             .read(response_packet("app", "secret", native_password, cap::ssl))
             .expect_done(errc::protocol_violation),
         claiming);
}

TEST(MysqlClientGreeting, WhoeverSpeaksPlainlyWhereTlsIsRequiredIsToldSo) {
    ClientGreeting exchange(greeting(), 10240, {true, true});
    play(Script()
             .expect_write([](Bytes) {})
             .read(response_packet("app", "secret", native_password, 0))
             .expect_done(errc::tls_refused),
         exchange);
    EXPECT_EQ(exchange.diagnostics().number, 3159);
}

TEST(MysqlClientGreeting, NamesThePluginOfTheServersFamily) {
    EXPECT_EQ(ClientGreeting(greeting(), 10240).greeting().plugin, native_password);
    EXPECT_EQ(ClientGreeting(greeting("9.7.4"), 10240).greeting().plugin, sha2_password);
}

TEST(MysqlClientGreeting, TlsThatWasNotOfferedAndOldClientsAreTold) {
    ClientGreeting tls(greeting(), 10240);
    play(Script()
             .expect_write([](Bytes) {})
             .read(response_packet("app", "x", native_password, cap::ssl))
             .expect_done(errc::unsupported),
         tls);
    EXPECT_EQ(tls.diagnostics().number, 1043);
    ClientGreeting old(greeting(), 10240);
    play(Script()
             .expect_write([](Bytes) {})
             .read(packet(Raw{0x85, 0xA4, 0, 0, 0, 'b', 0}, 1))
             .expect_done(errc::unsupported),
         old);
    EXPECT_EQ(old.diagnostics().number, 1251);
}

ServerLoginParams params() {
    ServerLoginParams made;
    made.user = "app";
    made.password = "secret";
    made.database = "shop";
    made.capabilities = cap::found_rows | cap::multi_results;
    made.charset = 45;
    made.program_name = "leasehold shop";
    return made;
}

const auto any_write = [](Bytes) {};

TEST(MysqlServerLogin, LogsInWithTheNativePassword) {
    const auto make = [] { return std::make_unique<ServerLogin>(params()); };
    const Script script =
        Script()
            .read(greeting_packet())
            .expect_write([](Bytes bytes) {
                EXPECT_EQ(bytes[3], 1);
                const auto response = parse_handshake_response(bytes.subspan(4), 0xFFFFFFFF);
                ASSERT_TRUE(response);
                EXPECT_EQ(response->user, "app");
                EXPECT_EQ(response->database, "shop");
                EXPECT_EQ(response->authentication, native_answer("secret", salt));
                EXPECT_EQ(response->program_name, "leasehold shop");
                EXPECT_EQ(response->charset, 45);
                EXPECT_NE(response->capabilities & cap::found_rows, 0u);
                EXPECT_EQ(response->capabilities & (cap::ssl | cap::multi_statements | cap::local_files), 0u);
            })
            .read(ok(2))
            .expect_done();
    play_all(script, make);
    play_noise(script, make, 11);
    play_hostile(script, make, packet({}, 0));
    play_hostile(script, make, too_long);
    ServerLogin login(params());
    play(script, login);
    EXPECT_EQ(login.greeting().connection_id, 42u);
    EXPECT_EQ(login.capabilities() & cap::of_variant, cap::found_rows);
    EXPECT_EQ(login.capabilities() & cap::canonical, greeting().capabilities & cap::canonical);
}

TEST(MysqlServerLogin, AHashThatNobodyHasLoggedInWithIsNotTried) {
    ServerLoginParams hashed = params();
    hashed.password = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    ServerLogin login(hashed);
    play(Script().read(greeting_packet()).expect_done(errc::authentication_failed), login);
    EXPECT_TRUE(login.wants_keys());
    EXPECT_EQ(login.greeting().version, "5.5.5-10.11.6-MariaDB") << "clients can be greeted all the same";
    EXPECT_EQ(login.diagnostics().message.find(hashed.password), std::string::npos);
}

TEST(MysqlServerLogin, SwitchesToTheNativePasswordWithAnotherSalt) {
    Salt other = salt;
    other[0] = 'Z';
    const Raw request =
        leasehold::test::built([&](wire::Writer& out) { write_auth_switch(out, native_password, other, 2); });
    play_all(Script()
                 .read(greeting_packet())
                 .expect_write(any_write)
                 .read(request)
                 .expect_write(packet(raw(native_answer("secret", other)), 3))
                 .read(ok(4))
                 .expect_done(),
             [] { return std::make_unique<ServerLogin>(params()); });
}

TEST(MysqlServerLogin, OtherPluginsAreNamed) {
    const Raw request =
        leasehold::test::built([&](wire::Writer& out) { write_auth_switch(out, "auth_gssapi_client", salt, 2); });
    ServerLogin login(params());
    play(Script().read(greeting_packet()).expect_write(any_write).read(request).expect_done(errc::unsupported), login);
    EXPECT_NE(login.diagnostics().message.find("auth_gssapi_client"), std::string::npos);
    EXPECT_EQ(login.diagnostics().message.find("secret"), std::string::npos);
}

TEST(MysqlServerLogin, RefusalsAreToldApart) {
    const std::pair<Raw, errc> cases[] = {
        {packet(Raw{0xFF} + u16(1040) + raw("Too many connections"), 0), errc::server_saturated},
        {packet(Raw{0xFF} + u16(1130) + raw("Host is not allowed"), 0), errc::authentication_failed},
        {err(0, 1053), errc::server_unready},
    };
    for (const auto& [bytes, expected] : cases) {
        ServerLogin login(params());
        play(Script().read(bytes).expect_done(expected), login);
        EXPECT_TRUE(login.diagnostics().from_server);
    }
    ServerLogin denied(params());
    play(Script()
             .read(greeting_packet())
             .expect_write(any_write)
             .read(err(2, 1045, "28000", "Access denied"))
             .expect_done(errc::authentication_failed),
         denied);
    Greeting poor = greeting();
    poor.capabilities &= ~cap::found_rows;
    ServerLogin lacking(params());
    play(Script().read(greeting_packet(poor)).expect_done(errc::unsupported), lacking);
}

TEST(MysqlChangeUser, BeginsANewSessionOnTheSameConnection) {
    ServerLoginParams made = params();
    made.database.clear();
    made.capabilities |= cap::plugin_auth;
    const auto make = [&] { return std::make_unique<ChangeUser>(made); };
    const Raw request =
        leasehold::test::built([&](wire::Writer& out) { write_auth_switch(out, native_password, salt, 1); });
    const Script script = Script()
                              .expect_write([](Bytes bytes) { EXPECT_EQ(bytes[4], 0x11); })
                              .read(request)
                              .expect_write(packet(raw(native_answer("secret", salt)), 2))
                              .read(ok(3))
                              .expect_done();
    play_all(script, make);
    play_noise(script, make, 3);
    play_hostile(script, make, err(1, 1045));
}

TEST(MysqlCancel, LogsInKillsTheQueryAndSaysGoodbye) {
    const auto make = [] { return std::make_unique<Cancel>(params(), 42); };
    const Script script = Script()
                              .read(greeting_packet())
                              .expect_write(any_write)
                              .read(ok(2))
                              .expect_write(query("KILL QUERY 42"))
                              .read(ok(1))
                              .expect_write(command(1))
                              .expect_done();
    play_all(script, make);
    play_hostile(script, make, err(1, 1227));
    // It has ended by itself.
    Cancel gone(params(), 42);
    play(Script()
             .read(greeting_packet())
             .expect_write(any_write)
             .read(ok(2))
             .expect_write(query("KILL QUERY 42"))
             .read(err(1, 1094))
             .expect_write(command(1))
             .expect_done(),
         gone);
}

}  // namespace
}  // namespace leasehold::mysql
