// SPDX-License-Identifier: Apache-2.0
// A session's prepared statements on the backends that it gets: numbers, lazy preparation, types, readings.
#include "tests/unit/mysql/prepared_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;

class MysqlPreparedStatements : public MysqlStatements {};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlPreparedStatements, ::testing::Values(false, true));  // 0: whole, 1: byte by byte

TEST_P(MysqlPreparedStatements, AnExecuteGoesUnderTheBackendsNumber) {
    PlayedSession s(session());
    with(s, "SELECT ?", 1);
    s.client(execute(1, typed(5)));
    EXPECT_EQ(s.take_backend(), execute(70, typed(5)));
    s.server(rows("5"));
    EXPECT_EQ(s.take_client(), rows("5"));
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_EQ(s.tracker.transcript(false), std::vector<std::string>{"SELECT ?"});
}

TEST_P(MysqlPreparedStatements, AnotherBackendPreparesItFirstAndGetsTheTypes) {
    PlayedSession s(session());
    with(s, "SELECT ?", 1);
    s.client(execute(1, typed(5)));
    s.server(rows("5"));
    s.take_backend();
    s.take_client();
    s.renew();
    s.client(execute(1, untyped(6)));
    EXPECT_EQ(s.take_backend(), prepare("SELECT ?"));
    EXPECT_TRUE(s.tracker.busy());
    s.server(prepared(4, 1));
    EXPECT_TRUE(s.to_client.empty());
    EXPECT_EQ(s.take_backend(), execute(4, typed(6)));
    s.server(rows("6"));
    EXPECT_EQ(s.take_client(), rows("6"));
    EXPECT_EQ(s.boundaries, 3);
    s.client(execute(1, untyped(7)));
    EXPECT_EQ(s.take_backend(), execute(4, untyped(7))) << "it has had them now";
    s.server(err(1, 1317));
    s.client(execute(1, untyped(7)));
    EXPECT_EQ(s.take_backend(), execute(70 - 66, typed(7))) << "who knows how far it came";
}

TEST_P(MysqlPreparedStatements, AFailedPreparationIsTheExecutesReply) {
    PlayedSession s(session());
    with(s, "SELECT a FROM t");
    s.renew();
    s.client(execute(1));
    s.server(err(1, 1146, "42S02"));
    EXPECT_EQ(s.take_client(), err(1, 1146, "42S02"));
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_EQ(s.backend->statements.size(), 0u);
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans | autocommit));
    s.take_client();
    s.take_backend();
    s.client(execute(1));
    s.server(err(1, 1213, "40001"));
    EXPECT_EQ(s.take_client(), err(1, 1213, "40001"));
    EXPECT_EQ(s.tracker.status(), wire::TransactionStatus::active) << "it may have ended the transaction";
    s.ask();
    EXPECT_EQ(s.take_backend(), prepare("SELECT a FROM t") + command(14));
    s.server(ok(1));
    EXPECT_TRUE(s.to_client.empty());
    EXPECT_FALSE(s.tracker.attached());
}

TEST_P(MysqlPreparedStatements, ABackendLostWhilePreparingCostsAnIdleSessionNothing) {
    PlayedSession s(session());
    with(s, "SELECT 1");
    s.renew();
    s.client(execute(1));
    EXPECT_EQ(s.lose("gone"), wire::Aftermath::lives);
    EXPECT_TRUE(s.to_client.empty());
    s.take_backend();
    s.push();
    EXPECT_EQ(s.take_backend(), prepare("SELECT 1"));
    s.server(prepared(2));
    EXPECT_EQ(s.take_backend(), execute(2));
    s.server(rows("1"));
    EXPECT_EQ(s.take_client(), rows("1"));
}

