// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/challenge.hpp"

#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using test::built;
using test::ByteVector;
using wire::as_bytes;
using wire::as_text;
using wire::errc;
using wire::Writer;

ServerCredential nothing() {
    ServerCredential made;
    made.user = "bob";
    return made;
}
ServerCredential with_password(std::string password) {
    ServerCredential made = nothing();
    made.password = std::move(password);
    return made;
}

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
    ServerChallenge challenge(with_password("secret"), cache);
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
    ServerChallenge challenge(with_password("secret"), cache);
    Writer out;
    (void)challenge.answer(offer(), out);
    EXPECT_EQ(challenge.answer(sasl(Auth::ok, ""), out), ServerChallenge::Next::failed);
}

TEST(PostgresServerChallenge, RefusesServersThatAskForTooMuchOrAnswerAnotherNonce) {
    for (const char* tail : {"x,s=YWJj,i=1000001", "x,s=YWJj,i=4294967296", "x,s=YWJj,i=0", "x,s=YWJj,i=-1", "x,s=,i=1",
                             ",s=YWJj,i=1", "x,s=YWJj", "x"}) {
        ScramKeyCache cache;
        ServerChallenge challenge(with_password("secret"), cache);
        Writer out;
        (void)challenge.answer(offer(), out);
        const std::string first(as_text(out.bytes()));
        const std::string nonce = first.substr(first.find("r=") + 2);
        EXPECT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=" + nonce + tail), out), ServerChallenge::Next::failed)
            << tail;
        EXPECT_FALSE(challenge.diagnostics().message.empty());
    }
    ScramKeyCache cache;
    ServerChallenge challenge(with_password("secret"), cache);
    Writer out;
    (void)challenge.answer(offer(), out);
    EXPECT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=another,s=YWJj,i=1"), out), ServerChallenge::Next::failed);
}

TEST(PostgresServerChallenge, SaysWhatItCannotDo) {
    ScramKeyCache cache;
    Writer out;
    ServerChallenge gss(with_password("secret"), cache);
    EXPECT_EQ(gss.answer(sasl(Auth::gss, ""), out), ServerChallenge::Next::failed);
    EXPECT_EQ(gss.error(), errc::unsupported);
    EXPECT_NE(gss.diagnostics().message.find("GSSAPI"), std::string::npos);
    ServerChallenge plus(with_password("secret"), cache);
    EXPECT_EQ(plus.answer(sasl(Auth::sasl, std::string_view("SCRAM-SHA-256-PLUS\0\0", 20)), out),
              ServerChallenge::Next::failed);
    EXPECT_EQ(plus.error(), errc::unsupported);
    ServerChallenge none(nothing(), cache);
    EXPECT_EQ(none.answer(sasl(Auth::cleartext, ""), out), ServerChallenge::Next::failed);
    EXPECT_EQ(none.error(), errc::authentication_failed);
    EXPECT_NE(none.diagnostics().message.find("no password"), std::string::npos);
    for (std::size_t n = 0; n < 4; ++n) {
        ServerChallenge half(with_password("secret"), cache);
        EXPECT_EQ(half.answer(ByteVector(n, 0), out), ServerChallenge::Next::failed);
    }
    EXPECT_TRUE(out.empty());
}

TEST(PostgresServerChallenge, AnswersMd5WithThePasswordOrItsHash) {
    ScramKeyCache cache;
    for (const std::string& secret : {std::string("secret"), md5_hash("secret", "bob")}) {
        ServerChallenge challenge(with_password(secret), cache);
        Writer out;
        ASSERT_EQ(challenge.answer(sasl(Auth::md5, "salt"), out), ServerChallenge::Next::reply);
        EXPECT_EQ(as_text(out.bytes().subspan(5)),
                  md5_answer(md5_hash("secret", "bob"), as_bytes("salt")) + std::string(1, '\0'));
    }
    EXPECT_EQ(md5_hash("secret", "bob"), "md521f3163f8f86fa10bdefbfbd502a8f06");  // md5('secretbob')
}

// --- channel binding --------------------------------------------------------------------------------------------------

using Binding = ServerChannel::Binding;
using Next = ServerChallenge::Next;

ByteVector offer_plus() { return sasl(Auth::sasl, std::string_view("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", 34)); }
ServerChannel encrypted(Binding binding, std::vector<std::uint8_t> end_point = {1, 2, 3}) {
    return {true, std::move(end_point), binding};
}

