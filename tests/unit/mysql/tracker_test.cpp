// SPDX-License-Identifier: Apache-2.0
// The everyday life of a session: what needs a lease, where it ends, what is carried and what pins.
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;

// Whole, and byte by byte.
class MysqlTracker : public ::testing::TestWithParam<bool> {
  protected:
    PlayedSession session(TrackerOptions options = {}) { return PlayedSession(std::move(options), GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlTracker, ::testing::Values(false, true));  // 0: whole, 1: byte by byte

TEST_P(MysqlTracker, AStatementOutsideATransactionIsALease) {
    PlayedSession s(session());
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.leases, 1);
    EXPECT_TRUE(s.tracker.busy());
    EXPECT_EQ(s.to_backend, query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_EQ(s.to_client, rows("1"));
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_FALSE(s.tracker.attached());
}

TEST_P(MysqlTracker, ATransactionIsOneLease) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans | autocommit));
    EXPECT_EQ(s.tracker.status(), wire::TransactionStatus::active);
    s.client(query("UPDATE t SET a=1"));
    s.server(ok(1, in_trans | autocommit));
    s.client(query("COMMIT"));
    EXPECT_EQ(s.boundaries, 0);
    s.server(ok(1));
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_EQ(s.leases, 1);
    EXPECT_EQ(s.tracker.transcript(false), (std::vector<std::string>{"BEGIN", "UPDATE t SET a=?", "COMMIT"}));
}

TEST_P(MysqlTracker, WhatNeedsNoBackendTakesNoLease) {
    PlayedSession s(session());
    for (const Raw& bytes :
         {command(14), command(31), query("COMMIT"), query("rollback"), command(27, std::string_view("\1\0", 2))}) {
        s.client(bytes);
        EXPECT_EQ(s.leases, 0);
        EXPECT_EQ(s.client_error(), 0);
        EXPECT_FALSE(s.take_client().empty());
    }
    const std::pair<Raw, int> refused[] = {{command(17, "x"), 1047},
                                           {command(0x77), 1047},
                                           {packet({}, 0), 1047},
                                           {command(23, "123456789"), 1243},
                                           {command(13), 1235}};
    for (const auto& [bytes, number] : refused) {
        s.client(bytes);
        EXPECT_EQ(s.client_error(), number);
        s.take_client();
    }
    s.client(command(1));
    EXPECT_EQ(s.last, Kind::close);
    EXPECT_EQ(s.leases, 0);
}

TEST_P(MysqlTracker, ASecondCommandWaitsForTheFirstReply) {
    PlayedSession s(session());
    s.client(query("SELECT 1") + query("SELECT 2") + command(14));
    EXPECT_EQ(s.to_backend, query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_EQ(s.to_backend, query("SELECT 1") + query("SELECT 2"));
    EXPECT_EQ(s.leases, 2);
    s.server(rows("2"));
    EXPECT_EQ(s.to_client, rows("1") + rows("2") + ok(1));
}

TEST_P(MysqlTracker, AfterAnErrorInATransactionTheServerIsAskedWhatIsLeft) {
    for (const bool rolled_back : {false, true}) {
        PlayedSession s(session());
        s.client(query("BEGIN"));
        s.server(ok(1, in_trans | autocommit));
        s.client(query("UPDATE t SET a=1"));
        s.take_backend();
        s.take_client();
        s.server(err(1, rolled_back ? 1213 : 1205));
        EXPECT_EQ(s.take_client(), err(1, rolled_back ? 1213 : 1205));
        EXPECT_EQ(s.last, Kind::unsure);
        EXPECT_TRUE(s.take_backend().empty()) << "a PING changes ROW_COUNT(): the next reply may tell as well";
        EXPECT_EQ(s.tracker.status(), wire::TransactionStatus::active);
        EXPECT_TRUE(s.backend->in_transaction()) << "if the client goes now it is rolled back";
        s.ask();
        s.ask();
        EXPECT_EQ(s.take_backend(), command(14));
        EXPECT_EQ(s.boundaries, 0);
        s.server(ok(1, rolled_back ? autocommit : in_trans | autocommit));
        EXPECT_TRUE(s.take_client().empty());
        EXPECT_EQ(s.boundaries, rolled_back ? 1 : 0);
    }
}

TEST_P(MysqlTracker, TheReplyToTheNextRequestTellsAsWellAsAPing) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans | autocommit));
    s.client(query("UPDATE t SET a=1"));
    s.server(err(1, 1213));
    s.take_backend();
    s.client(query("SELECT ROW_COUNT()"));
    EXPECT_EQ(s.take_backend(), query("SELECT ROW_COUNT()"));
    s.ask();
    EXPECT_TRUE(s.take_backend().empty()) << "it is on its way already";
    s.server(rows("-1"));
    EXPECT_EQ(s.boundaries, 1);
    s.ask();
    EXPECT_TRUE(s.take_backend().empty());
}

