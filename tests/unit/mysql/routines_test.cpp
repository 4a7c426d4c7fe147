// SPDX-License-Identifier: Apache-2.0
// What definitions of stored routines say of the state that they may leave.
#include "dialects/mysql/routines.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

using Names = std::vector<std::string>;

RoutineTraces read(std::string_view body, std::string_view modes = "STRICT_TRANS_TABLES") {
    return read_routine(std::string(modes) + '\n' + std::string(body), true);
}

TEST(MysqlRoutines, OrdinaryOnesLeaveNothing) {
    for (const char* body : {"SELECT 1", "BEGIN DECLARE n INT DEFAULT 0; SELECT COUNT(*) INTO n FROM t; RETURN n; END",
                             "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK; INSERT INTO t (a) VALUES (1); END",
                             "IF (a > 1) THEN UPDATE t SET b = 'GET_LOCK(@a)'; END IF",
                             "BEGIN DECLARE c CURSOR FOR SELECT a FROM t; OPEN c; FETCH c INTO x; CLOSE c; END",
                             "WHILE (i < 3) DO SET i = i + 1; END WHILE", "BEGIN SELECT 1 -- @a := 1\n; END",
                             "RETURN CONCAT(a, UPPER(b))"}) {
        const RoutineTraces traces = read(body);
        EXPECT_FALSE(traces.unknown || traces.some_lock) << body;
        EXPECT_TRUE(traces.variables.empty() && traces.locks.empty() && traces.calls.empty()) << body;
    }
}

TEST(MysqlRoutines, VariablesLocksAndCallsAreNamed) {
    EXPECT_EQ(read("BEGIN SELECT n INTO @A; RETURN n; END").variables, Names{"@`a`"});
    EXPECT_EQ(read("SELECT @a := 1, @b").variables, (Names{"@`a`", "@`b`"}));
    EXPECT_EQ(read("RETURN GET_LOCK('mine', 0)").locks, Names{"mine"});
    EXPECT_TRUE(read("RETURN GET_LOCK(name, 0)").some_lock);
    EXPECT_EQ(read("BEGIN CALL q(1); CALL d.r; RETURN f(2) + d.g(); END").calls,
              (Names{"CALL q", "CALL d.r", "f", "d.g"}));
}

TEST(MysqlRoutines, WhatCannotBeReadIsUnknown) {
    for (const char* body : {"BEGIN PREPARE q FROM 'SELECT 1'; EXECUTE q; END", "EXECUTE", "SELECT 1 /*M!100000 + 1 */",
                             "SELECT 1 INTO @`\u00e4`", "SELECT NEXTVAL(s)"})
        EXPECT_TRUE(read(body).unknown) << body;
    EXPECT_TRUE(read("SELECT 1", "ORACLE").unknown);
    EXPECT_TRUE(read_routine("", false).unknown);
    EXPECT_TRUE(read_routine("SELECT 1", false).unknown) << "its modes are missing";
    EXPECT_EQ(read("SELECT \"@a\"").variables, Names{});
    EXPECT_EQ(read("SELECT 'a\\', @b, ''", "NO_BACKSLASH_ESCAPES").variables, Names{"@`b`"});
}

TEST(MysqlRoutines, WhatNoServerTellsOfIsSeen) {
    for (const char* body :
         {"SET time_zone = zone", "BEGIN SET SESSION time_zone = '+01:00', @a = 1; END", "SET @a = n"})
        EXPECT_FALSE(read(body).sets_unseen) << body;
    for (const char* body : {"SET lock_wait_timeout = 5", "CREATE TEMPORARY SEQUENCE t",
                             "SET time_zone = '+01:00', x = 2", "SET @@lock_wait_timeout = 5", "SET ROLE r"})
        EXPECT_TRUE(read(body).sets_unseen) << body;
}

TEST(MysqlRoutines, NamesThatAreNotPlainAreNotAskedAbout) {
    EXPECT_EQ(Routine::named("CALL p", "shop")->key(), "CALL shop.p");
    EXPECT_EQ(Routine::named("d.F", "shop")->key(), "d.f");
    EXPECT_FALSE(Routine::named("a'b", "shop"));
    EXPECT_FALSE(Routine::named("f", ""));
    EXPECT_FALSE(Routine::named("a.b.c", "shop"));
    EXPECT_NE(Routine::named("f", "shop")->question().find("ROUTINE_SCHEMA='shop' AND ROUTINE_NAME='f'"),
              std::string::npos);
}

TEST(MysqlRoutine, NamesItsTemporaryTables) {
    const auto traces = [](std::string_view body) { return read_routine("\n" + std::string(body), true); };
    for (const char* body :
         {"CREATE TEMPORARY TABLE made (id INT)", "BEGIN CREATE TEMPORARY TABLE IF NOT EXISTS `made` SELECT 1; END",
          "BEGIN CREATE OR REPLACE TEMPORARY TABLE made (id INT); INSERT INTO made VALUES (n); END"}) {
        EXPECT_EQ(traces(body).tables, std::vector<std::string>{"made"}) << body;
        EXPECT_FALSE(traces(body).sets_unseen) << body;
    }
    EXPECT_EQ(traces("CREATE TEMPORARY TABLE d.made LIKE t").tables, std::vector<std::string>{"d.made"});
    for (const char* body : {"CREATE TEMPORARY SEQUENCE s", "DROP TEMPORARY TABLE made", "CREATE TEMPORARY TABLE",
                             "BEGIN CREATE TEMPORARY TABLE made (id INT); INSERT INTO other VALUES (1); END",
                             "BEGIN CREATE TEMPORARY TABLE made (id INT); INSERT INTO made.other VALUES (1); END",
                             "BEGIN CREATE TEMPORARY TABLE made (id INT); UPDATE made SET id = 1; END"}) {
        EXPECT_TRUE(traces(body).sets_unseen) << body;
    }
}

TEST(MysqlRoutine, ThatChoosesARoleIsKnown) {
    EXPECT_TRUE(read_routine("\nSET ROLE r", false).sets_role);
    EXPECT_TRUE(read_routine("\nBEGIN SET @a = 1, x = 2; SET ROLE NONE; END", false).sets_role);
    EXPECT_FALSE(read_routine("\nBEGIN DECLARE role INT; SET role = 5; SELECT role FROM t; END", false).sets_role);
    EXPECT_FALSE(read_routine("\nSET ROLE r", false).unknown);
}

}  // namespace
}  // namespace leasehold::mysql