// The mechanism and the header of the SASLInitialResponse, or why there is none.
std::string begun(const ServerChannel& channel, const ByteVector& offered) {
    ScramKeyCache cache;
    ServerChallenge challenge(with_password("secret"), cache, channel);
    Writer out;
    if (challenge.answer(offered, out) != Next::reply) return challenge.diagnostics().message;
    const std::string_view text = as_text(out.bytes().subspan(5));
    const std::size_t end = text.find('\0');
    const std::string_view data = text.substr(end + 5);
    return std::string(text.substr(0, end)) + " " + std::string(data.substr(0, data.find("n=,")));
}

TEST(PostgresServerChallenge, BindsAsLibpqDoes) {
    const ServerChannel plain{};
    const std::string plus = "SCRAM-SHA-256-PLUS p=tls-server-end-point,,";
    EXPECT_EQ(begun(encrypted(Binding::prefer), offer_plus()), plus);
    EXPECT_EQ(begun(encrypted(Binding::require), offer_plus()), plus);
    EXPECT_EQ(begun(encrypted(Binding::disable), offer_plus()), "SCRAM-SHA-256 n,,");
    EXPECT_EQ(begun(encrypted(Binding::prefer), offer()), "SCRAM-SHA-256 y,,")
        << "a server whose offer was taken away on the way must notice";
    EXPECT_EQ(begun(encrypted(Binding::disable), offer()), "SCRAM-SHA-256 n,,");
    EXPECT_EQ(begun(plain, offer()), "SCRAM-SHA-256 n,,");
    EXPECT_EQ(begun(encrypted(Binding::prefer, {}), offer_plus()), "SCRAM-SHA-256 n,,")
        << "a certificate without a hash to bind to";
    EXPECT_EQ(begun(plain, offer_plus()), "the server offers channel binding over a connection without TLS");
}

TEST(PostgresServerChallenge, RequiredBindingIsRequired) {
    ServerChannel plain{};
    plain.binding = Binding::require;
    EXPECT_EQ(begun(plain, offer()), "channel_binding=require, and the connection has no TLS");
    EXPECT_EQ(begun(encrypted(Binding::require), offer()), "channel_binding=require, and the server does not offer it");
    EXPECT_EQ(begun(encrypted(Binding::require, {}), offer_plus()),
              "channel_binding=require, and the server's certificate has no hash to bind to");
    ScramKeyCache cache;
    Writer out;
    // A server that trusts us, or asks in another way, has not shown whose end of the channel it is.
    for (const ByteVector& asked : {sasl(Auth::ok, ""), sasl(Auth::cleartext, ""), sasl(Auth::md5, "salt")}) {
        ServerChallenge challenge(with_password("secret"), cache, encrypted(Binding::require));
        EXPECT_EQ(challenge.answer(asked, out), Next::failed);
        EXPECT_EQ(challenge.error(), errc::authentication_failed);
        EXPECT_NE(challenge.diagnostics().message.find("channel_binding=require"), std::string::npos);
    }
    EXPECT_TRUE(out.empty()) << "no password leaves us";
}

// A server of ours on the other side: both legs must agree on what c= and the proof are made of.
struct Legs {
    explicit Legs(ServerCredential credential, ServerChannel channel, std::vector<std::uint8_t> servers_end_point)
        : asking({ClientCredential::Kind::password, ClientCredential::Method::automatic, secret}, "bob", cache,
                 {true, true, std::move(servers_end_point)}),
          challenge(std::move(credential), cache, std::move(channel)) {}

    // Whether we were let in.
    bool log_in() {
        ByteVector heard = test::bytes_of(asking.resume({}, {}).output);
        for (int turn = 0; turn < 8; ++turn) {
            Writer out;
            Next next = challenge.answer(wire::Bytes(heard).subspan(5), out);
            if (next == Next::compute) {
                challenge.compute();
                next = challenge.proceed(out);
            }
            if (next == Next::wait) return true;  // its signature was right
            if (next != Next::reply) return false;
            wire::Action action = asking.resume(out.bytes(), {});
            if (action.kind == wire::Action::Kind::compute) {
                asking.compute();
                action = asking.resume({}, {});
            }
            if (action.kind != wire::Action::Kind::write) return false;
            heard = test::bytes_of(action.output);
        }
        return false;
    }
    ScramKeyCache cache;
    std::string secret = "secret";
    ClientAuthentication asking;
    ServerChallenge challenge;
};

TEST(PostgresServerChallenge, BothLegsBindToTheSameCertificate) {
    EXPECT_TRUE(Legs(with_password("secret"), encrypted(Binding::require), {1, 2, 3}).log_in());
    EXPECT_TRUE(Legs(with_password("secret"), encrypted(Binding::prefer), {1, 2, 3}).log_in());
    EXPECT_TRUE(Legs(with_password("secret"), encrypted(Binding::disable), {1, 2, 3}).log_in());
    EXPECT_FALSE(Legs(with_password("secret"), encrypted(Binding::prefer), {3, 2, 1}).log_in())
        << "somebody between us shows another certificate";
    EXPECT_FALSE(Legs(with_password("wrong"), encrypted(Binding::prefer), {1, 2, 3}).log_in());
}

