// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/settings.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

TEST(MysqlSettings, TheLastValueOfANameCountsAndGoesToTheEnd) {
    Settings settings;
    settings.set("a", "1");
    settings.set("b", "2");
    settings.set("a", "3");
    EXPECT_EQ(settings.variables, (std::vector<std::pair<std::string, std::string>>{{"b", "2"}, {"a", "3"}}));
}

TEST(MysqlSettings, NamesReplacesWhatItSets) {
    Settings settings;
    settings.set("character_set_results", "NULL");
    settings.set("names", "utf8mb4");
    EXPECT_FALSE(settings.holds("character_set_results"));
    settings.set("character_set_results", "NULL");
    EXPECT_TRUE(settings.holds("names"));
    EXPECT_EQ(settings.variables.back().first, "character_set_results");
}

TEST(MysqlSettings, FingerprintsDifferWhereSettingsDo) {
    Settings a, b;
    EXPECT_EQ(a.fingerprint(), b.fingerprint());
    a.autocommit = false;
    EXPECT_NE(a.fingerprint(), b.fingerprint());
    b.autocommit = false;
    b.database = "";
    EXPECT_NE(a.fingerprint(), b.fingerprint());
    b.database = "x";
    const auto with_x = b.fingerprint();
    b.database.reset();
    b.set("x", "");
    EXPECT_NE(b.fingerprint(), with_x);
}

TEST(MysqlAlignment, NothingIsDoneForEqualSettings) {
    Settings held, wanted;
    EXPECT_TRUE(alignment(held, wanted, {"shop"}).nothing());
    wanted.database = "shop";  // named, and the same
    EXPECT_TRUE(alignment(held, wanted, {"shop"}).nothing());
}

TEST(MysqlAlignment, SetsAllInOrderWhenTheBackendHoldsLess) {
    Settings held, wanted;
    wanted.set("names", "'utf8mb4' COLLATE 'utf8mb4_bin'");
    wanted.set("sql_mode", "'ANSI'");
    wanted.autocommit = false;
    const Alignment plan = alignment(held, wanted, {"shop"});
    EXPECT_FALSE(plan.reset);
    EXPECT_EQ(plan.sql, "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin', SESSION sql_mode='ANSI', SESSION autocommit=0");
}

TEST(MysqlAlignment, OnlyAutocommitIsASetOfItsOwn) {
    Settings held, wanted;
    held.set("sql_mode", "''");
    wanted.set("sql_mode", "''");
    held.autocommit = false;
    EXPECT_EQ(alignment(held, wanted, {}).sql, "SET SESSION autocommit=1");
}

TEST(MysqlAlignment, WhatTheSessionDoesNotHaveIsResetAway) {
    Settings held, wanted;
    held.set("time_zone", "'+01:00'");
    held.autocommit = false;
    wanted.autocommit = false;
    const Alignment plan = alignment(held, wanted, {"shop"});
    EXPECT_TRUE(plan.reset);
    EXPECT_EQ(plan.sql, "SET SESSION autocommit=0");  // the reset took it along
}

TEST(MysqlAlignment, AHandshakesCharacterSetComesFirstAndBringsTheSettingsBehindItAlong) {
    Settings held, wanted;
    held.charset = 45;
    wanted.charset = 8;
    EXPECT_EQ(alignment(held, wanted, {}).charset, 8);
    EXPECT_EQ(alignment(held, wanted, {}).sql, "");
    held.set("names", "utf8mb4");
    wanted.set("names", "utf8mb4");
    EXPECT_EQ(alignment(held, wanted, {}).sql, "SET NAMES utf8mb4") << "the number has overwritten it";
    wanted.charset = 45;
    EXPECT_TRUE(alignment(held, wanted, {}).nothing());
    wanted.variables.clear();
    const Defaults mariadb{{}, true, 45}, mysql{{}, true, 0};
    EXPECT_TRUE(alignment(held, wanted, mariadb).reset);
    EXPECT_FALSE(alignment(held, wanted, mariadb).charset) << "the reset brings it back";
    EXPECT_EQ(alignment(held, wanted, mysql).charset, 45);
}

TEST(MysqlAlignment, DatabasesAreNamedOrForgotten) {
    Settings held, wanted;
    held.database = "other";
    EXPECT_EQ(alignment(held, wanted, {"shop"}).database, "shop");
    EXPECT_TRUE(alignment(held, wanted, {}).no_database);
    wanted.database = "";
    held.database.reset();
    EXPECT_TRUE(alignment(held, wanted, {"shop"}).no_database);
    wanted.set("sql_mode", "''");
    held.set("sql_mode", "''");
    EXPECT_EQ(alignment(held, wanted, {"shop"}).sql, "SET SESSION sql_mode=''");  // the new session has lost it
}

TEST(MysqlSettings, SetCharacterSetIsNamedWhenItsDatabaseIsLeft) {
    Settings settings;
    settings.set("time_zone", "'+01:00'");
    settings.set(charset_key, "latin1");
    settings.set("sql_mode", "''");
    settings.settle_charset("'utf8mb4_bin'");
    const std::vector<std::pair<std::string, std::string>> named{{"time_zone", "'+01:00'"},
                                                                 {"character_set_client", "latin1"},
                                                                 {"character_set_results", "latin1"},
                                                                 {"sql_mode", "''"},
                                                                 {"collation_connection", "'utf8mb4_bin'"}};
    EXPECT_EQ(settings.variables, named);
    settings.settle_charset("'latin1_bin'");
    EXPECT_EQ(settings.variables, named) << "there is no SET CHARACTER SET any more";
}

}  // namespace
}  // namespace leasehold::mysql
