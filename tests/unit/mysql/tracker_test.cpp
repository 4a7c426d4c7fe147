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
    for (const Raw& bytes : {command(14), command(31), query("COMMIT"), query("rollback"), command(27, std::string_view("\1\0", 2))}) {
        s.client(bytes);
        EXPECT_EQ(s.leases, 0);
        EXPECT_EQ(s.client_error(), 0);
        EXPECT_FALSE(s.take_client().empty());
    }
    const std::pair<Raw, int> refused[] = {{command(12, "1234"), 1235}, {query("KILL 5"), 1235}, {command(17, "x"), 1235}, {command(0x77), 1047},
                                           {packet({}, 0), 1047}, {command(23, "123456789"), 1243}, {command(13), 1235}};
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
        EXPECT_EQ(s.take_backend(), command(14));
        EXPECT_EQ(s.boundaries, 0);
        s.server(ok(1, rolled_back ? autocommit : in_trans | autocommit));
        EXPECT_TRUE(s.take_client().empty());
        EXPECT_EQ(s.boundaries, rolled_back ? 1 : 0);
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
    EXPECT_EQ(s.tracker.pin(), "a SET that failed halfway");
    EXPECT_TRUE(s.tracker.dirty());
}

TEST_P(MysqlTracker, StatePinsToTheEndAndDirtiesTheBackend) {
    PlayedSession s(session());
    s.client(query("SET @a = 1"));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.pin(), "user variable");
    EXPECT_TRUE(s.tracker.attached());
    EXPECT_TRUE(s.backend->dirty);
    s.client(query("SELECT @a"));
    s.server(rows("1"));
    EXPECT_EQ(s.leases, 1);
    s.client(command(31));
    s.server(ok(1));
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_FALSE(s.backend->dirty);
    EXPECT_FALSE(s.tracker.attached());
}

TEST_P(MysqlTracker, WhatIsNoStatementToTheServerPinsNothing) {
    PlayedSession s(session());
    s.client(query("selec 1"));
    EXPECT_FALSE(s.tracker.pin().empty());
    s.server(err(1, 1064, "42000"));
    s.server(ok(1));  // the ping
    EXPECT_TRUE(s.tracker.pin().empty());
    EXPECT_FALSE(s.backend->dirty);
    EXPECT_EQ(s.boundaries, 1);
}