TEST_P(MysqlPreparedStatements, EqualTextsShareACopyAndAnotherReadingDoesNot) {
    PlayedSession s(session());
    with(s, "SELECT 1");
    s.client(prepare("SELECT 1"));
    s.server(prepared(71));
    EXPECT_EQ(s.take_client(), prepared(2));
    s.take_backend();
    s.client(execute(1));
    EXPECT_EQ(s.take_backend(), close(70) + execute(71)) << "the newer one, and the older is closed";
    s.server(rows("1"));
    s.client(command(2, "annex"));
    s.server(ok(1));
    s.client(prepare("SELECT 1"));
    s.server(prepared(72));
    s.take_backend();
    s.take_client();
    s.client(execute(2));
    EXPECT_EQ(s.take_backend(), execute(71));
    s.server(rows("1"));
    s.client(execute(3));
    EXPECT_EQ(s.take_backend(), execute(72));
    s.server(rows("1"));
    EXPECT_EQ(s.backend->statements.size(), 2u);
}

TEST_P(MysqlPreparedStatements, ATextIsPreparedAgainUnderTheSettingsOfThen) {
    PlayedSession s(session());
    with(s, "SELECT a FROM t");
    s.client(query("SET sql_mode='ANSI'"));
    s.server(ok(1));
    s.client(command(2, "annex"));
    s.server(ok(1));
    s.renew();
    s.backend->login_database = "shop";
    s.take_backend();
    s.take_client();
    s.client(execute(1));
    EXPECT_EQ(s.take_backend(), query("SET SESSION sql_mode=DEFAULT") + command(2, "shop") +
                                    prepare("SELECT a FROM t") + command(2, "annex") +
                                    query("SET SESSION sql_mode='ANSI'"));
    s.server(ok(1) + ok(1) + prepared(3) + ok(1) + ok(1));
    EXPECT_EQ(s.take_backend(), execute(3));
    s.server(rows("1"));
    EXPECT_EQ(s.take_client(), rows("1"));
    EXPECT_EQ(s.boundaries, 4);
}

TEST_P(MysqlPreparedStatements, WhereTheSettingsOfThenAreRefusedNothingIsExecuted) {
    PlayedSession s(session());
    with(s, "SELECT a FROM t");
    s.client(command(2, "annex"));
    s.server(ok(1));
    s.renew();
    s.backend->login_database = "shop";
    s.take_client();
    s.client(execute(1));
    s.take_backend();
    s.server(err(1, 1049) + prepared(3) + ok(1));
    EXPECT_EQ(s.take_client(), err(1, 1049));
    EXPECT_EQ(s.backend->statements.size(), 0u);
    EXPECT_EQ(s.backend->statements.closing(), std::vector<std::uint32_t>{3});
    s.client(execute(1));
    s.server(ok(1) + prepared(4) + err(1, 1049));
    EXPECT_EQ(s.last, wire::Verdict::Kind::lost) << "the session's own settings are not to be had back";
}

TEST_P(MysqlPreparedStatements, ABackendKeepsAsManyAsItMay) {
    PlayedSession s(session());
    with(s, "SELECT 1");
    s.backend->statements.limit(1);
    s.client(prepare("SELECT 2"));
    EXPECT_EQ(s.take_backend(), close(70) + prepare("SELECT 2"));
    s.server(prepared(71));
    s.client(execute(1));
    EXPECT_EQ(s.take_backend(), close(71) + prepare("SELECT 1"));
    s.server(prepared(72));
    EXPECT_EQ(s.take_backend(), execute(72));
    s.server(rows("1"));
    EXPECT_EQ(s.backend->statements.size(), 1u);
}

