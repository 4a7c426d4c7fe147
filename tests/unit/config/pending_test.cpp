// SPDX-License-Identifier: Apache-2.0
#include "config/pending.hpp"

#include "tests/unit/config/loading.hpp"

namespace leasehold::config {
namespace {

Loaded with_query(const std::string& query) {
    return load(
        "listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  orders:\n    url: "
        "postgresql://app:pw@db:5432/orders" +
        query + "\n");
}

TEST(Pending, SaysOncePerKindWhatComesLater) {
    const Loaded loaded = load(
        "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n"
        "  a: {url: \"postgresql://u:p@h/a\", audit: 2%, soft_hold: 1s}\n"
        "  b: {url: \"postgresql://u:p@h/b\", soft_hold: 2s}\n"
        "  c: {url: \"postgresql://u:p@h/c\", audit: 1%, max_replication: 2, echo: true}\n"
        "limits: {max_clients_per_user: 5, max_clients_per_address: 6}\n"
        "log: {slow_statement: 1s, slow_wait: 1s}\nadmin: {http: 127.0.0.1:9188}\n");
    EXPECT_TRUE(loaded.config);
    EXPECT_EQ(rendered(loaded),
              "f.yaml:3: warning: pools.a.soft_hold: holding softly comes with a later version (and 1 more like it)\n");
}

TEST(Pending, IsSilentAboutDefaultsAndWhatIsSwitchedOff) {
    EXPECT_EQ(rendered(load(with(""))), "");
    EXPECT_EQ(rendered(load(with("audit: 0%\n    soft_hold: 0\n    echo: false\n    max_replication: 0",
                                 "admin: {http: off}\n"))),
              "");
    EXPECT_EQ(rendered(with_query("?sslmode=disable&target_session_attrs=any&channel_binding=prefer")), "");
}

Loaded mysql_with_query(const std::string& query) {
    return load(
        "listen:\n  - {dialect: mysql, address: 127.0.0.1:6033}\npools:\n  shop:\n    url: "
        "mysql://app:pw@db:3306/shop" +
        query + "\n");
}

TEST(Pending, HasNothingToSayOfTlsToClients) {
    for (const std::string dialect : {"postgresql", "mysql"}) {
        for (const char* mode : {"allow", "prefer", "require"}) {
            EXPECT_EQ(rendered(load("listen: [{dialect: " + dialect +
                                    ", address: 127.0.0.1:6432, tls: {cert: a, key: b, mode: " + std::string(mode) +
                                    "}}]\npools: {p: {url: \"" + dialect + "://a:b@c\"}}\n")),
                      "")
                << dialect << ' ' << mode;
        }
    }
}

TEST(Pending, HasNothingToSayOfMysqlServers) {
    for (const char* query :
         {"?host=h1,h2", "?role=primary", "?host=h1,h2&role=replica", "?unix_socket=/run/s", "?ssl_mode=REQUIRED",
          "?ssl_mode=PREFERRED", "?ssl_mode=VERIFY_CA&ssl_ca=/ca", "?ssl_ca=system"})
        EXPECT_EQ(rendered(mysql_with_query(query)), "") << query;
}

TEST(Pending, HasNothingToSayOfPostgresServers) {
    for (const char* query :
         {"?sslmode=require", "?sslmode=prefer", "?sslmode=allow", "?host=h1,h2",
          "?sslmode=verify-full&sslrootcert=/ca", "?sslrootcert=system", "?sslmode=require&sslnegotiation=direct",
          "?channel_binding=require", "?host=h1,h2&target_session_attrs=prefer-standby"}) {
        EXPECT_EQ(rendered(with_query(query)), "") << query;
    }
}

}  // namespace
}  // namespace leasehold::config
