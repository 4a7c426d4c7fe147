// SPDX-License-Identifier: Apache-2.0
// PREPARE, EXECUTE and DEALLOCATE in SQL, over two backends by turns.
#include "tests/unit/postgres/session_fixture.hpp"

#include <algorithm>
#include <regex>

namespace leasehold::postgres {
namespace {

using namespace model;

class SqlPrepared : public Tracking, public ::testing::WithParamInterface<std::size_t> {
  protected:
    // Without what the rows hold.
    std::string ask(Client& of, std::size_t step) {
        return std::regex_replace(Tracking::ask(of, step), std::regex("T (?=D)|(D)\\([^)]*\\)|(E\\()E "), "$1$2");
    }
    std::string sql(std::string_view text) { return ask(client.query(text), GetParam()); }
    std::string pin() const { return std::string(session->tracker.pin()); }
    [[nodiscard]] bool ran(const Backend& of, std::string_view text) const {
        return std::ranges::find(of.server.executed, text) != of.server.executed.end();
    }
};
INSTANTIATE_TEST_SUITE_P(Steps, SqlPrepared, ::testing::Values(0u, 1u));

TEST_P(SqlPrepared, IsCarried) {
    EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(I)");
    EXPECT_EQ(pin(), "");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)") << i;
    EXPECT_GE(session->leases, 5u);
    EXPECT_TRUE(ran(first, "SELECT 1"));
    EXPECT_TRUE(ran(second, "SELECT 1"));
    EXPECT_EQ(sql("PREPARE q AS SELECT 2"), "E(42P05 prepared statement \"q\" already exists) Z(I)");
    EXPECT_EQ(sql("DEALLOCATE q"), "C(DEALLOCATE) Z(I)");
    EXPECT_EQ(sql("EXECUTE q"), "E(26000 prepared statement \"q\" does not exist) Z(I)");
    EXPECT_EQ(sql("PREPARE q AS SELECT 2"), "C(PREPARE) Z(I)");
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
    EXPECT_FALSE(session->tracker.dirty());
}

TEST_P(SqlPrepared, IsOneNamespaceWithTheProtocol) {
    EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(I)");
    EXPECT_EQ(ask(client.parse("q", "SELECT 2").sync(), GetParam()),
              "E(42P05 prepared statement \"q\" already exists) Z(I)");
    EXPECT_EQ(ask(client.bind("q").execute().sync(), GetParam()), "2 D C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.close('S', "q").sync(), GetParam()), "3 Z(I)");
    EXPECT_EQ(sql("EXECUTE q"), "E(26000 prepared statement \"q\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.parse("p", "SELECT 3").sync(), GetParam()), "1 Z(I)");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(sql("EXECUTE p"), "D C(SELECT 1) Z(I)") << i;
    EXPECT_EQ(sql("PREPARE p AS SELECT 2"), "E(42P05 prepared statement \"p\" already exists) Z(I)");
    EXPECT_EQ(sql("SELECT 1; DEALLOCATE p; DEALLOCATE p"),
              "D C(SELECT 1) C(DEALLOCATE) E(26000 prepared statement \"p\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.bind("p").sync(), GetParam()), "E(26000 prepared statement \"p\" does not exist) Z(I)");
}

TEST_P(SqlPrepared, CountsStatementByStatementInAString) {
    EXPECT_EQ(sql("PREPARE a AS SELECT 1; PREPARE b AS SELECT 1; EXECUTE a; EXECUTE b; DEALLOCATE a; ERR; PREPARE c AS "
                  "SELECT 2"),
              "C(PREPARE) C(PREPARE) D C(SELECT 1) D C(SELECT 1) C(DEALLOCATE) E(22012 division by zero) Z(I)");
    EXPECT_EQ(sql("EXECUTE b"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE b"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE a"), "E(26000 prepared statement \"a\" does not exist) Z(I)");
    EXPECT_EQ(sql("EXECUTE c"), "E(26000 prepared statement \"c\" does not exist) Z(I)");
    EXPECT_EQ(sql("DEALLOCATE ALL; PREPARE b AS SELECT 3; EXECUTE b"),
              "C(DEALLOCATE ALL) C(PREPARE) D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE b"), "D C(SELECT 1) Z(I)");
}

// A statement of the protocol may execute another one, or itself.
TEST_P(SqlPrepared, ThatNamesItselfIsNone) {
    const std::string none = "E(26000 prepared statement \"a\" does not exist) Z(I)";
    EXPECT_EQ(ask(client.parse("a", "EXECUTE a").sync(), GetParam()), "1 Z(I)");
    EXPECT_EQ(ask(client.parse("b", "EXECUTE c").parse("c", "EXECUTE b").sync(), GetParam()), "1 1 Z(I)");
    for (const char* name : {"a", "b", "c"}) {
        for (int i = 0; i < 3; ++i) {
            EXPECT_NE(sql(std::string("EXECUTE ") + name).find("26000"), std::string::npos) << name;
            EXPECT_NE(ask(client.bind(name).execute().sync(), GetParam()).find("26000"), std::string::npos) << name;
        }
    }
    std::string chain;
    for (int i = 0; i < 500; ++i) {
        const std::string name = "n" + std::to_string(i), next = "n" + std::to_string(i + 1);
        EXPECT_EQ(ask(client.parse(name, "EXECUTE " + next).sync(), GetParam()), "1 Z(I)");
        chain += "EXECUTE n" + std::to_string(i) + ";";
    }
    (void)sql(chain);
    (void)ask(client.bind("n0").execute().sync(), GetParam());
    EXPECT_EQ(sql("SELECT 1"), "D C(SELECT 1) Z(I)");
}

TEST_P(SqlPrepared, NamesWhatIsMissingAsItsClientDoes) {
    EXPECT_EQ(ask(client.parse("a", "EXECUTE b").sync(), GetParam()), "1 Z(I)");
    EXPECT_EQ(sql("EXECUTE a"), "E(26000 prepared statement \"b\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.parse("", "EXECUTE a").bind("").execute().sync(), GetParam()),
              "1 2 E(26000 prepared statement \"b\" does not exist) Z(I)");
}

// What a name stands for inside of a statement may have changed since that was parsed.
TEST_P(SqlPrepared, DoesWhatTheStatementItNamesDoesNow) {
    EXPECT_EQ(ask(client.parse("a", "EXECUTE b").sync(), GetParam()), "1 Z(I)");
    EXPECT_EQ(sql("PREPARE b AS SELECT 'b'"), "C(PREPARE) Z(I)");
    EXPECT_EQ(sql("EXECUTE a"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("DEALLOCATE b"), "C(DEALLOCATE) Z(I)");
    EXPECT_EQ(sql("PREPARE b AS SELECT pg_advisory_lock(1)"), "C(PREPARE) Z(I)");
    EXPECT_EQ(pin(), "");
    (void)sql("EXECUTE a");
    EXPECT_EQ(pin(), "session advisory lock");
}

TEST_P(SqlPrepared, IsThereBehindTheEndOfAFailedTransaction) {
    for (const char* end : {"ROLLBACK", "COMMIT", "ROLLBACK AND CHAIN", "ROLLBACK TO s"}) {
        EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(I)");
        (void)sql("BEGIN");
        (void)sql("SAVEPOINT s");
        (void)sql("ERR");
        EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::failed);
        session->send(client.query(end).query("EXECUTE q").query("DEALLOCATE q").query("ROLLBACK").take(), GetParam());
        session->pump(GetParam());
        const std::string told = readable(session->received());
        EXPECT_EQ(told.find("26000"), std::string::npos) << end << told;
        EXPECT_NE(told.find("C(DEALLOCATE)"), std::string::npos) << end << told;
        EXPECT_EQ(sql("EXECUTE q"), "E(26000 prepared statement \"q\" does not exist) Z(I)");
    }
}

TEST_P(SqlPrepared, OutlivesItsTransaction) {
    (void)sql("BEGIN");
    EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(T)");
    (void)sql("ROLLBACK");
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
    (void)sql("BEGIN");
    EXPECT_EQ(sql("EXECUTE none"), "E(26000 prepared statement \"none\" does not exist) Z(E)");
    EXPECT_EQ(sql("EXECUTE q"),
              "E(25P02 current transaction is aborted, commands ignored until end of transaction block) Z(E)");
    (void)sql("ROLLBACK");
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
}

TEST_P(SqlPrepared, FailsAsItselfWhereItsTableIsGone) {
    EXPECT_EQ(sql("PREPARE q AS SELECT t"), "C(PREPARE) Z(I)");
    first.server.gone = second.server.gone = "SELECT t";
    (turn == 0 ? second : first).server.prepared.clear();
    EXPECT_EQ(sql("EXECUTE q"), "E(42P01 SELECT t is gone) Z(I)");
    first.server.gone = second.server.gone = "";
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
}

TEST_P(SqlPrepared, IsNobodyElsesUnderTheBackendsName) {
    EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(I)");
    Backend& holds = turn == 0 ? first : second;
    ASSERT_EQ(holds.server.prepared.size(), 1u);
    const std::string name = holds.server.prepared.begin()->first;
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(sql("EXECUTE " + name), "E(26000 prepared statement \"" + name + "\" does not exist) Z(I)");
        EXPECT_EQ(sql("DEALLOCATE " + name), "E(26000 prepared statement \"" + name + "\" does not exist) Z(I)");
        EXPECT_EQ(ask(client.parse("", "EXECUTE " + name).bind("").execute().sync(), GetParam()),
                  "1 2 E(26000 prepared statement \"" + name + "\" does not exist) Z(I)");
    }
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
}

TEST_P(SqlPrepared, WorksInTheExtendedProtocol) {
    EXPECT_EQ(ask(client.parse("", "PREPARE q AS SELECT 1").bind("").execute().sync(), GetParam()),
              "1 2 C(PREPARE) Z(I)");
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ask(client.parse("", "EXECUTE q").bind("").execute().sync(), GetParam()), "1 2 D C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.parse("e", "EXECUTE q").sync(), GetParam()), "1 Z(I)");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(client.bind("e").execute().sync(), GetParam()), "2 D C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.parse("", "PREPARE q AS SELECT 2").bind("").execute().sync(), GetParam()),
              "1 2 E(42P05 prepared statement \"q\" already exists) Z(I)");
    EXPECT_EQ(ask(client.parse("d", "DEALLOCATE q").bind("d").execute().sync(), GetParam()), "1 2 C(DEALLOCATE) Z(I)");
    EXPECT_EQ(ask(client.bind("e").execute().sync(), GetParam()),
              "2 E(26000 prepared statement \"q\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.parse("", "PREPARE q AS SELECT 5").bind("").execute().bind("q").execute().sync(), GetParam()),
              "1 2 C(PREPARE) 2 D C(SELECT 1) Z(I)");
    EXPECT_EQ(ask(client.bind("e").execute().sync(), GetParam()), "2 D C(SELECT 1) Z(I)");
}

