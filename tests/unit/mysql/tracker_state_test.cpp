// SPDX-License-Identifier: Apache-2.0
// What the server's session tracker reports, and what becomes of it.
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;

Raw text(std::string_view value) { return Raw{static_cast<std::uint8_t>(value.size())} + raw(value); }
Raw entry(std::uint8_t kind, const Raw& data) { return Raw{kind, static_cast<std::uint8_t>(data.size())} + data; }
Raw variable(std::string_view name, std::string_view value) { return entry(0, text(name) + text(value)); }
const Raw state = entry(2, raw("1"));

// An OK that reports changes.
Raw changed(const Raw& entries, unsigned status = autocommit) {
    return packet(Raw{0, 0, 0} + u16(status | 0x4000) + u16(0) + text("") +
                      Raw{static_cast<std::uint8_t>(entries.size())} + entries,
                  1);
}

struct Tracked : PlayedSession {
    explicit Tracked(bool mariadb = true, bool byte_wise = false)
        : PlayedSession(options(mariadb), byte_wise), mariadb_(mariadb) {
        server_capabilities = capabilities_of(tracker.variant()) | cap::session_track | cap::deprecate_eof;
        renew();
        turn_on();
    }
    static TrackerOptions options(bool mariadb) {
        TrackerOptions made;
        made.mariadb = mariadb;
        made.capabilities = cap::session_track | cap::deprecate_eof | cap::multi_statements;
        return made;
    }
    void turn_on() {
        backend->mariadb = mariadb_;
        backend->tracks = backend->tracking = true;
    }
    bool mariadb_;
};

TEST(MysqlTrackerState, AChangeThatTheTextExplainsPinsNothing) {
    for (const bool byte_wise : {false, true}) {
        Tracked s(true, byte_wise);
        s.client(query("SET time_zone='+01:00'"));
        s.server(changed(variable("time_zone", "+01:00") + state));
        EXPECT_EQ(s.tracker.pin(), "");
        EXPECT_EQ(s.boundaries, 1);
        s.client(query("DROP TEMPORARY TABLE IF EXISTS t"));
        s.server(changed(state));
        EXPECT_EQ(s.tracker.pin(), "");
        s.client(command(2, "other"));
        s.server(changed(entry(1, text("other")) + state));
        EXPECT_EQ(s.tracker.pin(), "");
        EXPECT_EQ(s.tracker.settings().database, "other");
    }
}

TEST(MysqlTrackerState, AChangeThatOnlyStoredCodeCanHaveMadePins) {
    for (const char* sql : {"SELECT f()", "INSERT INTO t VALUES (1)", "SET GLOBAL a=f()", "SET autocommit=f()"}) {
        Tracked s;
        s.client(query(sql));
        s.server(changed(state));
        EXPECT_EQ(s.tracker.pin(), "state made by stored code") << sql;
        EXPECT_TRUE(s.tracker.dirty());
        EXPECT_TRUE(s.tracker.attached());
    }
    Tracked in_rows;
    in_rows.client(query("SELECT f()"));
    Raw end = changed(state);
    end[4] = 0xFE;
    end[3] = 4;
    in_rows.server(packet({1}, 1) + column(2) + row(3, "1") + end);
    EXPECT_EQ(in_rows.tracker.pin(), "state made by stored code");
}

TEST(MysqlTrackerState, TheServerTellsWhatAnExpressionMadeOfAVariable) {
    Tracked s;
    s.client(query("SET sql_mode=concat(@@sql_mode, ',ANSI')"));
    s.server(changed(variable("sql_mode", "ANSI_QUOTES,ANSI") + state));
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_EQ(s.tracker.settings().variables,
              (std::vector<std::pair<std::string, std::string>>{{"sql_mode", "'ANSI_QUOTES,ANSI'"}}));
    EXPECT_EQ(s.backend->held.variables, s.tracker.settings().variables);
    Tracked silent;
    silent.client(query("SET sql_mode=concat(@@sql_mode, ',ANSI')"));
    silent.server(changed(state));
    EXPECT_EQ(silent.tracker.pin(), "SET of what is not carried") << "it has not said what";
    Tracked odd;
    odd.client(query("SET time_zone=concat('a')"));
    odd.server(changed(variable("time_zone", "a'b") + state));
    EXPECT_FALSE(odd.tracker.pin().empty());
}

