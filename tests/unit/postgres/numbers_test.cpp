// SPDX-License-Identifier: Apache-2.0
// Numbers of sequences: who keeps its backend for them, and that nobody is told another session's.
#include "tests/unit/postgres/loss_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

// Two sessions and one backend, on which another one has drawn numbers; whole, and byte by byte.
class Numbering : public ::testing::TestWithParam<std::size_t> {
  protected:
    void SetUp() override {
        shared.lease.asked = asked;
        asked->ahead = 0;
        session = make();
        other = make();
        (void)ask(*other, client.query("INSERT before"));
        ASSERT_EQ(shared.server.number, 1);
        shared.server.executed.clear();
    }
    std::unique_ptr<Session> make() {
        return std::make_unique<Session>(options(), [this]() -> Backend* { return shared.leased ? nullptr : &shared; });
    }
    std::string ask(Session& of, Client& what) {
        of.send(what.take(), GetParam());
        of.pump(GetParam());
        return readable(of.received());
    }
    std::string ask(Client& what) { return ask(*session, what); }
    std::string ask(std::string_view sql) { return ask(client.query(sql)); }
    std::string pin() const { return std::string(session->tracker.pin()); }
    std::size_t discards() const {
        return static_cast<std::size_t>(
            std::count(shared.server.executed.begin(), shared.server.executed.end(), "DISCARD SEQUENCES"));
    }

    Backend shared{200};
    std::shared_ptr<SequencesAsked> asked = std::make_shared<SequencesAsked>();
    std::unique_ptr<Session> session, other;
    Client client;
};
INSTANTIATE_TEST_SUITE_P(Steps, Numbering, ::testing::Values(0u, 1u));

constexpr std::string_view unknown = "E(E 55000 lastval is not yet defined in this session)";

TEST_P(Numbering, TellNobodyAnothersNumber) {
    EXPECT_NE(ask("SELECT lastval()").find(unknown), std::string::npos);
    EXPECT_EQ(discards(), 1u);
    EXPECT_EQ(pin(), "currval() or lastval()");
    EXPECT_TRUE(session->tracker.dirty());
}

TEST_P(Numbering, TellNobodyAnothersNumberInTheExtendedProtocol) {
    const std::string reply = ask(client.parse("", "SELECT lastval()").bind("").execute().sync());
    EXPECT_EQ(reply, "1 2 " + std::string(unknown) + " Z(I)");
    EXPECT_EQ(discards(), 1u);
    EXPECT_EQ(pin(), "currval() or lastval()");
}

TEST_P(Numbering, AreKeptFromTheFirstStatementOnThatNamesThem) {
    for (const char* sql : {"SELECT nextval('s')", "CREATE TABLE t AS SELECT nextval('s')", "SELECT setval('s', 5)",
                            "INSERT INTO t VALUES (nextval('s'))", "DO $$BEGIN PERFORM NextVal('s'); END$$"}) {
        session = make();
        (void)ask(sql);
        EXPECT_EQ(pin(), "currval() or lastval()") << sql;
        (void)ask("SELECT 1");
        EXPECT_NE(pin(), "") << sql;
        (void)ask("DISCARD SEQUENCES");
        EXPECT_FALSE(pin().starts_with("currval")) << sql;
        (void)ask("DISCARD ALL");
        EXPECT_EQ(pin(), "") << sql;
    }
}

TEST_P(Numbering, AreNotNamedByDefinitionsNorInLiterals) {
    for (const char* sql :
         {"CREATE TABLE t (id int DEFAULT nextval('s'))", "ALTER TABLE t ALTER id SET DEFAULT nextval('s')",
          "SELECT 'nextval(''s'')'", "SELECT \"lastvalue\" FROM t"}) {
        (void)ask(sql);
        EXPECT_EQ(pin(), "") << sql;
    }
    EXPECT_EQ(discards(), 0u);
    EXPECT_FALSE(asked->ever);
}

TEST_P(Numbering, AreTheSessionsOwnWhileItKeepsTheBackend) {
    EXPECT_NE(ask("SELECT nextval('s')").find("C(SELECT 1)"), std::string::npos);
    EXPECT_NE(ask("SELECT lastval()").find("D"), std::string::npos);
    EXPECT_EQ(ask("INSERT x"), "C(INSERT) Z(I)");
    EXPECT_EQ(ask(client.parse("a", "SELECT lastval()").bind("a").execute().sync()), "1 2 D(3) C(SELECT 1) Z(I)");
    EXPECT_EQ(shared.server.number, 3);
    EXPECT_EQ(discards(), 1u) << "once, in front of it all";
}