TEST_P(SqlPrepared, IsGivenUpByAStatementOlderThanItOrUnderALongName) {
    const std::string longest(63, 'n');
    for (const std::string& name : {std::string("q"), longest}) {
        const std::string gone = "E(26000 prepared statement \"" + name + "\" does not exist) Z(I)";
        EXPECT_EQ(
            ask(client.parse("", "DEALLOCATE " + name).parse(name, "SELECT 1").bind("").execute().sync(), GetParam()),
            "1 1 2 C(DEALLOCATE) Z(I)");
        EXPECT_EQ(sql("EXECUTE " + name), gone);
        EXPECT_EQ(ask(client.parse(name, "SELECT 1").sync(), GetParam()), "1 Z(I)");
        EXPECT_EQ(ask(client.parse("", "DEALLOCATE " + name).bind("").execute().sync(), GetParam()),
                  "1 2 C(DEALLOCATE) Z(I)");
        EXPECT_EQ(sql("EXECUTE " + name), gone);
        EXPECT_EQ(ask(client.parse(name, "SELECT 1").sync(), GetParam()), "1 Z(I)");
        EXPECT_EQ(sql("DEALLOCATE " + name), "C(DEALLOCATE) Z(I)");
        EXPECT_EQ(sql("EXECUTE " + name), gone);
    }
}

