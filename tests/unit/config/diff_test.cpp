// SPDX-License-Identifier: Apache-2.0
#include "config/diff.hpp"

#include "config/keys.hpp"
#include "tests/unit/config/loading.hpp"

#include <algorithm>

namespace leasehold::config {
namespace {

Config config(const std::string& text) {
    Loaded loaded = load(text);
    EXPECT_TRUE(loaded.config) << rendered(loaded);
    return loaded.config.value_or(Config{});
}

TEST(Diff, FindsNothingBetweenEqualFiles) {
    EXPECT_TRUE(diff(config(with("")), config(with(""))).empty());
    EXPECT_EQ(diff(config(with("")), config("# moved down\n" + with(""))).render(), "nothing")
        << "lines are no setting";
    EXPECT_TRUE(diff(Config{}, Config{}).empty());
}

TEST(Diff, NamesPoolsAddedRemovedAndChanged) {
    const std::string head = "listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n";
    const Diff found =
        diff(config(head + "  a: {url: \"postgresql://u:p@h/a\"}\n  b: {url: \"postgresql://u:p@h/b\"}\n"),
             config(head +
                    "  b: {url: \"postgresql://u:geheim@h/b\", pool_size: 6}\n  c: {url: \"postgresql://u:p@h/c\"}\n"));
    EXPECT_EQ(found.pools.added, std::vector<std::string>{"c"});
    EXPECT_EQ(found.pools.removed, std::vector<std::string>{"a"});
    ASSERT_EQ(found.pools.changed.size(), 1u);
    EXPECT_EQ(found.pools.changed[0].name, "b");
    EXPECT_EQ(found.pools.changed[0].keys, (std::vector<std::string>{"url", "pool_size"}));
    EXPECT_EQ(found.render(), "pools +c -a ~b(url, pool_size)");
}

TEST(Diff, NamesListenersByTheirAddress) {
    const std::string pools = "\npools: {a: {url: \"postgresql://u:p@h/a\"}}\n";
    const Diff found = diff(
        config("listen: [{dialect: postgresql, address: 127.0.0.1:1}, {dialect: postgresql, address: 127.0.0.1:2}]" +
               pools),
        config("listen: [{dialect: postgresql, address: 127.0.0.1:2, auth: md5}, {dialect: postgresql, address: "
               "\"[::1]:1\"}]" +
               pools));
    EXPECT_EQ(found.render(), "listeners +[::1]:1 -127.0.0.1:1 ~127.0.0.1:2(auth)");
}

TEST(Diff, NamesUsersAndSettings) {
    const Diff found = diff(
        config(with("", "users: [{name: a, password: x}]\nservers: {\"db:5432\": {max_connections: 4}}\n")),
        config(with(
            "", "users: [{name: a, password: y}]\nlimits: {max_clients: 5}\nlog: {level: warn}\ndrain_timeout: 1s\n")));
    EXPECT_EQ(found.render(), "users ~a(password) settings log.level limits.max_clients drain_timeout servers.db:5432");
}

// A key that the loader knows and diff does not would never be reloaded.
TEST(Diff, KnowsEveryKeyOfAPool) {
    const std::vector<std::pair<std::string, std::string>> other{{"url", "postgresql://app:pw@db:5432/other"},
                                                                 {"alias", "[x]"},
                                                                 {"mode", "session"},
                                                                 {"pool_size", "6"},
                                                                 {"max_overflow", "11"},
                                                                 {"pool_timeout", "31"},
                                                                 {"pool_recycle", "2h"},
                                                                 {"pool_pre_ping", "false"},
                                                                 {"pool_use_lifo", "false"},
                                                                 {"pool_reset_on_return", "commit"},
                                                                 {"isolation_level", "SERIALIZABLE"},
                                                                 {"echo", "true"},
                                                                 {"min_idle", "1"},
                                                                 {"idle_timeout", "11m"},
                                                                 {"transaction_idle_timeout", "1s"},
                                                                 {"transaction_timeout", "1s"},
                                                                 {"query_timeout", "1s"},
                                                                 {"quarantine_timeout", "6s"},
                                                                 {"pin_idle_timeout", "1s"},
                                                                 {"on_backend_loss", "disconnect"},
                                                                 {"dial_parallel", "3"},
                                                                 {"dial_timeout", "6s"},
                                                                 {"ping_timeout", "2s"},
                                                                 {"prepared_per_backend", "201"},
                                                                 {"prepared_per_client", "1001"},
                                                                 {"soft_hold", "101ms"},
                                                                 {"audit", "2%"},
                                                                 {"max_replication", "1"}};
    const Config before = config(with(""));
    for (const std::string_view key : key_names(Part::pool)) {
        const auto found = std::ranges::find(other, key, &std::pair<std::string, std::string>::first);
        ASSERT_NE(found, other.end()) << key << " is new: add another value here, and a field to diff.cpp";
        Config after;
        if (key == "url") {
            after = before;
            after.pools[0].url.database = "other";
        } else {
            after = config(with(found->first + ": " + found->second));
        }
        const Diff changes = diff(before, after);
        ASSERT_EQ(changes.pools.changed.size(), 1u) << key;
        EXPECT_EQ(changes.pools.changed[0].keys, std::vector<std::string>{std::string(key)});
    }
}

TEST(Diff, KnowsEveryKeyOfLogLimitsAndAdmin) {
    const auto settings = [](const std::string& rest) {
        return diff(config(with("")), config(with("", rest))).settings;
    };
    EXPECT_EQ(settings("log: {level: warn, target: /x, format: json, slow_statement: 1s, slow_wait: 1s, "
                       "quarantine_keep_literals: true}\n")
                  .size(),
              keys(Part::log).size());
    EXPECT_EQ(settings("limits: {max_clients: 1, max_clients_per_user: 1, max_clients_per_address: 1, "
                       "handshake_timeout: 1s, max_startup_bytes: 1KiB, "
                       "max_settings_per_session: 1, max_statement_cache_bytes: 1KiB, max_template_pools: 1}\n")
                  .size(),
              keys(Part::limits).size());
    EXPECT_EQ(settings("admin: {database: x, users: [app], stats_users: [app], socket: off, http: off}\n").size(),
              keys(Part::admin).size());
    EXPECT_EQ(settings("workers: 3\n"), std::vector<std::string>{"workers"});
}

}  // namespace
}  // namespace leasehold::config
