// SPDX-License-Identifier: Apache-2.0
// State that servers do not report: who may make it, who may meet it, and what stands between them.
#include "tests/unit/mysql/prepared_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;

Statement read(std::string_view sql, bool mariadb = false) {
    LexMode mode;
    mode.mariadb = mariadb;
    Lexer whole(mode);
    whole.feed(wire::as_bytes(sql));
    const Statement at_once = whole.finish();
    Lexer pieces(mode);
    for (const char& c : sql) pieces.feed(wire::as_bytes({&c, 1}));
    const Statement byte_wise = pieces.finish();
    EXPECT_EQ(at_once.runs_stored, byte_wise.runs_stored) << sql;
    EXPECT_EQ(at_once.variables, byte_wise.variables) << sql;
    return at_once;
}

TEST(MysqlHiddenState, WhatMayBeAStoredFunctionIsTakenForOne) {
    for (const char* sql : {"SELECT f()",
                            "select F ( 1 )",
                            "SELECT `f`(1)",
                            "SELECT `count`(1)",
                            "SELECT d.f()",
                            "SELECT `d`.`f` (1)",
                            "SELECT d.count()",
                            "DO f()",
                            "INSERT INTO t VALUES (f())",
                            "INSERT INTO t SELECT f()",
                            "INSERT INTO t (a) SELECT f()",
                            "UPDATE t SET a=f()",
                            "SELECT 1 WHERE EXISTS (SELECT f())",
                            "SELECT f/**/()",
                            "SELECT /*!40000 f() */",
                            "SELECT count(*), f(1)",
                            "SELECT a FROM t ORDER BY f(a)",
                            "DELETE FROM t WHERE a=f(1)",
                            "SELECT 1; SELECT f()",
                            "SELECT IF(1, f(), 2)",
                            "INSERT INTO d.t SELECT f()",
                            "REPLACE INTO t SET a=f()",
                            "SHOW TABLES WHERE f()"}) {
        EXPECT_TRUE(read(sql).runs_stored) << sql;
    }
    for (const char* sql : {"SELECT c FROM sbtest1 WHERE id=1",
                            "INSERT INTO sbtest1 (id, k) VALUES (0, 1), (2, 3)",
                            "INSERT INTO `shop`.`t` (`a`, `b`) VALUES (?, ?)",
                            "REPLACE INTO d.t (a) VALUE (1)",
                            "SELECT SUM(k), count(*) FROM t",
                            "SELECT DISTINCT c FROM t WHERE id BETWEEN 1 AND (2) ORDER BY c",
                            "UPDATE t SET a=a+1 WHERE b IN (1, 2)",
                            "SELECT CAST(a AS DECIMAL(10, 2)), CAST(b AS DATETIME(6)) FROM t",
                            "CREATE TABLE t (a INT(11), b VARCHAR(10))",
                            "CREATE TABLE IF NOT EXISTS d.t (a INT)",
                            "SELECT * FROM t JOIN u USING (id)",
                            "SELECT now(), LAST_INSERT_ID()",
                            "SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t",
                            "SELECT 'f(' , \"f(\"",
                            "SELECT 1 -- f()",
                            "SELECT * FROM t WHERE MATCH (a) AGAINST ('x')",
                            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a)",
                            "SELECT GROUP_CONCAT(a), JSON_EXTRACT(b, '$.x'), IFNULL(c, 0), DATE_FORMAT(d, '%Y'), "
                            "TIMESTAMPDIFF(DAY, d, e) FROM t",
                            "WITH a AS (SELECT 1) SELECT * FROM a",
                            "SELECT (SELECT 1), (2)",
                            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t (a, b)",
                            "SELECT 1 FROM t WHERE EXISTS (SELECT 2)",
                            "SELECT ST_X(p) FROM t",
                            "COMMIT",
                            "SET time_zone='+01:00'"}) {
        EXPECT_FALSE(read(sql).runs_stored) << sql;
        EXPECT_FALSE(read(sql, true).runs_stored) << sql;
    }
}

// A function that one family has itself is written by users of the other.
TEST(MysqlHiddenState, WhichFunctionsAreNativeIsTheServersBusiness) {
    EXPECT_FALSE(read("SELECT UUID_TO_BIN(a)").runs_stored);
    EXPECT_TRUE(read("SELECT UUID_TO_BIN(a)", true).runs_stored);
    EXPECT_TRUE(read("SELECT nvl(a, 1)").runs_stored);
    EXPECT_FALSE(read("SELECT nvl(a, 1)", true).runs_stored);
}

