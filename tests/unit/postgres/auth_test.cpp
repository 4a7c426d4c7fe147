// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/auth.hpp"

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

ClientCredential password(std::string secret, Method method = Method::automatic) {
    return {Kind::password, method, std::move(secret)};
}

// A client that answers as ServerChallenge does: the two halves of auth.hpp against each other.
struct Client {
    explicit Client(ServerCredential given) : credential(std::move(given)) {}

    void begin() { challenge = std::make_unique<ServerChallenge>(credential, cache); }
    void hear(wire::Bytes message) {
        out.clear();
        auto next = challenge->answer(message.subspan(header_size), out);
        if (next == ServerChallenge::Next::compute) {
            challenge->compute();
            next = challenge->proceed(out);
        }
        last = next;
    }
    ByteVector reply() { return test::bytes_of(out.bytes()); }

    ServerCredential credential;
    ScramKeyCache cache;
    std::unique_ptr<ServerChallenge> challenge;
    Writer out;
    ServerChallenge::Next last = ServerChallenge::Next::wait;
};

Script conversation(Client& client, bool computes, std::error_code end = {}) {
    Script script;
    script
        .expect_write([&client](wire::Bytes asked) {
            client.begin();
            client.hear(asked);
        })
        .read([&client] { return client.reply(); })
        .expect_write([&client](wire::Bytes asked) { client.hear(asked); })
        .read([&client] { return client.reply(); });
    if (computes) script.expect_compute();
    if (!end) script.expect_write([&client](wire::Bytes asked) { client.hear(asked); });
    script.expect_done(end);
    return script;
}

TEST(PostgresAuth, ScramAdmitsWhoKnowsThePassword) {
    Client client({"bob", "secret", std::nullopt});
    std::vector<std::unique_ptr<ScramKeyCache>> caches;  // a new one each: the first login computes
    const auto make = [&caches] {
        caches.push_back(std::make_unique<ScramKeyCache>());
        return std::make_unique<ClientAuthentication>(password("secret"), "bob", *caches.back());
    };
    test::play_all(conversation(client, true), make);
    const auto exchange = make();
    test::play(conversation(client, true), *exchange);
    EXPECT_EQ(client.last, ServerChallenge::Next::wait);  // our signature satisfied the client
}

TEST(PostgresAuth, TheSecondLoginComputesNothing) {
    Client client({"bob", "secret", std::nullopt});
    ScramKeyCache cache;
    ClientAuthentication first(password("secret"), "bob", cache);
    test::play(conversation(client, true), first);
    ClientAuthentication second(password("secret"), "bob", cache);
    test::play(conversation(client, false), second);
    EXPECT_EQ(cache.size(), 1u);
}

TEST(PostgresAuth, AVerifierAdmitsWithoutTheClearTextAndGivesKeysForTheBackend) {
    Client client({"bob", "secret", std::nullopt});
    ScramVerifier verifier;
    verifier.salt = {1, 2, 3, 4};
    const ScramKeys keys = derive("secret", verifier.salt, 4096);
    verifier.stored_key = keys.stored_key;
    verifier.server_key = keys.server_key;
    ScramKeyCache cache;
    ClientAuthentication asking(password(to_string(verifier)), "bob", cache);
    test::play(conversation(client, false), asking);
    ASSERT_TRUE(asking.recovered());
    EXPECT_EQ(*asking.recovered(), keys);
    // The keys log in where the same verifier is held, without any password.
    Client onward({"bob", std::nullopt, asking.recovered()});
    ClientAuthentication server(password(to_string(verifier)), "bob", cache);
    test::play(conversation(onward, false), server);
    EXPECT_EQ(onward.last, ServerChallenge::Next::wait);
}

TEST(PostgresAuth, AWrongPasswordAndAnUnknownUserAreRefusedInTheSameWay) {
    Client client({"bob", "wrong", std::nullopt});
    for (const ClientCredential& credential : {password("secret"), ClientCredential{Kind::none, Method::automatic, ""},
                                               password("md5" + std::string(32, 'a'), Method::scram)}) {
        ScramKeyCache cache;  // cold: both compute
        ClientAuthentication asking(credential, "bob", cache);
        test::play(conversation(client, true, errc::authentication_failed), asking);
        EXPECT_EQ(asking.diagnostics().sqlstate, "28P01");
        EXPECT_EQ(asking.diagnostics().message, "password authentication failed for user \"bob\"");
        EXPECT_FALSE(asking.recovered());
    }
}

