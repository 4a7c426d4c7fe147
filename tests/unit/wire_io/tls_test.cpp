// SPDX-License-Identifier: Apache-2.0
// What a handshake accepts, what it refuses, and what each side is told.
#include "tests/unit/wire_io/tls_fixture.hpp"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <sys/stat.h>

using namespace leasehold::testing;
using Verify = TlsContext::Verify;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct TlsHandshake : TlsTest {
    // The client refuses with `why`, and the server hears of it.
    void refused_by_client(std::string_view why) {
        handshake();
        EXPECT_EQ(at_client->error, errc::tls_failed);
        EXPECT_TRUE(contains(at_client->why, why)) << at_client->why;
        EXPECT_TRUE(at_server->error);
        EXPECT_FALSE(client->encrypted());
        EXPECT_FALSE(server->encrypted());
    }
    // The server refuses; with TLS 1.3 a client learns of it by its first read.
    void refused_by_server(std::string_view why, std::string_view told) {
        handshake();
        EXPECT_EQ(at_server->error, errc::tls_failed);
        EXPECT_TRUE(contains(at_server->why, why)) << at_server->why;
        server->close();
        std::string heard = at_client->why;
        if (!at_client->error) {
            std::error_code error;
            EXPECT_EQ(get(*client, 1, &error), "");
            heard = error.message();
        }
        EXPECT_TRUE(contains(heard, told)) << heard;
    }
};

TEST_F(TlsHandshake, SecuresBothSidesAndTellsThemWhatTheyHave) {
    contexts(identities().server(), identities().client());
    secured();
    EXPECT_TRUE(server->encrypted());
    EXPECT_TRUE(client->encrypted());
    EXPECT_EQ(at_client->facts.version, "TLSv1.3");
    EXPECT_EQ(at_server->facts.cipher, at_client->facts.cipher);
    EXPECT_EQ(at_client->facts.protocol, "");
    EXPECT_TRUE(at_client->facts.peer_certified);
    EXPECT_EQ(at_client->facts.peer_name, "server.test");
    EXPECT_FALSE(at_server->facts.peer_certified);
    EXPECT_EQ(at_server->facts.server_name, "db.test");
    EXPECT_EQ(at_client->facts.server_name, "");
    EXPECT_FALSE(at_server->facts.resumed);
    converse();
}

TEST_F(TlsHandshake, WorksOnTheLoopWithoutOtherThreads) {
    contexts(identities().server(), identities().client());
    secure(*server, server_party, at_server, nullptr);
    secure(*client, client_party, at_client, nullptr);
    ASSERT_TRUE(until([this] { return at_server && at_client; }));
    ASSERT_FALSE(at_server->error);
    converse();
}

TEST_F(TlsHandshake, CertifiesAClientByItsCertificate) {
    auto of_server = identities().server();
    auto of_client = identities().client();
    of_server.client_ca = of_client.ca;
    of_server.client_must = true;
    of_client.cert = identities().folder.at("client.crt");
    of_client.key = identities().folder.at("client.key");
    contexts(of_server, of_client);
    secured();
    EXPECT_TRUE(at_server->facts.peer_certified);
    EXPECT_EQ(at_server->facts.peer_name, "alice");
    converse();
}

TEST_F(TlsHandshake, LeavesAClientWithoutACertificateUncertified) {
    auto of_server = identities().server();
    of_server.client_ca = identities().folder.at("ca.crt");
    contexts(of_server, identities().client());
    secured();
    EXPECT_FALSE(at_server->facts.peer_certified);
    EXPECT_EQ(at_server->facts.peer_name, "");
}

TEST_F(TlsHandshake, RefusesAClientWithoutTheCertificateItMustHave) {
    auto of_server = identities().server();
    of_server.client_ca = identities().folder.at("ca.crt");
    of_server.client_must = true;
    contexts(of_server, identities().client());
    refused_by_server("peer did not return a certificate", "certificate required");
}

TEST_F(TlsHandshake, RefusesAClientCertificateOfAnotherAuthority) {
    auto of_server = identities().server();
    auto of_client = identities().client();
    of_server.client_ca = identities().folder.at("stranger.crt");
    of_client.cert = identities().folder.at("client.crt");
    of_client.key = identities().folder.at("client.key");
    contexts(of_server, of_client);
    refused_by_server("certificate verify failed", "unknown ca");
}

TEST_F(TlsHandshake, TakesACommonNameWithANulForNobodys) {
    identities().write("nul", named(std::string("alice\0.evil.test", 16)));
    auto of_server = identities().server();
    auto of_client = identities().client();
    of_server.client_ca = of_client.ca;
    of_client.cert = identities().folder.at("nul.crt");
    of_client.key = identities().folder.at("nul.key");
    contexts(of_server, of_client);
    secured();
    EXPECT_TRUE(at_server->facts.peer_certified);
    EXPECT_EQ(at_server->facts.peer_name, "");
}

