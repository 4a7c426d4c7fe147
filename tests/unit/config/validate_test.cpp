// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/config/loading.hpp"

namespace leasehold::config {
namespace {

std::string file(const std::string& listen, const std::string& pools, const std::string& rest = {}) {
    return "listen: [" + listen + "]\npools: {" + pools + "}\n" + rest;
}
const std::string pg = "{dialect: postgresql, address: 127.0.0.1:6432}";
const std::string my = "{dialect: mysql, address: 127.0.0.1:6033}";
const std::string a = "a: {url: \"postgresql://u:p@h/a\"}";
const std::string m = "m: {url: \"mysql://u:p@h/m\"}";

std::string problem(const std::string& listen, const std::string& pools, const std::string& rest = {}) {
    return only_problem(load(file(listen, pools, rest)));
}

TEST(Validate, LetsAPoolsNameAndAliasesStandOnce) {
    EXPECT_EQ(problem(pg, a + ", b: {url: \"postgresql://u:p@h/b\", alias: [c, a]}"),
              "f.yaml:2: pools.b.alias[1]: \"a\" is the name or an alias of a pool already");
    EXPECT_EQ(
        problem(pg, "a: {url: \"postgresql://u:p@h/a\", alias: [x]}, b: {url: \"postgresql://u:p@h/b\", alias: [x]}"),
        "f.yaml:2: pools.b.alias[0]: \"x\" is the name or an alias of a pool already");
    EXPECT_EQ(problem(pg, "a: {url: \"postgresql://u:p@h/a\", alias: [x, x]}"),
              "f.yaml:2: pools.a.alias[1]: \"x\" stands twice");
    EXPECT_EQ(problem(pg, "a: {url: \"postgresql://u:p@h/a\", alias: [\"\"]}"),
              "f.yaml:2: pools.a.alias[0]: \"\" is an empty name");
}

TEST(Validate, KeepsTheConsolesNameFree) {
    EXPECT_EQ(problem(pg, a, "admin: {database: a}\n"),
              "f.yaml:3: admin.database: \"a\" is the name or an alias of a pool too; the console and a pool cannot "
              "share a name");
    EXPECT_EQ(problem(pg, "leasehold: {url: \"postgresql://u:p@h/a\"}"),
              "f.yaml: admin.database: \"leasehold\" is the name or an alias of a pool too; the console and a pool "
              "cannot share a name");
}

TEST(Validate, KnowsThePoolsThatAListenerNames) {
    EXPECT_EQ(problem("{dialect: postgresql, address: 127.0.0.1:6432, pools: [orders]}",
                      "oders: {url: \"postgresql://u:p@h/a\", alias: [x]}"),
              "not one problem but:\n"
              "f.yaml:1: listen[0].pools[0]: there is no pool \"orders\"; did you mean oders?\n"
              "f.yaml:2: warning: pools.oders: no listener serves this pool; add - {dialect: postgresql, address: ...} "
              "to listen\n");
    EXPECT_EQ(problem("{dialect: postgresql, address: 127.0.0.1:6432, pools: [a, m]}, " + my, a + ", " + m),
              "f.yaml:1: listen[0].pools[1]: the pool \"m\" speaks mysql, this listener postgresql");
    EXPECT_EQ(problem("{dialect: postgresql, address: 127.0.0.1:6432, default_pool: b}", a),
              "f.yaml:1: listen[0].default_pool: there is no pool \"b\"");
    EXPECT_EQ(problem("{dialect: postgresql, address: 127.0.0.1:6432, pools: [a], default_pool: b}, {dialect: "
                      "postgresql, address: 127.0.0.1:6433}",
                      a + ", b: {url: \"postgresql://u:p@h/b\"}"),
              "f.yaml:1: listen[0].default_pool: the pool \"b\" is not served by this listener");
    EXPECT_EQ(rendered(load(file("{dialect: postgresql, address: 127.0.0.1:6432, pools: [x], default_pool: x}",
                                 "a: {url: \"postgresql://u:p@h/a\", alias: [x]}"))),
              "")
        << "an alias names a pool too";
}

TEST(Validate, NoticesListenersAndPoolsWithoutEachOther) {
    EXPECT_EQ(problem(pg + ", " + my, a),
              "f.yaml:1: warning: listen[1]: there is no mysql pool to serve here; add one, or remove the listener");
    EXPECT_EQ(
        problem(pg, a + ", " + m),
        "f.yaml:2: warning: pools.m: no listener serves this pool; add - {dialect: mysql, address: ...} to listen");
    EXPECT_EQ(rendered(load(file(pg + ", " + my, a + ", m: {url: \"mariadb://u:p@h/m\"}"))), "");
}

TEST(Validate, RefusesAddressesThatCollide) {
    EXPECT_EQ(problem(pg + ", " + pg, a), "f.yaml:1: listen[1].address: the same address as listen[0].address");
    EXPECT_EQ(problem("{dialect: postgresql, address: 0.0.0.0:6432}, " + pg, a),
              "f.yaml:1: listen[1].address: the same address as listen[0].address");
    EXPECT_EQ(problem("{dialect: postgresql, address: \"[::]:6432\"}, " + pg, a),
              "f.yaml:1: listen[1].address: the same address as listen[0].address");
    EXPECT_EQ(problem("{dialect: postgresql, address: 127.0.0.1:9187}", a),
              "f.yaml:1: listen[0].address: the same address as admin.http");
    EXPECT_EQ(problem("{dialect: postgresql, address: unix:/s}, {dialect: postgresql, address: unix:/s}", a),
              "f.yaml:1: listen[1].address: the same address as listen[0].address");
    EXPECT_EQ(rendered(load(file("{dialect: postgresql, address: 127.0.0.1:9187}", a, "admin: {http: off}\n"))), "");
    EXPECT_EQ(
        rendered(load(file(
            pg + ", {dialect: postgresql, address: 127.0.0.2:6432}, {dialect: postgresql, address: \"[::1]:6432\"}",
            a))),
        "");
}

TEST(Validate, KeepsTheControlSocketApartFromListeners) {
    EXPECT_EQ(
        only_problem(load(file("{dialect: postgresql, address: \"unix:/run/s\"}", a, "admin: {socket: /run/s}\n"))),
        "f.yaml:3: admin.socket: the same address as listen[0].address");
}

TEST(Validate, WarnsOfAStatusPageThatOthersReach) {
    const auto rendered_with = [](const std::string& http) {
        return rendered(load(file(pg, a, "admin: {http: \"" + http + "\"}\n")));
    };
    EXPECT_EQ(rendered_with("0.0.0.0:9187"),
              "f.yaml:3: warning: admin.http: everybody who reaches \"0.0.0.0\" sees users, clients and statements "
              "(masked) there, without a password; use 127.0.0.1, or let a firewall choose who gets there\n");
    for (const std::string fine : {"127.0.0.1:9187", "127.0.0.9:1", "localhost:9187", "[::1]:9187", "off"}) {
        EXPECT_EQ(rendered_with(fine), "") << fine;
    }
}

TEST(Validate, ComparesSizes) {
    EXPECT_EQ(only_problem(load(with("min_idle: 6"))),
              "f.yaml:6: pools.orders.min_idle: is larger than pool_size 5; only pool_size idle backends are kept");
    EXPECT_EQ(rendered(load(with("min_idle: 5"))), "");
    EXPECT_EQ(rendered(load(with("min_idle: 500\n    pool_size: 0"))), "");
    EXPECT_EQ(
        only_problem(load(with("pool_size: 81", "servers: {\"db:5432\": {max_connections: 80}}\n"))),
        "f.yaml:6: warning: pools.orders.pool_size: is larger than the 80 connections that servers allows to db:5432");
    EXPECT_EQ(only_problem(load(with("", "servers: {\"bd:5432\": {max_connections: 80}}\n"))),
              "f.yaml:6: warning: servers.bd:5432: no pool's URL names this server; did you mean db:5432?");
    EXPECT_EQ(only_problem(load(with("", "servers: {db: {max_connections: 80}}\n"))),
              "f.yaml:6: servers.db: is no host:port; write \"db.internal:5432\"");
}

TEST(Validate, SaysWhatHasNoEffectInAMode) {
    EXPECT_EQ(only_problem(load(with("mode: statement\n    transaction_timeout: 1s"))),
              "f.yaml:7: warning: pools.orders.transaction_timeout: has no effect in statement mode, which has no "
              "transactions");
    EXPECT_EQ(only_problem(load(with("pool_reset_on_return: none"))),
              "f.yaml:6: warning: pools.orders.pool_reset_on_return: has no effect outside session mode: nothing dirty "
              "is ever shared");
    EXPECT_EQ(rendered(load(with("pool_reset_on_return: none\n    mode: session"))), "");
    EXPECT_EQ(
        only_problem(load(with("transaction_timeout: 1s\n    transaction_idle_timeout: 2s"))),
        "f.yaml:7: warning: pools.orders.transaction_idle_timeout: has no effect: transaction_timeout is shorter");
}

TEST(Validate, SaysWhoCannotLogIn) {
    const std::string open = "{dialect: postgresql, address: 127.0.0.1:6432, auth: trust}";
    const std::string no_password = "a: {url: \"postgresql://u@h/a\"}";
    EXPECT_EQ(problem(pg, no_password),
              "f.yaml:2: warning: pools.a.url: has no password: nobody can log in to this pool over TCP; "
              "give the URL a password, or the listener auth: trust or cert");
    EXPECT_EQ(rendered(load(file(open, no_password))), "");
    EXPECT_EQ(rendered(load(file("{dialect: postgresql, address: unix:/s}", no_password))), "");
    EXPECT_EQ(rendered(load(file(pg, no_password, "users: [{name: x, password: y}]\n"))), "");
    EXPECT_EQ(rendered(load(file(pg, "a: {url: \"postgresql://u:@h/a\"}"))), "") << "an empty password is one";
    EXPECT_EQ(problem(pg, "a: {url: \"postgresql://h/a\"}"),
              "f.yaml:2: warning: pools.a.url: names no user, and users has none for this pool: nobody can log in; "
              "write user:password@ in front of the host");
}

TEST(Validate, WarnsOfTrustThatStrangersReach) {
    EXPECT_EQ(problem("{dialect: postgresql, address: 0.0.0.0:6432, auth: trust}", a),
              "f.yaml:1: warning: listen[0].auth: trust on 0.0.0.0 lets in everybody who reaches it; listen on "
              "127.0.0.1, or choose scram");
    EXPECT_EQ(rendered(load(file("{dialect: postgresql, address: \"[::1]:6432\", auth: trust}", a))), "");
}

TEST(Validate, RefusesAuthThatCannotWork) {
    EXPECT_NE(problem("{dialect: postgresql, address: 127.0.0.1:6432, auth: peer}", a)
                  .find("peer asks the kernel who a client is, and needs a unix socket"),
              std::string::npos);
    EXPECT_NE(
        problem("{dialect: postgresql, address: 127.0.0.1:6432, auth: cert}", a).find("cert needs client certificates"),
        std::string::npos);
    EXPECT_NE(problem("{dialect: postgresql, address: 127.0.0.1:6432, auth: cleartext}", a)
                  .find("cleartext would send passwords readably"),
              std::string::npos);
    EXPECT_EQ(problem("{dialect: mysql, address: 127.0.0.1:6033, auth: scram}", m),
              "f.yaml:1: listen[0].auth: is PostgreSQL's; MySQL clients log in by mysql_native_password or "
              "caching_sha2_password, as they choose; remove the line");
}

TEST(Validate, KnowsThePoolsThatUsersName) {
    EXPECT_EQ(problem(pg, a, "users: [{name: x, password: y, pools: [aa]}]\n"),
              "f.yaml:3: users[0].pools[0]: there is no pool \"aa\"; did you mean a?");
    EXPECT_EQ(problem(pg, a, "users: [{name: x, password: y}, {name: x, password: z, pools: [a]}]\n"),
              "f.yaml:3: users[1].name: the user \"x\" stands twice for the same pool; the other is users[0]");
    EXPECT_EQ(rendered(load(file(pg, a + ", b: {url: \"postgresql://u:p@h/b\"}",
                                 "users: [{name: x, password: y, pools: [b]}, {name: x, password: z, pools: [a]}]\n"))),
              "");
    EXPECT_EQ(
        problem(pg, a, "users: [{name: u, password: other}]\n"),
        "f.yaml:3: warning: users[0].name: \"u\" is the own user of the URL of pool \"a\", with another password");
    EXPECT_EQ(problem(pg, a, "users: [{name: x}]\n"),
              "f.yaml:3: warning: users[0]: has no password: this user can log in by trust, cert or peer only");
    EXPECT_EQ(problem(pg, a, "users: [{password: x}]\n"),
              "f.yaml:3: users[0].name: is missing; write {name: reports, password: !credential reports}");
    EXPECT_EQ(problem(pg, a, "users: [{name: x, password: y, as: self}]\n"),
              "f.yaml:3: users[0].as: \"self\" is not one of pool");
    EXPECT_EQ(problem(pg, a, "admin: {users: [x]}\n"),
              "f.yaml:3: warning: admin.users[0]: nobody of the name \"x\" can log in");
    EXPECT_EQ(rendered(load(file(pg, a, "admin: {users: [u]}\n"))), "");
}

TEST(Validate, LetsATemplateStandForEveryOtherName) {
    const std::string everything = a + ", '*': {url: \"postgresql://u:p@h\"}";
    const std::string listen =
        "{dialect: postgresql, address: 127.0.0.1:6432, pools: [a, tenant1], default_pool: tenant2}";
    EXPECT_EQ(rendered(load(file(listen, everything, "users: [{name: x, password: y, pools: [tenant3]}]\n"))), "");
    EXPECT_EQ(rendered(load(file(pg, "'*': {url: \"postgresql://u:p@h\", alias: [b]}"))),
              "f.yaml:2: pools.*.alias: a template has no other name\n");
}

TEST(Validate, LetsTlsNameItsFiles) {
    EXPECT_EQ(rendered(load(file("{dialect: postgresql, address: 127.0.0.1:6432, tls: {mode: prefer}}", a))),
              "f.yaml:1: listen[0].tls.cert: is missing; TLS needs a certificate and its key\n"
              "f.yaml:1: listen[0].tls.key: is missing; TLS needs a certificate and its key\n");
    EXPECT_EQ(problem("{dialect: postgresql, address: 127.0.0.1:6432, tls: {mode: verify-ca, cert: c, key: k}}", a),
              "f.yaml:1: listen[0].tls.client_ca: is missing; it says whose client certificates are trusted");
}

TEST(Validate, ShowsTheFilesOfTlsToWhoeverCanReadThem) {
    std::vector<std::string> shown;
    const auto check = [&](const Tls& tls) {
        shown.push_back(tls.cert);
        return std::vector<TlsFinding>{{"key", "does not fit", "take the other", true}, {"cert", "is old", {}, false}};
    };
    const std::string tls = "tls: {mode: require, cert: c, key: k}";
    const Loaded loaded = load_text(file("{dialect: postgresql, address: 127.0.0.1:6432, " + tls + "}", a), "f.yaml",
                                    fake_secrets(), check);
    EXPECT_FALSE(loaded.config);
    EXPECT_EQ(
        rendered(loaded),
        "f.yaml:1: warning: listen[0].tls.cert: is old\nf.yaml:1: listen[0].tls.key: does not fit; take the other\n");
    EXPECT_EQ(shown, std::vector<std::string>{"c"});
    for (const char* unread : {"tls: {mode: prefer, cert: c}", "tls: {mode: disable, cert: c, key: k}"}) {
        (void)load_text(file(std::string("{dialect: postgresql, address: 127.0.0.1:6432, ") + unread + "}", a),
                        "f.yaml", fake_secrets(), check);
    }
    EXPECT_EQ(shown.size(), 1u) << "what is not used is not looked at";
}

TEST(Validate, SaysWhatUnixSocketsHaveNoUseFor) {
    const std::string tls = "tls: {mode: verify-full, cert: c, key: k, client_ca: c}";
    EXPECT_EQ(problem("{dialect: postgresql, address: unix:/s, " + tls + "}", a),
              "f.yaml:1: warning: listen[0].tls: has no effect: unix sockets are never encrypted");
    EXPECT_NE(
        rendered(load(file("{dialect: postgresql, address: unix:/s, auth: cert, " + tls + "}", a)))
            .find("listen[0].auth: cert needs client certificates, and unix sockets are never encrypted; choose peer"),
        std::string::npos);
}

TEST(Validate, SaysWhereAMapHasNoEffect) {
    const std::string none =
        "listen[0].map: has no effect: it maps the names that peer and certificates tell; set auth: peer or cert, or "
        "tls: {mode: verify-full, ...}";
    const std::string tls = ", tls: {cert: c, key: k, client_ca: c, mode: ";
    const std::string tcp = "{dialect: postgresql, address: 127.0.0.1:6432, map: {x: y}";
    const std::string local = "{dialect: postgresql, address: unix:/s, map: {x: y}";
    EXPECT_EQ(problem(tcp + "}", a), "f.yaml:1: warning: " + none);
    EXPECT_EQ(problem(tcp + tls + "verify-ca}}", a), "f.yaml:1: warning: " + none);
    EXPECT_EQ(problem(local + ", auth: scram}", a), "f.yaml:1: warning: " + none);
    EXPECT_EQ(rendered(load(file(tcp + tls + "verify-full}}", a))), "");
    EXPECT_EQ(rendered(load(file(tcp + ", auth: cert" + tls + "verify-ca}}", a))), "");
    EXPECT_EQ(rendered(load(file(local + "}", a))), "");
    EXPECT_EQ(rendered(load(file(local + ", auth: peer}", a))), "");
}

TEST(Validate, IsQuickOnManyPools) {
    std::string pools;
    for (int i = 0; i < 2000; ++i)
        pools += (i > 0 ? ", " : "") + std::string("p") + std::to_string(i) +
                 ": {url: \"postgresql://u:p@h/a\", alias: [a" + std::to_string(i) + "]}";
    const Loaded loaded = load(file(pg, pools));
    EXPECT_EQ(rendered(loaded), "");
    EXPECT_EQ(loaded.config.value().pools.size(), 2000u);
}

}  // namespace
}  // namespace leasehold::config