TEST_P(MysqlTracker, PreparedStatementsPinWhileTheyAreOpen) {
    PlayedSession s(session());
    s.client(command(22, "SELECT ?"));
    s.server(packet({0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1));
    EXPECT_EQ(s.tracker.pin(), "prepared statement");
    s.client(command(24, std::string_view("\7\0\0\0\0\0data", 10)) + command(23, std::string_view("\7\0\0\0\0\1\0\0\0", 9)));
    s.server(rows("1"));
    EXPECT_EQ(s.leases, 1);
    s.client(command(25, std::string_view("\7\0\0\0", 4)));
    EXPECT_TRUE(s.tracker.pin().empty());
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_FALSE(s.backend->dirty);
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

// --- answers that belong to a session --------------------------------------------------------------------------

TEST_P(MysqlTracker, LastInsertIdIsReadBeforeTheLeaseEnds) {
    PlayedSession s(session());
    s.client(query("INSERT INTO t VALUES ()"));
    EXPECT_EQ(s.take_backend(), query("INSERT INTO t VALUES ()"));  // both have none: nothing to align
    s.server(ok(1, autocommit, 5));
    EXPECT_EQ(s.take_client(), ok(1, autocommit, 5));
    EXPECT_EQ(s.take_backend(), query("SELECT LAST_INSERT_ID()"));
    EXPECT_EQ(s.boundaries, 0);
    s.server(rows("5"));
    EXPECT_TRUE(s.take_client().empty());
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_EQ(s.backend->insert_id, 5u);
    // On a backend that another session used last it is brought along, once.
    s.backend->insert_id = 77;
    s.client(query("SELECT LAST_INSERT_ID()"));
    EXPECT_EQ(s.take_backend(), query("SET last_insert_id=5") + query("SELECT LAST_INSERT_ID()"));
    s.server(ok(1) + rows("5"));
    EXPECT_EQ(s.take_client(), rows("5"));
}

TEST_P(MysqlTracker, WithinALeaseTheInsertIdIsTheServersOwn) {
    PlayedSession s(session());
    s.backend->insert_id = 77;
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(query("INSERT INTO t VALUES ()"));
    s.server(ok(1, in_trans));  // of the alignment
    s.server(ok(1, in_trans, 9));
    s.take_backend();
    s.client(query("SELECT LAST_INSERT_ID()"));
    EXPECT_EQ(s.take_backend(), query("SELECT LAST_INSERT_ID()"));
}

TEST_P(MysqlTracker, WarningsOfAnotherSessionAreForgottenFirst) {
    PlayedSession s(session());
    s.backend->has_warnings = true;
    s.backend->warnings_of = 1u << 30;
    s.client(query("SELECT 1"));
    const Raw sent = s.take_backend();
    EXPECT_NE(sent, query("SELECT 1"));
    s.server(ok(1) + rows("1"));
    EXPECT_EQ(s.take_client(), rows("1"));
    // One's own warnings stay.
    s.server({});
    s.client(query("SELECT 2"));
    s.server(rows("2", autocommit));
    s.take_backend();
    s.backend->has_warnings = true;
    s.client(query("SHOW WARNINGS"));
    EXPECT_EQ(s.take_backend(), query("SHOW WARNINGS"));
}

TEST_P(MysqlTracker, CountsOfAnotherSessionAreForgottenWhenAskedFor) {
    PlayedSession s(session());
    s.backend->counts_of = 1u << 30;
    s.client(query("BEGIN"));
    EXPECT_EQ(s.take_backend(), query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(query("SELECT FOUND_ROWS()"));
    EXPECT_GT(s.take_backend().size(), query("SELECT FOUND_ROWS()").size());
}

// --- long things -----------------------------------------------------------------------------------------------

TEST_P(MysqlTracker, PacketsOfSixteenMegabytesPassAsTheyCome) {
    if (GetParam()) GTEST_SKIP() << "too slow byte by byte";
    PlayedSession s(session());
    Raw big(0xFFFFFF, 'x');
    big[0] = 3;
    const Raw text = raw("SELECT '");
    std::copy(text.begin(), text.end(), big.begin() + 1);
    const Raw sent = packet(big, 0) + packet(raw("', @a := 1"), 1);
    for (std::size_t at = 0; at < sent.size(); at += 60000) {
        s.client(Raw(sent.begin() + static_cast<std::ptrdiff_t>(at), sent.begin() + static_cast<std::ptrdiff_t>(std::min(at + 60000, sent.size()))));
        EXPECT_LT(s.held.size(), 20000u);
        EXPECT_EQ(s.backend->half_sent, at + 60000 < sent.size() && at > 0 ? true : s.backend->half_sent);
    }
    EXPECT_EQ(s.to_backend, sent);
    EXPECT_FALSE(s.backend->half_sent);
    EXPECT_EQ(s.tracker.pin(), "user variable") << "the end of a long statement is read too";
    s.server(rows("1", autocommit, 2));
    EXPECT_EQ(s.to_client, rows("1", autocommit, 2));
}

TEST_P(MysqlTracker, AFileOfTheClientsPassesUpToItsEmptyPacket) {
    PlayedSession s(session());
    s.client(query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"));
    s.server(packet(raw("\xFB" "x"), 1));
    EXPECT_TRUE(s.backend->half_sent);
    const Raw file = packet(raw("\x01\x02\x03"), 2) + packet(raw("more"), 3) + packet({}, 4);
    s.take_backend();
    s.client(file);
    EXPECT_EQ(s.take_backend(), file);
    EXPECT_FALSE(s.backend->half_sent);
    s.server(ok(5));
    EXPECT_EQ(s.boundaries, 1);
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.take_backend(), query("SELECT 1"));
}

TEST_P(MysqlTracker, MultiStatementsAreSwitchedForTheSessionAndItsBackend) {
    PlayedSession s(session());
    const std::uint64_t before = s.tracker.variant();
    s.client(command(27, std::string_view("\0\0", 2)));
    EXPECT_EQ(s.take_client(), eof(1));
    EXPECT_EQ(s.tracker.variant(), before | cap::multi_statements);
    s.renew();
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans));
    s.client(command(27, std::string_view("\1\0", 2)));
    s.server(eof(1, in_trans));
    EXPECT_EQ(s.tracker.variant(), before);
    EXPECT_EQ(s.backend->capabilities & cap::multi_statements, 0u);
}

TEST_P(MysqlTracker, WrongSequencesEndTheSession) {
    PlayedSession s(session());
    s.client(packet(raw("\x03" "SELECT 1"), 1));
    EXPECT_EQ(s.last, Kind::fatal);
    EXPECT_EQ(s.client_error(), 1156);
}

TEST_P(MysqlTracker, AReplyThatIsNoneEndsTheSession) {
    PlayedSession s(session());
    s.client(query("SELECT 1"));
    s.server(packet({}, 1));
    EXPECT_EQ(s.last, Kind::fatal);
    EXPECT_EQ(s.client_error(), 1927);
}

TEST(MysqlTrackerNoise, IsSurvivedOnBothSides) {
    std::uint32_t x = 99;
    const auto random = [&x] { return (x = x * 1664525u + 1013904223u) >> 24; };
    for (int round = 0; round < 3000; ++round) {
        PlayedSession s;
        for (int step = 0; step < 12 && s.last != Kind::fatal && s.last != Kind::close && s.last != Kind::lost; ++step) {
            Raw body;
            for (unsigned i = random() % 12; i > 0; --i) body.push_back(static_cast<std::uint8_t>(random()));
            if (!s.tracker.attached() || random() % 2 == 0) {
                s.client(packet(Raw{static_cast<std::uint8_t>(random() % 34)} + body, 0));
            } else {
                const Raw replies[] = {ok(1), err(1, 1064), rows("1"), packet(body, 1), ok(1, in_trans, 4), packet(raw("\xFB" "x"), 1)};
                s.server(replies[random() % std::size(replies)]);
            }
        }
    }
}

}  // namespace
}  // namespace leasehold::mysql