TEST(MysqlHiddenState, NamesOfUserVariablesAreKeptAsTheyCanBeWritten) {
    EXPECT_EQ(read("SELECT @a, @A.b, @a, @'x y', @`q``r`, 'app'@'%', @@c").variables,
              (std::vector<std::string>{"@`a`", "@`a.b`", "@`x y`", "@`q``r`"}));
    EXPECT_FALSE(read("SELECT @a").variables_lost);
    EXPECT_TRUE(read("SELECT @'x\\'y'").variables_lost);
    EXPECT_TRUE(read("SELECT @" + std::string(300, 'x')).variables_lost);
    std::string many = "SELECT @a0";
    for (int i = 1; i < 33; ++i) many += ", @a" + std::to_string(i);
    EXPECT_TRUE(read(many).variables_lost);
    EXPECT_EQ(read(many).variables.size(), 32u);
    for (const char* sql : {"SELECT RELEASE_LOCK('x')", "SELECT get_lock('x', 1)", "SELECT `is_used_lock`('x')",
                            "DO RELEASE_ALL_LOCKS()"})
        EXPECT_TRUE(read(sql).asks_locks) << sql;
}

class MysqlHidden : public MysqlStatements {
  protected:
    // A session in a transaction on a backend that another one has used.
    static void begin(PlayedSession& s) {
        s.backend->used_by = MysqlLease::leaseholds;
        s.client(query("BEGIN"));
        s.server(ok(1, in_trans | autocommit));
        (void)s.take_backend();
        (void)s.take_client();
        ASSERT_TRUE(s.tracker.attached());
    }
};

TEST_P(MysqlHidden, WhoCallsAStoredFunctionLeavesABackendToBeReset) {
    PlayedSession s = session();
    s.client(query("SELECT f()"));
    EXPECT_EQ(s.take_backend(), query("SELECT f()"));
    EXPECT_TRUE(s.tracker.dirty());
    s.server(rows("1"));
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_TRUE(s.backend->dirty);
    EXPECT_TRUE(s.tracker.pin().empty()) << "what it leaves ends with the lease";
    s.renew();
    s.client(query("SELECT f()"));
    s.server(err(1, 1064, "42000"));
    EXPECT_FALSE(s.backend->dirty) << "it is none";
    s.renew();
    s.client(query("SELECT f()"));
    s.server(err(1, 1146, "42S02"));
    EXPECT_TRUE(s.backend->dirty) << "the table may be missed in its middle";
    s.renew();
    (void)s.take_backend();
    (void)s.take_client();
    with(s, "SELECT f()");
    EXPECT_FALSE(s.backend->dirty) << "preparing it does not run it";
    s.client(execute(1));
    s.server(rows("1"));
    EXPECT_TRUE(s.backend->dirty);
    s.renew();
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_FALSE(s.backend->dirty);
}

TEST_P(MysqlHidden, ALongTextThatCallsOneAtItsEndLeavesItTooToBeReset) {
    PlayedSession s = session();
    const Raw sent = query("SELECT '" + std::string(60000, 'x') + "', f()");
    for (std::size_t at = 0; at < sent.size(); at += 20000) {
        const auto end = static_cast<std::ptrdiff_t>(std::min<std::size_t>(at + 20000, sent.size()));
        s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at), sent.begin() + end));
    }
    s.server(rows("1"));
    EXPECT_TRUE(s.backend->dirty);
}

TEST_P(MysqlHidden, WhoMayMeetIsGivenABackendThatOthersHaveNotUsed) {
    for (const char* sql : {"SELECT @a", "SELECT f()", "SELECT RELEASE_LOCK('x')", "SELECT IS_USED_LOCK('x')"}) {
        PlayedSession s = session();
        s.gives_leases = false;
        s.client(query(sql));
        s.backend->used_by = 4711;
        EXPECT_TRUE(s.tracker.wants_clean(*s.backend)) << sql;
    }
    TrackerOptions options;
    options.mode = wire::LeaseMode::session;
    PlayedSession whole = session(options);
    whole.gives_leases = false;
    whole.client(query("SELECT 1"));
    whole.backend->used_by = 4711;
    EXPECT_TRUE(whole.tracker.wants_clean(*whole.backend)) << "it has the backend to its end";
}

