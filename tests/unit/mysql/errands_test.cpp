// SPDX-License-Identifier: Apache-2.0
// KILL in all its spellings, CONNECTION_ID() in texts, and what of a session's requests the daemon carries out.
#include "dialects/mysql/connection_id.hpp"
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;
using Errand = wire::Errand;

constexpr std::uint32_t own_number = 4711;

std::optional<Kill> kill_in(std::string_view sql) {
    Lexer lexer;
    lexer.feed(wire::as_bytes(sql));
    return lexer.finish().kill;
}

TEST(MysqlKill, ReadsTheFormsOfBothServers) {
    struct Case {
        std::string_view sql;
        bool query;
        std::uint64_t number;
    };
    for (const Case& is :
         {Case{"KILL 17", false, 17}, Case{"kill connection 17", false, 17}, Case{"KILL QUERY 17", true, 17},
          Case{"KILL HARD 17", false, 17}, Case{"KILL SOFT CONNECTION 17", false, 17},
          Case{"kill hard query 17;", true, 17}, Case{"/* app=x */ KILL /**/ QUERY 0017 -- now", true, 17},
          Case{"KILL 18446744073709551615", false, UINT64_MAX}}) {
        const std::optional<Kill> kill = kill_in(is.sql);
        ASSERT_TRUE(kill) << is.sql;
        EXPECT_EQ(kill->objection, "") << is.sql;
        EXPECT_EQ(kill->query, is.query) << is.sql;
        EXPECT_EQ(kill->number, is.number) << is.sql;
        EXPECT_FALSE(kill->itself);
    }
    EXPECT_TRUE(kill_in("KILL QUERY CONNECTION_ID()")->itself);
    EXPECT_TRUE(kill_in("kill connection_id ( )")->itself);
    EXPECT_FALSE(kill_in("SELECT 'KILL 17'"));
}

TEST(MysqlKill, SaysWhyItDoesNotTakeTheOthers) {
    for (const std::string_view sql :
         {"KILL", "KILL QUERY", "KILL @id", "KILL 1 + 1", "KILL 17 18", "KILL -1", "KILL 0x11", "KILL '17'", "KILL ?",
          "KILL QUERY ID 17", "KILL USER app", "KILL HARD USER 'app'@'%'", "KILL CONNECTION_ID(", "KILL 1e3",
          "KILL 99999999999999999999", "KILL CONNECTION_ID() 1 2 3 4 5 6 7 8 9"}) {
        const std::optional<Kill> kill = kill_in(sql);
        ASSERT_TRUE(kill) << sql;
        EXPECT_NE(kill->objection, "") << sql;
    }
}

TEST(MysqlConnectionId, IsReplacedWhereItIsAWholeItem) {
    const auto made = [](std::string_view sql) { return with_connection_id(sql, 7, {}).value_or("(as it is)"); };
    EXPECT_EQ(made("SELECT CONNECTION_ID()"), "SELECT CAST(7 AS UNSIGNED) AS `CONNECTION_ID()`");
    EXPECT_EQ(made("select connection_id();"), "select CAST(7 AS UNSIGNED) AS `connection_id()`;");
    EXPECT_EQ(made("SELECT connection_id ( ) AS id"), "SELECT CAST(7 AS UNSIGNED) AS id");
    EXPECT_EQ(made("SELECT Connection_Id() `the id`, 1"), "SELECT CAST(7 AS UNSIGNED) `the id`, 1");
    EXPECT_EQ(made("SELECT CONNECTION_ID() 'x' FROM DUAL"), "SELECT CAST(7 AS UNSIGNED) 'x' FROM DUAL");
    EXPECT_EQ(made("/* c */ SELECT @@version, f(1, 2), CONNECTION_ID(), USER() LIMIT 1"),
              "/* c */ SELECT @@version, f(1, 2), CAST(7 AS UNSIGNED) AS `CONNECTION_ID()`, USER() LIMIT 1");
    EXPECT_EQ(made("SELECT CONNECTION_ID(), CONNECTION_ID() b"),
              "SELECT CAST(7 AS UNSIGNED) AS `CONNECTION_ID()`, CAST(7 AS UNSIGNED) b");
    EXPECT_EQ(
        made("SELECT DISTINCT SQL_NO_CACHE CONNECTION_ID() FROM t WHERE id = CONNECTION_ID()"),
        "SELECT DISTINCT SQL_NO_CACHE CAST(7 AS UNSIGNED) AS `CONNECTION_ID()` FROM t WHERE id = CONNECTION_ID()");
}

