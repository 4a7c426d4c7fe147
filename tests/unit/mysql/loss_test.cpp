// SPDX-License-Identifier: Apache-2.0
// What a client hears when its backend is lost, or none is to be had: the loss table, row by row.
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using wire::Aftermath;
using Kind = wire::Verdict::Kind;

struct Begun : PlayedSession {
    Begun() {
        client(query("BEGIN"));
        server(ok(1, in_trans | autocommit));
        take_client();
        take_backend();
    }
};

TEST(MysqlLoss, BetweenRequestsOfATransactionTheNextRequestHearsIt) {
    for (const Raw& request : {query("SELECT 1"), query("COMMIT"), query("BEGIN"), command(2, "x"),
                               command(22, "SELECT 1"), query("ROLLBACK TO a")}) {
        Begun s;
        EXPECT_EQ(s.lose("it died"), Aftermath::lives);
        EXPECT_TRUE(s.to_client.empty()) << "nothing is written to a client that waits for nothing";
        EXPECT_EQ(s.tracker.status(), wire::TransactionStatus::failed);
        s.client(command(14));
        EXPECT_EQ(s.client_error(), 0) << "COM_PING is no request";
        s.client(request);
        EXPECT_EQ(s.client_error(), 1213);
        EXPECT_EQ(s.leases, 1);
        s.take_client();
        s.client(query("SELECT 2"));
        EXPECT_EQ(s.leases, 2) << "there is no transaction any more";
    }
}

TEST(MysqlLoss, RollbackAndResetEndItUnheard) {
    for (const Raw& request : {query("ROLLBACK"), query(" rollback work ; "), command(31)}) {
        Begun s;
        (void)s.lose("it died");
        s.client(request);
        EXPECT_EQ(s.to_client, ok(1));
        s.take_client();
        s.client(query("SELECT 2"));
        EXPECT_EQ(s.leases, 2);
        EXPECT_EQ(s.client_error(), 0);
    }
}

TEST(MysqlLoss, ARollbackThatWasRunningIsDone) {
    Begun s;
    s.client(query("ROLLBACK"));
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    EXPECT_EQ(s.to_client, ok(1));
    s.take_client();
    s.client(query("SELECT 2"));
    EXPECT_EQ(s.leases, 2);
    EXPECT_EQ(s.client_error(), 0);
}

TEST(MysqlLoss, ARunningStatementThatCannotEndTheTransactionIsAnsweredAtOnce) {
    Begun s;
    s.client(query("UPDATE t SET a=1"));
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    EXPECT_EQ(s.client_error(), 1213);
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.leases, 2);
}

TEST(MysqlLoss, AnOutcomeThatNobodyKnowsIsCalledUnknown) {
    for (const char* sql : {"COMMIT", "CREATE TABLE t (a int)", "DO 1", "SELECT 1; COMMIT", "LOCK TABLES t READ",
                            "SET autocommit=1", "ALTER TABLE t ADD b int"}) {
        Begun s;
        s.client(query(sql));
        EXPECT_EQ(s.lose("it died"), Aftermath::lives) << sql;
        EXPECT_EQ(s.client_error(), 1180) << sql;
    }
    PlayedSession outside;
    outside.client(query("UPDATE t SET a='secret'"));
    EXPECT_EQ(outside.lose("it died"), Aftermath::lives);
    EXPECT_EQ(outside.client_error(), 1180);
    const std::string said(outside.to_client.begin(), outside.to_client.end());
    EXPECT_NE(said.find("outcome unknown: it died while running: UPDATE t SET a=?"), std::string::npos) << said;
    outside.client(query("SELECT 1"));
    EXPECT_EQ(outside.leases, 2);
}

