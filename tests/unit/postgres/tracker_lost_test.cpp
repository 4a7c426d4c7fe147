// SPDX-License-Identifier: Apache-2.0
// The loss table where nothing was running: what a session is told afterwards, and what ends that state.
#include "tests/unit/postgres/loss_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

TEST_F(Losing, AnIdleLeaseIsNoticedByNobody) {
    session->send(client.parse("", "SELECT 1").take());
    open(options(wire::LeaseMode::session));
    ask(client.query("SELECT 1"));
    ASSERT_TRUE(session->tracker.attached());
    EXPECT_EQ(lose(), "");
    works();
}

TEST_F(Losing, AnOpenTransactionIsToldAtTheFirstRequest) {
    ask(client.query("BEGIN"));
    EXPECT_EQ(lose(), "");
    EXPECT_EQ(session->tracker.status(), wire::TransactionStatus::failed);
    EXPECT_EQ(ask(client.query("SELECT 1")), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.query("SELECT 1")), aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("BEGIN")), aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    EXPECT_EQ(session->leases, 1u);
    works();
}

TEST_F(Losing, ACommitIsToldOnceAndEndsIt) {
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.query("COMMIT")), lost_error + " Z(I)");
    works();
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.parse("", "COMMIT").bind("").execute().sync()), lost_error + " Z(I)");
    works();
}

TEST_F(Losing, BeginIsToldToo) {
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.query("BEGIN")), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.query("COMMIT")), "C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, RollbackClearsItUnheard) {
    for (const char* sql : {"ROLLBACK", "abort", "ROLLBACK WORK", " /* x */ rollback;"}) {
        ask(client.query("BEGIN"));
        lose();
        EXPECT_EQ(ask(client.query(sql)), "C(ROLLBACK) Z(I)") << sql;
        works();
    }
}

TEST_F(Losing, RollbackToASavepointDoesNotClearIt) {
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.query("ROLLBACK TO a")), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK AND CHAIN")), aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("")), "I Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, ARollbackPreparedEarlierClearsItUnheard) {
    ask(client.parse("r", "ROLLBACK").sync().query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.bind("r").describe('P', "").execute().sync()), "2 n C(ROLLBACK) Z(I)");
    works();
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.parse("x", "ROLLBACK").describe('S', "x").bind("x").execute().sync()),
              "1 t n 2 C(ROLLBACK) Z(I)");
    EXPECT_EQ(ask(client.bind("x").execute().sync()), "2 C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, DiscardAllClearsItUnheard) {
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.query("DISCARD ALL")), "C(DISCARD ALL) Z(I)");
    works();
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.parse("", "DISCARD ALL").bind("").execute().sync()), "1 2 C(DISCARD ALL) Z(I)");
    works();
}

TEST_F(Losing, APipelineIsSkippedToItsSync) {
    ask(client.parse("a", "SELECT 1").sync().query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.bind("a").execute().query("ROLLBACK").execute().sync()), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.bind("a").execute().sync()), aborted + " Z(E)");
    EXPECT_EQ(ask(client.bind("none").execute().sync()), "E(E 26000 prepared statement \"none\" does not exist) Z(E)");
    EXPECT_EQ(ask(client.parse("", "COMMIT").bind("").execute().sync()), "1 2 C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, ALoneSyncIsARequest) {
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.close('S', "x").sync()), "3 " + lost_error + " Z(E)");
    EXPECT_EQ(ask(client.sync()), "Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
}

TEST_F(Losing, AMultiStatementThatBeginsWithRollbackGoesOn) {
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.query("ROLLBACK; SELECT 1")), "C(ROLLBACK) T D(SELECT 1) C(SELECT 1) Z(I)");
    ask(client.query("BEGIN"));
    lose();
    EXPECT_EQ(ask(client.query("COMMIT; SELECT 1")), lost_error + " Z(I)");  // nothing of it is done
    works();
}

TEST_F(Losing, AFailedTransactionHasNothingToLose) {
    ask(client.query("BEGIN").query("ERR"));
    lose();
    EXPECT_EQ(ask(client.query("SELECT 1")), aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("COMMIT")), "C(ROLLBACK) Z(I)");
    works();
}

}  // namespace
}  // namespace leasehold::postgres::model