TEST_P(Numbering, EndTheirPinWithThem) {
    (void)ask("SELECT nextval('s')");
    EXPECT_EQ(ask("DISCARD SEQUENCES"), "C(DISCARD SEQUENCES) Z(I)");
    EXPECT_EQ(pin(), "");
    EXPECT_FALSE(session->tracker.attached());
    EXPECT_FALSE(session->tracker.dirty());
    (void)ask("DISCARD SEQUENCES; SELECT nextval('s')");
    EXPECT_NE(pin(), "") << "named behind it";
    (void)ask("SELECT nextval('s'); DISCARD SEQUENCES");
    EXPECT_EQ(pin(), "");
    (void)ask(client.query("DISCARD SEQUENCES").query("SELECT nextval('s')"));
    EXPECT_NE(pin(), "") << "on its way when the other was done";
}

TEST_P(Numbering, OfATransactionThatDrewBeforeItAsksAreRefusedOnceThenKept) {
    EXPECT_EQ(ask("BEGIN"), "C(BEGIN) Z(T)");
    EXPECT_EQ(ask("INSERT a"), "C(INSERT) Z(T)");
    EXPECT_EQ(discards(), 0u) << "nobody has asked yet";
    const std::string refused = ask("SELECT lastval()");
    EXPECT_TRUE(refused.starts_with("E(E 40001 currval() and lastval() cannot be told yet")) << refused;
    EXPECT_TRUE(refused.ends_with("Z(E)")) << refused;
    EXPECT_EQ(ask("ROLLBACK"), "C(ROLLBACK) Z(I)");
    EXPECT_EQ(pin(), "");
    (void)ask(*other, client.query("INSERT b"));
    (void)ask("BEGIN");
    EXPECT_EQ(ask("INSERT a"), "C(INSERT) Z(T)");
    EXPECT_EQ(discards(), 1u);
    EXPECT_EQ(ask("SELECT lastval()"), "T D(4) C(SELECT 1) Z(T)");
    EXPECT_EQ(shared.server.executed.back(), "SELECT lastval()");
    EXPECT_EQ(ask("COMMIT"), "C(COMMIT) Z(I)");
    EXPECT_EQ(discards(), 1u);
}

TEST_P(Numbering, AreKeptApartBeforeAnybodyAsksForAWhile) {
    asked->ahead = 2;
    for (int i = 0; i < 4; ++i) {
        (void)ask("BEGIN; INSERT a; COMMIT");
        (void)ask(*other, client.query("INSERT b"));
    }
    EXPECT_EQ(discards(), 2u);
    asked->ahead = 1;
    (void)ask("BEGIN");
    (void)ask("INSERT a");
    EXPECT_EQ(ask("SELECT lastval()"), "T D(10) C(SELECT 1) Z(T)");
    EXPECT_TRUE(asked->ever);
}

TEST_P(Numbering, OfAPipelinedTransactionAreRefusedOnceThenKept) {
    const auto transaction = [&] {
        return ask(client.parse("", "BEGIN")
                       .bind("")
                       .execute()
                       .parse("", "INSERT a")
                       .bind("")
                       .execute()
                       .parse("", "SELECT lastval()")
                       .bind("")
                       .execute()
                       .sync());
    };
    const std::string refused = transaction();
    EXPECT_TRUE(refused.starts_with("1 2 C(BEGIN) 1 2 C(INSERT) 1 E(E 40001 ")) << refused;
    EXPECT_TRUE(refused.ends_with("Z(E)")) << refused;
    (void)ask("ROLLBACK");
    (void)ask(*other, client.query("INSERT b"));
    EXPECT_EQ(transaction(), "1 2 C(BEGIN) 1 2 C(INSERT) 1 2 D(4) C(SELECT 1) Z(T)");
    EXPECT_EQ(discards(), 1u);
}

TEST_P(Numbering, AreNotRefusedWhereNoneWereDrawn) {
    (void)ask("BEGIN; SELECT 1");
    EXPECT_NE(ask("SELECT lastval()").find(unknown), std::string::npos);
    EXPECT_EQ(discards(), 1u);
    (void)ask("ROLLBACK");
}

TEST_P(Numbering, CostNothingOutsideOfTransactions) {
    asked->ever = true;
    (void)ask("INSERT a");
    (void)ask(*other, client.query("INSERT b"));
    (void)ask(client.parse("", "INSERT a").bind("").execute().sync());
    EXPECT_EQ(discards(), 0u);
    (void)ask("BEGIN; INSERT a; COMMIT");
    EXPECT_EQ(discards(), 1u);
}