TEST(MysqlTrackerState, AfterAnErrorMySQLReportsWithTheNextReplyAndMariaDBNever) {
    Tracked mysql(false);
    mysql.client(query("INSERT INTO t VALUES (1)"));
    mysql.server(err(1, 1062));
    EXPECT_EQ(mysql.last, Kind::unsure);
    EXPECT_EQ(mysql.tracker.status(), wire::TransactionStatus::idle);
    EXPECT_TRUE(mysql.tracker.dirty()) << "if the client goes now";
    mysql.ask();
    mysql.server(changed(state));
    EXPECT_EQ(mysql.tracker.pin(), "state made by stored code");

    Tracked next(false);
    next.client(query("INSERT INTO t VALUES (1)"));
    next.server(err(1, 1062));
    (void)next.take_backend();
    next.client(query("SET time_zone='+01:00'"));
    EXPECT_EQ(next.take_backend(), command(14) + query("SET time_zone='+01:00'")) << "whose state it is must be told";
    next.server(ok(1) + changed(variable("time_zone", "+01:00") + state));
    EXPECT_EQ(next.tracker.pin(), "");
    next.client(query("INSERT INTO t VALUES (1)"));
    next.server(err(1, 1062));
    next.client(query("SET time_zone='+02:00'"));
    next.server(changed(state) + changed(variable("time_zone", "+02:00") + state));
    EXPECT_EQ(next.tracker.pin(), "state made by stored code");

    Tracked nothing(false);
    nothing.client(query("INSERT INTO t VALUES (1)"));
    nothing.server(err(1, 1062));
    nothing.ask();
    nothing.server(ok(1));
    EXPECT_EQ(nothing.boundaries, 1);
    EXPECT_FALSE(nothing.backend->dirty);

    Tracked mariadb(true);
    mariadb.client(query("INSERT INTO t VALUES (1)"));
    mariadb.server(err(1, 1062));
    EXPECT_EQ(mariadb.boundaries, 1);
    EXPECT_TRUE(mariadb.backend->dirty);

    Tracked refused(false);
    refused.client(query("SELECT nothing"));
    refused.server(err(1, 1054));
    EXPECT_EQ(refused.boundaries, 1) << "nothing of it was carried out";

    // The table that is missing may be one that a trigger names, behind what it has set.
    Tracked within(true);
    within.client(query("UPDATE t SET a=1"));
    within.server(err(1, 1146));
    EXPECT_TRUE(within.backend->dirty);
    Tracked reported(false);
    reported.client(query("UPDATE t SET a=1"));
    reported.server(err(1, 1146));
    EXPECT_EQ(reported.boundaries, 0) << "the next reply tells";
}

TEST(MysqlTrackerState, ALossWhileOnlyAReportIsOpenLosesNoTransaction) {
    Tracked s(false);
    s.client(query("INSERT INTO t VALUES (1)"));
    s.server(err(1, 1062));
    s.take_client();
    EXPECT_EQ(s.lose("gone"), wire::Aftermath::lives);
    s.turn_on();
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.client_error(), 0);
}

TEST(MysqlTrackerState, ADroppedDatabaseIsTheOneThatTheServerNames) {
    constexpr unsigned dropped = 0x0100;
    Tracked s;
    s.client(command(2, "mine"));
    s.server(changed(entry(1, text("mine"))));
    s.client(query("DROP DATABASE other"));
    s.server(ok(1, autocommit | dropped));
    EXPECT_EQ(s.tracker.settings().database, "mine");
    s.client(query("DROP DATABASE mine"));
    s.server(changed(entry(1, text("")), autocommit | dropped));
    EXPECT_EQ(s.tracker.settings().database, "");
}

