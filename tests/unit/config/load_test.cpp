// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/config/loading.hpp"

namespace leasehold::config {
namespace {

TEST(Load, TakesDefaultsForWhatIsAbsent) {
    const Loaded loaded = load(with(""));
    ASSERT_TRUE(loaded.config) << rendered(loaded);
    EXPECT_EQ(rendered(loaded), "");
    const Config& config = *loaded.config;
    ASSERT_EQ(config.listen.size(), 1u);
    EXPECT_EQ(config.listen[0].dialect, "postgresql");
    EXPECT_EQ(config.listen[0].host, "127.0.0.1");
    EXPECT_EQ(config.listen[0].port, 6432);
    EXPECT_EQ(config.listen[0].line, 2);
    ASSERT_EQ(config.pools.size(), 1u);
    EXPECT_EQ(config.pools[0].name, "orders");
    EXPECT_EQ(config.pools[0].line, 4);
    EXPECT_EQ(config.pools[0].url.password, "pw");
    EXPECT_EQ(config.pools[0].pool_size, 5);
    EXPECT_EQ(config.pools[0].pool_recycle, Duration(1h));
    EXPECT_EQ(config.workers, 0);
    EXPECT_EQ(config.file, "f.yaml");
    EXPECT_EQ(config.admin.http_port, 9187);
}

// The reference of the configuration in one piece.
constexpr const char* everything = R"(
listen:
  - {dialect: postgresql, address: 127.0.0.1:6432, pools: [orders], default_pool: orders}
  - {dialect: mysql,      address: 127.0.0.1:6033}
  - {dialect: postgres, address: "unix:/run/leasehold/.s.PGSQL.6432", auth: scram,
     tls: {mode: disable, cert: a, key: b, client_ca: c}}
workers: 4
pools:
  orders:
    url: postgresql+psycopg2://app:kx%25jj5%2Fg@db.internal:5432/orders?sslmode=disable
    alias: [bestellungen, '2']
    mode: session
    pool_size: 7
    max_overflow: -1
    pool_timeout: 1.5
    pool_recycle: -1
    pool_pre_ping: false
    pool_use_lifo: false
    pool_reset_on_return: none
    isolation_level: read_committed
    echo: true
    min_idle: 7
    idle_timeout: 0
    transaction_idle_timeout: 30s
    transaction_timeout: 5m
    query_timeout: 250ms
    quarantine_timeout: 6s
    pin_idle_timeout: 0
    on_backend_loss: disconnect
    dial_parallel: 3
    dial_timeout: 4s
    ping_timeout: 2s
    prepared_per_backend: 201
    prepared_per_client: 1001
    soft_hold: 0
    audit: 0%
    max_replication: 0
  shop:
    url: mysql://s:p@[::1]/shop
    isolation_level:
users:
  - {name: reports, password: !credential reports, pools: [orders]}
  - {name: batch, password: "${BATCH}", as: pool}
admin: {database: console, users: [reports], http: off}
log: {level: debug, target: /var/log/l.log, format: json, slow_statement: 0, slow_wait: 0,
      quarantine_keep_literals: true}
limits: {max_clients: 1, max_clients_per_user: 0, max_clients_per_address: 0, handshake_timeout: 1s,
         max_startup_bytes: 512,
         max_settings_per_session: 2, max_statement_cache_bytes: 1MiB, max_template_pools: 3}
drain_timeout: 31s
servers: {"db.internal:5432": {max_connections: 80}, "[::1]:3306": {max_connections: 9}}
)";

TEST(Load, ReadsEveryKey) {
    const Loaded loaded = load(everything, {{"credential:reports", "r"}, {"$BATCH", "b"}});
    ASSERT_TRUE(loaded.config) << rendered(loaded);
    EXPECT_EQ(rendered(loaded), "");
    const Config& c = *loaded.config;
    EXPECT_EQ(c.listen[0].pools, std::vector<std::string>{"orders"});
    EXPECT_EQ(c.listen[0].default_pool, "orders");
    EXPECT_EQ(c.listen[1].dialect, "mysql");
    EXPECT_EQ(c.listen[2].dialect, "postgresql");
    EXPECT_EQ(c.listen[2].host, "/run/leasehold/.s.PGSQL.6432");
    EXPECT_EQ(c.listen[2].port, 0);
    EXPECT_EQ(c.listen[2].auth, AuthMethod::scram);
    EXPECT_EQ(c.listen[2].tls.client_ca, "c");
    EXPECT_EQ(c.workers, 4);
    const Pool& p = c.pools.at(0);
    EXPECT_EQ(p.url.password, "kx%jj5/g");
    EXPECT_EQ(p.alias, (std::vector<std::string>{"bestellungen", "2"}));
    EXPECT_EQ(p.mode, Mode::session);
    EXPECT_EQ(p.pool_size, 7);
    EXPECT_EQ(p.max_overflow, -1);
    EXPECT_EQ(p.pool_timeout, 1500ms);
    EXPECT_EQ(p.pool_recycle, std::nullopt);
    EXPECT_FALSE(p.pool_pre_ping);
    EXPECT_FALSE(p.pool_use_lifo);
    EXPECT_EQ(p.pool_reset_on_return, ResetOnReturn::none);
    EXPECT_EQ(p.isolation_level, "READ COMMITTED");
    EXPECT_TRUE(p.echo);
    EXPECT_EQ(p.min_idle, 7);
    EXPECT_EQ(p.idle_timeout, 0s);
    EXPECT_EQ(p.transaction_idle_timeout, 30s);
    EXPECT_EQ(p.transaction_timeout, 5min);
    EXPECT_EQ(p.query_timeout, 250ms);
    EXPECT_EQ(p.quarantine_timeout, 6s);
    EXPECT_EQ(p.on_backend_loss, OnBackendLoss::disconnect);
    EXPECT_EQ(p.dial_parallel, 3);
    EXPECT_EQ(p.dial_timeout, 4s);
    EXPECT_EQ(p.ping_timeout, 2s);
    EXPECT_EQ(p.prepared_per_backend, 201);
    EXPECT_EQ(p.prepared_per_client, 1001);
    EXPECT_EQ(p.soft_hold, 0s);
    EXPECT_EQ(p.audit, 0.0);
    EXPECT_EQ(c.pools.at(1).isolation_level, "");
    EXPECT_EQ(c.users.at(0).password, "r");
    EXPECT_FALSE(c.users.at(0).as_pool);
    EXPECT_EQ(c.users.at(1).password, "b");
    EXPECT_TRUE(c.users.at(1).as_pool);
    EXPECT_EQ(c.admin.database, "console");
    EXPECT_EQ(c.admin.users, std::vector<std::string>{"reports"});
    EXPECT_EQ(c.admin.http_port, 0);
    EXPECT_EQ(c.log.level, LogLevel::debug);
    EXPECT_EQ(c.log.target, LogTarget::file);
    EXPECT_EQ(c.log.file, "/var/log/l.log");
    EXPECT_EQ(c.log.format, LogFormat::json);
    EXPECT_TRUE(c.log.quarantine_keep_literals);
    EXPECT_EQ(c.limits.max_clients, 1);
    EXPECT_EQ(c.limits.handshake_timeout, 1s);
    EXPECT_EQ(c.limits.max_startup_bytes, 512u);
    EXPECT_EQ(c.limits.max_settings_per_session, 2);
    EXPECT_EQ(c.limits.max_statement_cache_bytes, 1u << 20);
    EXPECT_EQ(c.limits.max_template_pools, 3);
    EXPECT_EQ(c.drain_timeout, 31s);
    EXPECT_EQ(c.servers.at("db.internal:5432").max_connections, 80);
    EXPECT_EQ(c.servers.at("[::1]:3306").max_connections, 9);
}

TEST(Load, NamesFileLineAndNearestKeyOfAnUnknownOne) {
    const Loaded loaded = load(with("pool_sise: 5"));
    EXPECT_FALSE(loaded.config);
    EXPECT_EQ(only_problem(loaded), "f.yaml:6: pools.orders.pool_sise: unknown key; did you mean pool_size?");
    EXPECT_EQ(loaded.problems.front().column, 5);
    EXPECT_EQ(only_problem(load(with("", "worker: 4\n"))), "f.yaml:6: worker: unknown key; did you mean workers?");
    EXPECT_EQ(only_problem(load(with("", "limits: {max_client: 4}\n"))),
              "f.yaml:6: limits.max_client: unknown key; did you mean max_clients?");
    EXPECT_EQ(only_problem(load(with("frobnicate: 4"))), "f.yaml:6: pools.orders.frobnicate: unknown key");
    EXPECT_EQ(only_problem(load(with("", "users: [{name: a, password: b, pool: orders}]\n"))),
              "f.yaml:6: users[0].pool: unknown key; did you mean pools?");
    EXPECT_EQ(only_problem(load(with("<<: {pool_size: 5}"))),
              "f.yaml:6: pools.orders.<<: unknown key; merge keys are not supported");
}

TEST(Load, RefusesAKeyThatStandsTwice) {
    EXPECT_EQ(only_problem(load(with("pool_size: 5\n    pool_size: 6"))),
              "f.yaml:7: pools.orders.pool_size: stands twice; the first is on line 6");
    EXPECT_EQ(only_problem(load(with("", "  orders: {url: \"postgresql://a:b@c\"}\n"))),
              "f.yaml:6: pools.orders: stands twice; the first is on line 4");
    EXPECT_EQ(only_problem(load(with("", "log: {}\nlog: {}\n"))),
              "f.yaml:7: log: stands twice; the first is on line 6");
    EXPECT_EQ(only_problem(load(with("", "servers: {\"db:5432\": {}, 'db:5432': {}}\n"))),
              "f.yaml:6: servers.db:5432: stands twice; the first is on line 6");
}

TEST(Load, ReportsAllProblemsInTheFilesOrder) {
    const Loaded loaded = load(
        "pools:\n  a: {url: nonsense, pool_size: many}\n  b: {mode: transactoin}\nlisten:\n  - {dialect: "
        "oracle}\nwrokers: 1\n");
    EXPECT_FALSE(loaded.config);
    EXPECT_EQ(rendered(loaded),
              "f.yaml:2: pools.a.url: is no URL; write dialect://user:password@host:port/database\n"
              "f.yaml:2: pools.a.pool_size: \"many\" is no whole number\n"
              "f.yaml:3: pools.b.url: is missing; write url: postgresql://user:password@host:5432/database\n"
              "f.yaml:3: pools.b.mode: \"transactoin\" is not one of transaction, session, statement; did you mean "
              "transaction?\n"
              "f.yaml:5: listen[0].address: is missing; write 127.0.0.1:6432\n"
              "f.yaml:5: listen[0].dialect: \"oracle\" is not one of postgresql, mysql, postgres, mariadb\n"
              "f.yaml:6: wrokers: unknown key; did you mean workers?\n");
}

TEST(Load, ReportsBrokenYamlWithItsPlace) {
    EXPECT_EQ(only_problem(load("a: b: c\n")),
              "f.yaml:1: no valid YAML: illegal map value; check the indentation; quote values that hold \": \"");
    EXPECT_EQ(only_problem(load("listen:\n\t- a\n")),
              "f.yaml:2: no valid YAML: illegal block entry; indent by spaces, not tabs");
    EXPECT_EQ(only_problem(load("listen: [a\n")).substr(0, 23), "f.yaml:2: no valid YAML");
    EXPECT_EQ(only_problem(load("pools:\n  *: {url: x}\n")),
              "f.yaml:2: no valid YAML: the referenced anchor is not defined; quote it: '*'");
    EXPECT_EQ(only_problem(load("listen:\n  - {dialect: mysql, address: [::1]:6033}\n")),
              "f.yaml:2: no valid YAML: end of map flow not found; quote an IPv6 address: \"[::1]:6432\"");
    EXPECT_EQ(only_problem(load("users:\n  - {name: a, password: ${PW}}\n")),
              "f.yaml:2: no valid YAML: end of map flow not found; within { } quote it: \"${NAME}\"");
    EXPECT_EQ(only_problem(load("a: 1\n---\nb: 2\n")), "f.yaml:3: a second YAML document; remove the line ---");
    for (const char* text : {"", "# only a comment\n", "---\n", "~\n"}) {
        EXPECT_EQ(only_problem(load(text)), "f.yaml: the file says nothing; begin with listen: and pools:") << text;
    }
}

TEST(Load, NoticesAQuotationMarkThatIsNotClosed) {
    // yaml-cpp takes the end of the file for the end of the value.
    EXPECT_EQ(only_problem(load(with("", "users:\n  - name: a\n    password: 'geheim\n"))),
              "f.yaml:8: users[0].password: the quotation mark is not closed");
    EXPECT_EQ(only_problem(load(with("", "users:\n  - name: a\n    password: \"ge\\\"heim\n"))),
              "f.yaml:8: users[0].password: the quotation mark is not closed");
    EXPECT_EQ(rendered(load(with("", "users:\n  - name: a\n    password: 'it''s'\n"))), "");
    EXPECT_EQ(rendered(load(with("", "users:\n  - name: a\n    password: \"\\\"\"\n"))), "");
}

TEST(Load, WantsTheRightKindOfNode) {
    EXPECT_EQ(rendered(load("just words\n")), "f.yaml:1: is a single value, not a map; write key: value\n");
    EXPECT_EQ(only_problem(load(with("pool_size: [5]"))),
              "f.yaml:6: pools.orders.pool_size: is a list, not a single value");
    EXPECT_EQ(only_problem(load(with("pool_size: {a: 5}"))),
              "f.yaml:6: pools.orders.pool_size: is a map, not a single value");
    EXPECT_EQ(only_problem(load(with("pool_size:"))),
              "f.yaml:6: pools.orders.pool_size: has no value; give it one, or remove the line to have the default");
    EXPECT_EQ(only_problem(load(with("alias: orders2"))),
              "f.yaml:6: pools.orders.alias: is a single value, not a list; write [a, b]");
    EXPECT_EQ(only_problem(load(with("", "log: [a]\n"))), "f.yaml:6: log: is a list, not a map; write key: value");
    EXPECT_EQ(only_problem(load(with("? [a, b]\n    : c"))),
              "f.yaml:6: pools.orders: a key is a list, not a word; quote it");
    EXPECT_EQ(only_problem(load(with("~: c"))), "f.yaml:6: pools.orders: a key is nothing, not a word; quote it");
    EXPECT_EQ(rendered(load(with("", "log:\nadmin:\nusers:\nservers:\nlimits:\n"))), "")
        << "a section without keys has its defaults";
}

TEST(Load, KeepsBooleansStrict) {
    EXPECT_EQ(only_problem(load(with("echo: \"false\""))),
              "f.yaml:6: pools.orders.echo: \"false\" is text, not a boolean; remove the quotation marks");
    for (const char* word : {"yes", "no", "on", "off", "True", "FALSE", "1", "0"}) {
        EXPECT_EQ(only_problem(load(with("echo: " + std::string(word)))),
                  "f.yaml:6: pools.orders.echo: \"" + std::string(word) + "\" is no boolean; write true or false");
    }
    EXPECT_TRUE(load(with("echo: true")).config.value().pools[0].echo);
}

TEST(Load, KeepsNumbersStrict) {
    EXPECT_EQ(only_problem(load(with("pool_size: \"5\""))),
              "f.yaml:6: pools.orders.pool_size: \"5\" is text, not a number; remove the quotation marks");
    EXPECT_EQ(only_problem(load(with("pool_size: 5.0"))),
              "f.yaml:6: pools.orders.pool_size: \"5.0\" is no whole number");
    EXPECT_EQ(only_problem(load(with("pool_size: -1"))),
              "f.yaml:6: pools.orders.pool_size: \"-1\" is too small; the least is 0");
    EXPECT_EQ(only_problem(load(with("max_overflow: -2"))),
              "f.yaml:6: pools.orders.max_overflow: \"-2\" is too small; the least is -1");
    EXPECT_EQ(only_problem(load(with("pool_size: 1000001"))),
              "f.yaml:6: pools.orders.pool_size: \"1000001\" is too large; the most is 1000000");
    EXPECT_EQ(only_problem(load(with("dial_parallel: 0"))),
              "f.yaml:6: pools.orders.dial_parallel: \"0\" is too small; the least is 1");
    EXPECT_EQ(only_problem(load(with("", "workers: 0\n"))), "f.yaml:6: workers: \"0\" is too small; the least is 1");
    EXPECT_EQ(only_problem(load(with("", "workers: many\n"))), "f.yaml:6: workers: \"many\" is no whole number");
    EXPECT_EQ(
        only_problem(load(with("pool_size: !!int 5"))),
        "f.yaml:6: pools.orders.pool_size: unknown tag \"tag:yaml.org,2002:int\"; the tags are !file and !credential");
}

TEST(Load, AllowsMinusOneWhereItMeansNever) {
    EXPECT_EQ(load(with("pool_recycle: -1")).config.value().pools[0].pool_recycle, std::nullopt);
    EXPECT_EQ(load(with("pool_recycle: 0")).config.value().pools[0].pool_recycle, Duration(0));
    EXPECT_EQ(only_problem(load(with("pool_recycle: -5"))),
              "f.yaml:6: pools.orders.pool_recycle: \"-5\" must not be negative; -1 means never");
    EXPECT_EQ(only_problem(load(with("idle_timeout: -1"))),
              "f.yaml:6: pools.orders.idle_timeout: \"-1\" must not be negative; -1 has a meaning for pool_recycle and "
              "max_overflow only");
    EXPECT_EQ(only_problem(load(with("quarantine_timeout: 0"))),
              "f.yaml:6: pools.orders.quarantine_timeout: \"0\" must be longer than nothing");
    EXPECT_EQ(only_problem(load(with("pool_timeout: 30 s"))),
              "f.yaml:6: pools.orders.pool_timeout: \"30 s\" is no duration; write 250ms, 30s, 5m or 1h");
}

TEST(Load, ReadsSqlalchemysIsolationLevels) {
    EXPECT_EQ(load(with("isolation_level: repeatable read")).config.value().pools[0].isolation_level,
              "REPEATABLE READ");
    EXPECT_EQ(load(with("isolation_level: AUTOCOMMIT")).config.value().pools[0].isolation_level, "AUTOCOMMIT");
    EXPECT_EQ(only_problem(load(with("isolation_level: SERIALISABLE"))),
              "f.yaml:6: pools.orders.isolation_level: \"SERIALISABLE\" is not one of READ UNCOMMITTED, READ "
              "COMMITTED, REPEATABLE READ, "
              "SERIALIZABLE, AUTOCOMMIT; did you mean SERIALIZABLE?");
}

TEST(Load, TakesAPoolSizeOfZeroForNoLimit) {
    const Loaded loaded = load(with("pool_size: 0"));
    EXPECT_EQ(rendered(loaded), "");
    EXPECT_EQ(loaded.config.value().pools[0].max_overflow, -1);
    EXPECT_EQ(only_problem(load(with("pool_size: 0\n    max_overflow: 3"))),
              "f.yaml:7: warning: pools.orders.max_overflow: has no effect: pool_size 0 is no limit; give pool_size a "
              "number");
}

std::string address_problem(const std::string& address) {
    return only_problem(load("listen:\n  - {dialect: postgresql, address: " + address +
                             "}\npools: {p: {url: \"postgresql://a:b@c\"}}\n"));
}

TEST(Load, ReadsAddresses) {
    const auto host = [](const std::string& address) {
        const Loaded loaded = load("listen:\n  - {dialect: postgresql, address: " + address +
                                   "}\npools: {p: {url: \"postgresql://a:b@c\"}}\n");
        return loaded.config ? loaded.config->listen[0].host + "|" + std::to_string(loaded.config->listen[0].port)
                             : rendered(loaded);
    };
    EXPECT_EQ(host("\"[::1]:6432\""), "::1|6432");
    EXPECT_EQ(host("localhost:6432"), "127.0.0.1|6432");
    EXPECT_EQ(host("0.0.0.0:1"), "0.0.0.0|1");
    EXPECT_EQ(host("unix:/run/l/.s.PGSQL.6432"), "/run/l/.s.PGSQL.6432|0");
    const std::string hint = "; write 127.0.0.1:6432, \"[::1]:6432\" or unix:/path";
    EXPECT_EQ(address_problem("127.0.0.1"), "f.yaml:2: listen[0].address: \"127.0.0.1\" has no port" + hint);
    EXPECT_EQ(address_problem("127.0.0.1:0"),
              "f.yaml:2: listen[0].address: \"127.0.0.1:0\" has no port from 1 to 65535" + hint);
    EXPECT_EQ(address_problem("127.0.0.1:65536"),
              "f.yaml:2: listen[0].address: \"127.0.0.1:65536\" has no port from 1 to 65535" + hint);
    EXPECT_EQ(address_problem("db.internal:6432"),
              "f.yaml:2: listen[0].address: \"db.internal:6432\" is no address of this machine" + hint);
    EXPECT_EQ(address_problem("'::1:6432'"),
              "f.yaml:2: listen[0].address: \"::1:6432\" is no address of this machine; put an IPv6 address in "
              "brackets and quotes: \"[::1]:6432\"");
    EXPECT_EQ(address_problem("'*:6432'"),
              "f.yaml:2: listen[0].address: \"*:6432\" is no address of this machine; all addresses are written "
              "0.0.0.0, or \"[::]\" with IPv6");
    EXPECT_EQ(address_problem("unix:run"), "f.yaml:2: listen[0].address: \"unix:run\" is no absolute path" + hint);
    EXPECT_NE(address_problem("unix:/" + std::string(107, 'x'))
                  .find("is longer than a unix socket's path may be (107 bytes)"),
              std::string::npos);
}

TEST(Load, WantsListenersAndPools) {
    EXPECT_EQ(rendered(load("pools: {p: {url: \"postgresql://a:b@c\"}}\n")),
              "f.yaml:1: listen: is missing; write - {dialect: postgresql, address: 127.0.0.1:6432}\n");
    EXPECT_EQ(rendered(load("listen: [{dialect: mysql, address: 127.0.0.1:6033}]\n")),
              "f.yaml:1: pools: is missing; write name: {url: \"postgresql://user:password@host:5432/database\"}\n");
    EXPECT_EQ(rendered(load("listen:\npools:\n")),
              "f.yaml:1: listen: names no address; write - {dialect: postgresql, address: 127.0.0.1:6432}\n"
              "f.yaml:2: pools: names no pool; write name: {url: \"postgresql://user:password@host:5432/database\"}\n");
}

TEST(Load, ShowsHostileValuesHarmlessly) {
    const std::string escape = only_problem(load(with("mode: \"\\e[31m" + std::string(500, 'x') + "\"")));
    EXPECT_EQ(escape.find('\x1b'), std::string::npos);
    EXPECT_LT(escape.size(), 250u);
    EXPECT_EQ(rendered(load(with("\"\\e[31m\": 1"))).find('\x1b'), std::string::npos);
    EXPECT_EQ(only_problem(load(with("", "users: [{name: \"a\\0b\", password: x}]\n"))).find('\0'), std::string::npos);
    EXPECT_FALSE(load(with("", "users: [{name: \"a\\0b\", password: x}]\n")).config);
}

TEST(Load, SurvivesEveryPrefixOfAFile) {
    const std::string whole = everything;
    for (std::size_t length = 0; length < whole.size(); length += 7) {
        const Loaded loaded = load(whole.substr(0, length), {{"credential:reports", "r"}, {"$BATCH", "b"}});
        EXPECT_TRUE(loaded.config.has_value() || !loaded.problems.empty()) << length;
    }
    EXPECT_FALSE(load(std::string(100'000, '[')).config);
    EXPECT_FALSE(load(std::string(100'000, '{')).config);
    EXPECT_FALSE(load("a: &a {b: *a}\nlisten: *a\n").config);
    EXPECT_FALSE(load("pools: &a {b: *a}\n").config);
    EXPECT_FALSE(load(std::string("\xff\xfe\x00\x01", 4)).config);
}

}  // namespace
}  // namespace leasehold::config
