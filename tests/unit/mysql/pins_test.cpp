// SPDX-License-Identifier: Apache-2.0
// Pins that end: what makes and what ends each, what the backend is asked, and what becomes of user variables.
// It is longer than 400 lines because its cases share one way to write down what a backend answers.
#include "dialects/mysql/pins.hpp"
#include "tests/unit/mysql/played_session.hpp"

namespace leasehold::mysql {
namespace {

using namespace test;
using Kind = wire::Verdict::Kind;

struct Field {
    std::uint8_t type;
    std::optional<std::string> value;
    unsigned flags = 0;
};
const Field yes{8, "1"}, no{8, "0"};
Field of_text(std::optional<std::string> value) { return {253, std::move(value)}; }

// One row of these, as a server without DEPRECATE_EOF sends it.
Raw answer(const std::vector<Field>& fields) {
    std::uint8_t sequence = 1;
    Raw made = packet({static_cast<std::uint8_t>(fields.size())}, sequence++);
    Raw values;
    for (const Field& field : fields) {
        made = made + packet(raw("\x03"
                                 "def") +
                                 Raw{0, 0, 0, 1, 'c', 0, 0x0C} + u16(45) + Raw(4, 0) + Raw{field.type} +
                                 u16(field.flags) + Raw(3, 0),
                             sequence++);
        values = values +
                 (field.value ? Raw{static_cast<std::uint8_t>(field.value->size())} + raw(*field.value) : Raw{0xFB});
    }
    made = made + eof(sequence++);
    made = made + packet(values, sequence++);
    return made + eof(sequence);
}

class MysqlPins : public testing::TestWithParam<bool> {
  protected:
    [[nodiscard]] static PlayedSession session() { return PlayedSession({}, GetParam()); }
    static void run(PlayedSession& s, std::string_view sql, unsigned status = autocommit) {
        s.client(query(sql));
        s.server(ok(1, status));
    }
};
INSTANTIATE_TEST_SUITE_P(Fed, MysqlPins, testing::Bool());

struct Course {
    const char *begins, *keeps, *ends, *reason;
};
const Course courses[] = {
    {"CREATE TEMPORARY TABLE t (id INT)", "DROP TABLE u", "DROP TABLE t", "temporary table"},
    {"CREATE TEMPORARY TABLE IF NOT EXISTS `t` LIKE u", "DROP TEMPORARY TABLE u", "DROP TEMPORARY TABLE IF EXISTS u, t",
     "temporary table"},
    {"CREATE TEMPORARY TABLE shop.t SELECT 1", "DROP TABLE other.t", "DROP TABLE t", "temporary table"},
    {"HANDLER t OPEN", "HANDLER u CLOSE", "HANDLER t CLOSE", "HANDLER"},
    {"HANDLER d.t OPEN AS h", "HANDLER t CLOSE", "HANDLER H CLOSE", "HANDLER"},
    {"HANDLER t OPEN h", "HANDLER h READ FIRST", "HANDLER h CLOSE", "HANDLER"},
    {"PREPARE q FROM @text", "DEALLOCATE PREPARE r", "DEALLOCATE PREPARE Q", "SQL PREPARE"},
    {"PREPARE q FROM @text", "SELECT 1", "DROP PREPARE q", "SQL PREPARE"},
    {"SET sql_auto_is_null = 1", "SET sql_big_selects = 0", "SET sql_auto_is_null = OFF", "SET sql_auto_is_null"},
    {"SELECT 1; CREATE TEMPORARY TABLE t (id INT)", "DROP TABLE IF EXISTS u", "DROP TABLE t; SELECT 1",
     "temporary table"},
};

TEST_P(MysqlPins, EachEndsWithItsState) {
    for (const Course& course : courses) {
        PlayedSession s = session();
        run(s, "USE shop");
        run(s, course.begins);
        EXPECT_EQ(s.tracker.pin(), course.reason) << course.begins;
        EXPECT_TRUE(s.backend->dirty);
        EXPECT_FALSE(s.tracker.pin_statement().empty());
        run(s, course.keeps);
        EXPECT_EQ(s.tracker.pin(), course.reason) << course.keeps;
        s.client(query(course.ends));
        s.server(err(1, 1051));
        EXPECT_EQ(s.tracker.pin(), course.reason) << "it failed";
        s.tracker.ask(s.out_backend);
        if (s.last == Kind::unsure) s.server(ok(1));
        run(s, course.ends);
        EXPECT_EQ(s.tracker.pin(), "") << course.ends;
        EXPECT_FALSE(s.tracker.attached());
        EXPECT_TRUE(s.backend->dirty) << "it is reset before anybody else gets it";
    }
}

TEST_P(MysqlPins, WhatFailedMakesNothing) {
    for (const Course& course : courses) {
        if (std::string_view(course.begins).find(';') != std::string_view::npos) continue;
        PlayedSession s = session();
        s.client(query(course.begins));
        s.server(err(1, 1146));
        EXPECT_EQ(s.tracker.pin(), "") << course.begins;
    }
}

TEST_P(MysqlPins, ATableThatMayHaveAnotherNamePinsToTheEnd) {
    PlayedSession s = session();
    run(s, "CREATE TEMPORARY TABLE t (id INT)");
    run(s, "ALTER TABLE t ADD COLUMN b INT, RENAME TO u");
    run(s, "DROP TABLE t");
    EXPECT_EQ(s.tracker.pin(), "temporary table");
}

TEST_P(MysqlPins, TheBackendSaysWhichLocksAreHeld) {
    PlayedSession s = session();
    s.client(query("SELECT GET_LOCK('a', 1), GET_LOCK('b', 1)"));
    (void)s.take_backend();
    s.server(answer({yes, no}));
    EXPECT_EQ(s.take_backend(),
              query("SELECT IS_USED_LOCK('a')<=>CONNECTION_ID(),IS_USED_LOCK('b')<=>CONNECTION_ID()"));
    EXPECT_EQ(s.boundaries, 0);
    (void)s.take_client();
    s.server(answer({yes, no}));
    EXPECT_TRUE(s.take_client().empty());
    EXPECT_EQ(s.tracker.pin(), "GET_LOCK");
    s.client(query("SELECT 1"));
    s.server(rows("1"));
    (void)s.take_backend();
    s.client(query("DO RELEASE_LOCK('a')"));
    s.server(ok(1));
    EXPECT_EQ(s.take_backend(), query("DO RELEASE_LOCK('a')") + query("SELECT IS_USED_LOCK('a')<=>CONNECTION_ID()"));
    s.server(answer({no}));
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_FALSE(s.tracker.attached());
}

TEST_P(MysqlPins, ALockThatNobodyCanNameLastsUntilAllAreReleased) {
    PlayedSession s = session();
    s.client(query("SELECT GET_LOCK(CONCAT('a', 'b'), 1)"));
    s.server(rows("1"));
    EXPECT_EQ(s.tracker.pin(), "GET_LOCK");
    s.client(query("SELECT RELEASE_LOCK('ab')"));
    s.server(rows("1"));
    EXPECT_EQ(s.tracker.pin(), "GET_LOCK");
    s.client(query("SELECT RELEASE_ALL_LOCKS()"));
    s.server(rows("1"));
    EXPECT_EQ(s.tracker.pin(), "");
}

TEST_P(MysqlPins, AServerThatDoesNotAnswerKeepsTheSession) {
    PlayedSession s = session();
    s.client(query("SELECT GET_LOCK('a', 1)"));
    s.server(answer({yes}));
    s.server(err(1, 1317));
    EXPECT_EQ(s.tracker.pin(), "GET_LOCK");
    EXPECT_TRUE(s.tracker.attached());
}

TEST_P(MysqlPins, UserVariablesFromLiteralsAreCarriedAtOnce) {
    PlayedSession s = session();
    run(s, "SET @A = 5, @b := 'of me', @`c d` = -1.5, time_zone='+01:00', @e = NULL, @f = TRUE");
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_FALSE(s.backend->dirty);
    EXPECT_EQ(s.tracker.settings().users,
              (std::vector<std::pair<std::string, std::string>>{
                  {"@`a`", "5"}, {"@`b`", "'of me'"}, {"@`c d`", "-1.5"}, {"@`e`", "NULL"}, {"@`f`", "TRUE"}}));
    EXPECT_EQ(s.tracker.settings().variables.size(), 1u);
    EXPECT_EQ(s.backend->held, s.tracker.settings());
    s.client(query("SELECT @a"));
    s.server(rows("5"));
    EXPECT_EQ(s.tracker.pin(), "") << "it only reads";
    s.client(command(31));
    EXPECT_TRUE(s.tracker.settings().users.empty());
}

TEST_P(MysqlPins, OfOthersTheServerTellsTheValues) {
    PlayedSession s = session();
    (void)s.take_backend();
    s.client(query("SELECT 1, 'x' INTO @a, @b"));
    s.server(ok(1));
    EXPECT_EQ(s.take_backend(), query("SELECT 1, 'x' INTO @a, @b") +
                                    query("SELECT @`a`,HEX(CAST(@`a` AS BINARY)),COLLATION(@`a`),@`b`,HEX(CAST(@`b` AS "
                                          "BINARY)),COLLATION(@`b`)"));
    (void)s.take_client();
    s.server(answer({{8, "1"}, of_text("31"), of_text("binary"), {251, "x"}, of_text("78"), of_text("utf8mb4_bin")}));
    EXPECT_TRUE(s.take_client().empty());
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_EQ(s.tracker.settings().users, (std::vector<std::pair<std::string, std::string>>{
                                              {"@`a`", "1"}, {"@`b`", "_utf8mb4 X'78' COLLATE utf8mb4_bin"}}));
    EXPECT_TRUE(s.backend->dirty);
}

TEST_P(MysqlPins, WhatCannotBeWrittenDownKeepsTheSessionUntilItIsSetAnew) {
    PlayedSession s = session();
    run(s, "SET @a = f()");
    s.server(answer({{251, "x"}, of_text("C328"), of_text("utf8mb4_bin")}));
    EXPECT_EQ(s.tracker.pin(), "user variable");
    run(s, "SET @a = 1");
    EXPECT_EQ(s.tracker.pin(), "");
}

TEST_P(MysqlPins, ATextIsWhatTheCharacterSetsMadeOfIt) {
    PlayedSession s = session();
    run(s, "SET @a = 'x', @b = 1");
    run(s, "SET NAMES latin1");
    EXPECT_EQ(s.tracker.pin(), "user variable");
    s.server(answer({{251, "x"}, of_text("78"), of_text("utf8mb4_bin")}));
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_EQ(s.tracker.settings().users[0].second, "_utf8mb4 X'78' COLLATE utf8mb4_bin");
    run(s, "SET NAMES utf8mb4");
    EXPECT_EQ(s.tracker.pin(), "") << "now it says so itself";
}

TEST_P(MysqlPins, ValuesAreNotAskedForWithinATransaction) {
    PlayedSession s = session();
    run(s, "BEGIN", in_trans | autocommit);
    run(s, "SET @a = @a + 1", in_trans | autocommit);
    (void)s.take_backend();
    run(s, "COMMIT");
    EXPECT_EQ(s.take_backend().size(),
              (query("COMMIT") + query("SELECT @`a`,HEX(CAST(@`a` AS BINARY)),COLLATION(@`a`)")).size());
    s.server(answer({{5, "1.5"}, of_text("312E35"), of_text("binary")}));
    EXPECT_EQ(s.tracker.settings().users[0].second, "1.5e0");
}

TEST_P(MysqlPins, AMultiStatementThatFailedHasDoneWhatCameBefore) {
    TrackerOptions options;
    options.capabilities = cap::multi_statements | cap::deprecate_eof;
    PlayedSession s(options, GetParam());
    s.client(query("SET time_zone='+01:00'; SET @a=1; SELECT * FROM gone; SET time_zone='+02:00'"));
    s.server(ok(1, autocommit | more_results) + ok(2, autocommit | more_results) + err(3, 1146));
    EXPECT_EQ(s.tracker.settings().variables.size(), 1u);
    EXPECT_EQ(s.tracker.settings().variables[0].second, "'+01:00'");
}

TEST_P(MysqlPins, ExecuteDoesWhatThePreparedTextDoes) {
    PlayedSession s = session();
    run(s, "PREPARE q FROM 'SET @a = 7'");
    run(s, "EXECUTE q");
    EXPECT_EQ(s.tracker.settings().users.size(), 1u);
    run(s, "DEALLOCATE PREPARE q");
    EXPECT_EQ(s.tracker.pin(), "");
    run(s, "PREPARE q FROM @text");
    run(s, "EXECUTE q");
    run(s, "DEALLOCATE PREPARE q");
    EXPECT_EQ(s.tracker.pin(), "SQL PREPARE") << "nobody knows what it did";
}

// A session whose CALL is over, with what its backend was asked then.
struct Called : PlayedSession {
    Called(std::string_view sql, bool byte_wise) : PlayedSession({}, byte_wise) {
        client(query("USE shop"));
        server(ok(1));
        client(query(sql));
        (void)take_backend();
        server(ok(1));
        EXPECT_TRUE(tracker.attached());
    }
};

TEST_P(MysqlPins, AProcedureIsHarmlessIfItsDefinitionSaysSo) {
    Called s("CALL p(1)", GetParam());
    const Raw asked = s.take_backend();
    EXPECT_NE(readable(asked).find("ROUTINE_SCHEMA='shop' AND ROUTINE_NAME='p' AND ROUTINE_TYPE='PROCEDURE'"),
              std::string::npos);
    (void)s.take_client();
    s.server(answer({of_text("\nBEGIN SELECT 1; CALL q(); END")}));
    EXPECT_NE(readable(s.take_backend()).find("ROUTINE_NAME='q'"), std::string::npos) << "and what it calls";
    s.server(answer({of_text("\nSELECT 2")}));
    EXPECT_EQ(s.take_backend(), query("SELECT LAST_INSERT_ID()"));
    s.server(rows("0"));
    EXPECT_TRUE(s.take_client().empty());
    EXPECT_EQ(s.tracker.pin(), "");
    EXPECT_FALSE(s.tracker.attached());
    EXPECT_TRUE(s.backend->dirty);
}

TEST_P(MysqlPins, WhatAProcedureMayHaveLeftIsLookedFor) {
    Called variables("CALL p()", GetParam());
    (void)variables.take_backend();
    variables.server(answer({of_text("\nSELECT 1 INTO @a")}));
    EXPECT_NE(readable(variables.take_backend()).find("COLLATION(@`a`)"), std::string::npos);
    variables.server(answer({{8, "1"}, of_text("31"), of_text("binary")}));
    EXPECT_EQ(variables.tracker.pin(), "");
    EXPECT_EQ(variables.tracker.settings().users.size(), 1u);
    Called lock("CALL p()", GetParam());
    lock.server(answer({of_text("\nDO GET_LOCK('x', 1)")}));
    lock.server(answer({yes}));
    EXPECT_EQ(lock.tracker.pin(), "GET_LOCK");
    for (const char* body : {"\nEXECUTE", "\nBEGIN PREPARE q FROM @a; EXECUTE q; END"}) {
        Called s("CALL p()", GetParam());
        s.server(answer({of_text(body)}));
        EXPECT_EQ(s.tracker.pin(), "CALL: a procedure may leave state behind") << body;
    }
    Called none("CALL p()", GetParam());
    none.server(answer({of_text(std::nullopt)}));
    EXPECT_EQ(none.tracker.pin(), "CALL: a procedure may leave state behind");
    Called silent("CALL p()", GetParam());
    silent.server(err(1, 1317));
    EXPECT_EQ(silent.tracker.pin(), "CALL: a procedure may leave state behind");
}

// Nobody knows what the procedure has left: a session that went on would miss it.
TEST_P(MysqlPins, ABackendThatDiesBeforeItIsAskedTakesTheSessionAlong) {
    Called s("CALL p(1)", GetParam());
    EXPECT_EQ(s.lose("the server closed the connection"), wire::Aftermath::lives);
    s.client(query("SELECT 1"));
    EXPECT_EQ(s.client_error(), 1927);
    PlayedSession assigned = session();
    assigned.client(query("SELECT 5 INTO @a"));
    assigned.server(ok(1));
    (void)assigned.lose("the server closed the connection");
    assigned.client(query("SELECT 1"));
    EXPECT_EQ(assigned.client_error(), 1927);
}

TEST_P(MysqlPins, ACallOfWhatIsNotThereLeavesNothing) {
    PlayedSession s({}, GetParam());
    s.client(query("CALL shop.nowhere()"));
    s.server(err(1, 1305, "42000"));
    s.ask();
    if (s.last == Kind::unsure) s.server(ok(1));
    s.server(answer({of_text(std::nullopt)}));
    EXPECT_EQ(s.tracker.pin(), "");
}

TEST(MysqlPinsValue, ManyOfAKindHaveNoNames) {
    Pins pins;
    for (std::size_t i = 0; i <= Pins::most; ++i)
        pins.apply({Effect::Kind::table, 0, "t" + std::to_string(i), {}}, "d");
    for (std::size_t i = 0; i <= Pins::most; ++i)
        pins.apply({Effect::Kind::drop_table, 0, "t" + std::to_string(i), {}}, "d");
    EXPECT_EQ(pins.reason(), "temporary table");
}

TEST(MysqlPinsValue, SessionVariablesAreReadLast) {
    Pins pins;
    pins.asked("lock_wait_timeout");
    pins.asked("lc_time_names");
    pins.apply({Effect::Kind::lock, 0, "l", {}}, "d");
    EXPECT_EQ(pins.reason(), "GET_LOCK");
    EXPECT_EQ(pins.question(),
              "SELECT IS_USED_LOCK('l')<=>CONNECTION_ID(),@@session.`lock_wait_timeout`,@@session.`lc_time_names`");
    std::vector<std::pair<std::string, std::string>> values;
    EXPECT_TRUE(pins.answered(answer({no, {8, "7"}, of_text("de_DE")}), false, values));
    EXPECT_EQ(values, (std::vector<std::pair<std::string, std::string>>{{"lock_wait_timeout", "7"},
                                                                        {"lc_time_names", "'de_DE'"}}));
    EXPECT_EQ(pins.reason(), "");
    pins.asked("optimizer_switch");
    (void)pins.question();
    EXPECT_TRUE(pins.answered(answer({of_text("a'b")}), false, values));
    EXPECT_EQ(pins.reason(), "SET of what is not carried") << "it cannot be written down";
    Pins silent;
    silent.asked("lock_wait_timeout");
    (void)silent.question();
    EXPECT_FALSE(silent.answered({}, false, values));
    EXPECT_EQ(silent.reason(), "SET of what is not carried");
}

TEST(MysqlPinsValue, AnInsertIdLastsUntilTheServerSaysThatItIsUsed) {
    Pins pins;
    pins.apply({Effect::Kind::setting, 0, "insert_id", {}}, "d");
    EXPECT_EQ(pins.reason(), "SET insert_id");
    std::vector<std::pair<std::string, std::string>> values;
    EXPECT_EQ(pins.question(), "SELECT @@insert_id");
    EXPECT_TRUE(pins.answered(answer({{8, "7"}}), false, values));
    EXPECT_EQ(pins.question(), "") << "nothing has happened since";
    pins.doubt_insert_id();
    EXPECT_EQ(pins.question(), "SELECT @@insert_id");
    EXPECT_TRUE(pins.answered(answer({no}), false, values));
    EXPECT_EQ(pins.reason(), "");
}

TEST(MysqlPinsValue, EachTypeIsWrittenAsItself) {
    const auto carried = [](const Field& field, std::string_view hex, std::string_view collation) -> std::string {
        Pins pins;
        pins.assigned("@`a`");
        (void)pins.question();
        std::vector<std::pair<std::string, std::string>> values;
        EXPECT_TRUE(
            pins.answered(answer({field, of_text(std::string(hex)), of_text(std::string(collation))}), false, values));
        return values.empty() ? "kept" : values[0].second;
    };
    EXPECT_EQ(carried({8, "5"}, "35", "binary"), "5");
    EXPECT_EQ(carried({8, "5", 0x20}, "35", "binary"), "CAST(5 AS UNSIGNED)");
    EXPECT_EQ(carried({5, "1e100"}, "", "binary"), "1e100");
    EXPECT_EQ(carried({246, "5"}, "", "binary"), "5.");
    EXPECT_EQ(carried({246, std::nullopt}, "", "binary"), "CAST(NULL AS DECIMAL)");
    EXPECT_EQ(carried({251, std::nullopt}, "", "latin1_bin"),
              "CAST(NULL AS CHAR CHARACTER SET latin1) COLLATE latin1_bin");
    EXPECT_EQ(carried({6, std::nullopt}, "", "binary"), "NULL");
    EXPECT_EQ(carried({251, "?"}, "E4", "latin1_bin"), "_latin1 X'E4' COLLATE latin1_bin");
    EXPECT_EQ(carried({251, "?"}, "E4", "utf8mb4_bin"), "kept");
    EXPECT_EQ(carried({251, "?"}, "C3A4", "utf8mb4_bin"), "_utf8mb4 X'C3A4' COLLATE utf8mb4_bin");
    EXPECT_EQ(carried({251, "?"}, "41", "x'y"), "kept");
    EXPECT_EQ(carried({251, "a"}, "0041", "utf16_bin"), "kept");
    Pins pins;
    pins.assigned("@`a`");
    (void)pins.question();
    std::vector<std::pair<std::string, std::string>> values;
    const Raw whole = answer({{8, "5"}, of_text("35"), of_text("binary")});
    for (std::size_t cut = 0; cut + 20 < whole.size(); ++cut) {
        Pins tried = pins;
        const Raw part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
        EXPECT_FALSE(tried.answered(part, false, values)) << cut;
        EXPECT_EQ(tried.reason(), "user variable");
    }
}

}  // namespace
}  // namespace leasehold::mysql
