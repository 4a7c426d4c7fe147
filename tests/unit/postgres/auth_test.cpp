// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/auth.hpp"

#include "dialects/postgres/challenge.hpp"
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

std::string verifier_text(std::string_view secret, std::uint32_t iterations = 4096) {
    ScramVerifier verifier;
    verifier.salt = {1, 2, 3, 4};
    verifier.iterations = iterations;
    const ScramKeys keys = derive(secret, verifier.salt, iterations);
    verifier.stored_key = keys.stored_key;
    verifier.server_key = keys.server_key;
    return to_string(verifier);
}

ServerCredential knowing(std::string secret) {
    ServerCredential made;
    made.user = "bob";
    made.password = std::move(secret);
    return made;
}

// A client that answers as ServerChallenge does: the two legs against each other.
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
    Client client(knowing("secret"));
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
    Client client(knowing("secret"));
    ScramKeyCache cache;
    ClientAuthentication first(password("secret"), "bob", cache);
    test::play(conversation(client, true), first);
    ClientAuthentication second(password("secret"), "bob", cache);
    test::play(conversation(client, false), second);
    EXPECT_EQ(cache.size(), 1u);
    EXPECT_FALSE(second.recovered());  // the password dials
}

TEST(PostgresAuth, AVerifierAdmitsWithoutTheClearTextAndGivesKeysForTheBackend) {
    Client client(knowing("secret"));
    const std::string verifier = verifier_text("secret");
    ScramKeyCache cache;
    ClientAuthentication asking(password(verifier), "bob", cache);
    test::play(conversation(client, false), asking);
    ASSERT_TRUE(asking.recovered());
    EXPECT_EQ(*asking.recovered(), derive("secret", std::vector<std::uint8_t>{1, 2, 3, 4}, 4096));
    // The keys log in where the same verifier is held, without any password.
    ServerCredential keys;
    keys.user = "bob";
    keys.keys = parse_keys(to_string(*asking.recovered()));
    Client onward(keys);
    ClientAuthentication server(password(verifier), "bob", cache);
    test::play(conversation(onward, false), server);
    EXPECT_EQ(onward.last, ServerChallenge::Next::wait);
}

// One derivation each, no more and no less: whether the user exists, whether the keys of its password are known already,
// whether a verifier makes them superfluous.
TEST(PostgresAuth, AWrongPasswordAndAnUnknownUserAreRefusedInTheSameWayAndAtTheSameCost) {
    Client client(knowing("wrong"));
    for (const ClientCredential& credential :
         {password("secret"), ClientCredential{Kind::none, Method::automatic, ""}, password(verifier_text("secret")),
          password("md5" + std::string(32, 'a'), Method::scram)}) {
        ScramKeyCache cache;
        for (int attempt = 0; attempt < 3; ++attempt) {  // the first finds the cache cold
            ClientAuthentication asking(credential, "bob", cache);
            test::play(conversation(client, true, errc::authentication_failed), asking);
            EXPECT_EQ(asking.diagnostics().sqlstate, "28P01");
            EXPECT_EQ(asking.diagnostics().message, "password authentication failed for user \"bob\"");
            EXPECT_FALSE(asking.recovered());
        }
        // Guesses take no room.
        EXPECT_EQ(cache.size(), credential.secret == "secret" ? 1u : 0u);
    }
}

TEST(PostgresAuth, NobodyLogsInByGuessingTheMocksPassword) {
    Client client(knowing("nobody"));
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
        {"p=tls-unique,,n=,r=abc",
         "client requires SCRAM channel binding, which needs TLS: connect with sslmode=require"},
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

const ClientChannel unix_socket{false, false, {}}, plain_tls{true, true, {}}, plain_tcp{};

TEST(PostgresAuth, ClearTextIsComparedWithWhateverIsKnown) {
    ScramKeyCache cache;
    const ClientCredential credentials[] = {password("secret", Method::cleartext),
                                            password(md5_hash("secret", "bob"), Method::cleartext),
                                            password(verifier_text("secret", 1), Method::cleartext),
                                            {Kind::none, Method::cleartext, "secret"}};
    for (const ClientCredential& credential : credentials) {
        for (const bool knows : {true, false}) {
            const bool right = knows && credential.kind == Kind::password;
            const Script script =
                Script()
                    .expect_write(built([](Writer& w) { authentication(w, Auth::cleartext); }))
                    .read(built([&](Writer& w) { password_message(w, knows ? "secret" : "wrong"); }))
                    .expect_compute()
                    .expect_done(right ? std::error_code() : make_error_code(errc::authentication_failed));
            test::play_all(script,
                           [&] { return std::make_unique<ClientAuthentication>(credential, "bob", cache, plain_tls); });
        }
    }
    EXPECT_EQ(cache.size(), 1u);  // the verifier's; wrong ones are not kept
    // The empty password opens nothing, not even where none is set.
    ClientAuthentication empty(password("", Method::cleartext), "bob", cache, unix_socket);
    test::play(refused(built([](Writer& w) { password_message(w, ""); }), errc::authentication_failed), empty);
}

TEST(PostgresAuth, ClearTextIsNotAskedForWhereOthersCanReadIt) {
    ScramKeyCache cache;
    ClientAuthentication asking(password("secret", Method::cleartext), "bob", cache, plain_tcp);
    test::play(Script().expect_done(errc::authentication_failed), asking);
    EXPECT_EQ(asking.diagnostics().sqlstate, "28000");
    EXPECT_NE(asking.diagnostics().message.find("sslmode=require"), std::string::npos);
    ClientAuthentication local(password("secret", Method::cleartext), "bob", cache, unix_socket);
    EXPECT_EQ(local.resume({}, {}).kind, wire::Action::Kind::write);
}

TEST(PostgresAuth, AClearTextPasswordGivesTheVerifiersKeysToo) {
    ScramKeyCache cache;
    for (int login = 0; login < 2; ++login) {
        ClientAuthentication asking(password(verifier_text("secret"), Method::cleartext), "bob", cache, unix_socket);
        (void)asking.resume({}, {});
        (void)asking.resume(built([](Writer& w) { password_message(w, "secret"); }), {});
        asking.compute();
        EXPECT_FALSE(asking.resume({}, {}).error);
        EXPECT_EQ(asking.recovered(), derive("secret", std::vector<std::uint8_t>{1, 2, 3, 4}, 4096));
    }
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

}  // namespace
}  // namespace leasehold::postgres
