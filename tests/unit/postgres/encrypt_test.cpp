// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/encrypt.hpp"

#include "dialects/postgres/messages.hpp"
#include "tests/support/exchange_script.hpp"

namespace leasehold::postgres {
namespace {

using config::TlsMode;
using test::built;
using test::ByteVector;
using test::Script;
using wire::errc;
using wire::Writer;
using Next = EncryptionChoice::Next;

const ByteVector request = built([](Writer& w) { ssl_request(w); });
const auto negotiated = [] { return std::make_unique<Encrypt>(false); };

// An ErrorResponse of a server that could not even start a process for us.
const ByteVector server_error = built([](Writer& w) {
    error_response(w, Severity::fatal, {"53300", 0, "sorry, too many clients already", false});
});

TEST(PostgresEncrypt, ASMeansTheHandshakeAndNothingElseIsRead) {
    test::play_all(Script().expect_write(request).read({'S'}).expect_start_tls().expect_done(), negotiated);
}

TEST(PostgresEncrypt, AnNLeavesThePlainConnectionUsable) {
    test::play_all(Script().expect_write(request).read({'N'}).expect_done(errc::tls_refused), negotiated);
}

// CVE-2021-23222: what is slipped in behind the answer would be taken for the server's, read under encryption.
TEST(PostgresEncrypt, BytesBehindTheAnswerAreAnAttack) {
    for (const char answer : {'S', 'N'}) {
        for (const ByteVector& slipped_in : {ByteVector{'R'}, ByteVector(100'000, 'x'), ByteVector{'S'}}) {
            ByteVector bytes{static_cast<std::uint8_t>(answer)};
            bytes.insert(bytes.end(), slipped_in.begin(), slipped_in.end());
            Encrypt encrypt(false);
            ASSERT_EQ(encrypt.resume({}, {}).kind, wire::Action::Kind::write);
            ASSERT_EQ(encrypt.resume({}, {}).kind, wire::Action::Kind::read);
            const wire::Action action = encrypt.resume(bytes, {});
            EXPECT_EQ(action.kind, wire::Action::Kind::done);
            EXPECT_EQ(action.error, errc::plaintext_before_tls);
            EXPECT_EQ(encrypt.diagnostics().message,
                      "received unencrypted data after the answer to the request for TLS");
        }
    }
}

TEST(PostgresEncrypt, AnErrorIsNeitherTrustedNorShown) {
    const Script script = Script().expect_write(request).read(server_error).expect_done(errc::protocol_violation);
    Encrypt encrypt(false);
    test::play(script, encrypt);
    EXPECT_EQ(encrypt.diagnostics().message, "the server answers a request for TLS with an error");
    EXPECT_FALSE(encrypt.diagnostics().from_server);
    for (int byte = 0; byte < 256; ++byte) {
        if (byte == 'S' || byte == 'N') continue;
        test::play_hostile(Script().expect_write(request).read({'S'}).expect_start_tls().expect_done(), negotiated,
                           {static_cast<std::uint8_t>(byte)});
    }
}

TEST(PostgresEncrypt, DirectTlsBeginsAtOnceAndIsForPostgresqlOnly) {
    Encrypt encrypt(true);
    ASSERT_EQ(encrypt.resume({}, {}).kind, wire::Action::Kind::start_tls);
    wire::TlsFacts facts;
    facts.protocol = "postgresql";
    facts.server_end_point = {1, 2, 3};
    encrypt.secured(facts);
    const wire::Action action = encrypt.resume({}, {});
    EXPECT_EQ(action.kind, wire::Action::Kind::done);
    EXPECT_FALSE(action.error);
    EXPECT_EQ(encrypt.facts().server_end_point, (std::vector<std::uint8_t>{1, 2, 3}));
    for (const char* other : {"", "h2", "http/1.1"}) {
        Encrypt wrong(true);
        ASSERT_EQ(wrong.resume({}, {}).kind, wire::Action::Kind::start_tls);
        facts.protocol = other;
        wrong.secured(facts);
        EXPECT_EQ(wrong.resume({}, {}).error, errc::tls_failed) << other;
    }
}

// Servers before 17 choose nothing; asked by SSLRequest they need not.
TEST(PostgresEncrypt, AfterSslRequestNoProtocolHasToBeChosen) {
    Encrypt encrypt(false);
    test::play(Script().expect_write(request).read({'S'}).expect_start_tls().expect_done(), encrypt);
}

TEST(PostgresEncrypt, AFailedHandshakeSaysWhy) {
    Encrypt encrypt(false);
    (void)encrypt.resume({}, {});
    const ByteVector yes{'S'};
    ASSERT_EQ(encrypt.resume(yes, {}).kind, wire::Action::Kind::start_tls);
    encrypt.tls_failed("certificate verify failed: hostname mismatch");
    EXPECT_EQ(encrypt.resume({}, make_error_code(errc::tls_failed)).error, errc::tls_failed);
    EXPECT_EQ(encrypt.diagnostics().message, "certificate verify failed: hostname mismatch");
    EXPECT_EQ(encrypt.diagnostics().sqlstate, "08001");
}

// --- libpq's sslmode ------------------------------------------------------------------------------------------------

struct Case {
    TlsMode mode;
    bool first;  // with TLS
    Obstacle obstacle;
    Next next;
    bool second;  // with TLS; when there is a second attempt
};

TEST(PostgresEncryptionChoice, FollowsLibpqsWords) {
    const Case cases[] = {
        {TlsMode::disable, false, Obstacle::refused, Next::give_up, false},
        {TlsMode::allow, false, Obstacle::refused, Next::new_connection, true},
        {TlsMode::allow, false, Obstacle::other, Next::give_up, false},
        {TlsMode::prefer, true, Obstacle::declined, Next::same_connection, false},
        {TlsMode::prefer, true, Obstacle::unwilling, Next::new_connection, false},
        {TlsMode::prefer, true, Obstacle::refused, Next::new_connection, false},
        {TlsMode::prefer, true, Obstacle::other, Next::give_up, false},
        {TlsMode::require, true, Obstacle::declined, Next::give_up, false},
        {TlsMode::require, true, Obstacle::refused, Next::give_up, false},
        {TlsMode::verify_ca, true, Obstacle::unwilling, Next::give_up, false},
        {TlsMode::verify_full, true, Obstacle::declined, Next::give_up, false},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(static_cast<int>(&c - cases));
        EncryptionChoice choice(c.mode, false);
        EXPECT_EQ(choice.encrypt(), c.first);
        EXPECT_EQ(choice.after(c.obstacle), c.next);
        if (c.next != Next::give_up) {
            EXPECT_EQ(choice.encrypt(), c.second);
        }
    }
}

TEST(PostgresEncryptionChoice, TriesTwiceAtMost) {
    for (const TlsMode mode : {TlsMode::allow, TlsMode::prefer}) {
        for (const Obstacle obstacle : {Obstacle::declined, Obstacle::unwilling, Obstacle::refused, Obstacle::other}) {
            EncryptionChoice choice(mode, false);
            (void)choice.after(Obstacle::refused);
            EXPECT_EQ(choice.after(obstacle), Next::give_up);
        }
    }
}

TEST(PostgresEncryptionChoice, NeverEncryptsAUnixSocket) {
    for (const TlsMode mode : {TlsMode::disable, TlsMode::allow, TlsMode::prefer, TlsMode::require, TlsMode::verify_ca,
                               TlsMode::verify_full}) {
        EncryptionChoice choice(mode, true);
        EXPECT_FALSE(choice.encrypt());
        EXPECT_EQ(choice.after(Obstacle::refused), Next::give_up);
    }
}

// Nothing that a server can say makes a connection plain that must be encrypted.
TEST(PostgresEncryptionChoice, RequiredIsRequired) {
    for (const TlsMode mode : {TlsMode::require, TlsMode::verify_ca, TlsMode::verify_full}) {
        for (const Obstacle obstacle : {Obstacle::declined, Obstacle::unwilling, Obstacle::refused, Obstacle::other}) {
            EncryptionChoice choice(mode, false);
            EXPECT_EQ(choice.after(obstacle), Next::give_up);
            EXPECT_TRUE(choice.encrypt());
        }
    }
}

}  // namespace
}  // namespace leasehold::postgres
