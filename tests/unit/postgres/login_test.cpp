// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/handshake.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using test::Script;
using wire::errc;
using wire::Writer;

ScramKeyCache& cache() {
    static ScramKeyCache shared;
    return shared;
}
ServerLoginParams params() { return {"orders", {{"application_name", "leasehold"}}, {"app", "secret", std::nullopt}}; }
const auto make = [] { return std::make_unique<ServerLogin>(params(), cache()); };

ByteVector hello() {
    const Parameters all{{"user", "app"}, {"database", "orders"}, {"application_name", "leasehold"}};
    return built([&](Writer& w) { startup_message(w, all, version_3_0 + 2); });
}
ByteVector admitted() {
    return built([](Writer& w) {
        welcome(w, {{"server_version", "15.18"}, {"TimeZone", "UTC"}, {"TimeZone", "Europe/Berlin"}}, 42,
                "\xFF\xFF\xFF\xFF");
    });
}
ByteVector error(std::string state, std::string message) {
    return built([&](Writer& w) { error_response(w, Severity::fatal, {state, 0, message, false}); });
}
Script answered_by(ByteVector bytes, std::error_code end) {
    return Script().expect_write(hello()).read(std::move(bytes)).expect_done(end);
}

TEST(PostgresLogin, TrustNeedsNothingAndParametersAreCollected) {
    const Script script = answered_by(admitted(), {});
    test::play_all(script, make);
    ServerLogin login(params(), cache());
    test::play(script, login);
    EXPECT_EQ(login.pid(), 42u);
    EXPECT_EQ(login.secret(), "\xFF\xFF\xFF\xFF");
    EXPECT_EQ(login.parameters(), (Parameters{{"server_version", "15.18"}, {"TimeZone", "Europe/Berlin"}}));
    EXPECT_EQ(login.parameter("TimeZone"), "Europe/Berlin");
    EXPECT_EQ(login.parameter("none"), "");
}

TEST(PostgresLogin, ClearTextAndMd5) {
    test::play_all(Script()
                       .expect_write(hello())
                       .read(built([](Writer& w) { authentication(w, Auth::cleartext); }))
                       .expect_write(built([](Writer& w) { password_message(w, "secret"); }))
                       .read(admitted())
                       .expect_done(),
                   make);
    const ByteVector salt{1, 2, 3, 4};
    test::play_all(
        Script()
            .expect_write(hello())
            .read(built([&](Writer& w) { authentication(w, Auth::md5, salt); }))
            .expect_write(built([&](Writer& w) { password_message(w, md5_answer(md5_hash("secret", "app"), salt)); }))
            .read(admitted())
            .expect_done(),
        make);
}

// A server that asks as ClientAuthentication does.
struct Server {
    void begin() {
        const ClientCredential credential{ClientCredential::Kind::password, ClientCredential::Method::automatic,
                                          secret};
        asking = std::make_unique<ClientAuthentication>(credential, "app", keys);
        said = test::bytes_of(asking->resume({}, {}).output);
    }
    void hear(wire::Bytes message) {
        auto action = asking->resume(message, {});
        if (action.kind == wire::Action::Kind::compute) {
            asking->compute();
            action = asking->resume({}, {});
        }
        said = action.kind == wire::Action::Kind::write
                   ? test::bytes_of(action.output)
                   : built([&](Writer& w) { error_response(w, Severity::fatal, asking->diagnostics()); });
    }
    std::string secret = "secret";
    ScramKeyCache keys;
    std::unique_ptr<ClientAuthentication> asking;
    ByteVector said;
};

Script scram(Server& server, bool computes) {
    Script script;
    script.expect_write([&server](wire::Bytes) { server.begin(); })
        .read([&server] { return server.said; })
        .expect_write([&server](wire::Bytes bytes) { server.hear(bytes); })
        .read([&server] { return server.said; });
    if (computes) script.expect_compute();
    script.expect_write([&server](wire::Bytes bytes) { server.hear(bytes); });
    return script;
}

TEST(PostgresLogin, ScramComputesOnceForEachPassword) {
    Server server;
    ScramKeyCache fresh;
    const auto script = [&](bool computes) {
        return scram(server, computes)
            .read([&server] {
                ByteVector bytes = server.said;
                const ByteVector rest = admitted();
                bytes.insert(bytes.end(), rest.begin(), rest.end());
                return bytes;
            })
            .expect_done();
    };
    ServerLogin first(params(), fresh);
    test::play(script(true), first);
    test::play_all(script(false), [&fresh] { return std::make_unique<ServerLogin>(params(), fresh); });
}

