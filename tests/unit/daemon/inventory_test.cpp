// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin/inventory.hpp"

#include "tests/unit/daemon/cells.hpp"

namespace leasehold::daemon::admin {
namespace {

using namespace std::chrono_literals;

class InventoryTest : public testing::Test {
  protected:
    InventoryTest() {
        config.pools.push_back(pool("orders", "app"));
        config.pools.push_back(pool("stock", "app"));
        config.users.push_back({"reports", "SCRAM-SHA-256$4096:x$y:z", {"orders"}, true, 0});
        config.users.push_back({"root", "geheim", {}, false, 0});
        config.admin.users = {"root"};
        config.admin.stats_users = {"reports"};
    }
    static config::Pool pool(const std::string& name, const std::string& user) {
        config::Pool made;
        made.name = name;
        made.url = {"postgresql", "", user, "geheim", {{"db", 5432}, {"standby", 5433}}, "", {}};
        made.alias = {name + "_old"};
        return made;
    }
    [[nodiscard]] PoolRow row_of(const config::Pool& settings, const std::string& user) const {
        PoolRow row;
        row.name = settings.name;
        row.user = user;
        row.mode = "transaction";
        row.settings = std::make_shared<const config::Pool>(settings);
        row.stats.open = 4;
        row.stats.checkedin = 1;
        row.stats.checkedout = 3;
        row.clients_idle = 7;
        row.server_limit = 80;
        return row;
    }
    // Two columns as a map.
    static std::map<std::string, std::string> pairs(const Rows& rows) {
        std::map<std::string, std::string> all;
        for (const Row& row : rows) all[row.at(0).value_or("NULL")] = row.at(1).value_or("NULL");
        return all;
    }
    config::Config config;
};

TEST_F(InventoryTest, ShowsADatabaseOnceForAllUsersOfItsPools) {
    std::vector<PoolRow> pools{row_of(config.pools[0], "root"), row_of(config.pools[0], "app"),
                               row_of(config.pools[1], "app")};
    pools[0].stats.paused = true;
    const Rows rows = databases_rows(pools);
    ASSERT_EQ(rows.size(), 2u);
    auto row = by_name(databases_columns(), rows[0]);
    EXPECT_EQ(row["name"], "orders");
    EXPECT_EQ(row["host"], "db,standby");
    EXPECT_EQ(row["port"], "5432");
    EXPECT_EQ(row["database"], "orders") << "as the client's, when the URL names none";
    EXPECT_EQ(row["force_user"], "app");
    EXPECT_EQ(row["pool_size"], "5");
    EXPECT_EQ(row["reserve_pool"], "10");
    EXPECT_EQ(row["max_connections"], "80");
    EXPECT_EQ(row["current_connections"], "8");
    EXPECT_EQ(row["paused"], "1");
    EXPECT_EQ(row["disabled"], "0");
    EXPECT_EQ(row["pools"], "2");
    EXPECT_EQ(row["clients"], "14");
    EXPECT_EQ(row["url"].find("geheim"), std::string::npos);
}

TEST_F(InventoryTest, ShowsEachUserOnceAndNoPassword) {
    Counts counts;
    counts.by_user["app"] = 3;
    std::map<std::string, std::map<std::string, std::string>> users;
    for (const Row& row : users_rows(config, counts)) users[*row[0]] = by_name(users_columns(), row);
    ASSERT_EQ(users.size(), 3u);
    EXPECT_EQ(users["app"]["pools"], "orders, stock");
    EXPECT_EQ(users["app"]["clients"], "3");
    EXPECT_EQ(users["app"]["pool_mode"], "NULL");
    EXPECT_EQ(users["app"]["password"], "clear text");
    EXPECT_EQ(users["reports"]["pools"], "orders");
    EXPECT_EQ(users["reports"]["login"], "as the URL's");
    EXPECT_EQ(users["reports"]["password"], "SCRAM verifier");
    EXPECT_EQ(users["reports"]["console"], "read");
    EXPECT_EQ(users["root"]["console"], "administer");
    EXPECT_EQ(users["root"]["pools"], "orders, stock") << "named for none: for all";
}

TEST_F(InventoryTest, CountsTheSameInListsAsInTheTables) {
    const std::vector<PoolRow> pools{row_of(config.pools[0], "root"), row_of(config.pools[0], "app"),
                                     row_of(config.pools[1], "app")};
    Counts counts;
    counts.clients = 21;
    counts.logins = 2;
    counts.replicating = 1;
    auto lists = pairs(lists_rows(config, counts, pools));
    EXPECT_EQ(lists["databases"], std::to_string(databases_rows(pools).size()));
    EXPECT_EQ(lists["users"], std::to_string(users_rows(config, counts).size()));
    EXPECT_EQ(lists["pools"], "3");
    EXPECT_EQ(lists["used_clients"], "21");
    EXPECT_EQ(lists["login_clients"], "2");
    EXPECT_EQ(lists["used_servers"], "13");
    EXPECT_EQ(lists["leases"], "9");
    EXPECT_EQ(lists["free_clients"], "0");
}

TEST_F(InventoryTest, TellsAPausedDaemonFromADrainingOne) {
    std::vector<PoolRow> pools{row_of(config.pools[0], "app"), row_of(config.pools[1], "app")};
    Daemon daemon{false, new_year, 4711, 2};
    auto state = pairs(state_rows(config, daemon, pools, new_year + 90s));
    EXPECT_EQ(state["active"], "yes");
    EXPECT_EQ(state["uptime_seconds"], "90");
    pools[0].stats.paused = true;
    state = pairs(state_rows(config, daemon, pools, new_year));
    EXPECT_EQ(state["paused"], "no") << "one of two";
    EXPECT_EQ(state["paused_pools"], "1");
    pools[1].stats.paused = true;
    state = pairs(state_rows(config, daemon, pools, new_year));
    EXPECT_EQ(state["paused"] + state["active"], "yesno");
    daemon.draining = true;
    pools.clear();
    state = pairs(state_rows(config, daemon, pools, new_year));
    EXPECT_EQ(state["draining"] + state["active"] + state["paused"], "yesnono");
}

TEST_F(InventoryTest, AddsUpWhatTheWorkersCount) {
    Counts one, two;
    one.clients = 1;
    one.by_user["app"] = 1;
    two.clients = 2;
    two.pinned = 1;
    two.by_user["app"] = 2;
    one += two;
    EXPECT_EQ(one.clients, 3);
    EXPECT_EQ(one.pinned, 1);
    EXPECT_EQ(one.by_user["app"], 3);
}

}  // namespace
}  // namespace leasehold::daemon::admin
