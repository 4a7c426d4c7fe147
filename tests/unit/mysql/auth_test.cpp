// SPDX-License-Identifier: Apache-2.0
// What proves a password: answers and the keys behind them, stored hashes, RSA, Ed25519.
#include "dialects/mysql/auth.hpp"

#include "dialects/mysql/ed25519.hpp"
#include "dialects/mysql/rsa.hpp"
#include "dialects/mysql/sha2_hash.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>

namespace leasehold::mysql {
namespace {

const Salt salt{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't'};

std::string hex(Bytes bytes) {
    std::string made;
    for (const std::uint8_t byte : bytes) {
        made += "0123456789abcdef"[byte >> 4];
        made += "0123456789abcdef"[byte & 15];
    }
    return made;
}

std::string from_hex(std::string_view text) {
    std::string made;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        made += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
    return made;
}

TEST(MysqlAuth, AnswersAreRightForTheirPasswordAndSaltOnly) {
    const NativeVerifier verifier = native_verifier("secret");
    EXPECT_TRUE(recover_native(verifier, native_answer("secret", salt), salt));
    EXPECT_FALSE(recover_native(verifier, native_answer("Secret", salt), salt));
    EXPECT_FALSE(recover_native(verifier, native_answer("secret", make_salt()), salt));
    EXPECT_FALSE(recover_native(verifier, "", salt));
    EXPECT_FALSE(recover_native(verifier, std::string(19, 'x'), salt));
    // SELECT PASSWORD('secret')
    EXPECT_TRUE(recover_native(native_verifier("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"),
                               native_answer("secret", salt), salt));
    EXPECT_FALSE(recover_native(native_verifier(""), "", salt));
    EXPECT_FALSE(recover_native(native_verifier(""), native_answer("x", salt), salt));
    for (int i = 0; i < 100; ++i) {
        for (const std::uint8_t byte : make_salt()) EXPECT_TRUE(byte != 0 && byte != '$' && byte < 0x80);
    }
}

TEST(MysqlAuth, TheKeyBehindARightAnswerIsRecoveredAndAnswersForThePassword) {
    const std::string native = native_answer("secret", salt);
    const auto key = recover_native(native_verifier("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"), native, salt);
    ASSERT_TRUE(key);
    EXPECT_EQ(*key, sha1("secret"));
    const Salt other = make_salt();
    EXPECT_EQ(native_answer(*key, other), native_answer("secret", other));
    EXPECT_FALSE(recover_native(native_verifier("other"), native, salt));
    EXPECT_FALSE(recover_native(native_verifier("secret"), native + "x", salt));

    const Sha256 verifier = sha256(wire::as_text(sha256("secret")));
    const std::string sha2 = sha2_answer("secret", salt);
    EXPECT_EQ(sha2.size(), 32u);
    const auto sha2_key = recover_sha2(verifier, sha2, salt);
    ASSERT_TRUE(sha2_key);
    EXPECT_EQ(*sha2_key, sha256("secret"));
    EXPECT_EQ(sha2_answer(*sha2_key, other), sha2_answer("secret", other));
    EXPECT_FALSE(recover_sha2(verifier, sha2_answer("Secret", salt), salt));
    EXPECT_FALSE(recover_sha2(verifier, sha2, other));
    EXPECT_FALSE(recover_sha2(verifier, sha2 + "x", salt));
    EXPECT_FALSE(recover_sha2(verifier, "", salt));
    EXPECT_EQ(sha2_answer("", salt), "");
}

TEST(MysqlAuth, KeysTravelAsText) {
    EXPECT_EQ(to_string(LoginKeys()), "");
    for (int which = 1; which < 8; ++which) {
        LoginKeys keys;
        if (which & 1) keys.password = std::string("se\0cret", 7);
        if (which & 2) keys.native = sha1("secret");
        if (which & 4) keys.sha2 = sha256("secret");
        const std::string text = to_string(keys);
        const auto read = parse_login_keys(text);
        ASSERT_TRUE(read);
        EXPECT_EQ(*read, keys);
        for (std::size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse_login_keys(text.substr(0, n)));
        EXPECT_FALSE(parse_login_keys(text + "x"));
    }
    EXPECT_FALSE(parse_login_keys("SCRAM-KEYS:a:b"));
}

// What glibc's crypt() makes of $5$abcdefghijklmnop$, with its 5000 rounds.
TEST(MysqlSha2Hash, IsSha256Crypt) {
    const std::string_view salted = "abcdefghijklmnop";
    EXPECT_EQ(sha256_crypt("", salted, 5000), "p99E2fxZB/BTl9j.a2VRY5z71zEP761isnVBuiGlzV3");
    EXPECT_EQ(sha256_crypt("secret", salted, 5000), "i7zHaTeYqXlesRXJ8dXj6o.MEFQdzfIJpJpcWAtszs6");
    EXPECT_EQ(sha256_crypt(std::string(33, 'x'), salted, 5000), "vYOmKEsHkkuSSxh9YProkozF32FJ6EJDzYoNSHIn8a6");
    EXPECT_EQ(sha256_crypt(std::string(200, 'p'), salted, 5000), "k9acMWSuHk2GzBZ8WqL2M4VGM715e17/Lyo9nt5byj.");
}

TEST(MysqlSha2Hash, IsReadAsTheServerKeepsItAndAsItPrintsIt) {
    const std::string salted =
        "\x01"
        "abcdefghijklmnopqrs";
    const std::string text = "$A$005$" + salted + sha256_crypt("secret", salted, 5000);
    std::string printed = "0x";
    for (const char c : text) printed += hex(Bytes(reinterpret_cast<const std::uint8_t*>(&c), 1));
    for (const std::string& form : {text, printed}) {
        const auto hash = parse_sha2_hash(form);
        ASSERT_TRUE(hash) << form;
        EXPECT_EQ(hash->rounds, 5000u);
        EXPECT_EQ(hash->salt, salted);
        EXPECT_TRUE(matches(*hash, "secret"));
        EXPECT_FALSE(matches(*hash, "Secret"));
        EXPECT_FALSE(matches(*hash, ""));
    }
    for (const std::string& wrong : {text.substr(1), text + "x", "$A$000$" + text.substr(7), "$B$005$" + text.substr(7),
                                     "$A$0g5$" + text.substr(7), "$A$005!" + text.substr(7), text.substr(0, 69) + "!",
                                     printed + "00", printed.substr(0, printed.size() - 1) + "g", std::string(),
                                     std::string("secret"), std::string("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7")}) {
        EXPECT_FALSE(is_sha2_hash(wrong)) << wrong;
    }
}

TEST(MysqlRsa, WhatIsEncryptedWithTheKeyIsDecryptedWithTheSaltAndTheKey) {
    const RsaKey& key = own_rsa_key();
    ASSERT_TRUE(key.pem().starts_with("-----BEGIN PUBLIC KEY-----"));
    for (const std::string& password : {std::string("secret"), std::string(), std::string(213, 'p')}) {
        const auto encrypted = rsa_encrypt(key.pem(), password, salt);
        ASSERT_TRUE(encrypted) << password.size();
        EXPECT_EQ(encrypted->size(), 256u);
        EXPECT_EQ(encrypted->find(password.empty() ? "never" : password), std::string::npos);
        EXPECT_EQ(key.decrypt(*encrypted, salt), password);
        EXPECT_NE(key.decrypt(*encrypted, make_salt()), password);
    }
    EXPECT_FALSE(rsa_encrypt(key.pem(), std::string(214, 'p'), salt)) << "no room";
    EXPECT_FALSE(key.decrypt("", salt));
    EXPECT_FALSE(key.decrypt(std::string(256, 'x'), salt));
    EXPECT_FALSE(key.decrypt(std::string(10000, 'x'), salt));
    EXPECT_FALSE(RsaKey().decrypt("x", salt));
}

TEST(MysqlRsa, OtherKeysAreRefused) {
    EXPECT_FALSE(rsa_encrypt("", "secret", salt));
    EXPECT_FALSE(rsa_encrypt("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "secret", salt));
    // An encrypted key asks for nothing at the terminal; Ed25519 and RSA of 512 bits.
    EXPECT_FALSE(
        rsa_encrypt("-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                    "AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END PUBLIC KEY-----\n",
                    "secret", salt));
    EXPECT_FALSE(rsa_encrypt(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC "
        "KEY-----\n",
        "secret", salt));
    EXPECT_FALSE(
        rsa_encrypt("-----BEGIN PUBLIC "
                    "KEY-----"
                    "\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMSDa1JLymVc7BL2ssYN4oVeAUtSpQXO\n5EzmvE58zo9otxsFNu7Fsgu7MDxepH"
                    "OP6dsrQCZ5JqR1yQEmJTo0BjMCAwEAAQ==\n-----END PUBLIC KEY-----\n",
                    "secret", salt));
}

// RFC 8032, 7.1: the secret key stands where a password does.
TEST(MysqlEd25519, SignsAsTheStandardSays) {
    struct Case {
        std::string_view secret, message, signature;
    };
    const Case cases[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bb"
         "e24"
         "655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302"
         "aee"
         "b00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed"
         "28d"
         "c027beceea1ec40a"},
    };
    for (const Case& each : cases) {
        const std::string message = from_hex(each.message);
        EXPECT_EQ(hex(ed25519_sign(from_hex(each.secret), wire::as_bytes(message))), each.signature);
    }
}

TEST(MysqlEd25519, SignsAsLibcryptoDoesWithKeysOf32Bytes) {
    for (int round = 0; round < 200; ++round) {
        std::string key;
        for (const std::uint8_t byte : sha256(std::to_string(round))) key += static_cast<char>(byte);
        const std::string message = key.substr(0, static_cast<std::size_t>(round % 33)) + key;
        const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> secret(
            EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(key.data()),
                                         key.size()),
            EVP_PKEY_free);
        const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        Ed25519Signature expected{};
        std::size_t size = expected.size();
        ASSERT_EQ(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, secret.get()), 1);
        ASSERT_EQ(EVP_DigestSign(context.get(), expected.data(), &size,
                                 reinterpret_cast<const unsigned char*>(message.data()), message.size()),
                  1);
        EXPECT_EQ(hex(ed25519_sign(key, wire::as_bytes(message))), hex(expected)) << round;
    }
}

}  // namespace
}  // namespace leasehold::mysql