TEST_P(MysqlPreparedStatements, WhatATextDoesToItsSessionItsExecutionDoes) {
    PlayedSession s(session());
    with(s, "CREATE TEMPORARY TABLE t (id INT)");
    EXPECT_TRUE(s.tracker.pin().empty()) << "nothing was done yet";
    s.client(execute(1));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.pin(), "temporary table");
    PlayedSession t(session());
    with(t, "SET sql_mode = 'ANSI'");
    EXPECT_TRUE(t.tracker.settings().variables.empty());
    t.client(execute(1));
    t.server(ok(1));
    EXPECT_EQ(t.tracker.settings().variables.size(), 1u);
    EXPECT_FALSE(t.tracker.attached());
    PlayedSession u(session());
    with(u, "COMMIT");
    u.client(execute(1));
    EXPECT_EQ(u.take_client(), ok(1)) << "there is nothing to end";
    EXPECT_FALSE(u.tracker.attached());
    u.client(query("BEGIN"));
    u.server(ok(1, in_trans | autocommit));
    (void)u.lose("gone");
    u.client(prepare("ROLLBACK"));
    EXPECT_EQ(u.client_error(), 1213);
    u.take_client();
    PlayedSession v(session());
    with(v, "ROLLBACK");
    v.client(query("BEGIN"));
    v.server(ok(1, in_trans | autocommit));
    (void)v.lose("gone");
    v.take_client();
    v.client(execute(1));
    EXPECT_EQ(v.take_client(), ok(1)) << "the lost transaction is over unheard";
}

TEST_P(MysqlPreparedStatements, APreparedUseIsTheServersBusinessInAnotherDatabase) {
    PlayedSession s(session());
    with(s, "USE annex");
    s.client(command(2, "third"));
    s.server(ok(1));
    s.client(execute(1));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.settings().database, "third");
    s.client(prepare("USE annex"));
    s.server(prepared(71));
    s.client(execute(2));
    s.server(ok(1));
    EXPECT_EQ(s.tracker.settings().database, "annex");
}

TEST_P(MysqlPreparedStatements, WhatCannotBeExecutedNeedsNoBackend) {
    PlayedSession s(session());
    with(s, "SELECT ?", 1);
    const int leases = s.leases;
    for (const auto& [request, number] : {std::pair{execute(2, typed(1)), 1243},
                                          {execute(70, typed(1)), 1243},
                                          {of(26, 9), 1243},
                                          {of(28, 9), 1243},
                                          {execute(1, untyped(1)), 1210},
                                          {execute(1, Raw{0, 1, 8}), 1835},
                                          {execute(1), 1835},
                                          {packet({23, 1, 0}, 0), 1835},
                                          {of(28, 1, u32(1)), 1421}}) {
        s.client(request);
        EXPECT_EQ(s.client_error(), number);
        s.take_client();
    }
    s.client(of(26, 1));
    EXPECT_EQ(s.take_client(), ok(1));
    s.client(close(1) + close(5) + packet({25}, 0) + of(24, 1, chunk("data")) + packet({24, 1}, 0));
    EXPECT_TRUE(s.to_client.empty());
    EXPECT_EQ(s.leases, leases);
    EXPECT_TRUE(s.to_backend.empty());
    s.client(execute(1, typed(1)));
    EXPECT_EQ(s.client_error(), 1243);
}

TEST_P(MysqlPreparedStatements, AResetOfTheConnectionClosesThem) {
    PlayedSession s(session());
    with(s, "SELECT 1");
    s.client(command(31));
    s.take_client();
    s.client(execute(1));
    EXPECT_EQ(s.client_error(), 1243);
    EXPECT_EQ(s.backend->statements.size(), 1u) << "the backend has it for others";
    s.client(query("CREATE TEMPORARY TABLE t (id INT)"));
    s.server(ok(1));
    s.client(command(31));
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_TRUE(s.backend->dirty) << "it is reset before anybody else gets it";
    s.backend->forget();
    EXPECT_EQ(s.backend->statements.size(), 0u);
}

TEST_P(MysqlPreparedStatements, MariaDBsLastPreparedStatement) {
    PlayedSession s = session();
    s.client(prepare("SELECT 1") + execute(0xFFFFFFFF));
    EXPECT_EQ(s.take_backend(), prepare("SELECT 1"));
    s.server(prepared(70));
    EXPECT_EQ(s.take_backend(), execute(70));
    s.server(rows("1"));
    s.client(prepare("SELEC") + execute(0xFFFFFFFF));
    s.take_client();
    s.server(err(1, 1064));
    EXPECT_EQ(s.client_error(), 1243);
}

}  // namespace
}  // namespace leasehold::mysql