TEST_P(SqlPrepared, DoesWhatItsTextDoes) {
    EXPECT_EQ(sql("PREPARE q AS SELECT pg_advisory_lock(1)"), "C(PREPARE) Z(I)");
    EXPECT_EQ(pin(), "");
    session->holds = [] { return Found{.lock = true}; };
    (void)sql("EXECUTE q");
    EXPECT_EQ(pin(), "session advisory lock");
}

// The backend must hold the one before, and not the other.
TEST_P(SqlPrepared, IsPreparedOnceMoreBesideAnotherOfTheSameText) {
    EXPECT_EQ(sql("PREPARE a AS SELECT 1"), "C(PREPARE) Z(I)");
    EXPECT_EQ(sql("EXECUTE a; PREPARE b AS SELECT 1; EXECUTE b"), "D C(SELECT 1) C(PREPARE) D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("PREPARE c AS SELECT 1; EXECUTE a; DEALLOCATE c; EXECUTE a; EXECUTE b; EXECUTE c"),
              "C(PREPARE) D C(SELECT 1) C(DEALLOCATE) D C(SELECT 1) D C(SELECT 1) E(26000 prepared statement \"c\" "
              "does not exist) Z(I)");
    EXPECT_EQ(sql("EXECUTE b; DEALLOCATE b; PREPARE b AS SELECT 1; EXECUTE a"),
              "D C(SELECT 1) C(DEALLOCATE) C(PREPARE) D C(SELECT 1) Z(I)");
    for (const char* name : {"a", "b", "a"}) EXPECT_EQ(sql(std::string("EXECUTE ") + name), "D C(SELECT 1) Z(I)");
}