TEST(PostgresAuth, NobodyLogsInByGuessingTheMocksPassword) {
    Client client({"bob", "nobody", std::nullopt});
    ScramKeyCache cache;
    ClientAuthentication asking({Kind::none, Method::automatic, "nobody"}, "bob", cache);
    test::play(conversation(client, true, errc::authentication_failed), asking);
}

TEST(PostgresAuth, AnUnknownUserIsAskedWithTheSameSaltEachTimeAndAsAKnownOneWouldBe) {
    ScramKeyCache cache;
    const auto salt_seen = [&cache](ClientCredential credential) {
        ClientAuthentication asking(std::move(credential), "bob", cache);
        (void)asking.resume({}, {});
        const auto first = built([](Writer& w) { sasl_initial_response(w, scram_mechanism, "n,,n=,r=abc"); });
        const auto action = asking.resume(first, {});
        const std::string text(as_text(action.output));
        return text.substr(text.find(",s="));
    };
    EXPECT_EQ(salt_seen({}), salt_seen({}));
    EXPECT_EQ(salt_seen({}), salt_seen(password("secret")));
}

Script refused(ByteVector first, std::error_code error) {
    return Script().expect_write([](wire::Bytes) {}).read(std::move(first)).expect_done(error);
}

TEST(PostgresAuth, WhatIsNoScramIsRefusedWithAReason) {
    ScramKeyCache cache;
    const std::pair<std::string, std::string> cases[] = {
        {"p=tls-unique,,n=,r=abc", "client requires SCRAM channel binding, but it is not supported"},
        {"n,a=admin,n=,r=abc", "client uses authorization identity, but it is not supported"},
        {"n,,m=x,n=,r=abc", "malformed SCRAM message"},
        {"n,,n=", "malformed SCRAM message"},
        {"n,,n=,r=", "malformed SCRAM message"},
        {"n,,n=,r=a b", "malformed SCRAM message"},
        {"n,,n=,r=" + std::string(257, 'a'), "malformed SCRAM message"},
        {"x,,n=,r=abc", "malformed SCRAM message"},
        {"n", "malformed SCRAM message"},
        {"", "malformed SCRAM message"},
    };
    for (const auto& [first, reason] : cases) {
        SCOPED_TRACE(first);
        ClientAuthentication asking(password("secret"), "bob", cache);
        const auto bytes = built([&first = first](Writer& w) { sasl_initial_response(w, scram_mechanism, first); });
        test::play(refused(bytes, errc::protocol_violation), asking);
        EXPECT_EQ(asking.diagnostics().message, reason);
        EXPECT_EQ(asking.diagnostics().sqlstate, "08P01");
    }
    ClientAuthentication plus(password("secret"), "bob", cache);
    test::play(refused(built([](Writer& w) { sasl_initial_response(w, "SCRAM-SHA-256-PLUS", "n,,n=,r=a"); }),
                       errc::protocol_violation),
               plus);
}

TEST(PostgresAuth, FinalMessagesThatDoNotFitTheConversationAreRefused) {
    ScramKeyCache cache;
    const std::string proof = base64(Sha256Digest{});
    const auto final_of = [&](const std::string& format, bool right_nonce) {
        ClientAuthentication asking(password("secret"), "bob", cache);
        (void)asking.resume({}, {});
        const auto action =
            asking.resume(built([](Writer& w) { sasl_initial_response(w, scram_mechanism, "y,,n=,r=abc"); }), {});
        const std::string text(as_text(action.output.subspan(9)));
        const std::string nonce = right_nonce ? text.substr(2, text.find(',') - 2) : "abcd";
        std::string last = format;
        if (const auto at = last.find("NONCE"); at != last.npos) last.replace(at, 5, nonce);
        return asking.resume(built([&last](Writer& w) { sasl_response(w, last); }), {});
    };
    EXPECT_EQ(final_of("c=eSws,r=NONCE,p=" + proof, true).kind, wire::Action::Kind::compute);
    EXPECT_EQ(final_of("c=eSws,r=NONCE,p=" + proof, false).error, errc::protocol_violation);  // replayed
    EXPECT_EQ(final_of("c=biws,r=NONCE,p=" + proof, true).error, errc::protocol_violation);   // n,, was y,,
    EXPECT_EQ(final_of("c=eSws,r=NONCE,p=YQ==", true).error, errc::protocol_violation);
    EXPECT_EQ(final_of("c=eSws,r=NONCE", true).error, errc::protocol_violation);
    EXPECT_EQ(final_of("", true).error, errc::protocol_violation);
}

