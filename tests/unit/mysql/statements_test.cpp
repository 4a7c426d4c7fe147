// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/pins.hpp"

#include <gtest/gtest.h>

namespace leasehold::mysql {
namespace {

Statement read(std::string_view sql, LexMode mode = {}) {
    Lexer whole(mode);
    whole.feed(wire::as_bytes(sql));
    const Statement at_once = whole.finish();
    Lexer pieces(mode);
    for (const char& c : sql) pieces.feed(wire::as_bytes({&c, 1}));
    const Statement byte_wise = pieces.finish();
    EXPECT_EQ(at_once.pin, byte_wise.pin) << sql;
    EXPECT_EQ(at_once.count, byte_wise.count) << sql;
    EXPECT_EQ(at_once.sets, byte_wise.sets) << sql;
    EXPECT_EQ(at_once.database, byte_wise.database) << sql;
    EXPECT_EQ(at_once.may_commit, byte_wise.may_commit) << sql;
    EXPECT_EQ(at_once.may_insert, byte_wise.may_insert) << sql;
    return at_once;
}

// Why it may keep the session on its backend: to its end, or for a while.
std::string pin_of(const Statement& statement) {
    if (!statement.pin.empty() || !statement.made) return std::string(statement.pin);
    if (!statement.made->assigned.empty()) return "user variable";
    if (!statement.made->executes.empty()) return "SQL PREPARE";
    Pins pins;
    for (const Effect& effect : statement.made->effects) pins.apply(effect, "shop");
    if (pins.reason().empty() && !statement.made->calls.empty()) return statement.made->calls.front();
    return std::string(pins.reason());
}

using Sets = std::vector<std::pair<std::string, std::string>>;

TEST(MysqlStatements, EverydayStatementsLeaveNothingBehind) {
    for (const char* sql : {"SELECT 1",
                            "insert into t values ('@a', \"get_lock\", `x@y`)",
                            "UPDATE t SET a=1 -- @x\n WHERE b=2",
                            "DELETE FROM t # @x",
                            "SELECT /* @x := 1 */ 2",
                            "(SELECT 1) UNION (SELECT 2)",
                            "COMMIT",
                            "ROLLBACK WORK",
                            "ROLLBACK TO SAVEPOINT a",
                            "SAVEPOINT a",
                            "BEGIN",
                            "START TRANSACTION READ ONLY",
                            "SELECT @@version_comment LIMIT 1",
                            "CREATE TABLE t (a int)",
                            "DROP TABLE t",
                            "SHOW VARIABLES LIKE 'x'",
                            "WITH a AS (SELECT 1) SELECT * FROM a",
                            "SELECT 'it''s', 'a\\'@b'",
                            "SELECT 5--1",
                            "SELECT 1 /*!40000 + 1 */",
                            "SET autocommit=0",
                            "",
                            "GRANT SELECT ON a.* TO 'app'@'%'",
                            "SET GLOBAL max_connections = 5",
                            "XA RECOVER",
                            "XA PREPARE 'x'",
                            "TRUNCATE t",
                            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
                            "SET PASSWORD = 'x'",
                            "COMMIT AND CHAIN NO RELEASE"}) {
        EXPECT_EQ(pin_of(read(sql)), "") << sql;
    }
}

TEST(MysqlStatements, WhatMakesSessionStatePinsWithAReason) {
    const std::pair<const char*, const char*> cases[] = {
        {"SELECT @a := 1", "user variable"},
        {"select 1 into @x", "user variable"},
        {"create temporary table t (a int)", "temporary table"},
        {"CREATE OR REPLACE TEMPORARY TABLE t (a int)", "temporary table"},
        {"SELECT GET_LOCK('a', 1)", "GET_LOCK"},
        {"SELECT `get_lock`('a', 1)", "GET_LOCK"},
        {"DO get_lock ('a', 1)", "GET_LOCK"},
        {"SELECT GET_LOCK/**/('a',1)", "GET_LOCK"},
        {"SELECT 1; LOCK TABLES t READ", "LOCK TABLES"},
        {"FLUSH TABLES WITH READ LOCK; SELECT 1", "FLUSH TABLES WITH READ LOCK"},
        {"LOCK INSTANCE FOR BACKUP", "LOCK"},
        {"SELECT service_get_write_locks('a', 'b', 1)", "service lock"},
        {"BINLOG 'x'", "BINLOG"},
        {"HANDLER t OPEN", "HANDLER"},
        {"PREPARE s FROM 'select 1'", "SQL PREPARE"},
        {"EXECUTE IMMEDIATE 'set @a=1'", "SQL PREPARE"},
        {"SELECT SQL_CALC_FOUND_ROWS * FROM t", "SQL_CALC_FOUND_ROWS"},
        {"CALL p()", "CALL p"},
        {"CALL `d`.p", "CALL d.p"},
        {"SELECT d.f(1)", "d.f"},
        {"SELECT NEXTVAL(s)", "sequence"},
        {"SELECT PREVIOUS VALUE FOR s", "sequence"},
        {"SET ROLE r, @a = 1", "SET ROLE"},
        {"SET ROLE @a", "SET ROLE"},
        {"SET ROLE `a``b`", "SET ROLE"},
        {"SET sql_mode = CONCAT(@@sql_mode, f())", "SET of what is not carried"},
        {"SET sql_mode = CONCAT(@@sql_mode, d.concat('a'))", "SET of what is not carried"},
        {"SET time_zone = (SELECT 'x')", "SET of what is not carried"},
        {"SET wait_timeout = f(1)", "f"},
        {"SET @a = f()", "user variable"},
        {"SET @a = @b := 1", "user variable"},
        {"SET @`\u00e4` = 1", "SET of what is not carried"},
        {"SELECT 1 INTO @`\u00e4`", "user variable"},
        {"LOAD DATA INFILE 'x' INTO TABLE t (a, @b)", "user variable"},
        {"GET DIAGNOSTICS @r = ROW_COUNT", "user variable"},
        {"SELECT GET_LOCK(?, 1)", "GET_LOCK"},
        {"SELECT GET_LOCK(CONCAT('a'), 1)", "GET_LOCK"},
        {"SELECT GET_LOCK('a' 'b', 1)", "GET_LOCK"},
        {"PREPARE s FROM @a", "SQL PREPARE"},
        {"EXECUTE s", "SQL PREPARE"},
        {"CREATE TEMPORARY SEQUENCE t", "temporary table"},
        {"SET completion_type = RELEASE", "SET of what is not carried"},
        {"SET completion_type = 2", "SET of what is not carried"},
        {"SET CHARACTER SET gbk", "SET of what is not carried"},
        {"SET timestamp = 5 + @a", "SET of what is not carried"},
        {"SET NAMES gbk", "SET of what is not carried"},
        {"SET NEW.a = 5", "SET of what is not carried"},
        {"SET STATEMENT max_statement_time=1 FOR SELECT 1", "SET of what is not carried"},
        {"SET time_zone = _utf8'x'", "SET of what is not carried"},
        {"BEGIN NOT ATOMIC SELECT 1; END", "compound statement"},
        {"COMMIT RELEASE", "RELEASE ends the connection"},
        {"BACKUP STAGE START", "BACKUP"},
        {"IF 1 THEN SELECT 1; END IF", "a statement that is not known"},
        {"gibberish", "a statement that is not known"},
        {"SELECT 1 /*!99999 ' */", "executable comment"},
        {"SELECT 1 /*M!100100 ' */", "executable comment"},
        {"SELECT 1; SET @a=f()", "user variable"},
        {"SELECT 'a;b'; SELECT GET_LOCK('x',1)", "GET_LOCK"},
        {"SET sql_mode='ANSI'; SELECT 1; SET sql_mode=''", "sql_mode in a multi-statement"},
        {"/*!50000 SET */ @a = f(1)", "user variable"},
        {"/*! SELECT */ GET_LOCK('a',1)", "GET_LOCK"},
        {"SELECT 1 -- x\n, @a:=1", "user variable"},
        {"SELECT 1 # x\n, @a:=1", "user variable"},
        {"SELECT 1 --\n, @a:=1", "user variable"},
        {"SELECT '\\\\', @a:=1", "user variable"},
    };
    for (const auto& [sql, reason] : cases) EXPECT_EQ(pin_of(read(sql)), reason) << sql;
}

TEST(MysqlStatements, RolesAreCarriedAsTheyAreNamed) {
    const std::pair<const char*, const char*> cases[] = {
        {"SET ROLE r", "`r`"},
        {"set role `Two words`", "`Two words`"},
        {"SET ROLE 'r'", "`r`"},
        {"SET ROLE NONE", "NONE"},
        {"SET ROLE all", "ALL"},
        {"SET ROLE DEFAULT", "DEFAULT"},
        {"SET ROLE r, `s`@`%`, 't'@'localhost'", "`r`,`s`@`%`,`t`@`localhost`"},
        {"SET ROLE ALL EXCEPT r, s", "ALL EXCEPT `r`,`s`"},
    };
    for (const auto& [sql, role] : cases) {
        const Statement one = read(sql);
        EXPECT_EQ(pin_of(one), "") << sql;
        ASSERT_EQ(one.sets.size(), 1u) << sql;
        EXPECT_EQ(one.sets[0], std::make_pair(std::string("role"), std::string(role))) << sql;
    }
    EXPECT_TRUE(read("SET role = 5").sets.empty() || read("SET role = 5").sets[0].second == "5");
}

TEST(MysqlStatements, WhatOnlyTheServerCanComputeIsAskedFor) {
    for (const char* value : {"@@global.wait_timeout", "@old", "(SELECT 5)", "'a\\'b'", "?", "1 + @a"}) {
        const Statement read_one = read("SET wait_timeout = " + std::string(value));
        EXPECT_EQ(pin_of(read_one), "") << value;
        ASSERT_TRUE(read_one.made) << value;
        EXPECT_EQ(read_one.made->asked, std::vector<std::string>{"wait_timeout"}) << value;
        EXPECT_TRUE(read_one.makes_state()) << value;
    }
    EXPECT_EQ(read("SET sql_mode = 65536").computed, std::vector<std::string>{"sql_mode"});
    EXPECT_EQ(read("SET foreign_key_checks = NOT @@unique_checks").computed,
              std::vector<std::string>{"foreign_key_checks"});
    EXPECT_EQ(read("SET timestamp = 5").sets.front().second, "5");
}

TEST(MysqlStatements, BackslashesAreEscapesUnlessTheModeSaysOtherwise) {
    EXPECT_EQ(read("SELECT 'a\\', @b := 1, '").pin, "");
    LexMode mode;
    mode.no_backslash_escapes = true;
    EXPECT_EQ(pin_of(read("SELECT 'a\\', @b := 1, ''", mode)), "user variable");
}

TEST(MysqlStatements, WithAnsiQuotesDoubleQuotesAreNamesWithoutEscapes) {
    EXPECT_EQ(read("SELECT \"a\\\", @b := 1, \"").pin, "");
    LexMode mode;
    mode.ansi_quotes = true;
    EXPECT_EQ(pin_of(read("SELECT \"a\\\", @b := 1, \"x\"", mode)), "user variable");
    EXPECT_EQ(pin_of(read("SELECT \"GET_LOCK\"('a', 1)", mode)), "GET_LOCK");
    EXPECT_TRUE(has_ansi_quotes("STRICT_TRANS_TABLES,ANSI_QUOTES"));
    EXPECT_TRUE(has_ansi_quotes("'oracle'"));
    EXPECT_FALSE(has_ansi_quotes("STRICT_TRANS_TABLES"));
}

TEST(MysqlStatements, SettingsWithLiteralsAreCarried) {
    EXPECT_EQ(read("SET NAMES utf8mb4").sets, (Sets{{"names", "utf8mb4"}}));
    EXPECT_EQ(read("set names 'utf8mb4' collate 'utf8mb4_bin'").sets,
              (Sets{{"names", "'utf8mb4' COLLATE 'utf8mb4_bin'"}}));
    EXPECT_EQ(
        read("SET sql_mode='ANSI', SESSION time_zone := '+01:00', @@session.wait_timeout=5, @@lc_time_names = de_DE")
            .sets,
        (Sets{{"sql_mode", "'ANSI'"}, {"time_zone", "'+01:00'"}, {"wait_timeout", "5"}, {"lc_time_names", "de_DE"}}));
    EXPECT_EQ(read("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").sets,
              (Sets{{"transaction isolation", "'REPEATABLE-READ'"}, {"transaction read only", "1"}}));
    EXPECT_EQ(read("SET character_set_results = NULL").sets, (Sets{{"character_set_results", "NULL"}}));
    EXPECT_EQ(read("SELECT 1; SET lock_wait_timeout=3").sets, (Sets{{"lock_wait_timeout", "3"}}));
    EXPECT_TRUE(read("SET GLOBAL a=1, b=2").sets.empty());
    EXPECT_EQ(read("SET @@global.a=(1,2), b=2").sets, (Sets{{"b", "2"}}));
    EXPECT_TRUE(read("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").one_shot);
    EXPECT_TRUE(read("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE").sets.empty());
    EXPECT_TRUE(read("SET autocommit=1").may_commit);
    EXPECT_EQ(read("SET long_query_time=0.5, a=-1, max_heap_table_size=64*1024*1024").sets,
              (Sets{{"long_query_time", "0.5"}, {"a", "-1"}, {"max_heap_table_size", "64*1024*1024"}}));
    EXPECT_EQ(read("SET CHARACTER SET utf8mb4").sets, (Sets{{"character set", "utf8mb4"}}));
    EXPECT_EQ(read("SET CHARSET 'latin1', session_track_schema=1").sets,
              (Sets{{"character set", "'latin1'"}, {"session_track_schema", "1"}}));
}

TEST(MysqlStatements, ExpressionsOfTrackedVariablesAreLeftToTheServersReport) {
    const Statement statement =
        read("SET autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES'), time_zone=@@global.time_zone");
    EXPECT_EQ(statement.computed, (std::vector<std::string>{"sql_mode", "time_zone"}));
    EXPECT_TRUE(statement.sets.empty());
    EXPECT_EQ(statement.pin, "");
    EXPECT_TRUE(statement.explained);
}

TEST(MysqlStatements, AChangeOfStateIsExplainedByTextsThatRunNoStoredCode) {
    for (const char* sql : {"SET a=1", "USE shop", "SET NAMES utf8; SET b=2", "DROP TEMPORARY TABLE IF EXISTS t",
                            "SET GLOBAL a=5", "SET a=1, sql_mode=CONCAT('a')"})
        EXPECT_TRUE(read(sql).explained) << sql;
    for (const char* sql : {"SELECT f()", "INSERT INTO t VALUES (1)", "SET a=1; SELECT f()", "SELECT f(); SET a=1",
                            "SET GLOBAL a=f(5)", "SET autocommit=f(1)", "DROP TABLE t", ""})
        EXPECT_FALSE(read(sql).explained) << sql;
}

TEST(MysqlStatements, LocksOfTablesEndAndAreNoPinsToTheEnd) {
    EXPECT_EQ(read("LOCK TABLES t READ").locks, "LOCK TABLES");
    EXPECT_EQ(read("FLUSH TABLES WITH READ LOCK").locks, "FLUSH TABLES WITH READ LOCK");
    EXPECT_EQ(read("FLUSH TABLES t FOR EXPORT").locks, "FLUSH TABLES WITH READ LOCK");
    EXPECT_TRUE(read("UNLOCK TABLES").unlocks);
    EXPECT_FALSE(read("SELECT 1; UNLOCK TABLES").unlocks);
    EXPECT_FALSE(read("UNLOCK INSTANCE").unlocks);
    EXPECT_EQ(read("LOCK TABLES t READ").pin, "");
    EXPECT_EQ(read("XA START 'x'").pin, "") << "the status tells";
    EXPECT_TRUE(read("XA PREPARE 'x'").may_commit);
}

TEST(MysqlStatements, UseKeepsTheCaseOfTheName) {
    EXPECT_EQ(read("USE Shop").database, "Shop");
    EXPECT_EQ(read("use `My ``db`;").database, "My `db");
    EXPECT_EQ(read("USE a b").pin, "USE");
}

TEST(MysqlStatements, TransactionsAreSeen) {
    EXPECT_TRUE(read(" /* x */ begin ;").begins);
    EXPECT_TRUE(read("START TRANSACTION WITH CONSISTENT SNAPSHOT").begins);
    EXPECT_FALSE(read("START SLAVE").begins);
    EXPECT_TRUE(read("ROLLBACK").rolls_back);
    EXPECT_TRUE(read("ROLLBACK").ends);
    EXPECT_TRUE(read("commit").ends);
    EXPECT_FALSE(read("COMMIT AND CHAIN").ends);
    EXPECT_FALSE(read("ROLLBACK TO a").rolls_back);
    EXPECT_FALSE(read("ROLLBACK; SELECT 1").rolls_back);
    EXPECT_FALSE(read("COMMIT; SELECT 1").ends);
    EXPECT_FALSE(read("SELECT 1; COMMIT").ends);
    for (const char* sql : {"COMMIT", "CREATE TABLE t (a int)", "CALL p()", "DO 1", "SELECT 1; COMMIT", "XA COMMIT 'x'",
                            "UNLOCK TABLES"}) {
        EXPECT_TRUE(read(sql).may_commit) << sql;
    }
    for (const char* sql : {"SELECT 1", "UPDATE t SET a=1", "SET NAMES utf8", "USE x"})
        EXPECT_FALSE(read(sql).may_commit) << sql;
}

TEST(MysqlStatements, QuestionsAboutTheStatementBeforeAreSeen) {
    EXPECT_TRUE(read("SELECT LAST_INSERT_ID()").may_insert);
    EXPECT_TRUE(read("SELECT @@identity").may_insert);
    EXPECT_TRUE(read("INSERT INTO t VALUES (1)").may_insert);
    EXPECT_FALSE(read("INSERT INTO t VALUES (1)").calls);
    EXPECT_TRUE(read("LOAD DATA LOCAL INFILE 'f' INTO TABLE t").calls);
    EXPECT_TRUE(read("UPDATE t SET a = LAST_INSERT_ID(a+1)").calls);
    EXPECT_TRUE(read("SET last_insert_id = 5").calls);
    EXPECT_TRUE(read("SELECT ROW_COUNT()").asks_counts);
    EXPECT_TRUE(read("SELECT found_rows()").asks_found_rows);
    EXPECT_FALSE(read("SELECT 'LAST_INSERT_ID()', 'ROW_COUNT'").may_insert);
    EXPECT_TRUE(read("KILL QUERY 5").kill.has_value());
    EXPECT_TRUE(read("SELECT 1; kill 5").kill.has_value());
}

TEST(MysqlStatements, NothingIsTooLongOrTooStrange) {
    std::string deep(100000, '(');
    EXPECT_EQ(read(deep).pin, "");
    EXPECT_EQ(read("SET " + std::string(5000, 'a') + "=1").pin, "SET of what is not carried");
    std::string many = "SET a0=1";
    for (int i = 1; i < 500; ++i) many += ",a" + std::to_string(i) + "=1";
    EXPECT_EQ(read(many).pin, "SET of what is not carried");
    std::uint32_t x = 12345;
    constexpr std::string_view pieces[] = {"SET ", "@", "@@", "'",  "\"", "`",      "/*", "*/",   "!", "--",     "#",
                                           "\n",   ";", "=",  ":=", ",",  "NAMES ", "\\", "\xff", "5", "GLOBAL "};
    for (int round = 0; round < 3000; ++round) {
        std::string sql;
        for (int i = 0; i < 20; ++i) sql += pieces[(x = x * 1664525u + 1013904223u, x >> 16) % std::size(pieces)];
        (void)read(sql);
    }
}

TEST(MysqlStatements, RecordsMaskLiterals) {
    EXPECT_EQ(masked("UPDATE t1 SET a='secret \\' x', b=\"y\", c=0x1F, d=4.5 WHERE `n`=7", false),
              "UPDATE t1 SET a=?, b=?, c=?, d=? WHERE `n`=?");
    EXPECT_EQ(masked("SELECT\n'a'", true), "SELECT 'a'");
    EXPECT_EQ(masked(std::string(1000, 'x'), false).size(), 256u);
}

}  // namespace
}  // namespace leasehold::mysql