// A backend that was asked which statements it holds has them under the session's names.
TEST_P(SqlPrepared, IsGoneWhenGivenUpThoughItWasShown) {
    EXPECT_EQ(ask(client.parse("q", "SELECT 1").sync(), GetParam()), "1 Z(I)");
    session->holds = [] { return Found{.lock = true}; };
    (void)sql("SELECT pg_advisory_lock(1)");
    Backend& holds = *session->backend;
    (void)sql("SELECT name FROM pg_prepared_statements");
    EXPECT_EQ(holds.server.prepared.count("q"), 1u);
    EXPECT_EQ(session->tracker.shown(), std::vector<std::string>{"q"});
    EXPECT_EQ(sql("DEALLOCATE q"), "C(DEALLOCATE) Z(I)");
    EXPECT_EQ(sql("EXECUTE q"), "E(26000 prepared statement \"q\" does not exist) Z(I)");
    (void)sql("BEGIN");
    (void)sql("SELECT name FROM pg_prepared_statements");
    EXPECT_EQ(holds.server.prepared.count("q"), 0u);
    (void)sql("COMMIT");
}

TEST_P(SqlPrepared, IsLimitedPerClient) {
    TrackerOptions few = options();
    few.prepared_per_client = 2;
    open(std::move(few));
    EXPECT_EQ(sql("PREPARE a AS SELECT 1"), "C(PREPARE) Z(I)");
    EXPECT_EQ(ask(client.parse("b", "SELECT 2").sync(), GetParam()), "1 Z(I)");
    const std::string refused = sql("PREPARE c AS SELECT 3");
    EXPECT_NE(refused.find("E(54000"), std::string::npos) << refused;
    EXPECT_NE(refused.find("Z(I)"), std::string::npos);
    EXPECT_EQ(sql("EXECUTE a"), "D C(SELECT 1) Z(I)");
    (void)sql("DEALLOCATE b");
    EXPECT_EQ(sql("PREPARE c AS SELECT 3"), "C(PREPARE) Z(I)");
}

TEST_P(SqlPrepared, SurvivesTheLossOfItsBackend) {
    EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(I)");
    (void)sql("BEGIN");
    (void)sql("PREPARE r AS SELECT 2");
    Backend& was = *session->backend;
    EXPECT_EQ(session->lose(), wire::Aftermath::lives);
    was.server = Server();
    was.lease.forget();
    was.lease.status = 'I';
    (void)sql("ROLLBACK");
    EXPECT_EQ(sql("EXECUTE q"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE r"), "D C(SELECT 1) Z(I)");
    EXPECT_EQ(sql("EXECUTE r"), "D C(SELECT 1) Z(I)");
}

TEST_P(SqlPrepared, PassesALongErrorAsItIs) {
    const std::string column(70'000, 'x');
    first.server.gone = second.server.gone = column;
    const std::string said = sql("PREPARE q AS SELECT " + column);
    EXPECT_NE(said.find("42P01"), std::string::npos);
    EXPECT_TRUE(said.ends_with("Z(I)"));
    first.server.gone = second.server.gone = "";
    EXPECT_EQ(sql("EXECUTE q"), "E(26000 prepared statement \"q\" does not exist) Z(I)");
}

TEST_P(SqlPrepared, OfANameOfTheServersIsRefusedInATextOfAnyLength) {
    const std::string long_comment = "/*" + std::string(1'200'000, ' ') + "*/";
    EXPECT_EQ(sql("PREPARE q AS SELECT 1"), "C(PREPARE) Z(I)");
    const std::string refused = ask(client.query("EXECUTE lh_1" + long_comment), 100'000);
    EXPECT_NE(refused.find("E(54000"), std::string::npos);
    (void)ask(client.query("SELECT 1;" + long_comment + "EXECUTE lh_1"), 100'000);
    EXPECT_TRUE(session->fatal);
}

}  // namespace
}  // namespace leasehold::postgres
