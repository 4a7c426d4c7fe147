// SPDX-License-Identifier: Apache-2.0
#include "daemon/router.hpp"

#include <gtest/gtest.h>

using namespace leasehold;
using namespace leasehold::daemon;

namespace {

using Kind = Route::Kind;
using Credential = dialects::Credential::Kind;

struct RouterTest : testing::Test {
    RouterTest() {
        config::Pool orders = pool("orders", "postgresql", "app", "secret");
        orders.alias = {"orders_old"};
        config->pools = {orders, pool("stock", "postgresql", "app", "secret"), pool("shop", "mysql", "web", "pw"),
                         pool("open", "postgresql", "nobody", std::nullopt)};
        config->users = {{"reports", "r", {"orders"}, false, 0},
                         {"batch", "b", {"orders"}, true, 0},
                         {"root", "admin", {}, false, 0}};
        config->admin.users = {"root"};
        postgres.dialect = "postgresql";
        mysql.dialect = "mysql";
    }
    static config::Pool pool(std::string name, std::string dialect, std::string user,
                             std::optional<std::string> password) {
        config::Pool made;
        made.name = std::move(name);
        made.url.dialect = std::move(dialect);
        made.url.user = std::move(user);
        made.url.password = std::move(password);
        made.url.hosts = {{"db", 5432}};
        return made;
    }
    Router router() const {
        std::vector<HomePtr> homes;
        for (const config::Pool& pool : config->pools) {
            if (pool.name == "*") continue;
            homes.push_back(std::make_shared<Home>(pool.name, pool.url.user));
            if (pool.name == "orders") homes.push_back(std::make_shared<Home>(pool.name, "reports"));
        }
        return Router(config, homes);
    }
    Route ask(const config::Listen& listen, std::string user, std::string database) const {
        dialects::LoginRequest request;
        request.user = std::move(user);
        request.database = std::move(database);
        return router().route(listen, request, Identity());
    }

