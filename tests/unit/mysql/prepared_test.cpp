// SPDX-License-Identifier: Apache-2.0
// Prepared statements apart from packets: texts that are shared, a session's numbers, a backend's copies.
#include "dialects/mysql/prepared.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

TEST(MysqlPrepared, TextsAreSharedWhenTheyWereReadAlike) {
    StatementCache cache(1 << 20);
    const TextRef one = cache.intern({"SELECT 1", "a"}), same = cache.intern({"SELECT 1", "a"});
    const TextRef other = cache.intern({"SELECT 1", "b"}), more = cache.intern({"SELECT 1a", ""});
    EXPECT_EQ(&*one, &*same);
    EXPECT_NE(one->id, other->id);
    EXPECT_NE(one->id, more->id);
    EXPECT_EQ(cache.size(), 3u);
}

TEST(MysqlPrepared, AReadingIsWhatChangesTheMeaningOfAText) {
    Settings settings;
    const std::string plain = reading_of(settings);
    settings.autocommit = false;
    settings.multi_statements = true;
    settings.set("tx_isolation", "'SERIALIZABLE'");
    settings.set("wait_timeout", "5");
    EXPECT_EQ(reading_of(settings), plain);
    for (auto* change : {+[](Settings& s) { s.database = "annex"; }, +[](Settings& s) { s.database = ""; },
                         +[](Settings& s) { s.charset = 45; }, +[](Settings& s) { s.set("sql_mode", "'ANSI'"); },
                         +[](Settings& s) { s.set(names_key, "utf8"); }, +[](Settings& s) { s.set("div", "1"); }}) {
        Settings changed;
        change(changed);
        EXPECT_NE(reading_of(changed), plain);
        EXPECT_EQ(settings_of(reading_of(changed)), changed);
    }
}

TEST(MysqlPrepared, FromOneReadingToAnotherAndBack) {
    Settings one, two;
    one.charset = two.charset = 45;
    two.set("sql_mode", "'ANSI'");
    two.set("div_precision_increment", "7");
    EXPECT_TRUE(reading_change(one, one, false).empty());
    EXPECT_EQ(reading_change(one, two, false),
              std::vector<std::string>{"SET SESSION sql_mode='ANSI', SESSION div_precision_increment=7"});
    EXPECT_EQ(reading_change(two, one, false),
              std::vector<std::string>{"SET SESSION sql_mode=DEFAULT, SESSION div_precision_increment=DEFAULT"});
    EXPECT_EQ(reading_change(two, one, true)[0].find("SET SESSION sql_mode=CONCAT(@@global.sql_mode,"), 0u);
    two.variables.clear();
    two.set(names_key, "latin1");
    EXPECT_EQ(reading_change(one, two, false), std::vector<std::string>{"SET NAMES latin1"});
    EXPECT_EQ(reading_change(two, one, false), charset_statements(45)) << "as its handshake had it";
}

TEST(MysqlPrepared, ASessionsNumbersAreItsOwnAndNotUsedTwice) {
    StatementCache cache(1 << 20);
    ClientStatements statements(2);
    EXPECT_EQ(statements.next(), 1u);
    statements.open(cache.intern({"SELECT 1", ""}), 0);
    statements.open(cache.intern({"SELECT 2", ""}), 3);
    EXPECT_TRUE(statements.full());
    std::uint32_t number = ClientStatements::last_prepared;
    EXPECT_EQ(statements.find(number, false), nullptr) << "MariaDB's alone";
    ASSERT_NE(statements.find(number, true), nullptr);
    EXPECT_EQ(number, 2u);
    statements.close(2);
    number = ClientStatements::last_prepared;
    EXPECT_EQ(statements.find(number, true), nullptr);
    EXPECT_EQ(statements.next(), 3u);
    statements.clear();
    EXPECT_EQ(statements.next(), 3u) << "what is asked for later is not mistaken for it";
    EXPECT_TRUE(statements.empty());
}

TEST(MysqlPrepared, ABackendClosesItsLongestUnusedCopiesButNoneThatASessionHolds) {
    HeldStatements held;
    held.limit(2);
    held.add(10, 1);
    held.add(20, 2);
    EXPECT_EQ(held.find(10, 5)->number, 1u);
    held.evict();
    EXPECT_EQ(held.closing(), std::vector<std::uint32_t>{2});
    held.own(*held.find(10, 5), 5, "cursor");
    held.add(30, 3);
    held.evict();
    EXPECT_EQ(held.closing(), (std::vector<std::uint32_t>{2, 3}));
    held.closed();
    EXPECT_EQ(held.pin(), "cursor");
    EXPECT_EQ(held.find(10, 6), nullptr) << "somebody else's cursor";
    HeldStatement& everybodys = held.add(10, 4);
    EXPECT_EQ(held.find(10, 6), &everybodys);
    EXPECT_EQ(held.find(10, 5)->number, 1u) << "the owner's comes first";
    held.supersede(10);
    EXPECT_EQ(held.closing(), std::vector<std::uint32_t>{4});
    EXPECT_EQ(held.size(), 1u);
    held.disown(*held.find(10, 5));
    EXPECT_TRUE(held.pin().empty());
    held.drop(*held.find(10, 1));
    EXPECT_EQ(held.size(), 0u);
    held.clear();
    EXPECT_TRUE(held.closing().empty()) << "the server has closed them";
}

}  // namespace
}  // namespace leasehold::mysql
