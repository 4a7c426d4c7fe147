// SPDX-License-Identifier: Apache-2.0
// What a text means at a time: statements parsed anew after a change of the schema, given up by name, settings reset.
#include "tests/unit/postgres/session_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

// A driver that keeps 100 statements prepared drops the next one like this, not by Close.
TEST_F(Tracking, GivesUpAStatementByADeallocateOfTheExtendedProtocol) {
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").parse("b", "SELECT 2").sync()), "1 1 Z(I)");
    EXPECT_EQ(ask(client.parse("", "DEALLOCATE a").bind("").describe('P', "").execute().sync()),
              "1 2 n C(DEALLOCATE) Z(I)");
    EXPECT_EQ(ask(client.bind("a").sync()), "E(E 26000 prepared statement \"a\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.parse("", "DEALLOCATE a").bind("").execute().sync()),
              "1 2 E(E 26000 prepared statement \"a\" does not exist) Z(I)");
    EXPECT_EQ(ask(client.bind("b").execute().sync()), "2 D(SELECT 2) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
}

TEST_F(Tracking, ExecutesADeallocateOnce) {
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").sync()), "1 Z(I)");
    EXPECT_EQ(ask(client.parse("", "DEALLOCATE a").bind("").execute().bind("").execute().sync()),
              "1 2 C(DEALLOCATE) 2 E(E 26000 prepared statement \"a\" does not exist) Z(I)");
}

TEST_F(Tracking, KeepsAStatementWhoseDeallocateFails) {
    EXPECT_EQ(ask(client.parse("a", "SELECT 1").sync()), "1 Z(I)");
    const std::string got = ask(client.query("BEGIN").query("ERR").parse("", "DEALLOCATE a").bind("").execute().sync());
    EXPECT_NE(got.find("25P02"), std::string::npos) << got;
    ask(client.query("ROLLBACK"));
    client.parse("", "ERR").bind("").execute();
    const std::string skipped = ask(client.parse("", "DEALLOCATE a").bind("").execute().sync());
    EXPECT_NE(skipped.find("22012"), std::string::npos) << skipped;
    EXPECT_EQ(ask(client.bind("a").execute().sync()), "2 D(SELECT 1) C(SELECT 1) Z(I)");
}

// Symptom: a table was made again with other types, and asyncpg was told "cached plan must not change result type" about
// a statement that it had only just prepared: the backend held that text from before.
TEST_F(Tracking, ParsesAKnownTextAnewAfterAChangeOfTheSchema) {
    const auto parses = [this] { return first.server.parses + second.server.parses; };
    ask(client.query("BEGIN").parse("a", "SELECT 1").sync());
    const std::size_t before = parses();
    EXPECT_EQ(ask(client.parse("b", "SELECT 1").sync()), "1 Z(T)");
    EXPECT_EQ(parses(), before);
    ask(client.query("ALTER TABLE t"));
    EXPECT_EQ(ask(client.parse("c", "SELECT 1").sync()), "1 Z(T)");
    EXPECT_EQ(parses(), before + 1);
    EXPECT_EQ(ask(client.parse("d", "SELECT 1").sync()), "1 Z(T)");
    EXPECT_EQ(parses(), before + 1);
    ask(client.query("ROLLBACK"));
    const std::size_t rolled_back = parses();
    ask(client.query("BEGIN"));
    EXPECT_EQ(ask(client.parse("e", "SELECT 1").sync()), "1 Z(T)");
    EXPECT_EQ(parses(), rolled_back + 1);
}

// Symptom: the same after the statement had been prepared on one backend, when it was executed on another, which held the
// text from before the change.
TEST_F(Tracking, ParsesAStatementAnewWhereItIsOlderThanTheSessionsOwn) {
    ask(client.parse("a", "SELECT 1").sync());  // on the first
    ask(client.query("ALTER TABLE t"));         // on the second
    ask(client.query("SELECT 2"));
    ask(client.parse("b", "SELECT 1").sync());  // on the second
    const std::size_t before = first.server.parses, there = second.server.parses;
    const auto execute = [this] { return ask(client.bind("b").execute().sync()); };
    EXPECT_EQ(execute(), "2 D(SELECT 1) C(SELECT 1) Z(I)");
    EXPECT_EQ(first.server.parses, before + 1);
    EXPECT_EQ(execute(), "2 D(SELECT 1) C(SELECT 1) Z(I)");
    EXPECT_EQ(execute(), "2 D(SELECT 1) C(SELECT 1) Z(I)");
    EXPECT_EQ(first.server.parses, before + 1);
    EXPECT_EQ(second.server.parses, there);
}

TEST_F(Tracking, SharesNoStatementOfATransactionThatReadsTextsInItsOwnWay) {
    const auto parses = [this] { return first.server.parses + second.server.parses; };
    ask(client.query("BEGIN").parse("a", "SELECT 1").sync());
    const std::size_t before = parses();
    ask(client.query("SET LOCAL statement_timeout=1"));
    ask(client.parse("b", "SELECT 1").sync());
    EXPECT_EQ(parses(), before);
    ask(client.query("SET LOCAL transform_null_equals=on"));
    ask(client.parse("c", "SELECT 1").sync());
    EXPECT_EQ(parses(), before + 1);
}

// Whole and byte by byte.
class Resetting : public Tracking, public ::testing::WithParamInterface<std::size_t> {
  protected:
    void SetUp() override {
        TrackerOptions with = options();
        with.startup.set("application_name", "shop");
        for (auto& [name, value] : with.parameters) {
            if (name == "application_name") value = "shop";  // as its welcome said
        }
        open(with);
    }
    std::string told(Client& of) { return ask(of, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Steps, Resetting, ::testing::Values(0, 1));

TEST_P(Resetting, BringsBackWhatTheClientCameWith) {
    EXPECT_EQ(told(client.query("SET DateStyle=German")), "C(SET) S(DateStyle=German) Z(I)");
    EXPECT_EQ(told(client.query("SELECT 1; RESET ALL")),
              "T D(SELECT 1) C(SELECT 1) C(RESET) S(DateStyle=ISO, MDY) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_FALSE(session->tracker.attached());
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(shop) C(SELECT 1) Z(I)");
    EXPECT_EQ(told(client.query("SHOW DateStyle")), "T D(ISO, MDY) C(SELECT 1) Z(I)");
}

TEST_P(Resetting, LetsNothingSentBehindItRunBeforeThatIsBack) {
    EXPECT_EQ(told(client.query("SET DateStyle=German")), "C(SET) S(DateStyle=German) Z(I)");
    EXPECT_EQ(told(client.query("RESET ALL").query("SHOW application_name")),
              "C(RESET) S(DateStyle=ISO, MDY) Z(I) T D(shop) C(SELECT 1) Z(I)");
}

TEST_P(Resetting, BringsItBackAtOnceWhereNoOtherLeaseFollows) {
    EXPECT_EQ(told(client.query("BEGIN").query("RESET ALL").query("SHOW application_name").query("COMMIT")),
              "C(BEGIN) Z(T) C(RESET) Z(T) T D(shop) C(SELECT 1) Z(T) C(COMMIT) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(shop) C(SELECT 1) Z(I)");
    told(client.query("LISTEN x"));
    EXPECT_EQ(told(client.query("SET application_name=till").query("RESET application_name")),
              "C(SET) S(application_name=till) Z(I) C(RESET) S(application_name=shop) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "LISTEN");
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(shop) C(SELECT 1) Z(I)");
    EXPECT_EQ(told(client.query("DISCARD ALL").query("SHOW application_name")),
              "C(DISCARD ALL) Z(I) T D(shop) C(SELECT 1) Z(I)");
}

TEST_P(Resetting, IsNotWhatAPipelineSetsBehindItsDiscard) {
    told(client.parse("", "DISCARD ALL")
             .bind("")
             .execute()
             .parse("", "SET application_name=x")
             .bind("")
             .execute()
             .sync());
    EXPECT_EQ(session->tracker.settings().find("application_name"), "x");
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(x) C(SELECT 1) Z(I)");
}

// The server reports nothing: it is what it was at the end of the request before.
TEST_P(Resetting, IsNotWhatAPipelineSetsOnceMoreBehindItsDiscard) {
    EXPECT_EQ(told(client.query("SET application_name=x")), "C(SET) S(application_name=x) Z(I)");
    EXPECT_EQ(told(client.parse("", "DISCARD ALL")
                       .bind("")
                       .execute()
                       .parse("", "SET application_name=x")
                       .bind("")
                       .execute()
                       .sync()),
              "1 2 C(DISCARD ALL) 1 2 C(SET) Z(I)");
    EXPECT_EQ(session->tracker.settings().find("application_name"), "x");
    for (Backend* each : {&first, &second}) {
        const bool there = each->server.settings["application_name"] == "x";
        EXPECT_EQ(each->lease.held.find("application_name") == "x", there);
    }
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(x) C(SELECT 1) Z(I)");
}

TEST_P(Resetting, IsThereBehindAPipelineThatFailsBehindItsDiscard) {
    told(client.query("SET application_name=till"));
    EXPECT_EQ(
        told(client.parse("", "DISCARD ALL")
                 .bind("")
                 .execute()
                 .parse("", "ERR")
                 .bind("")
                 .execute()
                 .sync()
                 .query("SHOW application_name")),
        "1 2 C(DISCARD ALL) 1 2 E(E 22012 division by zero) S(application_name=shop) Z(I) T D(shop) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->tracker.settings().find("application_name"), "shop");
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(shop) C(SELECT 1) Z(I)");
}

TEST_P(Resetting, IsUndoneWithItsTransaction) {
    EXPECT_EQ(told(client.query("SET application_name=till")), "C(SET) S(application_name=till) Z(I)");
    EXPECT_EQ(told(client.query("BEGIN").query("RESET application_name").query("SHOW application_name")),
              "C(BEGIN) Z(T) C(RESET) S(application_name=shop) Z(T) T D(shop) C(SELECT 1) Z(T)");
    EXPECT_EQ(told(client.query("ROLLBACK")), "C(ROLLBACK) S(application_name=till) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(told(client.query("SHOW application_name")), "T D(till) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->tracker.settings().find("application_name"), "till");
}

TEST_P(Resetting, WorksByTheExtendedProtocol) {
    EXPECT_EQ(told(client.parse("", "RESET ALL").bind("").execute().sync().query("SHOW application_name")),
              "1 2 C(RESET) Z(I) T D(shop) C(SELECT 1) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
}

TEST_P(Resetting, ChangesNothingWhenItFails) {
    told(client.query("SET DateStyle=German"));
    told(client.query("ERR; RESET ALL"));
    EXPECT_EQ(session->tracker.pin(), "");
    EXPECT_EQ(told(client.query("SHOW DateStyle")), "T D(German) C(SELECT 1) Z(I)");
}

}  // namespace
}  // namespace leasehold::postgres::model