TEST(PostgresLogin, AWrongPasswordIsSaidInTheServersWords) {
    Server server;
    server.secret = "another";
    ScramKeyCache fresh;
    ServerLogin login(params(), fresh);
    Script script = scram(server, true);
    script.read([&server] { return server.said; }).expect_done(errc::authentication_failed);
    test::play(script, login);
    EXPECT_EQ(login.diagnostics().sqlstate, "28P01");
    EXPECT_TRUE(login.diagnostics().from_server);
}

TEST(PostgresLogin, ErrorsAreToldApart) {
    const std::pair<const char*, errc> cases[] = {
        {"53300", errc::server_saturated},      {"57P03", errc::server_unready},        {"57P01", errc::server_unready},
        {"28P01", errc::authentication_failed}, {"28000", errc::authentication_failed}, {"3D000", errc::server_error},
        {"XX000", errc::server_error},          {"53200", errc::server_unready},        {"58030", errc::server_unready},
        {"58P01", errc::server_error},          {"57014", errc::server_error}};
    for (const auto& [state, end] : cases) {
        ServerLogin login(params(), cache());
        test::play(answered_by(error(state, "no"), end), login);
        EXPECT_EQ(login.diagnostics().sqlstate, state);
        EXPECT_EQ(login.diagnostics().message, "no");
        EXPECT_TRUE(login.diagnostics().from_server);
        test::play_all(answered_by(error(state, "no"), end), make);
    }
}

TEST(PostgresLogin, NoticesAreTolerated) {
    ByteVector bytes = built([](Writer& w) {
        notice_response(w, Severity::warning, {"01000", 0, "certificate expires", false});
    });
    const ByteVector rest = admitted();
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    test::play_all(answered_by(bytes, {}), make);
}

// --- protocol 3.2 -----------------------------------------------------------------------------------------------------

ByteVector negotiating(std::uint32_t newest, std::uint32_t options, std::string_view names = {}) {
    ByteVector bytes = built([&](Writer& w) {
        const Framed message(w, backend::negotiate_version);
        w.u32be(newest);
        w.u32be(options);
        w.text(names);
    });
    const ByteVector rest = admitted();
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
}

TEST(PostgresLogin, AsksForProtocol32AndTakesAnOlderOne) {
    for (const std::uint32_t newest : {version_3_0, version_3_0 + 1, version_3_0 + 2, 0u, 2u}) {
        test::play_all(answered_by(negotiating(newest, 0), {}), make);
    }
    ServerLoginParams old = params();
    old.minor_version = 0;
    ServerLogin login(old, cache());
    const Parameters all{{"user", "app"}, {"database", "orders"}, {"application_name", "leasehold"}};
    const ByteVector asked = built([&](Writer& w) { startup_message(w, all); });
    test::play(Script().expect_write(asked).read(admitted()).expect_done(), login);
}

TEST(PostgresLogin, RefusesANegotiationThatMakesNoSense) {
    const Script script = answered_by(admitted(), {});
    test::play_hostile(script, make, negotiating(version_3_0 + 3, 0));  // later than what was asked for
    test::play_hostile(script, make, negotiating(3, 0));
    test::play_hostile(script, make, negotiating(0xFFFFFFFF, 0));
    test::play_hostile(script, make,
                       negotiating(version_3_0, 1, std::string_view("_pq_.x\0", 7)));  // we asked for none
    test::play_hostile(script, make, {'v', 0, 0, 0, 8, 0, 3, 0, 0});                   // half of it
    ByteVector twice = built([](Writer& w) { negotiate_protocol_version(w, 0, {}); });
    twice.insert(twice.end(), twice.begin(), twice.end());
    test::play_hostile(script, make, twice);
    test::play_hostile(script, make, built([](Writer& w) {
                           authentication(w, Auth::cleartext);
                           negotiate_protocol_version(w, 0, {});  // too late
                       }));
}