TEST_F(TlsHandshake, RefusesAServerOfAnotherAuthority) {
    auto of_client = identities().client();
    of_client.ca = identities().folder.at("stranger.crt");
    contexts(identities().server(), of_client);
    refused_by_client("certificate verify failed: unable to get local issuer certificate");
}

TEST_F(TlsHandshake, VerifiesNothingWhenToldSo) {
    auto of_client = identities().client();
    of_client.verify = Verify::none;
    of_client.ca.clear();
    contexts(identities().server(), of_client);
    secured();
    EXPECT_FALSE(at_client->facts.peer_certified);
    EXPECT_EQ(at_client->facts.peer_name, "");
    EXPECT_FALSE(at_client->facts.server_end_point.empty());
}

TEST_F(TlsHandshake, RefusesACertificateOfAnotherHost) {
    client_party.host = "elsewhere.test";
    contexts(identities().server(), identities().client());
    refused_by_client("certificate verify failed: hostname mismatch");
}

TEST_F(TlsHandshake, AcceptsAnyHostWhenOnlyTheAuthorityCounts) {
    auto of_client = identities().client();
    of_client.verify = Verify::ca;
    client_party.host = "elsewhere.test";
    contexts(identities().server(), of_client);
    secured();
    EXPECT_TRUE(at_client->facts.peer_certified);
}

TEST_F(TlsHandshake, RefusesToVerifyANamelessHost) {
    contexts(identities().server(), identities().client());
    client_party.host.clear();
    secure(*client, client_party, at_client, &pool);
    ASSERT_TRUE(until([this] { return at_client.has_value(); }));
    EXPECT_EQ(at_client->error, errc::tls_failed);
}

TEST_F(TlsHandshake, MatchesWildcardsOfOneLabelOnly) {
    contexts(identities().server(), identities().client());
    client_party.host = "a.wild.test";
    secured();
    reconnect();
    client_party.host = "a.b.wild.test";
    refused_by_client("hostname mismatch");
}

TEST_F(TlsHandshake, MatchesAddressesAndAsksForNoName) {
    contexts(identities().server(), identities().client());
    for (const std::string host : {"127.0.0.1", "::1"}) {
        client_party.host = host;
        secured();
        EXPECT_EQ(at_server->facts.server_name, "");
        reconnect();
    }
    client_party.host = "127.0.0.2";
    refused_by_client("IP address mismatch");
}

TEST_F(TlsHandshake, MatchesAnAddressThatACertificateBearsAsItsName) {
    identities().write("address", named("127.0.0.9"));
    auto of_server = identities().server();
    of_server.cert = identities().folder.at("address.crt");
    of_server.key = identities().folder.at("address.key");
    contexts(of_server, identities().client());
    client_party.host = "127.0.0.9";
    secured();
    reconnect();
    client_party.host = "127.0.0.8";
    refused_by_client("IP address mismatch");
}

TEST_F(TlsHandshake, AsksForNoNameWhenToldSo) {
    contexts(identities().server(), identities().client());
    client_party.send_name = false;
    secured();
    EXPECT_EQ(at_server->facts.server_name, "");
}

TEST_F(TlsHandshake, RefusesAnExpiredCertificate) {
    Wish wish = named("db.test");
    wish.valid_from = -7200;
    wish.valid_until = -3600;
    identities().write("expired", wish);
    auto of_server = identities().server();
    of_server.cert = identities().folder.at("expired.crt");
    of_server.key = identities().folder.at("expired.key");
    contexts(of_server, identities().client());
    refused_by_client("certificate has expired");
    EXPECT_TRUE(contains(at_server->why, "alert")) << at_server->why;
}

TEST_F(TlsHandshake, ChoosesAProtocolThatBothSpeak) {
    auto of_server = identities().server();
    auto of_client = identities().client();
    of_server.protocols = {"postgresql"};
    of_client.protocols = {"http/1.1", "postgresql"};
    contexts(of_server, of_client);
    secured();
    EXPECT_EQ(at_server->facts.protocol, "postgresql");
    EXPECT_EQ(at_client->facts.protocol, "postgresql");
}

TEST_F(TlsHandshake, LeavesAClientThatOffersNoProtocolWithoutOne) {
    auto of_server = identities().server();
    of_server.protocols = {"postgresql"};
    contexts(of_server, identities().client());
    secured();
    EXPECT_EQ(at_server->facts.protocol, "");
}