TEST(MysqlTrackerState, TheClientsOwnTrackingIsCarriedAndDoesNotBlindLeasehold) {
    Tracked s;
    s.client(query("BEGIN"));
    s.server(ok(1, in_trans | autocommit));
    s.take_backend();
    s.client(query("SET session_track_system_variables='lc_messages', session_track_state_change=0"));
    s.take_backend();
    s.server(ok(1, in_trans | autocommit));
    const Raw sent = s.take_backend();
    EXPECT_EQ(sent, query(track_statement(true, "lc_messages")));
    EXPECT_NE(wire::as_text(sent).find("sql_mode"), std::string_view::npos);
    s.server(ok(1, in_trans | autocommit));
    s.client(query("COMMIT"));
    s.server(ok(1));
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_TRUE(s.tracker.settings().holds("session_track_system_variables"));
    EXPECT_TRUE(s.backend->plan_for(s.tracker.settings()).nothing());
}

TEST(MysqlTrackerState, ASetOfTheClientsTrackingDoesNotHideItsOwnExpressions) {
    // The first words of MariaDB's Connector/J with rewriteBatchedStatements.
    const std::string rest = " , sql_mode = concat(@@sql_mode,',ANSI')";
    const std::string names = "set autocommit=1, session_track_system_variables=";
    Tracked s;
    s.client(query(names + "'auto_increment_increment'" + rest));
    const std::string tracked = track_statement(true, "auto_increment_increment");
    EXPECT_EQ(s.take_backend(), query(names + tracked.substr(tracked.find('\'')) + rest));
    s.server(changed(variable("sql_mode", "ANSI_QUOTES,ANSI") + state));
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_EQ(s.boundaries, 1);
    EXPECT_EQ(s.tracker.settings().variables, (std::vector<std::pair<std::string, std::string>>{
                                                  {"session_track_system_variables", "'auto_increment_increment'"},
                                                  {"sql_mode", "'ANSI_QUOTES,ANSI'"}}));
}

TEST(MysqlTrackerState, WhoWillPinGetsABackendThatNobodyElseHasUsedSinceItsReset) {
    Tracked s;
    EXPECT_EQ(s.backend->used_by, 0u);
    s.gives_leases = false;
    s.client(query("SELECT @a"));
    EXPECT_FALSE(s.tracker.wants_clean(*s.backend)) << "it is as new";
    s.backend->used_by = MysqlLease::leaseholds;
    EXPECT_TRUE(s.tracker.wants_clean(*s.backend));
    const Alignment plan = s.backend->plan_for(s.tracker.settings(), true);
    EXPECT_TRUE(plan.reset);
    EXPECT_EQ(plan.track, track_statement(true));
    s.gives_leases = true;
    s.push();
    EXPECT_FALSE(s.tracker.wants_clean(*s.backend)) << "asked once for each lease";
    s.backend->forget();
    EXPECT_EQ(s.backend->used_by, 0u);

    Tracked harmless;
    harmless.backend->used_by = MysqlLease::leaseholds;
    harmless.gives_leases = false;
    harmless.client(query("SELECT 1"));
    EXPECT_FALSE(harmless.tracker.wants_clean(*harmless.backend));
}

TEST(MysqlTrackerState, SetCharacterSetIsCarriedUntilTheDatabaseChanges) {
    Tracked s;
    s.client(query("SET CHARACTER SET latin1"));
    s.server(changed(variable("character_set_client", "latin1") + variable("character_set_connection", "utf8mb4") +
                     variable("character_set_results", "latin1") + state));
    EXPECT_EQ(s.tracker.settings().variables,
              (std::vector<std::pair<std::string, std::string>>{{"character set", "latin1"}}));
    EXPECT_EQ(s.boundaries, 1);
    s.client(query("USE other"));
    s.server(changed(entry(1, text("other")) + state));
    EXPECT_FALSE(s.tracker.pin().empty());
}

}  // namespace
}  // namespace leasehold::mysql