TEST(PostgresAuth, Md5AdmitsByHashOrByClearText) {
    ScramKeyCache cache;
    for (const std::string& secret : {md5_hash("secret", "bob"), std::string("secret")}) {
        for (const bool right : {true, false}) {
            ByteVector asked;
            const Script script =
                Script()
                    .expect_write([&asked](wire::Bytes bytes) {
                        EXPECT_EQ(as_text(bytes.first(9)), std::string_view("R\0\0\0\x0c\0\0\0\5", 9));
                        asked = test::bytes_of(bytes.subspan(9));
                    })
                    .read([&asked, right] {
                        const std::string hash = md5_hash(right ? "secret" : "wrong", "bob");
                        return built([&](Writer& w) { password_message(w, md5_answer(hash, asked)); });
                    })
                    .expect_done(right ? std::error_code() : make_error_code(errc::authentication_failed));
            test::play_all(script, [&] {
                return std::make_unique<ClientAuthentication>(password(secret, Method::md5), "bob", cache);
            });
        }
    }
}

TEST(PostgresAuth, ClearTextIsComparedWithWhateverIsKnown) {
    ScramKeyCache cache;
    ScramVerifier verifier;
    verifier.salt = {9};
    verifier.iterations = 1;
    const ScramKeys keys = derive("secret", verifier.salt, 1);
    verifier.stored_key = keys.stored_key;
    verifier.server_key = keys.server_key;
    for (const std::string& secret : {std::string("secret"), md5_hash("secret", "bob"), to_string(verifier)}) {
        for (const bool right : {true, false}) {
            const Script script =
                Script()
                    .expect_write(built([](Writer& w) { authentication(w, Auth::cleartext); }))
                    .read(built([&](Writer& w) { password_message(w, right ? "secret" : "wrong"); }))
                    .expect_compute()
                    .expect_done(right ? std::error_code() : make_error_code(errc::authentication_failed));
            test::play_all(script, [&] {
                return std::make_unique<ClientAuthentication>(password(secret, Method::cleartext), "bob", cache);
            });
        }
    }
    // The empty password opens nothing, not even where none is set.
    ClientAuthentication empty(password("", Method::cleartext), "bob", cache);
    test::play(refused(built([](Writer& w) { password_message(w, ""); }), errc::authentication_failed), empty);
}

TEST(PostgresAuth, TrustAsksNothing) {
    ScramKeyCache cache;
    ClientAuthentication trusting({Kind::trust, Method::automatic, ""}, "bob", cache);
    test::play(Script().expect_done(), trusting);
}

TEST(PostgresAuth, WhatIsNoPasswordMessageIsRefusedAtOnce) {
    ScramKeyCache cache;
    const auto make = [&cache] { return std::make_unique<ClientAuthentication>(password("s"), "bob", cache); };
    const Script script = refused({'p', 0, 0, 0, 5, 0}, errc::protocol_violation);
    test::play_hostile(script, make, {'p', 0, 1, 0, 0});  // 64 KiB: too long
    test::play_hostile(script, make, {'p', 0, 0, 0, 3});  // shorter than its own length
    test::play_hostile(script, make, {'Q'});              // a query before the login is over
    test::play_noise(script, make, 7);
    auto leaving = make();
    test::play(refused(built([](Writer& w) { terminate(w); }), errc::closed), *leaving);
}

// --- the backend leg --------------------------------------------------------------------------------------------

ByteVector sasl(Auth code, std::string_view data) {
    return built([&](Writer& w) {
        w.u32be(static_cast<std::uint32_t>(code));
        w.text(data);
    });
}

// The server's list of mechanisms.
ByteVector offer() { return sasl(Auth::sasl, std::string_view("SCRAM-SHA-256\0\0", 15)); }