// --- keys recovered from a client's login -----------------------------------------------------------------------------

ScramVerifier verifier_of(std::string_view password, std::vector<std::uint8_t> salt, std::uint32_t iterations) {
    const ScramKeys keys = derive(password, salt, iterations);
    return {iterations, std::move(salt), keys.stored_key, keys.server_key};
}
ServerCredential with_keys(std::string_view password, const ScramVerifier& verifier) {
    ServerCredential made = nothing();
    made.verifier = verifier;
    made.keys = derive(password, verifier.salt, verifier.iterations);
    return made;
}

TEST(PostgresServerChallenge, RecoveredKeysNeedNoPassword) {
    ScramKeyCache cache;
    const ScramVerifier verifier = verifier_of("secret", {'a', 'b', 'c'}, 1);
    ServerChallenge challenge(with_keys("secret", verifier), cache);
    Writer out;
    ASSERT_EQ(challenge.answer(offer(), out), Next::reply);
    const std::string first(as_text(out.bytes()));
    const std::string nonce = first.substr(first.find("r=") + 2);
    out.clear();
    EXPECT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=" + nonce + "xyz,s=YWJj,i=1"), out), Next::reply)
        << "nothing is left to be computed";
}

TEST(PostgresServerChallenge, AnotherVerifierOnTheServerIsSaidClearly) {
    const ScramVerifier verifier = verifier_of("secret", {'a', 'b', 'c'}, 1);
    for (const char* tail : {"xyz,s=YWJj,i=2", "xyz,s=YWJk,i=1"}) {
        ScramKeyCache cache;
        ServerChallenge challenge(with_keys("secret", verifier), cache);
        Writer out;
        (void)challenge.answer(offer(), out);
        const std::string first(as_text(out.bytes()));
        const std::string nonce = first.substr(first.find("r=") + 2);
        out.clear();
        EXPECT_EQ(challenge.answer(sasl(Auth::sasl_continue, "r=" + nonce + tail), out), Next::failed);
        EXPECT_EQ(challenge.diagnostics().message,
                  "the server's SCRAM verifier of user \"bob\" is another than the configured one; copy it from "
                  "pg_authid anew");
        EXPECT_TRUE(out.empty());
    }
}

TEST(PostgresServerChallenge, AVerifierAloneDialsNothing) {
    ScramKeyCache cache;
    Writer out;
    ServerCredential alone = nothing();
    alone.verifier = verifier_of("secret", {'a'}, 1);
    ServerChallenge scram(alone, cache);
    EXPECT_EQ(scram.answer(offer(), out), Next::failed);
    EXPECT_TRUE(scram.wants_keys());
    EXPECT_EQ(scram.diagnostics().message,
              "nobody has logged in as \"bob\" since the start; its SCRAM verifier cannot dial by itself");
    ServerChallenge md5(alone, cache);
    EXPECT_EQ(md5.answer(sasl(Auth::md5, "salt"), out), Next::failed);
    EXPECT_FALSE(md5.wants_keys()) << "no login could help";
    ServerChallenge trusting(alone, cache);
    EXPECT_EQ(trusting.answer(sasl(Auth::ok, ""), out), Next::passed);
    EXPECT_TRUE(out.empty());
}

TEST(PostgresServerChallenge, AnMd5HashAnswersMd5Alone) {
    ScramKeyCache cache;
    Writer out;
    for (const ByteVector& asked : {offer(), sasl(Auth::cleartext, "")}) {
        ServerChallenge challenge(with_password(md5_hash("secret", "bob")), cache);
        EXPECT_EQ(challenge.answer(asked, out), Next::failed);
        EXPECT_NE(challenge.diagnostics().message.find("only an MD5 hash of its password is configured"),
                  std::string::npos);
    }
    EXPECT_TRUE(out.empty());
}

TEST(PostgresServerChallenge, AskingTwiceIsNoProtocol) {
    ScramKeyCache cache;
    Writer out;
    ServerChallenge challenge(with_password("secret"), cache);
    ASSERT_EQ(challenge.answer(offer(), out), Next::reply);
    EXPECT_EQ(challenge.answer(offer(), out), Next::failed);
    EXPECT_EQ(challenge.error(), errc::protocol_violation);
}

}  // namespace
}  // namespace leasehold::postgres