TEST_F(TlsHandshake, RefusesAClientThatOffersOnlyOtherProtocols) {
    auto of_server = identities().server();
    auto of_client = identities().client();
    of_server.protocols = {"postgresql"};
    of_client.protocols = {"h2"};
    contexts(of_server, of_client);
    refused_by_server("no application protocol", "no application protocol");
}

struct Binding {
    const char* name;
    const char* key;
    const char* hash;
    std::size_t length;  // of the binding; 0: none is defined
};

TEST_F(TlsHandshake, BindsToTheServersCertificateByItsOwnHash) {
    for (const Binding& each : {Binding{"b1", "P-256", "SHA256", 32}, Binding{"b2", "P-384", "SHA384", 48},
                                Binding{"b3", "RSA", "SHA512", 64}, Binding{"b5", "ED25519", "SHA256", 0}}) {
        Wish wish = named("db.test");
        wish.key = each.key;
        wish.hash = each.hash;
        const Certificate self(wish, nullptr);
        self.write(identities().folder.at(std::string(each.name) + ".crt"),
                   identities().folder.at(std::string(each.name) + ".key"));
        auto of_server = identities().server();
        auto of_client = identities().client();
        of_server.cert = of_client.ca = identities().folder.at(std::string(each.name) + ".crt");
        of_server.key = identities().folder.at(std::string(each.name) + ".key");
        contexts(of_server, of_client);
        secured();
        EXPECT_EQ(at_server->facts.server_end_point, at_client->facts.server_end_point);
        ASSERT_EQ(at_client->facts.server_end_point.size(), each.length) << each.hash;
        if (each.length > 0) {
            std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
            unsigned length = 0;
            X509_digest(self.native(), EVP_get_digestbyname(each.hash), value.data(), &length);
            EXPECT_EQ(at_client->facts.server_end_point,
                      std::vector<std::uint8_t>(value.begin(), value.begin() + length));
        }
        reconnect();
    }
}

// --- files --------------------------------------------------------------------------------------------------------

struct TlsFiles : ::testing::Test {
    std::string error_of(const std::string& cert_file, const std::string& key_file, const std::string& ca = {}) {
        TlsContext::ServerFiles files;
        files.cert = cert_file;
        files.key = key_file;
        files.client_ca = ca;
        const TlsContext::Loaded outcome = TlsContext::server(files);
        EXPECT_EQ(outcome.context == nullptr, !outcome.error.empty());
        return outcome.error;
    }
    const Folder& folder = identities().folder;
    const std::string cert = folder.at("server.crt"), key = folder.at("server.key");
};

TEST_F(TlsFiles, NamesAFileThatIsNotThere) {
    EXPECT_EQ(error_of(folder.at("nix"), key), folder.at("nix") + ": cannot be read: No such file or directory");
    EXPECT_EQ(error_of(cert, folder.at("nix")), folder.at("nix") + ": cannot be read: No such file or directory");
    EXPECT_EQ(error_of(cert, key, folder.at("nix")), folder.at("nix") + ": cannot be read: No such file or directory");
    EXPECT_EQ(error_of(folder.at("."), key), folder.at(".") + ": cannot be read: Is a directory");
}

TEST_F(TlsFiles, SaysThatAKeyBelongsToAnotherCertificate) {
    EXPECT_EQ(error_of(cert, folder.at("client.key")),
              folder.at("client.key") + ": the key does not match the certificate in " + cert);
}

TEST_F(TlsFiles, RefusesAnEncryptedKeyWithoutAsking) {
    const Certificate made(named("x"), nullptr);
    made.write(folder.at("locked.crt"), folder.at("locked.key"), "secret");
    EXPECT_TRUE(contains(error_of(folder.at("locked.crt"), folder.at("locked.key")),
                         folder.at("locked.key") + ": the key is encrypted with a passphrase"));
}

TEST_F(TlsFiles, SaysWhatIsNoPem) {
    const std::string noise = folder.put("noise", "no certificate\n");
    EXPECT_TRUE(contains(error_of(noise, key), noise + ": no usable certificate in PEM form: "));
    EXPECT_TRUE(contains(error_of(cert, noise), noise + ": no usable private key in PEM form: "));
    EXPECT_TRUE(contains(error_of(cert, key, noise), noise + ": no usable CA certificate in PEM form: "));
    EXPECT_TRUE(contains(error_of(folder.put("empty", ""), key), "empty: no usable certificate in PEM form: "));
}

TEST_F(TlsFiles, DemandsACaWhereSomethingIsToBeVerified) {
    TlsContext::ClientFiles files;
    files.verify = Verify::ca;
    EXPECT_NE(TlsContext::client(files).error, "");
    files.ca = "system";
    EXPECT_EQ(TlsContext::client(files).error, "");
    files.cert = cert;
    EXPECT_NE(TlsContext::client(files).error, "");
}

}  // namespace