TEST(MysqlLoss, APrepareGoesToAnotherBackendUnseen) {
    for (const bool bytewise : {false, true}) {
        PlayedSession s({}, bytewise);
        const Raw prepare = command(22, "SELECT 1");
        s.client(prepare);
        EXPECT_EQ(s.take_backend(), prepare);
        for (int again = 1; again <= 3; ++again) {
            EXPECT_EQ(s.lose("it died"), Aftermath::lives);
            EXPECT_TRUE(s.to_client.empty());
            ASSERT_TRUE(s.tracker.resumes());
            s.push();
            EXPECT_EQ(s.leases, 1 + again);
            EXPECT_EQ(s.take_backend(), prepare);
            EXPECT_FALSE(s.tracker.resumes());
        }
        EXPECT_EQ(s.lose("it died"), Aftermath::lives);
        EXPECT_EQ(s.client_error(), 1213) << "no more often; but it has done nothing";
        (void)s.take_client();
        s.client(prepare);
        (void)s.take_backend();
        (void)s.lose("it died");
        s.push();
        EXPECT_EQ(s.take_backend(), prepare);
        const Raw answer = packet(Raw{0, 70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1);
        s.server(answer);
        Raw expected = answer;
        expected[5] = 1;  // under the session's own number
        EXPECT_EQ(s.take_client(), expected);
        EXPECT_FALSE(s.tracker.attached());
    }
}

TEST(MysqlLoss, APrepareThatFindsNoOtherBackendIsRefusedOnce) {
    PlayedSession s;
    s.client(command(22, "SELECT 1"));
    s.gives_leases = false;
    (void)s.lose("it died");
    s.push();
    EXPECT_EQ(s.last, Kind::lease);
    EXPECT_EQ(s.tracker.refuse({{}, 1203, "none to be had"}, s.out_client), Aftermath::lives);
    s.keep();
    EXPECT_EQ(s.client_error(), 1203);
    (void)s.take_client();
    s.gives_leases = true;
    s.client(query("SELECT 2"));
    EXPECT_EQ(s.client_error(), 0) << "the next request is not taken for the refused one";
    EXPECT_EQ(s.leases, 2);
}

TEST(MysqlLoss, APrepareOfATransactionIsNotRepeatedOneWithHalfAnAnswerIs) {
    Begun s;
    s.client(command(22, "SELECT 1"));
    (void)s.lose("it died");
    EXPECT_EQ(s.client_error(), 1213);
    EXPECT_FALSE(s.tracker.resumes());
    PlayedSession begun;
    begun.client(command(22, "SELECT ?"));
    begun.server(packet(Raw{0, 70, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 1));
    EXPECT_EQ(begun.take_client(), Raw()) << "the definitions are missing";
    EXPECT_EQ(begun.lose("it died"), Aftermath::lives);
    EXPECT_TRUE(begun.tracker.resumes());
}

TEST(MysqlLoss, AMessageTooLongForTheServerTakesTheBackendAndNothingElse) {
    for (const char* sql : {"SELECT 1", "DO 1", "SELECT @a"}) {
        PlayedSession s;
        s.client(query(sql));
        s.server(err(1, 1153, "08S01"));
        EXPECT_EQ(s.last, Kind::lost) << "it closes: nobody else is to run into that";
        EXPECT_EQ(s.lose("it closed"), Aftermath::lives);
        EXPECT_EQ(s.client_error(), 1153);
        (void)s.take_client();
        s.client(query("SELECT 2"));
        EXPECT_EQ(s.client_error(), 0);
        EXPECT_EQ(s.leases, 2);
    }
    Begun inside;
    inside.client(query("SELECT 1"));
    inside.server(err(1, 1153, "08S01"));
    EXPECT_EQ(inside.last, Kind::more);
    EXPECT_EQ(inside.tracker.status(), wire::TransactionStatus::active);
}

TEST(MysqlLoss, WhatWasNeverWrittenIsNotUnknown) {
    PlayedSession s;
    s.client(query("UPDATE t SET a=1"));
    EXPECT_EQ(s.lose("it died", true), Aftermath::lives);
    EXPECT_EQ(s.client_error(), 1213);
}

TEST(MysqlLoss, BetweenRowsTheErrorTakesTheNextSequence) {
    PlayedSession s;
    s.client(query("SELECT a FROM t"));
    const Raw part = packet({1}, 1) + column(2) + eof(3) + row(4, "x");
    s.server(part);
    EXPECT_EQ(s.take_client(), part);
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    ASSERT_GT(s.to_client.size(), 4u);
    EXPECT_EQ(s.to_client[3], 5);
    EXPECT_EQ(s.client_error(), 1180);
}

// Found by cutting replies at every byte: the head of a result was passed on, and no error fits among definitions.
TEST(MysqlLoss, WhatWasCutInsideAResultsHeadOrAShortRowIsAnErrorInItsPlace) {
    const Raw whole = packet({1}, 1) + column(2) + eof(3) + row(4, std::string(60, 'x'));
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        PlayedSession s;
        s.client(query("SELECT a FROM t"));
        s.server(Raw(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
        s.take_client();
        EXPECT_EQ(s.lose("it died"), Aftermath::lives) << cut;
        EXPECT_EQ(s.client_error(), 1180) << cut;
    }
}

TEST(MysqlLoss, WhereNoErrorFitsTheSessionEnds) {
    const Raw whole = packet({1}, 1) + column(2) + eof(3) + row(4, std::string(20000, 'x'));
    for (const std::size_t cut : {whole.size() - 19000, whole.size() - 2}) {
        PlayedSession s;
        s.client(query("SELECT a FROM t"));
        s.server(Raw(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
        const Raw before = s.to_client;
        EXPECT_EQ(s.lose("it died"), Aftermath::ends) << cut;
        EXPECT_EQ(s.to_client, before) << cut;
    }
}

TEST(MysqlLoss, APinnedSessionEndsWithTheReplyToItsNextCommand) {
    PlayedSession s;
    s.client(query("CREATE TEMPORARY TABLE t (id INT)"));
    s.server(ok(1));
    s.take_client();
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    EXPECT_TRUE(s.to_client.empty());
    s.client(command(25, std::string_view("\1\0\0\0", 4)));  // has no reply
    EXPECT_TRUE(s.to_client.empty());
    s.client(command(14));
    EXPECT_EQ(s.client_error(), 1927);
    EXPECT_EQ(s.last, Kind::fatal);
    const std::string said(s.to_client.begin(), s.to_client.end());
    EXPECT_NE(said.find("temporary table"), std::string::npos);
}

TEST(MysqlLoss, APinnedSessionThatWaitsEndsAtOnce) {
    PlayedSession s;
    s.client(query("CREATE TEMPORARY TABLE t (id INT)"));
    s.server(ok(1));
    s.client(query("SELECT * FROM t"));
    EXPECT_EQ(s.lose("it died"), Aftermath::ends);
    EXPECT_EQ(s.client_error(), 1927);
}

TEST(MysqlLoss, StateBornInTheLostTransactionGoesWithIt) {
    Begun s;
    s.client(query("CREATE TEMPORARY TABLE t (id INT)"));
    s.server(ok(1, in_trans));
    s.take_client();
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    s.client(query("SELECT * FROM t"));
    EXPECT_EQ(s.client_error(), 1213);
    EXPECT_TRUE(s.tracker.pin().empty());
}

// Found by cutting a CALL: the session ended, though all that was lost was of the call itself.
TEST(MysqlLoss, StateOfTheRequestThatWasLostGoesWithIt) {
    PlayedSession s;
    s.client(query("CALL p()"));
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    EXPECT_EQ(s.client_error(), 1180);
    EXPECT_TRUE(s.tracker.pin().empty());
    s.take_client();
    s.client(query("CREATE TEMPORARY TABLE t (id INT)"));
    s.server(ok(1));
    s.take_client();
    s.client(query("CALL p()"));
    EXPECT_EQ(s.lose("it died"), Aftermath::ends);
    EXPECT_EQ(s.client_error(), 1927);
}

TEST(MysqlLoss, AFarewellOfTheServerIsNotPassedOn) {
    for (const unsigned number : {1927u, 1053u, 4031u}) {
        Begun s;
        s.client(query("SELECT 1"));
        s.server(err(1, number));
        EXPECT_EQ(s.last, Kind::lost);
        EXPECT_TRUE(s.to_client.empty());
        Begun idle;
        idle.server(err(0, number));
        EXPECT_EQ(idle.last, Kind::lost);
        EXPECT_TRUE(idle.to_client.empty());
    }
}

TEST(MysqlLoss, TheErrorWaitsForTheEndOfALongRequest) {
    PlayedSession s;
    const Raw request = query("INSERT INTO t VALUES ('" + std::string(40000, 'x') + "')");
    s.client(Raw(request.begin(), request.begin() + 20000));
    EXPECT_TRUE(s.backend->half_sent);
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    EXPECT_TRUE(s.to_client.empty());
    s.take_backend();
    s.client(Raw(request.begin() + 20000, request.end()));
    EXPECT_EQ(s.client_error(), 1180);
    EXPECT_TRUE(s.to_backend.empty());
    s.take_client();
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.to_backend, query("SELECT 1"));
}

TEST(MysqlLoss, AFileOnItsWayIsReadToItsEnd) {
    PlayedSession s;
    s.client(query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"));
    s.server(packet(raw("\xFB"
                        "x"),
                    1));
    s.client(packet(raw("part"), 2));
    s.take_client();
    s.take_backend();
    EXPECT_EQ(s.lose("it died"), Aftermath::lives);
    s.client(packet(raw("part"), 3));
    EXPECT_TRUE(s.to_client.empty());
    s.client(packet({}, 4));
    EXPECT_EQ(s.client_error(), 1180);
    EXPECT_EQ(s.to_client[3], 5);
    EXPECT_TRUE(s.to_backend.empty());
    PlayedSession sent;
    sent.client(query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"));
    sent.server(packet(raw("\xFB"
                           "x"),
                       1));
    sent.client(packet(raw("all"), 2) + packet({}, 3));
    sent.take_client();
    EXPECT_EQ(sent.lose("it died"), Aftermath::lives);
    EXPECT_EQ(sent.client_error(), 1180);
    EXPECT_EQ(sent.to_client[3], 4);
}

TEST(MysqlLoss, OnDisconnectEverySessionEnds) {
    TrackerOptions options;
    options.disconnect_on_loss = true;
    PlayedSession idle(options);
    idle.client(query("BEGIN"));
    idle.server(ok(1, in_trans));
    idle.take_client();
    EXPECT_EQ(idle.lose("it died"), Aftermath::ends);
    EXPECT_TRUE(idle.to_client.empty());
    PlayedSession waiting(options);
    waiting.client(query("SELECT 1"));
    EXPECT_EQ(waiting.lose("it died"), Aftermath::ends);
    EXPECT_EQ(waiting.client_error(), 1927);
}

TEST(MysqlRefusal, AnswersTheRequestAndTheSessionLives) {
    for (const bool bytewise : {false, true}) {
        PlayedSession s({}, bytewise);
        s.gives_leases = false;
        s.client(query("SELECT 1"));
        EXPECT_EQ(s.last, Kind::lease);
        EXPECT_EQ(s.tracker.refuse(failure(Fault::pool_timeout, "nothing is free"), s.out_client), Aftermath::lives);
        s.keep();
        s.push();
        const std::string hint = failure(Fault::pool_timeout).hint;
        EXPECT_EQ(s.take_client(), leasehold::mysql::test::err(1, 1203, "42000", "nothing is free. " + hint));
        s.gives_leases = true;
        s.client(query("SELECT 2"));
        EXPECT_EQ(s.to_backend, query("SELECT 2"));
    }
}

TEST(MysqlRefusal, OfALongRequestComesAtItsEnd) {
    PlayedSession s;
    s.gives_leases = false;
    const Raw request = query(std::string(40000, ' '));
    s.client(Raw(request.begin(), request.begin() + 20000));
    ASSERT_EQ(s.last, Kind::lease);
    (void)s.tracker.refuse(failure(Fault::pool_timeout, "x"), s.out_client);
    s.keep();
    s.push();
    EXPECT_TRUE(s.to_client.empty());
    s.client(Raw(request.begin() + 20000, request.end()));
    EXPECT_EQ(s.client_error(), 1203);
    EXPECT_TRUE(s.held.empty());
}

TEST(MysqlFarewell, IsSaidToAClientThatWaitsOnly) {
    PlayedSession s;
    s.tracker.farewell(failure(Fault::shutting_down), s.out_client);
    s.keep();
    EXPECT_TRUE(s.to_client.empty());
    s.client(query("SELECT SLEEP(5)"));
    s.tracker.farewell(failure(Fault::shutting_down), s.out_client);
    s.keep();
    EXPECT_EQ(s.client_error(), 1053);
}

TEST(MysqlFarewell, IsSaidToAClientWhoseRequestWaitsForALease) {
    PlayedSession s;
    s.gives_leases = false;
    s.client(query("SELECT 1"));
    ASSERT_EQ(s.last, Kind::lease);
    s.tracker.farewell(failure(Fault::shutting_down), s.out_client);
    s.keep();
    EXPECT_EQ(s.client_error(), 1053);
}

}  // namespace
}  // namespace leasehold::mysql
