// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/scram.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace leasehold::postgres {
namespace {

using wire::as_bytes;

// RFC 7677, section 3.
constexpr std::string_view auth_message =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

ScramKeys rfc_keys() { return derive("pencil", *from_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096); }

TEST(PostgresScram, ProvesAsTheRfcsExample) {
    const ScramKeys keys = rfc_keys();
    EXPECT_EQ(base64(client_proof(keys.client_key, keys.stored_key, auth_message)),
              "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    EXPECT_EQ(base64(server_signature(keys.server_key, auth_message)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(PostgresScram, AProofGivesTheClientKeyAwayToWhoeverHasTheStoredKey) {
    const ScramKeys keys = rfc_keys();
    Sha256Digest proof = client_proof(keys.client_key, keys.stored_key, auth_message);
    EXPECT_EQ(recover_client_key(proof, keys.stored_key, auth_message), keys.client_key);
    EXPECT_EQ(keys_of(keys.client_key, keys.server_key), keys);
    EXPECT_FALSE(recover_client_key(proof, keys.stored_key, "another conversation"));
    proof[31] ^= 1;
    EXPECT_FALSE(recover_client_key(proof, keys.stored_key, auth_message));
}

TEST(PostgresScram, VerifiersAreThoseOfPgAuthid) {
    const ScramKeys keys = rfc_keys();
    const std::string text =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" + base64(keys.stored_key) + ':' + base64(keys.server_key);
    const auto verifier = parse_scram_verifier(text);
    ASSERT_TRUE(verifier);
    EXPECT_EQ(verifier->iterations, 4096u);
    EXPECT_EQ(verifier->stored_key, keys.stored_key);
    EXPECT_EQ(verifier->server_key, keys.server_key);
    EXPECT_EQ(to_string(*verifier), text);
    // Not one of its beginnings is one.
    for (std::size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse_scram_verifier(text.substr(0, n)));
    for (const std::string_view bad :
         {"SCRAM-SHA-256$0:YQ==$", "SCRAM-SHA-256$-1:YQ==$x:y", "SCRAM-SHA-256$x:YQ==$a:b",
          "SCRAM-SHA-256$99999999999:YQ==$a:b", "SCRAM-SHA-256$4096$YQ==:a:b", "a password"}) {
        EXPECT_FALSE(parse_scram_verifier(bad)) << bad;
    }
}

TEST(PostgresScram, RecoveredKeysTravelAsText) {
    const ScramKeys keys = rfc_keys();
    const std::string text = to_string(keys);
    EXPECT_EQ(text, "SCRAM-KEYS:" + base64(keys.client_key) + ':' + base64(keys.server_key));
    EXPECT_EQ(parse_keys(text), keys);
    for (std::size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse_keys(text.substr(0, n)));
    EXPECT_FALSE(parse_keys(text + 'A'));
    EXPECT_FALSE(parse_keys(text + ":AAAA"));
    EXPECT_FALSE(parse_keys("a password"));
    // Neither is taken for the other.
    EXPECT_FALSE(parse_scram_verifier(text));
}

TEST(PostgresScram, Base64IsStrict) {
    for (std::size_t n = 0; n < 40; ++n) {
        std::vector<std::uint8_t> bytes(n);
        std::iota(bytes.begin(), bytes.end(), static_cast<std::uint8_t>(n * 7));
        EXPECT_EQ(from_base64(base64(bytes)), bytes);
    }
    for (const std::string_view bad :
         {"Y", "YQ=", "YQ", "Y===", "====", "YQ==YQ==", "Y Q=", "YQ=\n", "Y=Q=", "\xff\xff\xff\xff"}) {
        EXPECT_FALSE(from_base64(bad)) << bad;
    }
    EXPECT_EQ(from_base64("")->size(), 0u);
}

TEST(PostgresScram, PasswordsArePreparedAsFarAsThatGoesWithoutUnicodeTables) {
    EXPECT_EQ(saslprep("pencil"), "pencil");
    EXPECT_EQ(saslprep("I\xc2\xadX"), "IX");  // RFC 4013: soft hyphen goes
    EXPECT_EQ(saslprep("a\xc2\xa0"
                       "b\xe3\x80\x80"
                       "c"),
              "a b c");  // other spaces
    EXPECT_EQ(saslprep("na\xc3\xafve"), "na\xc3\xafve");
    EXPECT_EQ(saslprep("\xff\xfe"), "\xff\xfe");                            // no UTF-8: raw
    EXPECT_EQ(saslprep("a\xc2\xad\x07"), "a\xc2\xad\x07");                  // a control character: raw
    EXPECT_EQ(saslprep("a\xc2\xad\xc0\xaf"), "a\xc2\xad\xc0\xaf");          // overlong: raw
    EXPECT_EQ(saslprep("a\xc2\xad\xed\xa0\x80"), "a\xc2\xad\xed\xa0\x80");  // a surrogate: raw
    EXPECT_EQ(saslprep("a\xc2\xad\xe2\x82"), "a\xc2\xad\xe2\x82");          // half a character: raw
    EXPECT_EQ(saslprep("\xc2\xad"), "\xc2\xad");                            // nothing left: raw
    EXPECT_EQ(saslprep(""), "");
}

TEST(PostgresScramKeyCache, DerivesOnceForEachPasswordSaltAndCount) {
    ScramKeyCache cache;
    const auto salt = cache.salt_for("bob");
    EXPECT_FALSE(cache.find("pw", salt, 1));
    const ScramKeys keys = cache.obtain("pw", salt, 1);
    EXPECT_EQ(keys, derive("pw", salt, 1));
    EXPECT_EQ(cache.find("pw", salt, 1), keys);
    EXPECT_FALSE(cache.find("pw", salt, 2));
    EXPECT_FALSE(cache.find("pv", salt, 1));
    EXPECT_FALSE(cache.find("pw", cache.salt_for("alice"), 1));
}

TEST(PostgresScramKeyCache, ForgetsTheLongestUnused) {
    ScramKeyCache cache(2);
    const std::vector<std::uint8_t> salt{1, 2, 3};
    (void)cache.obtain("a", salt, 1);
    (void)cache.obtain("b", salt, 1);
    EXPECT_TRUE(cache.find("a", salt, 1));  // used: b is the oldest now
    (void)cache.obtain("c", salt, 1);
    EXPECT_TRUE(cache.find("a", salt, 1));
    EXPECT_FALSE(cache.find("b", salt, 1));
    EXPECT_EQ(cache.size(), 2u);
}

TEST(PostgresScramKeyCache, SaltsStayForAUserAndDifferBetweenUsersAndProcesses) {
    const ScramKeyCache one, other;
    EXPECT_EQ(one.salt_for("bob"), one.salt_for("bob"));
    EXPECT_NE(one.salt_for("bob"), one.salt_for("bo"));
    EXPECT_NE(one.salt_for("bob"), other.salt_for("bob"));
    EXPECT_EQ(one.salt_for("bob").size(), 16u);  // as PostgreSQL's own
}

TEST(PostgresScramKeyCache, IsSharedByThreads) {
    ScramKeyCache cache(8);
    const std::vector<std::uint8_t> salt{1};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&cache, &salt] {
            for (int i = 0; i < 200; ++i) {
                const std::string password = std::to_string(i % 16);
                EXPECT_EQ(cache.obtain(password, salt, 1), derive(password, salt, 1));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(cache.size(), 8u);
}

}  // namespace
}  // namespace leasehold::postgres
