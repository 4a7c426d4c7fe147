// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/greeting.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

Greeting server(std::string version, Capabilities capabilities, std::uint8_t charset, std::uint16_t flags = 2) {
    Greeting made;
    made.version = std::move(version);
    made.capabilities = capabilities;
    made.charset = charset;
    made.status = flags;
    return made;
}

TEST(MysqlVersions, AreComparedNumberByNumber) {
    EXPECT_TRUE(older("8.0.36", "8.4.0-commercial"));
    EXPECT_TRUE(older("8.4.9", "8.4.10"));
    EXPECT_TRUE(older("9.7.4", "10.0"));
    EXPECT_TRUE(older("5.5.5-10.6.18-MariaDB", "5.5.5-10.11.6-MariaDB-0+deb12u1"));
    EXPECT_TRUE(older("5.5.5-10.11.6-MariaDB", "11.4.2-MariaDB")) << "MariaDB 11 has no prefix any more";
    EXPECT_TRUE(older("8.4", "8.4.1"));
    for (const char* same : {"8.4.0", "", "x", "99999999999999999999.1"}) EXPECT_FALSE(older(same, same)) << same;
    EXPECT_FALSE(older("8.4.0", "8.4"));
    EXPECT_FALSE(older("8.4.0-a", "8.4.0-b"));
}

TEST(MysqlGreeting, OfOneServerIsItsOwn) {
    const std::vector<Greeting> one{server("9.7.4", 0xF0F0, 255)};
    const Greeting common = common_greeting(one).value();
    EXPECT_EQ(common.version, "9.7.4");
    EXPECT_EQ(common.capabilities, 0xF0F0u);
    EXPECT_EQ(common.charset, 255);
    EXPECT_FALSE(common_greeting({}));
}

TEST(MysqlGreeting, OfSeveralPromisesWhatAllOfThemKeep) {
    const std::vector<Greeting> all{server("5.5.5-10.11.6-MariaDB", cap::bulk | 0x0FF0, 45, 0x4002),
                                    server("5.5.5-10.6.18-MariaDB", cap::bulk | cap::progress | 0x00FF, 8, 0x0002),
                                    server("11.4.2-MariaDB", cap::bulk | 0xFFFF, 45, 0x0202)};
    const Greeting common = common_greeting(all).value();
    EXPECT_EQ(common.version, "5.5.5-10.6.18-MariaDB");
    EXPECT_EQ(common.charset, 8) << "later servers know it too";
    EXPECT_EQ(common.capabilities, cap::bulk | 0x00F0);
    EXPECT_EQ(common.status, 0x0002);
}

TEST(MysqlGreeting, IsNeverOfTwoFamilies) {
    const std::vector<Greeting> both{server("9.7.4", 0xFF, 255), server("5.5.5-10.6.18-MariaDB", 0x0F, 8),
                                     server("8.4.0", 0xFE, 255)};
    const Greeting common = common_greeting(both).value();
    EXPECT_EQ(common.version, "8.4.0");
    EXPECT_EQ(common.capabilities, 0xFEu);
    EXPECT_EQ(family_of("5.5.5-10.6.18-MariaDB"), "MariaDB");
    EXPECT_EQ(family_of("9.7.4"), "MySQL");
}

}  // namespace
}  // namespace leasehold::mysql
