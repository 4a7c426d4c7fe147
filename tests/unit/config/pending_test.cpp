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
        "  b: {url: \"postgresql://u:p@h/b\", audit: all}\n"
        "  c: {url: \"postgresql://u:p@h/c\", audit: 1%, max_replication: 2, echo: true}\n"
        "limits: {max_clients_per_user: 5, max_clients_per_address: 6}\n"
        "log: {slow_statement: 1s, slow_wait: 1s}\nadmin: {http: 127.0.0.1:9188}\n");
    EXPECT_TRUE(loaded.config);
    EXPECT_EQ(
        rendered(loaded),
        "f.yaml:3: warning: pools.a.audit: the audit of hidden state comes with a later version (and 2 more like it)\n"
        "f.yaml:3: warning: pools.a.soft_hold: holding softly comes with a later version\n"
        "f.yaml:5: warning: pools.c.max_replication: replication connections come with a later version\n"
        "f.yaml:5: warning: pools.c.echo: logging statements comes with a later version\n"
        "f.yaml:6: warning: limits.max_clients_per_user: comes with a later version; not enforced\n"
        "f.yaml:6: warning: limits.max_clients_per_address: comes with a later version; not enforced\n"
        "f.yaml:7: warning: log.slow_statement: comes with a later version\n"
        "f.yaml:7: warning: log.slow_wait: comes with a later version\n"
        "f.yaml:8: warning: admin.http: the status page comes with a later version\n");
}

TEST(Pending, IsSilentAboutDefaultsAndWhatIsSwitchedOff) {
    EXPECT_EQ(rendered(load(with(""))), "");
    EXPECT_EQ(rendered(load(with("audit: 0%\n    soft_hold: 0\n    echo: false\n    max_replication: 0",
                                 "admin: {http: off}\n"))),
              "");
    EXPECT_EQ(rendered(with_query("?sslmode=disable&target_session_attrs=any&channel_binding=prefer")), "");
}

TEST(Pending, RefusesToPretendThatAConnectionIsEncrypted) {
    for (const char* mode : {"require", "verify-ca", "verify-full"}) {
        const Loaded loaded = with_query(std::string("?sslmode=") + mode);
        EXPECT_FALSE(loaded.config) << mode;
        EXPECT_EQ(
            only_problem(loaded),
            "f.yaml:5: pools.orders.url: TLS is not available in this version; a plain connection would be a lie");
    }
    EXPECT_FALSE(with_query("?channel_binding=require").config);
    EXPECT_FALSE(with_query("?sslnegotiation=direct").config);
    const Loaded listener = load(
        "listen:\n  - dialect: postgresql\n    address: 127.0.0.1:6432\n    tls:\n      mode: require\n      cert: a\n "
        "     key: b\n"
        "pools: {p: {url: \"postgresql://a:b@c\"}}\n");
    EXPECT_FALSE(listener.config);
    EXPECT_EQ(only_problem(listener),
              "f.yaml:5: listen[0].tls.mode: TLS is not available in this version; a plain connection would be a lie");
}

TEST(Pending, WarnsWhenAPlainConnectionIsAllowedAnyway) {
    EXPECT_EQ(only_problem(with_query("?sslmode=prefer")),
              "f.yaml:5: warning: pools.orders.url: TLS to servers comes with a later version; connections are plain");
    EXPECT_EQ(only_problem(with_query("?sslmode=allow")),
              "f.yaml:5: warning: pools.orders.url: TLS to servers comes with a later version; connections are plain");
}

TEST(Pending, WarnsOfSeveralHostsAndTheTemplate) {
    EXPECT_EQ(only_problem(with_query("?host=h1,h2")),
              "f.yaml:5: warning: pools.orders.url: several hosts are tried in order; choosing "
              "among them by role comes with a later version");
    EXPECT_EQ(only_problem(with_query("?target_session_attrs=read-write")),
              "f.yaml:5: warning: pools.orders.url: target_session_attrs and role come with a later version; any "
              "server is taken");
    EXPECT_EQ(only_problem(load("listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n  '*': {url: "
                                "\"postgresql://a:b@c\"}\n")),
              "f.yaml:3: warning: pools.*: the template pool comes with a later version");
}

}  // namespace
}  // namespace leasehold::config
