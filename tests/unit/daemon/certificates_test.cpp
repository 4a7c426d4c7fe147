// SPDX-License-Identifier: Apache-2.0
#include "daemon/certificates.hpp"

#include <gtest/gtest.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <sys/stat.h>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace leasehold::daemon {
namespace {

// Self-signed certificates in a folder of the test's own.
struct CertificatesTest : testing::Test {
    CertificatesTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "leasehold-certificates-XXXXXX").string();
        folder = ::mkdtemp(pattern.data());
        issue("one");
        issue("two");
        listen.dialect = "postgresql";
        listen.host = "127.0.0.1";
        listen.tls = {config::TlsMode::prefer, path("one.crt"), path("one.key"), {}};
    }
    ~CertificatesTest() override { std::filesystem::remove_all(folder); }
    CertificatesTest(const CertificatesTest&) = delete;
    CertificatesTest& operator=(const CertificatesTest&) = delete;

    [[nodiscard]] std::string path(const std::string& name) const { return (folder / name).string(); }

    void issue(const std::string& name) const {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* certificate = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
        ASSERT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
        FILE* file = std::fopen(path(name + ".crt").c_str(), "w");
        ASSERT_EQ(PEM_write_X509(file, certificate), 1);
        std::fclose(file);
        file = std::fopen(path(name + ".key").c_str(), "w");
        ASSERT_EQ(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
        std::fclose(file);
        ASSERT_EQ(::chmod(path(name + ".key").c_str(), 0600), 0);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

    // "key: message" of the first finding; empty: all is well.
    [[nodiscard]] std::string found() const {
        const auto findings = check_tls_files(listen.tls);
        return findings.empty() ? std::string() : findings.front().key + ": " + findings.front().message;
    }

    std::filesystem::path folder;
    config::Listen listen;
};

TEST_F(CertificatesTest, FindsNothingWrongWithACertificateAndItsKey) { EXPECT_EQ(found(), ""); }

TEST_F(CertificatesTest, NamesTheFileThatCannotBeRead) {
    listen.tls.key = path("missing.key");
    EXPECT_EQ(found(), "key: " + path("missing.key") + " cannot be read: No such file or directory");
    listen.tls.key = path("one.key");
    listen.tls.client_ca = folder.string();
    EXPECT_EQ(found(), "client_ca: " + folder.string() + " cannot be read: Is a directory");
    listen.tls.cert = path("missing.crt");
    EXPECT_EQ(check_tls_files(listen.tls).size(), 2u) << "all of them at once";
}

TEST_F(CertificatesTest, NamesTheFileWhoseContentIsWrong) {
    write("garbage", "no PEM at all\n");
    listen.tls.cert = path("garbage");
    EXPECT_TRUE(found().starts_with("cert: ")) << found();
    EXPECT_NE(found().find(path("garbage")), std::string::npos) << found();
    listen.tls.cert = path("one.crt");
    listen.tls.key = path("garbage");
    EXPECT_TRUE(found().starts_with("key: ")) << found();
    listen.tls.key = path("one.key");
    listen.tls.client_ca = path("garbage");
    EXPECT_TRUE(found().starts_with("client_ca: ")) << found();
}

TEST_F(CertificatesTest, NoticesAKeyThatIsNotTheCertificates) {
    listen.tls.key = path("two.key");
    EXPECT_TRUE(found().starts_with("key: ")) << found();
}

TEST_F(CertificatesTest, WarnsOfAKeyThatEverybodyCanRead) {
    ASSERT_EQ(::chmod(path("one.key").c_str(), 0644), 0);
    const auto findings = check_tls_files(listen.tls);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_FALSE(findings[0].error);
    EXPECT_EQ(findings[0].suggestion, "chmod o-rwx " + path("one.key"));
}

TEST_F(CertificatesTest, IsReportedByTheLoaderWithItsPlace) {
    const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
    const auto load = [&](const std::string& tls) {
        return config::load_text("listen:\n  - dialect: postgresql\n    address: 127.0.0.1:6432\n    tls:\n" + tls +
                                     "pools: {p: {url: \"postgresql://a:b@c\"}}\n",
                                 "f.yaml", {nothing, nothing, nothing}, check_tls_files);
    };
    const auto good =
        load("      mode: require\n      cert: " + path("one.crt") + "\n      key: " + path("one.key") + "\n");
    EXPECT_TRUE(good.config);
    EXPECT_TRUE(good.problems.empty());
    const auto bad =
        load("      mode: require\n      cert: " + path("one.crt") + "\n      key: " + path("two.key") + "\n");
    EXPECT_FALSE(bad.config);
    ASSERT_EQ(bad.problems.size(), 1u);
    EXPECT_TRUE(bad.problems[0].render().starts_with("f.yaml:7: listen[0].tls.key: ")) << bad.problems[0].render();
    EXPECT_TRUE(load("      mode: disable\n      cert: /no/such\n      key: /no/such\n").config) << "nobody reads them";
}

TEST_F(CertificatesTest, GivesNewConnectionsWhatWasReadLast) {
    config::Config config;
    config.listen = {listen};
    Certificates certificates;
    EXPECT_EQ(certificates.of(config.listen[0]), nullptr) << "nothing was read yet";
    auto readings = certificates.read(config);
    ASSERT_EQ(readings.size(), 1u);
    EXPECT_EQ(readings[0].error, "");
    const auto first = certificates.of(config.listen[0]);
    ASSERT_NE(first, nullptr);
    issue("one");
    readings = certificates.read(config);
    EXPECT_EQ(readings[0].error, "");
    EXPECT_NE(certificates.of(config.listen[0]), first);
}

TEST_F(CertificatesTest, KeepsTheOldOnesWhenTheNewOnesAreUnusable) {
    config::Config config;
    config.listen = {listen};
    Certificates certificates;
    (void)certificates.read(config);
    const auto first = certificates.of(config.listen[0]);
    write("one.crt", "half a certifi");
    const auto readings = certificates.read(config);
    ASSERT_EQ(readings.size(), 1u);
    EXPECT_NE(readings[0].error.find(path("one.crt")), std::string::npos) << readings[0].error;
    EXPECT_EQ(certificates.of(config.listen[0]), first);
}

TEST_F(CertificatesTest, OffersTlsNeitherWhereItIsDisabledNorOnUnixSockets) {
    config::Config config;
    config.listen = {listen, listen};
    config.listen[0].tls.mode = config::TlsMode::disable;
    config.listen[1].host = "/run/leasehold/.s.PGSQL.6432";
    Certificates certificates;
    EXPECT_TRUE(certificates.read(config).empty());
    EXPECT_EQ(certificates.of(config.listen[0]), nullptr);
    EXPECT_EQ(certificates.of(config.listen[1]), nullptr);
}

}  // namespace
}  // namespace leasehold::daemon
