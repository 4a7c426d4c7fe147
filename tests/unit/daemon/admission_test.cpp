// SPDX-License-Identifier: Apache-2.0
#include "daemon/admission.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

namespace leasehold::daemon {
namespace {

using config::AuthMethod;
using config::TlsMode;
using Kind = dialects::Credential::Kind;

struct AdmissionTest : testing::Test {
    AdmissionTest() {
        listen.dialect = "postgresql";
        request.user = "app";
    }
    Admission ask(Account account = {true, "secret"}) const { return admit(listen, account, request, identity); }
    // The refusal's code and words; empty: not refused in words.
    std::string refusal(Account account = {true, "secret"}) const {
        const Admission made = ask(std::move(account));
        if (made.credential.kind != Kind::refused) return {};
        return made.credential.refusal.sqlstate + " " + made.credential.refusal.message;
    }
    void over_tls(std::string name, TlsMode mode = TlsMode::verify_ca) {
        listen.tls.mode = mode;
        request.encrypted = true;
        request.certified_name = std::move(name);
    }
    void over_unix(std::string system_user) {
        identity.local = true;
        identity.system_user = std::move(system_user);
    }

    config::Listen listen;
    dialects::LoginRequest request;
    Identity identity;
};

constexpr const char* no_peer = "28000 peer authentication failed for user \"app\"";
constexpr const char* no_certificate = "28000 certificate authentication failed for user \"app\"";

TEST_F(AdmissionTest, AsksForThePasswordByTheListenersMethod) {
    for (const AuthMethod method : {AuthMethod::automatic, AuthMethod::scram, AuthMethod::md5}) {
        listen.auth = method;
        const Admission made = ask();
        EXPECT_EQ(made.credential.kind, Kind::password);
        EXPECT_EQ(made.credential.method, method);
        EXPECT_EQ(made.credential.secret, "secret");
    }
}

TEST_F(AdmissionTest, PlaysALoginToItsEndForWhoeverHasNoPassword) {
    EXPECT_EQ(ask({}).credential.kind, Kind::none);
    EXPECT_EQ(ask({true, std::nullopt}).credential.kind, Kind::none);
    EXPECT_EQ(ask({true, ""}).credential.kind, Kind::none) << "PostgreSQL knows no empty password";
    EXPECT_EQ(ask({false, "secret"}).credential.kind, Kind::none);
    EXPECT_NE(ask({}).hint, ask({true, ""}).hint) << "the log knows the difference";
    listen.dialect = "mysql";
    EXPECT_EQ(ask({true, ""}).credential.kind, Kind::password) << "MySQL does";
}

TEST_F(AdmissionTest, TrustsWhomItKnowsAndRefusesOthersAsForAWrongPassword) {
    listen.auth = AuthMethod::trust;
    EXPECT_EQ(ask({true, std::nullopt}).credential.kind, Kind::trust);
    EXPECT_EQ(refusal({}), "28P01 password authentication failed for user \"app\"");
}

TEST_F(AdmissionTest, AsksTheKernelOnUnixSocketsByItself) {
    EXPECT_EQ(method_for(listen, true), AuthMethod::peer);
    EXPECT_EQ(method_for(listen, false), AuthMethod::automatic);
    listen.auth = AuthMethod::scram;
    EXPECT_EQ(method_for(listen, true), AuthMethod::scram);
    listen = {};
    listen.dialect = "mysql";
    EXPECT_EQ(method_for(listen, true), AuthMethod::automatic) << "its clients' own method has no other word";
}

TEST_F(AdmissionTest, AdmitsTheSystemUserOfThatName) {
    over_unix("app");
    EXPECT_EQ(ask({true, std::nullopt}).credential.kind, Kind::trust);
    over_unix("somebody");
    EXPECT_EQ(refusal(), no_peer);
    EXPECT_NE(ask().hint.find("\"somebody\""), std::string::npos) << "the log says who it was";
    EXPECT_EQ(ask().credential.refusal.message.find("somebody"), std::string::npos) << "the client is not told";
    over_unix("");
    EXPECT_EQ(refusal(), no_peer);
}

TEST_F(AdmissionTest, LetsAMapSayWhichSystemUserIsWhichUser) {
    listen.map = {{"www-data", "app"}, {"backup", "reports"}};
    over_unix("www-data");
    EXPECT_EQ(ask().credential.kind, Kind::trust);
    over_unix("backup");
    EXPECT_EQ(refusal(), no_peer);
    over_unix("app");
    EXPECT_EQ(refusal(), no_peer) << "a map is the whole list";
    request.user = "reports";
    over_unix("backup");
    EXPECT_EQ(ask().credential.kind, Kind::trust);
}

TEST_F(AdmissionTest, TellsNobodyByPeerWhetherAUserExists) {
    over_unix("somebody");
    EXPECT_EQ(refusal(), refusal({}));
    over_unix("app");
    EXPECT_EQ(refusal({}), no_peer);
}

TEST_F(AdmissionTest, IsNotFooledByPeerOverTcp) {
    listen.auth = AuthMethod::peer;
    identity.system_user = "app";
    EXPECT_EQ(refusal(), no_peer);
}

TEST_F(AdmissionTest, AdmitsTheCertificatesName) {
    listen.auth = AuthMethod::cert;
    over_tls("app");
    EXPECT_EQ(ask({true, std::nullopt}).credential.kind, Kind::trust);
    over_tls("other");
    EXPECT_EQ(refusal(), no_certificate);
    EXPECT_EQ(refusal({}), no_certificate);
    over_tls("app");
    EXPECT_EQ(refusal({}), no_certificate) << "an unknown user is refused like a known one";
    over_tls("");
    EXPECT_EQ(refusal(), "28000 connection requires a valid client certificate");
}

TEST_F(AdmissionTest, LetsAMapSayWhichCertificateIsWhichUser) {
    listen.auth = AuthMethod::cert;
    listen.map = {{"client.example", "app"}};
    over_tls("client.example");
    EXPECT_EQ(ask().credential.kind, Kind::trust);
    over_tls("app");
    EXPECT_EQ(refusal(), no_certificate);
}

TEST_F(AdmissionTest, BelievesNoCertificateOnAPlainConnection) {
    listen.auth = AuthMethod::cert;
    request.certified_name = "app";
    EXPECT_EQ(refusal(), "28000 connection requires a valid client certificate");
}

TEST_F(AdmissionTest, DemandsTheUsersOwnCertificateBesideThePasswordWhereItVerifiesFully) {
    over_tls("app", TlsMode::verify_full);
    EXPECT_EQ(ask().credential.kind, Kind::password);
    over_tls("other", TlsMode::verify_full);
    EXPECT_EQ(refusal(), no_certificate);
    over_tls("other", TlsMode::verify_ca);
    EXPECT_EQ(ask().credential.kind, Kind::password) << "verify-ca asks only who signed it";
    listen.auth = AuthMethod::trust;
    over_tls("other", TlsMode::verify_full);
    EXPECT_EQ(refusal(), no_certificate);
}

TEST_F(AdmissionTest, RefusesAPlainConnectionWhereEncryptionIsRequired) {
    for (const TlsMode mode : {TlsMode::require, TlsMode::verify_ca, TlsMode::verify_full}) {
        listen.tls.mode = mode;
        EXPECT_TRUE(refusal().starts_with("28000 ")) << static_cast<int>(mode);
    }
    for (const TlsMode mode : {TlsMode::disable, TlsMode::allow, TlsMode::prefer}) {
        listen.tls.mode = mode;
        EXPECT_EQ(ask().credential.kind, Kind::password);
    }
    listen.tls.mode = TlsMode::verify_full;
    over_unix("app");
    EXPECT_EQ(ask().credential.kind, Kind::trust) << "unix sockets are never encrypted";
}

TEST_F(AdmissionTest, SendsNoPasswordReadablyOverANetwork) {
    listen.auth = AuthMethod::cleartext;
    EXPECT_TRUE(refusal().starts_with("28000 ")) << refusal();
    EXPECT_EQ(refusal(), refusal({})) << "known or not";
    over_tls("", TlsMode::prefer);
    EXPECT_EQ(ask().credential.kind, Kind::password);
    EXPECT_EQ(ask().credential.method, AuthMethod::cleartext);
    EXPECT_EQ(ask({}).credential.kind, Kind::none);
    request.encrypted = false;
    over_unix("");
    EXPECT_EQ(ask().credential.kind, Kind::password) << "nothing leaves the machine";
}

TEST(PeerOf, KnowsWhoseProcessIsAtTheOtherEnd) {
    int pair[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_EQ(peer_of(pair[0]), ::geteuid());
    ::close(pair[0]);
    ::close(pair[1]);
    const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(peer_of(tcp), std::nullopt);
    ::close(tcp);
    EXPECT_EQ(peer_of(-1), std::nullopt);
}

TEST(SystemUserName, IsTheNameOfTheIdOrNothing) {
    EXPECT_EQ(system_user_name(0), "root");
    EXPECT_EQ(system_user_name(4'000'000'001u), "");
}

}  // namespace
}  // namespace leasehold::daemon