TEST(MysqlConnectionId, StaysWhereItIsNotOrWhereThatIsNotCertain) {
    for (const std::string_view sql : {"SELECT CONNECTION_ID() + 1",
                                       "SELECT 1 + CONNECTION_ID()",
                                       "SELECT (SELECT CONNECTION_ID())",
                                       "SELECT 'CONNECTION_ID()'",
                                       "SELECT `CONNECTION_ID()` FROM t",
                                       "SELECT connection_id FROM t",
                                       "SELECT f(CONNECTION_ID(), 1)",
                                       "INSERT INTO t SELECT CONNECTION_ID()",
                                       "SELECT CONNECTION_ID() IS NULL",
                                       "SELECT /*! CONNECTION_ID() */",
                                       "SELECT CONNECTION_ID() /*M! , 1 */",
                                       "SELECT CONNECTION_ID(); SELECT 1",
                                       "SELECT 1; SELECT CONNECTION_ID()",
                                       "SELECT CONNECTION_ID() 'open",
                                       "SELECT CONNECTION_ID/*`*/()",
                                       "SELECT CONNECTION_ID() /* open",
                                       "SELECT 'it\\'s', CONNECTION_ID() DIV 2",
                                       "SELECT",
                                       "",
                                       "SELECT 1 FROM t"}) {
        EXPECT_FALSE(with_connection_id(sql, 7, {})) << sql;
    }
    // The same text, read in two modes.
    const std::string_view text = R"(SELECT '\', CONNECTION_ID(), ' ')";
    LexMode mode;
    EXPECT_FALSE(with_connection_id(text, 7, mode));
    mode.no_backslash_escapes = true;
    EXPECT_TRUE(with_connection_id(text, 7, mode));
}

// Whole, and byte by byte.
class MysqlTrackerErrands : public ::testing::TestWithParam<bool> {
  protected:
    PlayedSession session(std::uint16_t status = autocommit) {
        TrackerOptions options;
        options.number = own_number;
        options.status = status;
        return PlayedSession(std::move(options), GetParam());
    }
    static void carried_out(PlayedSession& s, const wire::Diagnostics* error = nullptr) {
        EXPECT_EQ(s.tracker.carried_out(error, s.out_client), wire::Aftermath::lives);
        s.keep();
    }
};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlTrackerErrands, ::testing::Values(false, true));  // 0: whole, 1: byte by byte

TEST_P(MysqlTrackerErrands, KillNeedsNoBackendAndIsAnsweredWhenItWasDone) {
    PlayedSession s(session());
    s.client(query("KILL QUERY 12"));
    EXPECT_EQ(s.last, Kind::errand);
    EXPECT_EQ(s.tracker.errand().kind, Errand::Kind::cancel);
    EXPECT_EQ(s.tracker.errand().number, 12u);
    EXPECT_TRUE(s.held.empty());
    EXPECT_TRUE(s.take_client().empty());
    carried_out(s);
    EXPECT_EQ(s.take_client(), ok(1));
    s.client(command(0x0C, std::string("\x0d\0\0\0", 4)));
    EXPECT_EQ(s.tracker.errand().kind, Errand::Kind::kill);
    EXPECT_EQ(s.tracker.errand().number, 13u);
    const wire::Diagnostics error = failure(Fault::not_owner, "13");
    carried_out(s, &error);
    EXPECT_EQ(s.client_error(), 1095);
    EXPECT_EQ(s.leases, 0);
    EXPECT_TRUE(s.take_backend().empty());
}