TEST_P(MysqlHidden, InATransactionVariablesAreWhatTheyAreToANewSession) {
    PlayedSession s = session();
    begin(s);
    s.client(query("SELECT @a, @b"));
    EXPECT_EQ(s.take_backend(), query("SET @`a`=NULL, @`b`=NULL") + query("SELECT @a, @b"));
    s.server(ok(1, in_trans | autocommit));
    EXPECT_EQ(s.take_client(), Raw());
    s.server(rows("1", in_trans | autocommit));
    EXPECT_EQ(s.take_client(), rows("1", in_trans | autocommit));
    s.client(query("SELECT @c"));
    EXPECT_EQ(s.take_backend(), query("SET @`c`=NULL") + query("SELECT @c"))
        << "the session asks for another one that it cannot have made";
}

// A procedure may have made what the session reads next: there is no telling whose it is, and it is not taken away.
TEST_P(MysqlHidden, BehindStoredCodeOfItsOwnASessionReadsWhatThereIs) {
    for (const char* sql : {"CALL p()", "SELECT f()"}) {
        PlayedSession s = session();
        begin(s);
        s.client(query(sql));
        s.server(rows("1", in_trans | autocommit));
        (void)s.take_backend();
        s.client(query("SELECT @a, RELEASE_LOCK('x')"));
        EXPECT_EQ(s.take_backend(), query("SELECT @a, RELEASE_LOCK('x')"));
    }
    PlayedSession named = session();
    begin(named);
    named.client(query("CALL p(@a)"));
    EXPECT_EQ(named.take_backend(), query("SET @`a`=NULL") + query("CALL p(@a)"));
    named.server(ok(1, in_trans | autocommit) + ok(1, in_trans | autocommit));
    named.client(query("SELECT @a"));
    EXPECT_EQ(named.take_backend(), query("SELECT @a"));
}

TEST_P(MysqlHidden, FromThenOnItsLeasesBeginClean) {
    PlayedSession s = session();
    begin(s);
    s.client(query("SELECT RELEASE_LOCK('x')"));
    s.server(ok(1, in_trans | autocommit) + rows("1", in_trans | autocommit));
    s.client(query("COMMIT"));
    s.server(ok(1));
    EXPECT_FALSE(s.tracker.attached());
    s.gives_leases = false;
    s.client(query("BEGIN"));
    s.backend->used_by = MysqlLease::leaseholds;
    EXPECT_TRUE(s.tracker.wants_clean(*s.backend));
}

TEST_P(MysqlHidden, InATransactionLocksOfNobodyAreGivenUp) {
    PlayedSession s = session();
    begin(s);
    s.client(query("SELECT RELEASE_LOCK('x')"));
    EXPECT_EQ(s.take_backend(), query("DO RELEASE_ALL_LOCKS()") + query("SELECT RELEASE_LOCK('x')"));
}

TEST_P(MysqlHidden, PreparedTextsAreTreatedAlike) {
    PlayedSession s = session();
    with(s, "SELECT @a");
    begin(s);
    s.client(execute(1));
    EXPECT_EQ(s.take_backend(), query("SET @`a`=NULL") + execute(70));
}

TEST_P(MysqlHidden, NamesThatCannotBeWrittenDownAreRefused) {
    PlayedSession s = session();
    begin(s);
    s.client(query("SELECT @'x\\'y'"));
    EXPECT_EQ(s.client_error(), 1235);
    EXPECT_EQ(s.take_backend(), Raw());
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.take_backend(), query("SELECT 1"));
}

TEST_P(MysqlHidden, WhoHasBeenAloneOnTheBackendPaysNothing) {
    PlayedSession s = session();
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans | autocommit));
    (void)s.take_backend();
    s.client(query("SELECT @a"));
    EXPECT_EQ(s.take_backend(), query("SELECT @a"));
    PlayedSession other = session();
    begin(other);
    other.client(query("SELECT 1"));
    EXPECT_EQ(other.take_backend(), query("SELECT 1"));
}

INSTANTIATE_TEST_SUITE_P(Fed, MysqlHidden, ::testing::Bool());

}  // namespace
}  // namespace leasehold::mysql