TEST(PostgresServerChallenge, ChecksThatTheServerKnowsThePasswordToo) {
    ScramKeyCache cache;
    ServerChallenge challenge({"bob", "secret", std::nullopt}, cache);
    Writer out;
    ASSERT_EQ(challenge.answer(offer(), out), ServerChallenge::Next::reply);
    const std::string first(as_text(out.bytes()));
    const std::string nonce = first.substr(first.find("r=") + 2);
    out.clear();
    ASSERT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=" + nonce + "xyz,s=YWJj,i=1"), out),
              ServerChallenge::Next::compute);
    challenge.compute();
    ASSERT_EQ(challenge.proceed(out), ServerChallenge::Next::reply);
    out.clear();
    const ByteVector wrong = sasl(Auth::sasl_final, "v=" + base64(Sha256Digest{}));
    EXPECT_EQ(challenge.answer(wrong, out), ServerChallenge::Next::failed);
    EXPECT_EQ(challenge.error(), errc::authentication_failed);
}

TEST(PostgresServerChallenge, AServerCannotBreakScramOffAndLetUsIn) {
    ScramKeyCache cache;
    ServerChallenge challenge({"bob", "secret", std::nullopt}, cache);
    Writer out;
    (void)challenge.answer(offer(), out);
    EXPECT_EQ(challenge.answer(sasl(Auth::ok, ""), out), ServerChallenge::Next::failed);
}

TEST(PostgresServerChallenge, RefusesServersThatAskForTooMuchOrAnswerAnotherNonce) {
    for (const char* tail : {"x,s=YWJj,i=1000001", "x,s=YWJj,i=4294967296", "x,s=YWJj,i=0", "x,s=YWJj,i=-1", "x,s=,i=1",
                             ",s=YWJj,i=1", "x,s=YWJj", "x"}) {
        ScramKeyCache cache;
        ServerChallenge challenge({"bob", "secret", std::nullopt}, cache);
        Writer out;
        (void)challenge.answer(offer(), out);
        const std::string first(as_text(out.bytes()));
        const std::string nonce = first.substr(first.find("r=") + 2);
        EXPECT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=" + nonce + tail), out), ServerChallenge::Next::failed)
            << tail;
        EXPECT_FALSE(challenge.diagnostics().message.empty());
    }
    ScramKeyCache cache;
    ServerChallenge challenge({"bob", "secret", std::nullopt}, cache);
    Writer out;
    (void)challenge.answer(offer(), out);
    EXPECT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=another,s=YWJj,i=1"), out), ServerChallenge::Next::failed);
}

TEST(PostgresServerChallenge, SaysWhatItCannotDo) {
    ScramKeyCache cache;
    Writer out;
    ServerChallenge gss({"bob", "secret", std::nullopt}, cache);
    EXPECT_EQ(gss.answer(sasl(Auth::gss, ""), out), ServerChallenge::Next::failed);
    EXPECT_EQ(gss.error(), errc::unsupported);
    EXPECT_NE(gss.diagnostics().message.find("GSSAPI"), std::string::npos);
    ServerChallenge plus({"bob", "secret", std::nullopt}, cache);
    EXPECT_EQ(plus.answer(sasl(Auth::sasl, std::string_view("SCRAM-SHA-256-PLUS\0\0", 20)), out),
              ServerChallenge::Next::failed);
    EXPECT_EQ(plus.error(), errc::unsupported);
    ServerChallenge none({"bob", std::nullopt, std::nullopt}, cache);
    EXPECT_EQ(none.answer(sasl(Auth::cleartext, ""), out), ServerChallenge::Next::failed);
    EXPECT_EQ(none.error(), errc::authentication_failed);
    EXPECT_NE(none.diagnostics().message.find("no password"), std::string::npos);
    for (std::size_t n = 0; n < 4; ++n) {
        ServerChallenge half({"bob", "secret", std::nullopt}, cache);
        EXPECT_EQ(half.answer(ByteVector(n, 0), out), ServerChallenge::Next::failed);
    }
    EXPECT_TRUE(out.empty());
}

TEST(PostgresServerChallenge, AnswersMd5WithThePasswordOrItsHash) {
    ScramKeyCache cache;
    for (const std::string& secret : {std::string("secret"), md5_hash("secret", "bob")}) {
        ServerChallenge challenge({"bob", secret, std::nullopt}, cache);
        Writer out;
        ASSERT_EQ(challenge.answer(sasl(Auth::md5, "salt"), out), ServerChallenge::Next::reply);
        EXPECT_EQ(as_text(out.bytes().subspan(5)),
                  md5_answer(md5_hash("secret", "bob"), as_bytes("salt")) + std::string(1, '\0'));
    }
    EXPECT_EQ(md5_hash("secret", "bob"), "md521f3163f8f86fa10bdefbfbd502a8f06");  // md5('secretbob')
}

}  // namespace
}  // namespace leasehold::postgres