TEST_P(MysqlTrackerErrands, KillLeavesTheTransactionAndItsLeaseAlone) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.take_client();
    s.take_backend();
    s.client(query("KILL 12"));
    EXPECT_EQ(s.last, Kind::errand);
    carried_out(s);
    EXPECT_EQ(s.take_client(), ok(1, in_trans));
    EXPECT_TRUE(s.tracker.attached());
    s.client(query("COMMIT"));
    EXPECT_EQ(s.take_backend(), query("COMMIT"));
}

TEST_P(MysqlTrackerErrands, KillingOneselfIsAnsweredAtOnce) {
    PlayedSession s(session());
    s.client(query("KILL QUERY 4711"));
    EXPECT_EQ(s.client_error(), 1317);
    EXPECT_EQ(s.last, Kind::more);
    s.client(query("KILL CONNECTION_ID()"));
    EXPECT_EQ(s.client_error(), 1927);
    EXPECT_EQ(s.last, Kind::fatal);
    PlayedSession other(session());
    other.client(command(0x0C, std::string("\x67\x12\0\0", 4)));
    EXPECT_EQ(other.client_error(), 1927);
}

TEST_P(MysqlTrackerErrands, AKillThatCannotBeCarriedOutSaysWhyAndTheSessionLives) {
    PlayedSession s(session());
    for (const auto& [sql, number] : {std::pair{"KILL USER app", 1235},
                                      {"SELECT 1; KILL 5", 1235},
                                      {"KILL 4294967296", 1094},
                                      {"KILL QUERY ID 3", 1235}}) {
        s.client(query(sql));
        EXPECT_EQ(s.client_error(), number) << sql;
        EXPECT_EQ(s.last, Kind::more) << sql;
    }
    s.client(command(0x16, "KILL ?"));
    EXPECT_EQ(s.client_error(), 1295);
    s.client(command(0x0C, "\x01"));
    EXPECT_EQ(s.client_error(), 1047);
}

TEST_P(MysqlTrackerErrands, ConnectionIdIsTheSessionsNumber) {
    PlayedSession s(session());
    s.client(query("SELECT CONNECTION_ID()"));
    EXPECT_EQ(s.take_backend(), query("SELECT CAST(4711 AS UNSIGNED) AS `CONNECTION_ID()`"));
    s.server(rows("4711"));
    EXPECT_EQ(s.take_client(), rows("4711"));
    s.client(query("SELECT CONNECTION_ID() * 2"));
    EXPECT_EQ(s.take_backend(), query("SELECT CONNECTION_ID() * 2"));
}

TEST_P(MysqlTrackerErrands, AResetGivesTheBackendBackUnasked) {
    PlayedSession s(session());
    s.client(query("HANDLER t OPEN"));
    s.server(ok(1));
    EXPECT_NE(s.tracker.pin(), "");
    s.take_client();
    s.take_backend();
    s.client(command(0x1F));
    EXPECT_EQ(s.last, Kind::boundary);
    EXPECT_EQ(s.take_client(), ok(1));
    EXPECT_TRUE(s.take_backend().empty());
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_TRUE(s.backend->dirty);  // the pool resets it
}

TEST_P(MysqlTrackerErrands, AResetInATransactionLeavesItToThePool) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.take_client();
    s.take_backend();
    s.client(command(0x1F));
    EXPECT_EQ(s.last, Kind::boundary);
    EXPECT_EQ(s.take_client(), ok(1));  // to the client there is none any more
    EXPECT_TRUE(s.take_backend().empty());
    EXPECT_TRUE(s.backend->in_transaction());  // it goes on the ladder
    EXPECT_EQ(s.tracker.status(), wire::TransactionStatus::idle);
}

}  // namespace
}  // namespace leasehold::mysql