TEST(PostgresLogin, TakesCancelKeysOf4To256BytesAndNone) {
    const auto with_key = [](std::size_t size) {
        return built([size](Writer& w) {
            authentication(w, Auth::ok);
            backend_key_data(w, 7, std::string(size, 'k'));
            ready_for_query(w, 'I');
        });
    };
    for (const std::size_t size : {4u, 32u, 256u}) {
        ServerLogin login(params(), cache());
        test::play(answered_by(with_key(size), {}), login);
        EXPECT_EQ(login.secret(), std::string(size, 'k'));
    }
    for (const std::size_t size : {0u, 3u, 257u}) {
        test::play_hostile(answered_by(admitted(), {}), make, with_key(size));
    }
    ServerLogin login(params(), cache());
    test::play(answered_by(built([](Writer& w) {
                               authentication(w, Auth::ok);
                               ready_for_query(w, 'I');
                           }),
                           {}),
               login);
    EXPECT_EQ(login.secret(), "") << "such a session cannot be cancelled";
    EXPECT_EQ(login.pid(), 0u);
}

TEST(PostgresLogin, ToldApartWhetherTheVersionWasRefused) {
    const auto refused = [](const Script& script, std::uint32_t minor) {
        ServerLoginParams asking = params();
        asking.minor_version = minor;
        ServerLogin login(asking, cache());
        (void)test::ScriptRun(login, script).run();
        return login.version_refused();
    };
    const auto said = [](ByteVector bytes, errc end) {
        return Script().expect_write([](wire::Bytes) {}).read(std::move(bytes)).expect_done(end);
    };
    const auto unsupported = error("0A000", "unsupported frontend protocol 3.2: server supports 2.0 to 3.0");
    EXPECT_TRUE(refused(said(unsupported, errc::server_error), 2));
    EXPECT_FALSE(refused(said(unsupported, errc::server_error), 0)) << "3.0 was refused too";
    EXPECT_TRUE(refused(said(error("08P01", "bad packet header"), errc::server_error), 2));
    EXPECT_FALSE(refused(said(error("28000", "no pg_hba.conf entry"), errc::authentication_failed), 2));
    EXPECT_FALSE(refused(said(error("53300", "too many clients"), errc::server_saturated), 2));
    EXPECT_FALSE(refused(said(error("57P03", "starting up"), errc::server_unready), 2));
    EXPECT_FALSE(refused(said(error("3D000", "no such database"), errc::server_error), 2));
    ByteVector negotiated = built([](Writer& w) { negotiate_protocol_version(w, 0, {}); });
    const ByteVector late = error("08P01", "later");
    negotiated.insert(negotiated.end(), late.begin(), late.end());
    EXPECT_FALSE(refused(said(negotiated, errc::server_error), 2)) << "the version was agreed on";
    // Others close without a word.
    EXPECT_TRUE(refused(Script().expect_write([](wire::Bytes) {}).read_end().expect_done(errc::closed), 2));
    EXPECT_FALSE(refused(Script().expect_write([](wire::Bytes) {}).read_end().expect_done(errc::closed), 0));
}

TEST(PostgresLogin, ServersThatBreakTheProtocolAreLeft) {
    const Script script = answered_by(admitted(), {});
    test::play_hostile(script, make, {'D'});              // no message of a login
    test::play_hostile(script, make, {'R', 0, 1, 0, 0});  // too long
    test::play_hostile(script, make, {'R', 0, 0, 0, 3});
    test::play_hostile(script, make, {'R', 0, 0, 0, 4});                  // no code
    test::play_hostile(script, make, {'Z', 0, 0, 0, 5, 'I'});             // ready before it let us in
    test::play_hostile(script, make, {'S', 0, 0, 0, 8, 'a', 0, 'b', 0});  // a parameter before it
    test::play_hostile(script, make, {'K', 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 2});
    test::play_hostile(script, make, {'E', 0, 0, 0, 6, 'S', 'x'});     // a malformed error
    test::play_hostile(script, make, {'R', 0, 0, 0, 8, 0, 0, 0, 99});  // an unknown method
    test::play_hostile(script, make, built([](Writer& w) {
                           authentication(w, Auth::ok);
                           ready_for_query(w, 'T');  // ready, in a transaction
                       }));
    test::play_hostile(script, make, built([](Writer& w) {
                           authentication(w, Auth::ok);
                           authentication(w, Auth::cleartext);  // in, and asked again
                       }));
    test::play_hostile(script, make, built([](Writer& w) {
                           authentication(w, Auth::ok);
                           for (int i = 0; i < 300; ++i) parameter_status(w, "p" + std::to_string(i), "x");
                       }));
    test::play_hostile(script, make, built([](Writer& w) {
                           const wire::Diagnostics chatter{"00000", 0, std::string(60'000, 'x'), false};
                           for (int i = 0; i < 40; ++i) notice_response(w, Severity::notice, chatter);
                       }));
    test::play_noise(script, make, 3, 2000);
}

}  // namespace
}  // namespace leasehold::postgres