    std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
    config::Listen postgres, mysql;
};

TEST_F(RouterTest, PhysicalReplicationFindsTheUsersOnlyPoolThatAdmitsIt) {
    const auto asked = [this](std::string replication, std::string database) {
        dialects::LoginRequest request;
        request.user = "app";
        request.database = std::move(database);
        request.replication = std::move(replication);
        return router().route(postgres, request, Identity());
    };
    EXPECT_EQ(asked("true", "replication").kind, Kind::no_such_pool);  // orders or stock?
    config->pools[1].max_replication = 2;
    ASSERT_EQ(asked("true", "replication").kind, Kind::pool);
    EXPECT_EQ(asked("true", "replication").home->name(), "stock");
    EXPECT_EQ(asked("1", "orders").home->name(), "orders");
    EXPECT_EQ(asked("database", "replication").kind, Kind::no_such_pool);
    config->pools[0].max_replication = 2;
    EXPECT_EQ(asked("true", "replication").kind, Kind::no_such_pool);
    postgres.default_pool = "orders";
    EXPECT_EQ(asked("true", "replication").home->name(), "orders");
    EXPECT_EQ(ask(postgres, "app", "replication").kind, Kind::no_such_pool);
}

TEST_F(RouterTest, SendsTheUrlsOwnUserToThePoolOfThatName) {
    const Route route = ask(postgres, "app", "orders");
    ASSERT_EQ(route.kind, Kind::pool);
    EXPECT_EQ(route.home->name(), "orders");
    EXPECT_EQ(route.credential.kind, Credential::password);
    EXPECT_EQ(route.credential.secret, "secret");
}

TEST_F(RouterTest, KnowsAPoolByItsAlias) { EXPECT_EQ(ask(postgres, "app", "orders_old").home->name(), "orders"); }

TEST_F(RouterTest, GivesAnotherUserAPoolOfItsOwn) {
    const Route route = ask(postgres, "reports", "orders");
    ASSERT_EQ(route.kind, Kind::pool);
    EXPECT_EQ(route.home->user, "reports");
    EXPECT_EQ(route.credential.secret, "r");
}

TEST_F(RouterTest, LetsAUserShareTheUrlsUserWithItsOwnPassword) {
    const Route route = ask(postgres, "batch", "orders");
    ASSERT_EQ(route.kind, Kind::pool);
    EXPECT_EQ(route.home->user, "app");
    EXPECT_EQ(route.credential.secret, "b");
}

TEST_F(RouterTest, PlaysALoginToItsEndForAnUnknownUser) {
    const Route route = ask(postgres, "stranger", "orders");
    EXPECT_EQ(route.kind, Kind::pool);
    EXPECT_EQ(route.home, nullptr);
    EXPECT_EQ(route.credential.kind, Credential::none);
}

TEST_F(RouterTest, AdmitsNobodyToAPoolWithoutAPassword) {
    EXPECT_EQ(ask(postgres, "nobody", "open").credential.kind, Credential::none);
    postgres.auth = config::AuthMethod::trust;
    EXPECT_EQ(ask(postgres, "nobody", "open").credential.kind, Credential::trust);
}

TEST_F(RouterTest, SuggestsTheNearestNameAndAsksForThePasswordFirst) {
    const Route route = ask(postgres, "app", "ordres");
    EXPECT_EQ(route.kind, Kind::no_such_pool);
    EXPECT_EQ(route.suggestion, "orders");
    EXPECT_EQ(route.credential.kind, Credential::password);
    EXPECT_EQ(ask(postgres, "stranger", "ordres").credential.kind, Credential::none);
}

TEST_F(RouterTest, KeepsDialectsApart) {
    EXPECT_EQ(ask(mysql, "app", "orders").kind, Kind::no_such_pool);
    EXPECT_EQ(ask(mysql, "web", "shop").kind, Kind::pool);
}

TEST_F(RouterTest, ServesOnlyTheListenersOwnPools) {
    postgres.pools = {"stock"};
    EXPECT_EQ(ask(postgres, "app", "orders").kind, Kind::no_such_pool);
    EXPECT_EQ(ask(postgres, "app", "stock").kind, Kind::pool);
    ASSERT_EQ(router().served_by(postgres).size(), 1u);
}

TEST_F(RouterTest, ChoosesAPoolForAClientThatNamesNone) {
    EXPECT_EQ(ask(mysql, "web", "").home->name(), "shop");
    EXPECT_EQ(ask(mysql, "other", "").kind, Kind::no_pool_named);
    mysql.default_pool = "shop";
    EXPECT_EQ(ask(mysql, "other", "").kind, Kind::pool);
}

TEST_F(RouterTest, NamesTheChoiceToAUserOfSeveralPoolsWhoHasLoggedIn) {
    config->pools.push_back(pool("annex", "mysql", "web", "pw"));
    config->pools.push_back(pool("vault", "mysql", "keeper", "k"));
    config->users.push_back({"clerk", "c", {"shop", "vault"}, true, 0});
    config->users.push_back({"single", "s", {"annex"}, true, 0});
    const Route route = ask(mysql, "web", "");
    EXPECT_EQ(route.kind, Kind::no_pool_named);
    EXPECT_EQ(route.choice, (std::vector<std::string>{"shop", "annex"}));
    EXPECT_EQ(route.credential.kind, Credential::password) << "whoever has no password learns nothing";
    EXPECT_EQ(ask(mysql, "clerk", "").choice, (std::vector<std::string>{"shop", "vault"}));
    EXPECT_EQ(ask(mysql, "single", "").home->name(), "annex") << "one that shares the URL's user has a pool, too";
    const Route stranger = ask(mysql, "stranger", "");
    EXPECT_EQ(stranger.credential.kind, Credential::none);
    EXPECT_TRUE(stranger.choice.empty());
    mysql.pools = {"annex"};
    EXPECT_EQ(ask(mysql, "web", "").home->name(), "annex") << "what is not served here is no choice";
    mysql.pools = {};
    mysql.default_pool = "annex";
    EXPECT_EQ(ask(mysql, "web", "").home->name(), "annex");
    EXPECT_EQ(ask(mysql, "keeper", "").home->name(), "vault") << "the user's only pool comes first";
}

TEST_F(RouterTest, KnowsTheUsersOfATemplateWithoutADatabase) {
    config->pools.push_back(pool("*", "mysql", "guest", "g"));
    mysql.pools = {"*"};
    EXPECT_EQ(ask(mysql, "guest", "").kind, Kind::no_pool_named);
    EXPECT_EQ(ask(mysql, "guest", "").credential.kind, Credential::password);
    EXPECT_TRUE(ask(mysql, "guest", "any").from_template);
    EXPECT_EQ(ask(mysql, "guest", "any").database, "any");
}

TEST_F(RouterTest, ServesEachPoolOfAListenerOnce) {
    config->pools.push_back(pool("*", "mysql", "guest", "g"));
    const std::vector<Served> served = router().served_by(mysql);
    ASSERT_EQ(served.size(), 2u);
    EXPECT_EQ(served[0].home->name(), "shop");
    EXPECT_EQ(served[0].server, "mysql db:5432");
    EXPECT_EQ(served[1].home, nullptr);
    EXPECT_EQ(served[1].pool->name, "*");
    EXPECT_EQ(router().served_by(postgres).front().home->user, "app");
}

TEST_F(RouterTest, TakesAUserWithoutAPasswordForOneWhomNoPasswordAdmits) {
    config->users.push_back({"keyless", "", {"orders"}, true, 0});
    EXPECT_EQ(ask(postgres, "keyless", "orders").credential.kind, Credential::none);
    EXPECT_EQ(ask(postgres, "keyless", "ordres").credential.kind, Credential::none);
    postgres.auth = config::AuthMethod::trust;
    EXPECT_EQ(ask(postgres, "keyless", "orders").credential.kind, Credential::trust);
    EXPECT_EQ(ask(postgres, "keyless", "ordres").credential.kind, Credential::trust);
    EXPECT_EQ(ask(postgres, "stranger", "orders").credential.kind, Credential::refused);
    EXPECT_EQ(ask(postgres, "stranger", "ordres").credential.kind, Credential::refused);
}

TEST_F(RouterTest, LetsOnlyAdministratorsToTheConsole) {
    const Route root = ask(postgres, "root", "leasehold");
    EXPECT_EQ(root.kind, Kind::console);
    EXPECT_TRUE(root.administrator);
    EXPECT_EQ(root.credential.secret, "admin");
    EXPECT_EQ(ask(postgres, "app", "leasehold").credential.kind, Credential::none);
    postgres.auth = config::AuthMethod::trust;
    EXPECT_EQ(ask(postgres, "app", "leasehold").credential.kind, Credential::refused);
    EXPECT_EQ(ask(postgres, "root", "leasehold").credential.kind, Credential::trust);
}

// pgbouncer_exporter, check_pgbouncer and fingers ask for the console by its name at PgBouncer.
TEST_F(RouterTest, KnowsTheConsoleByPgbouncersNameUnlessThatIsAPool) {
    EXPECT_EQ(ask(postgres, "root", "pgbouncer").kind, Kind::console);
    EXPECT_EQ(ask(postgres, "app", "pgbouncer").credential.kind, Credential::none);
    config->pools.front().alias.push_back("pgbouncer");
    EXPECT_EQ(ask(postgres, "root", "pgbouncer").kind, Kind::pool);
}

// What a reload asks of those who are logged in.
TEST_F(RouterTest, ObjectsToWhomItWouldNotSendToThatPoolAnyMore) {
    const Route own = ask(postgres, "app", "orders"), reports = ask(postgres, "reports", "orders");
    const auto objection = [this](const Route& route, std::string user) {
        std::vector<HomePtr> homes;
        for (const HomePtr& home : {route.home}) homes.push_back(home);
        return Router(config, homes).objection(postgres, user, *route.home);
    };
    EXPECT_EQ(objection(own, "app"), "");
    EXPECT_EQ(objection(own, "batch"), "") << "who shares the backends of the URL's user";
    EXPECT_EQ(objection(reports, "reports"), "");
    postgres.pools = {"stock"};
    EXPECT_NE(objection(own, "app").find("is not served here any more"), std::string::npos);
    postgres.pools = {};
    config->users.erase(config->users.begin(), config->users.begin() + 2);
    EXPECT_NE(objection(own, "batch").find("user \"batch\" may not use pool \"orders\" any more"), std::string::npos);
    config->pools.erase(config->pools.begin());
    EXPECT_NE(objection(own, "app").find("pool \"orders\" was removed"), std::string::npos);
}

TEST_F(RouterTest, ObjectsToAPoolOfTheTemplateThatHasSettingsOfItsOwnNow) {
    config->pools.push_back(pool("*", "postgresql", "app", "secret"));
    Home made("extra", "app");
    made.from_template = true;
    EXPECT_EQ(router().objection(postgres, "app", made), "");
    EXPECT_NE(router().objection(postgres, "stranger", made), "");
    config->pools.push_back(pool("extra", "postgresql", "app", "secret"));
    EXPECT_NE(router().objection(postgres, "app", made), "");
}

TEST_F(RouterTest, ObjectsAtTheConsoleWhenWhatOneMayDoThereHasChanged) {
    EXPECT_EQ(router().console_objection("root", true), "");
    config->admin.users = {};
    EXPECT_NE(router().console_objection("root", true), "");
}

}  // namespace
