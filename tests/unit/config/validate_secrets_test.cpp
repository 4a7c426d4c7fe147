// SPDX-License-Identifier: Apache-2.0
// Hashes in place of passwords: the other database's, or such that nobody ever brings what dials.
#include "tests/unit/config/loading.hpp"

namespace leasehold::config {
namespace {

const std::string native = "\"*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B\"";
const std::string scram = "\"SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5\"";
const std::string md5 = "md5" + std::string(32, 'a');
const std::string sha2 = "\"$A$005$" + std::string(63, 'x') + "\"";

const std::string pg = "{dialect: postgresql, address: 127.0.0.1:6432}";
const std::string my = "{dialect: mysql, address: 127.0.0.1:6033}";

std::string url(const std::string& scheme, const std::string& secret) {
    std::string out = "url: \"" + scheme + "://u:";
    for (const char c : secret.front() == '"' ? secret.substr(1, secret.size() - 2) : secret)
        out += c == '$' ? "%24" : (c == '=' ? "%3D" : (c == ':' ? "%3A" : std::string(1, c)));
    return out + "@h/d\"";
}
std::string said(const std::string& listen, const std::string& pools, const std::string& users = {}) {
    return rendered(
        load("listen: [" + listen + "]\npools: {" + pools + "}\n" + (users.empty() ? "" : "users: [" + users + "]\n")));
}

const std::string a = "a: {url: \"postgresql://u:p@h/a\"}";
const std::string m = "m: {url: \"mysql://u:p@h/m\"}";

TEST(ValidateSecrets, NamesHashesOfTheOtherDatabaseInAUrl) {
    EXPECT_EQ(said(my, "m: {" + url("mysql", scram) + "}"),
              "f.yaml:2: warning: pools.m.url: its password is a SCRAM verifier, which is PostgreSQL's: for MySQL it "
              "is a password like any other; give the password itself, or the hash that this pool's server keeps\n");
    EXPECT_NE(said(my, "m: {" + url("mysql", md5) + "}").find("an md5 hash, which is PostgreSQL's"), std::string::npos);
    EXPECT_NE(said(pg, "a: {" + url("postgresql", native) + "}").find("a mysql_native_password hash, which is MySQL's"),
              std::string::npos);
    EXPECT_NE(said(pg, "a: {" + url("postgresql", sha2) + "}").find("a caching_sha2_password hash, which is MySQL's"),
              std::string::npos);
}

TEST(ValidateSecrets, LetsHashesOfTheRightDatabaseBe) {
    for (const std::string& secret : {native, sha2}) {
        EXPECT_EQ(said(my, "m: {" + url("mysql", secret) + "}"), "");
        EXPECT_EQ(said(my, m, "{name: r, password: " + secret + "}"), "");
        EXPECT_EQ(said(my, m, "{name: r, password: " + secret + ", pools: [m], as: pool}"), "");
    }
    for (const std::string& secret : {scram, md5}) {
        EXPECT_EQ(said(pg, "a: {" + url("postgresql", secret) + "}"), "");
        EXPECT_EQ(said(pg, a, "{name: r, password: " + secret + "}"), "");
    }
}

TEST(ValidateSecrets, NamesHashesOfTheOtherDatabaseInUsers) {
    EXPECT_EQ(said(pg, a, "{name: r, password: " + native + "}"),
              "f.yaml:3: warning: users[0].password: is a mysql_native_password hash, which is MySQL's: for the pool "
              "\"a\" it is a password like any other; give the password itself, or the hash that this pool's server "
              "keeps\n");
    EXPECT_EQ(said(pg + ", " + my, a + ", " + m, "{name: r, password: " + native + "}"), "")
        << "a user of all pools may be one of MySQL's only";
    EXPECT_NE(said(pg + ", " + my, a + ", " + m, "{name: r, password: " + native + ", pools: [a, m]}").find("\"a\""),
              std::string::npos);
}

TEST(ValidateSecrets, NamesHashesThatNobodyCompletes) {
    const std::string trusting = "{dialect: mysql, address: 127.0.0.1:6033, auth: trust}";
    EXPECT_EQ(
        said(trusting, "m: {" + url("mysql", sha2) + "}"),
        "f.yaml:2: warning: pools.m.url: its password is a caching_sha2_password hash, which logs in to no server "
        "until a client has shown the password, and none of this pool's listeners asks for one; give the password "
        "itself, or a listener that asks for passwords\n");
    EXPECT_EQ(said(trusting + ", {dialect: mysql, address: \"unix:/run/m\"}", "m: {" + url("mysql", sha2) + "}"), "");
    EXPECT_NE(said("{dialect: postgresql, address: \"unix:/run/p\"}", "a: {" + url("postgresql", scram) + "}")
                  .find("none of this pool's listeners asks"),
              std::string::npos)
        << "on PostgreSQL's unix sockets the kernel is asked";
    EXPECT_EQ(said("{dialect: postgresql, address: \"unix:/run/p\"}", "a: {" + url("postgresql", md5) + "}"), "")
        << "an md5 hash logs in by itself";
    EXPECT_EQ(
        said(trusting, m, "{name: r, password: " + native + "}"),
        "f.yaml:3: warning: users[0].password: is a mysql_native_password hash, which logs in to no server until a "
        "client has shown the password, and none of this user's listeners asks for one; give the password itself, "
        "or a listener that asks for passwords\n");
    EXPECT_EQ(said(trusting, m, "{name: r, password: " + native + ", as: pool}"), "") << "the URL's user dials";
}

TEST(ValidateSecrets, SaysWhatAHashKeepsWaiting) {
    EXPECT_EQ(said(my, "m: {" + url("mysql", native) + ", min_idle: 2}"),
              "f.yaml:2: warning: pools.m.min_idle: has no effect before the first login: the URL's password is a "
              "mysql_native_password hash; give the URL the password itself\n");
    EXPECT_EQ(said(my, "m: {" + url("mysql", native) + "}", "{name: r, password: secret, as: pool}"),
              "f.yaml:3: warning: users[0].as: shares the URL's user of pool \"m\", whose password is a "
              "mysql_native_password hash: nobody is served before that user has logged in; give the URL the password "
              "itself\n");
}

}  // namespace
}  // namespace leasehold::config
