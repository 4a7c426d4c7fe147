// SPDX-License-Identifier: Apache-2.0
// The loss table where requests are outstanding, state is lost, or a reply was cut.
#include "tests/unit/postgres/loss_fixture.hpp"

namespace leasehold::postgres::model {
namespace {

TEST_F(Losing, AStatementInATransactionIsToldAtOnce) {
    ask(client.query("BEGIN"));
    session->send(client.query("SELECT 1").take());
    EXPECT_EQ(lose(), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.query("SELECT 1")), aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
    ask(client.query("BEGIN"));
    session->send(client.parse("a", "SELECT 1").bind("a").execute().sync().take());
    EXPECT_EQ(lose(), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK").bind("a").sync()),
              "C(ROLLBACK) Z(I) E(E 26000 prepared statement \"a\" does not exist) Z(I)");
}

TEST_F(Losing, WhatMayHaveCommittedIsUnknown) {
    for (const char* sql : {"COMMIT", "END", "CALL p()", "DO x", "INSERT; COMMIT", "PREPARE TRANSACTION 'x'"}) {
        ask(client.query("BEGIN"));
        session->send(client.query(sql).take());
        const std::string told = lose();
        EXPECT_EQ(told.substr(0, 26), "E(E 40003 outcome unknown:") << sql;
        EXPECT_NE(told.find(mask(sql)), std::string::npos) << told;
        EXPECT_EQ(told.substr(told.size() - 5), " Z(I)") << sql;
        works();
    }
}

TEST_F(Losing, AnyStatementOutsideATransactionIsUnknown) {
    session->send(client.query("INSERT INTO t VALUES ('secret')").take());
    EXPECT_EQ(lose(), "E(E 40003 outcome unknown: INSERT INTO t VALUES (?): " + gone + ") Z(I)");
    works();
    session->send(client.parse("", "INSERT").bind("").execute().sync().take());
    EXPECT_EQ(lose(), "E(E 40003 outcome unknown: INSERT: " + gone + ") Z(I)");
    works();
    // Its CommandComplete came, its commit is at the Sync.
    session->send(client.parse("", "INSERT").bind("").execute().flush().take());
    session->pump();
    session->send(client.sync().take());
    EXPECT_EQ(readable(session->received()), "1 2 C(INSERT)");
    EXPECT_EQ(lose(), "E(E 40003 outcome unknown: INSERT: " + gone + ") Z(I)");
    works();
}

TEST_F(Losing, WhatExecutesNothingIsNotUnknown) {
    session->send(client.parse("", "INSERT").describe('S', "").sync().take());
    EXPECT_EQ(lose(), "E(E 40001 transaction lost: not executed: " + gone + ") Z(I)");
    works();
}

TEST_F(Losing, WhatWasNeverWrittenIsNotUnknown) {
    session->send(client.query("INSERT").take());
    EXPECT_EQ(lose(wire::Aftermath::lives, true), "E(E 40001 transaction lost: not executed: " + gone + ") Z(I)");
    works();
    ask(client.query("BEGIN"));
    session->send(client.query("COMMIT").take());
    EXPECT_EQ(lose(wire::Aftermath::lives, true), lost_error + " Z(I)");
    works();
}

TEST_F(Losing, ARollbackThatWasRunningIsDone) {
    ask(client.query("BEGIN"));
    session->send(client.query("ROLLBACK").take());
    EXPECT_EQ(lose(), "C(ROLLBACK) Z(I)");
    works();
    ask(client.query("BEGIN"));
    session->send(client.parse("", "ROLLBACK").bind("").describe('P', "").execute().sync().take());
    EXPECT_EQ(lose(), "1 2 n C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, EveryOutstandingSyncAndQueryGetsOneErrorAndOneReadyForQuery) {
    ask(client.query("BEGIN"));
    session->send(
        client.query("SELECT 1").parse("", "SELECT 2").bind("").execute().sync().sync().query("SELECT 3").take());
    EXPECT_EQ(lose(), lost_error + " Z(E) " + aborted + " Z(E) " + aborted + " Z(E) " + aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
    ask(client.query("BEGIN"));
    session->send(client.query("INSERT").query("COMMIT").query("SELECT 3").take());
    EXPECT_EQ(lose(), "E(E 40003 outcome unknown: INSERT: " + gone + ") Z(I) E(E 40003 outcome unknown: COMMIT: " +
                          gone + ") Z(I) E(E 40003 outcome unknown: SELECT ?: " + gone + ") Z(I)");
    works();
}

TEST_F(Losing, APipelineWithoutItsSyncGetsItsErrorAndWaits) {
    ask(client.query("BEGIN"));
    session->send(client.parse("", "SELECT 1").bind("").execute().flush().bind("").take());
    EXPECT_EQ(lose(), lost_error);
    EXPECT_EQ(ask(client.execute().query("ROLLBACK")), "");
    EXPECT_EQ(ask(client.sync()), "Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, AnUnfinishedPipelineWithAllItsRepliesIsToldAtTheNextMessage) {
    ask(client.parse("", "INSERT").bind("").execute().flush());
    EXPECT_EQ(lose(), "");
    EXPECT_EQ(ask(client.bind("").execute().sync()), lost_error + " Z(I)");
    works();
    ask(client.parse("", "INSERT").bind("").execute().flush());
    lose();
    EXPECT_EQ(ask(client.sync()), lost_error + " Z(I)");
    works();
}

TEST_F(Losing, AnErrorThatWasToldIsNotRepeated) {
    ask(client.query("BEGIN"));
    session->send(client.parse("", "ERR").bind("").execute().sync().take());
    Raw reply = backends.back()->server.take_output();
    wire::Outbox to_client, to_backend;
    (void)session->tracker.from_backend(Bytes(reply).first(reply.size() - 6), to_client, to_backend);
    EXPECT_EQ(lose(), "Z(E)");
    EXPECT_EQ(ask(client.query("SELECT 1")), aborted + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
}

TEST_F(Losing, ARequestThatIsKnownToBeDoneIsNotUnknown) {
    session->send(client.query("INSERT").take());
    const Raw reply = backends.back()->server.take_output();
    wire::Outbox to_client, to_backend;
    (void)session->tracker.from_backend(Bytes(reply).first(reply.size() - 6), to_client, to_backend);
    EXPECT_EQ(lose(), "Z(I)");
    works();
}

TEST_F(Losing, RowsThatWereForwardedAreFollowedByTheError) {
    ask(client.query("BEGIN"));
    session->send(client.query("SELECT 1").take());
    const Raw reply = backends.back()->server.take_output();
    wire::Outbox to_client, to_backend;
    // All but CommandComplete ("SELECT 1", 14 bytes) and ReadyForQuery.
    (void)session->tracker.from_backend(Bytes(reply).first(reply.size() - 20), to_client, to_backend);
    EXPECT_EQ(lose(), lost_error + " Z(E)");
}

TEST_F(Losing, ACommitOfAFailedTransactionHasRolledBack) {
    ask(client.query("BEGIN").query("SYNTAX"));
    session->send(client.query("COMMIT").take());
    EXPECT_EQ(lose(), "C(ROLLBACK) Z(I)");
    works();
    for (const char* sql : {"COMMIT; INSERT", "ROLLBACK TO a; COMMIT"}) {
        ask(client.query("BEGIN").query("SYNTAX"));
        session->send(client.query(sql).take());
        EXPECT_EQ(lose().substr(0, 26), "E(E 40003 outcome unknown:") << sql;
        works();
    }
    ask(client.query("BEGIN").query("SYNTAX"));
    session->send(client.query("ROLLBACK TO a").query("COMMIT").take());
    EXPECT_EQ(lose().substr(0, 26), "E(E 40003 outcome unknown:");
    works();
}

// The beginning of a short one was not passed on.
TEST_F(Losing, HalfAShortMessageIsAnErrorInItsPlace) {
    session->send(client.query("SELECT " + std::string(1000, 'x')).take());
    const Raw reply = backends.back()->server.take_output();
    wire::Outbox to_client, to_backend;
    const wire::Verdict verdict = session->tracker.from_backend(Bytes(reply).first(500), to_client, to_backend);
    EXPECT_LT(verdict.consumed, 500u);
    EXPECT_EQ(lose().substr(0, 26), "E(E 40003 outcome unknown:");
    works();
}

TEST_F(Losing, HalfALongMessageEndsTheSessionWithoutAWord) {
    session->send(client.query("SELECT " + std::string(20000, 'x')).take());
    const Raw reply = backends.back()->server.take_output();
    wire::Outbox to_client, to_backend;
    (void)session->tracker.from_backend(Bytes(reply).first(500), to_client, to_backend);
    EXPECT_EQ(lose(wire::Aftermath::ends), "");
}

TEST_F(Losing, StateOlderThanTheTransactionEndsTheSessionAndIsNamed) {
    ask(client.query("CREATE TEMP TABLE t (a int)"));
    ask(client.query("BEGIN"));
    EXPECT_EQ(lose(wire::Aftermath::ends),
              "E(F 57P01 terminating connection: temporary object was lost: the server closed the connection)");
}

TEST_F(Losing, StateOfTheLostTransactionGoesWithIt) {
    ask(client.query("BEGIN").query("CREATE TEMP TABLE t (a int)"));
    EXPECT_EQ(lose(), "");
    EXPECT_EQ(ask(client.query("SELECT 1").query("ROLLBACK")), lost_error + " Z(E) C(ROLLBACK) Z(I)");
    EXPECT_EQ(session->tracker.pin(), "");
    works();
}

TEST_F(Losing, SessionModeEndsOnceStateWasMade) {
    open(options(wire::LeaseMode::session));
    ask(client.query("DO x"));
    EXPECT_EQ(lose(wire::Aftermath::ends).substr(0, 12), "E(F 57P01 te");
}

TEST_F(Losing, DisconnectsWhenItIsToldTo) {
    TrackerOptions with = options();
    with.disconnect_on_loss = true;
    open(with);
    ask(client.query("BEGIN"));
    const std::string told = lose(wire::Aftermath::ends);
    EXPECT_TRUE(reads_as_disconnect("57P01", told)) << told;
}

TEST_F(Losing, AKilledSessionEnds) {
    ask(client.query("BEGIN"));
    EXPECT_EQ(session->lose({wire::Loss::Kind::killed, "killed by admin", false}), wire::Aftermath::ends);
    EXPECT_EQ(readable(session->received()), "E(F 57P01 terminating connection: killed by admin)");
}

TEST_F(Losing, TimeoutsKeepTheSession) {
    for (const auto kind : {wire::Loss::Kind::transaction_idle, wire::Loss::Kind::transaction_time}) {
        ask(client.query("BEGIN"));
        EXPECT_EQ(session->lose({kind, "idle in transaction for 31 s (transaction_idle_timeout)", false}),
                  wire::Aftermath::lives);
        EXPECT_EQ(ask(client.query("COMMIT")),
                  "E(E 40001 transaction lost: idle in transaction for 31 s (transaction_idle_timeout)) Z(I)");
        works();
    }
}

TEST_F(Losing, ACopyThatWasNotFinishedDidNotCommit) {
    EXPECT_EQ(ask(client.query("COPY IN").raw('d', "row")), "G");
    EXPECT_EQ(lose(), "E(E 40001 transaction lost: not executed: " + gone + ") Z(I)");
    EXPECT_EQ(ask(client.raw('d', "late").raw('c', "")), "");
    works();
    ask(client.query("COPY IN").raw('d', "row"));
    session->send(client.raw('c', "").take());
    EXPECT_EQ(lose(), "E(E 40003 outcome unknown: COPY IN: " + gone + ") Z(I)");
    works();
}

// Found by cutting a COPY FROM STDIN whose data did not wait for the server: the session answered nothing any more.
TEST_F(Losing, TheEndOfACopyIsNoRequestOfItsOwn) {
    ask(client.query("BEGIN"));
    session->send(client.query("COPY IN").raw('d', "row").raw('c', "").take());
    EXPECT_EQ(lose(), lost_error + " Z(E)");
    EXPECT_EQ(ask(client.query("ROLLBACK")), "C(ROLLBACK) Z(I)");
    works();
    session->send(client.query("COPY IN").raw('d', "row").raw('c', "").take());
    const Raw reply = session->backend->server.take_output();  // CopyInResponse, and what is behind the copy's end
    wire::Outbox to_client, to_backend;
    (void)session->tracker.from_backend(Bytes(reply).first(1 + wire::Cursor(Bytes(reply).subspan(1)).u32be()),
                                        to_client, to_backend);
    EXPECT_EQ(lose().substr(0, 26), "E(E 40003 outcome unknown:");
    works();
}

TEST_F(Losing, ARequestThatWasHalfSentCannotHaveRun) {
    const Raw query = client.query("SELECT '" + std::string(200000, 'x') + "'").take();
    session->send(Bytes(query).first(100000));
    EXPECT_EQ(lose(), "E(E 40001 transaction lost: not executed: " + gone + ") Z(I)");
    session->send(Bytes(query).subspan(100000));
    works();
}

TEST_F(Losing, LongRequestsAreDroppedWhileItIsLost) {
    ask(client.query("BEGIN"));
    lose();
    const Raw query = client.query("SELECT '" + std::string(200000, 'x') + "'").query("SELECT 1").take();
    session->send(query, 7000);
    EXPECT_EQ(readable(session->received()), lost_error + " Z(E) " + aborted + " Z(E)");
    const Raw parse = client.parse("", "SELECT '" + std::string(2u << 20, 'x') + "'").sync().take();
    session->send(parse, 50000);
    EXPECT_EQ(readable(session->received()), aborted + " Z(E)");
}

// At each byte of a conversation: whatever is told is whole messages, one ReadyForQuery for each request, and after a
// ROLLBACK the session works.
TEST_F(Losing, AtEveryByteOfAReplyLeavesTheSessionInOrder) {
    const Raw program = client.query("BEGIN")
                            .parse("a", "SELECT $")
                            .bind_with("a", "x")
                            .describe('P', "")
                            .execute()
                            .sync()
                            .query("INSERT; SELECT 2")
                            .query("COMMIT")
                            .take();
    std::size_t cut = 0;
    for (;; ++cut) {
        open(options());
        session->send(program);
        std::size_t left = cut;
        std::string got;
        bool whole = true;
        while (left > 0 && session->backend != nullptr) {
            const Raw reply = session->backend->server.take_output();
            if (reply.empty()) break;
            const std::size_t n = std::min(left, reply.size());
            left -= n;
            session->backend->inbox.append(Bytes(reply).first(n));
            const Raw all(session->backend->inbox.bytes().begin(), session->backend->inbox.bytes().end());
            wire::Outbox to_client, to_backend;
            const wire::Verdict verdict = session->tracker.from_backend(all, to_client, to_backend);
            session->backend->inbox.consume(verdict.consumed);
            Raw out;
            to_client.flatten(out);
            got += readable(out) + " ";
            whole = got.find('+') == std::string::npos;
            out.clear();
            to_backend.flatten(out);
            session->backend->server.feed(out);
            if (verdict.kind == wire::Verdict::Kind::boundary) break;
        }
        if (session->last == wire::Verdict::Kind::fatal || left > 0) break;  // the whole reply was given
        const wire::Aftermath aftermath = session->lose({wire::Loss::Kind::backend, "gone", false});
        EXPECT_EQ(aftermath, whole ? wire::Aftermath::lives : wire::Aftermath::ends) << cut;
        got += readable(session->received());
        if (aftermath == wire::Aftermath::ends) continue;
        std::size_t readies = 0;
        for (std::size_t at = got.find("Z("); at != std::string::npos; at = got.find("Z(", at + 1)) ++readies;
        EXPECT_EQ(readies, 4u) << cut << ": " << got;
        ask(client.query("ROLLBACK"));
        works();
        ASSERT_LT(cut, 2000u);
    }
    EXPECT_GT(cut, 150u);
}

}  // namespace
}  // namespace leasehold::postgres::model