TEST_P(Numbering, AreNotDiscardedInAFailedTransaction) {
    asked->ever = true;
    (void)ask("BEGIN; ERR");
    const std::size_t before = discards();
    shared.lease.numbers = several_owners;
    EXPECT_NE(ask("SELECT lastval()").find("E(E 25P02"), std::string::npos);
    EXPECT_NE(ask(client.parse("", "SELECT lastval()").sync()).find("E(E 25P02"), std::string::npos);
    EXPECT_NE(ask(client.bind("").sync()).find("E(E 26000"), std::string::npos);
    EXPECT_EQ(discards(), before);
    const std::string refused = ask("ROLLBACK; SELECT lastval()");
    EXPECT_TRUE(refused.starts_with("E(E 40001")) << refused;
    EXPECT_TRUE(refused.ends_with("Z(E)")) << refused;
    EXPECT_EQ(ask("ROLLBACK"), "C(ROLLBACK) Z(I)");
    EXPECT_NE(ask("SELECT lastval()").find(unknown), std::string::npos);
}

TEST_P(Numbering, AreOthersWhereTheDiscardWasSkipped) {
    (void)ask(client.parse("", "SYNTAX").parse("", "SELECT nextval('s')").bind("").execute().sync());
    EXPECT_EQ(shared.server.number, 1);
    EXPECT_NE(ask("SELECT lastval()").find(unknown), std::string::npos);
    EXPECT_EQ(discards(), 1u);
}

TEST_P(Numbering, AreNotTakenForClearedBeforeTheyAre) {
    // The first segment fails, and with it the DISCARD; the second one waits for that.
    (void)ask(client.parse("", "SYNTAX")
                  .parse("", "SELECT nextval('s')")
                  .bind("")
                  .execute()
                  .sync()
                  .parse("", "SELECT lastval()")
                  .bind("")
                  .execute()
                  .sync());
    EXPECT_EQ(shared.server.number, std::nullopt);
    (void)ask("DISCARD ALL");
    (void)ask(*other, client.query("INSERT d"));
    EXPECT_EQ(ask(client.parse("", "SELECT nextval('s')")
                      .bind("")
                      .execute()
                      .sync()
                      .parse("", "SELECT lastval()")
                      .bind("")
                      .execute()
                      .sync()),
              "1 2 C(SELECT 1) Z(I) 1 2 D(3) C(SELECT 1) Z(I)");
}

TEST_P(Numbering, AreAskedOfAFunctionByItsNumber) {
    (void)ask(client.raw(frontend::function_call, std::string("\0\0\x09\xff\0\0\0\0\0\0", 10)));
    EXPECT_EQ(discards(), 1u);
    EXPECT_TRUE(asked->ever);
}

TEST_P(Numbering, OfAnEarlierLeaseAreNotStale) {
    // Drawn here, then on another backend: the earlier ones are not to be told as the last.
    Backend second{200};
    Backend* turn = &second;
    session = std::make_unique<Session>(options(), [&] { return turn; });
    (void)ask("INSERT a");
    turn = &shared;
    shared.server.number.reset();
    shared.lease.numbers = {};
    (void)ask("INSERT b");
    turn = &second;
    EXPECT_NE(ask("SELECT lastval()").find(unknown), std::string::npos);
}

TEST_P(Numbering, OfRandomAreMadeAnewBehindASessionThatSeededThem) {
    for (const char* sql : {"SELECT setseed(0.5)", "SET seed = 0.5", "SET SEED TO 0.5"}) {
        (void)ask(sql);
        EXPECT_NE(pin(), "") << sql;
        EXPECT_TRUE(shared.lease.seeded);
        (void)ask("SELECT random()");
        EXPECT_NE(pin(), "") << sql;
        session->tracker.detach();
        EXPECT_TRUE(shared.lease.dirty);
        shared.leased = shared.lease.dirty = shared.lease.seeded = false;
        session = make();
    }
}

using NumbersLost = Losing;

TEST_F(NumbersLost, EndWithTheirBackend) {
    ask(client.query("SELECT nextval('s')"));
    EXPECT_NE(lose(wire::Aftermath::ends).find("57P01 terminating connection: currval() or lastval() was lost"),
              std::string::npos);
}

}  // namespace
}  // namespace leasehold::postgres::model