TEST_P(MysqlTracker, AStatementThatTheServerRefusesUnreadLeavesItsTransactionAsItIs) {
    PlayedSession s(session());
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans | autocommit));
    s.client(query("SELECT nothing"));
    s.server(err(1, 1054));
    EXPECT_EQ(s.last, Kind::more);
    s.client(query("DROP TABLE nothing"));  // this one has committed before it failed
    s.server(err(1, 1051));
    EXPECT_EQ(s.last, Kind::unsure);
}

TEST_P(MysqlTracker, LocksOfTablesPinUntilTheyAreGivenUp) {
    for (const auto& [lock, unlock, gone] : {std::tuple{"LOCK TABLES t READ", "UNLOCK TABLES", true},
                                             {"LOCK TABLES t READ", "BEGIN", true},
                                             {"FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES", true},
                                             {"FLUSH TABLES WITH READ LOCK", "BEGIN", false}}) {
        PlayedSession s(session());
        s.client(query(lock));
        s.server(ok(1));
        EXPECT_FALSE(s.tracker.pin().empty()) << lock;
        EXPECT_TRUE(s.tracker.dirty());
        s.client(query("SELECT 1"));
        s.server(rows("1"));
        EXPECT_TRUE(s.tracker.attached());
        s.client(query(unlock));
        s.server(ok(1));
        EXPECT_EQ(s.tracker.pin().empty(), gone) << lock << unlock;
        EXPECT_EQ(s.tracker.attached(), !gone);
        EXPECT_FALSE(gone && s.backend->dirty);
    }
}

TEST_P(MysqlTracker, AnErrorOutsideATransactionAsksNothing) {
    PlayedSession s(session());
    s.client(query("SELECT nothing"));
    s.take_backend();
    s.server(err(1, 1054));
    EXPECT_TRUE(s.to_backend.empty());
    EXPECT_EQ(s.boundaries, 1);
}

TEST_P(MysqlTracker, AutocommitOffIsCarriedAndEndsLeasesAllTheSame) {
    PlayedSession s(session());
    s.client(query("SET AUTOCOMMIT = 0"));
    s.server(ok(1, 0));
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_FALSE(s.tracker.settings().autocommit);
    EXPECT_TRUE(s.tracker.pin().empty());
    s.client(query("SELECT a FROM t"));
    s.server(rows("1", in_trans));
    EXPECT_EQ(s.boundaries, 1);
    s.client(query("COMMIT"));
    s.server(ok(1, 0));
    EXPECT_EQ(s.boundaries, 2);
}

TEST_P(MysqlTracker, ASavepointInFrontOfATransactionHoldsTheLease) {
    PlayedSession s(session());
    s.client(query("SET autocommit=0"));
    s.server(ok(1, 0));
    s.client(query("SAVEPOINT a"));
    s.server(ok(1, 0));  // MariaDB: no transaction, and yet it stands
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_TRUE(s.backend->in_transaction());
    s.client(query("SELECT 1"));
    s.server(rows("1", 0));
    EXPECT_EQ(s.boundaries, 1);
    s.client(query("ROLLBACK"));
    s.server(ok(1, 0));
    EXPECT_EQ(s.boundaries, 2);
}

