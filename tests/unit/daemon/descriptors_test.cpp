// SPDX-License-Identifier: Apache-2.0
#include "daemon/descriptors.hpp"

#include <gtest/gtest.h>

using namespace leasehold;
using namespace leasehold::daemon;

namespace {

config::Config with(int clients, int backends) {
    config::Config config;
    config.limits.max_clients = clients;
    config.pools.emplace_back();
    config.pools[0].name = "orders";
    config.pools[0].pool_size = backends;
    config.pools[0].max_overflow = -1;
    return config;
}

TEST(Descriptors, AllClientsAreLetInWhereTheyFitBesideTheBackends) {
    const config::Config config = with(1000, 50);
    EXPECT_EQ(clients_at_most(config, descriptors_needed(config)), 1000);
    EXPECT_TRUE(too_few_descriptors(config, descriptors_needed(config)).empty());
}

TEST(Descriptors, FewerAreLetInWhereTheyDoNot) {
    const config::Config config = with(1000, 50);
    EXPECT_EQ(clients_at_most(config, descriptors_needed(config) - 300), 700);
    const std::string warning = too_few_descriptors(config, descriptors_needed(config) - 300);
    EXPECT_NE(warning.find("max_clients 1000"), std::string::npos) << warning;
    EXPECT_NE(warning.find("no more than 700 clients"), std::string::npos) << warning;
    EXPECT_NE(warning.find("LimitNOFILE=" + std::to_string(descriptors_needed(config))), std::string::npos) << warning;
}

TEST(Descriptors, SomeAreLetInHoweverManyBackendsThePoolsCouldHave) {
    EXPECT_EQ(clients_at_most(with(1000, 5000), 1024), 256);
    EXPECT_EQ(clients_at_most(with(3, 5000), 1024), 3);
    EXPECT_EQ(clients_at_most(with(1000, 5000), 2), 1);
}

TEST(Descriptors, AUserThatLogsInAsItselfHasBackendsOfItsOwn) {
    config::Config config = with(10, 7);
    const std::uint64_t alone = descriptors_needed(config);
    config.users.push_back({"reports", "secret", {}, false, 0});
    EXPECT_EQ(descriptors_needed(config), alone + 7);
    config.users[0].as_pool = true;
    EXPECT_EQ(descriptors_needed(config), alone);
    config.users[0] = {"reports", "secret", {"another"}, false, 0};
    EXPECT_EQ(descriptors_needed(config), alone);
}

}  // namespace