TEST_P(MysqlTracker, SettingsAreCarriedOnceTheServerHasAgreed) {
    PlayedSession s(session());
    s.client(query("SET NAMES utf8mb4"));
    s.server(err(1, 1115));
    EXPECT_TRUE(s.tracker.settings().variables.empty());
    s.client(query("SET NAMES utf8mb4, sql_mode='ANSI'"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.settings().variables.size(), 2u);
    EXPECT_EQ(s.backend->held, s.tracker.settings());
    s.client(query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.settings().variables.back().first, "tx_isolation");
    s.client(query("USE Other"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.settings().database, "Other");
    s.client(command(2, "third"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.settings().database, "third");
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_FALSE(s.tracker.dirty());
    s.client(command(31));
    EXPECT_TRUE(s.tracker.settings().variables.empty());
    EXPECT_EQ(s.tracker.settings().database, "third");
}

TEST_P(MysqlTracker, ASetThatFailedHalfwayPins) {
    PlayedSession s(session());
    s.client(query("SET time_zone='x', lc_time_names='y'"));
    s.server(err(1, 1298));
    EXPECT_EQ(s.tracker.pin(), "") << "the server looks at all of them first";
    s.client(query("SET time_zone='x', lc_time_names='y'"));
    s.server(err(1, 3000));
    EXPECT_EQ(s.tracker.pin(), "a SET that failed halfway");
    EXPECT_TRUE(s.tracker.dirty());
}

TEST_P(MysqlTracker, StatePinsToTheEndAndDirtiesTheBackend) {
    PlayedSession s(session());
    s.client(query("CREATE TEMPORARY TABLE t (id INT)"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.pin(), "temporary table");
    EXPECT_TRUE(s.tracker.attached());
    EXPECT_TRUE(s.backend->dirty);
    s.client(query("SELECT id FROM t"));
    s.server(rows("1"));
    EXPECT_EQ(s.leases, 1);
    s.client(command(31));
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_TRUE(s.backend->dirty);  // the pool resets it
    EXPECT_FALSE(s.tracker.attached());
}

TEST_P(MysqlTracker, WhatIsNoStatementToTheServerPinsNothing) {
    PlayedSession s(session());
    s.client(query("selec 1"));
    EXPECT_FALSE(s.tracker.pin().empty());
    s.server(err(1, 1064, "42000"));
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_FALSE(s.backend->dirty);
    EXPECT_EQ(s.boundaries, 1);
}

TEST_P(MysqlTracker, TooManyPreparedStatementsAreRefused) {
    TrackerOptions options;
    options.prepared_per_client = 1;
    PlayedSession s(session(options));
    s.client(command(22, "SELECT 1"));
    s.server(packet({0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1));
    s.client(command(22, "SELECT 2"));
    EXPECT_EQ(s.client_error(), 1461);
}

TEST_P(MysqlTracker, SetTransactionHoldsUntilItsTransactionIsOver) {
    PlayedSession s(session());
    s.client(query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.pin(), "SET TRANSACTION");
    s.client(query("SET NAMES utf8"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.pin(), "SET TRANSACTION");
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(query("COMMIT"));
    s.server(ok(1));
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_TRUE(s.backend->dirty) << "whether it was used up is the server's secret";
}

TEST_P(MysqlTracker, StatementModeRefusesTransactions) {
    TrackerOptions options;
    options.mode = wire::LeaseMode::statement;
    PlayedSession s(session(options));
    s.client(query("START TRANSACTION"));
    EXPECT_EQ(s.client_error(), 1179);
    for (const char* sql : {"XA START 'x'", "xa begin 'x', 'y'", "SELECT 1; XA START 'x'"}) {
        (void)s.take_client();
        s.client(query(sql));
        EXPECT_EQ(s.client_error(), 1179) << sql;
        (void)s.take_client();
        s.client(command(22, sql));
        EXPECT_EQ(s.client_error(), 1179) << sql;
    }
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_EQ(s.leases, 0);
}

TEST_P(MysqlTracker, SessionModeKeepsItsLease) {
    TrackerOptions options;
    options.mode = wire::LeaseMode::session;
    PlayedSession s(session(options));
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_EQ(s.tracker.pin(), "session mode");
    EXPECT_FALSE(s.tracker.dirty());
}

}  // namespace
}  // namespace leasehold::mysql
