// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/setting_steps.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

bool reported(const void*, std::string_view name) { return name == "timezone" || name == "datestyle"; }

[[nodiscard]] std::string read(std::string_view sql) {
    const std::optional<SettingSteps> steps = read_setting_steps(sql, true, &reported, nullptr);
    if (!steps || !understood(*steps)) return "none";
    std::string all;
    for (const SettingStep& step : *steps) {
        if (!all.empty()) all += "; ";
        switch (step.kind) {
            case SettingStep::Kind::other: all += "-"; break;
            case SettingStep::Kind::reset_all: all += "reset all"; break;
            case SettingStep::Kind::savepoint: all += "savepoint " + step.savepoint; break;
            case SettingStep::Kind::release: all += "release " + step.savepoint; break;
            case SettingStep::Kind::rollback_to: all += "back to " + step.savepoint; break;
            case SettingStep::Kind::assign: {
                all += std::string(step.tag) + ":";
                for (const Assignment& each : step.assigns) {
                    all += " " + each.name + (each.reported ? "!" : "") + (each.stuck ? "?" : "") +
                           (each.reset ? "" : "=" + each.value);
                }
            }
        }
    }
    return all;
}

TEST(SettingSteps, AreOneForEachStatementThatIsAnswered) {
    EXPECT_EQ(read("SET a.b = 1"), "SET: a.b=1");
    EXPECT_EQ(read("SELECT 1; ;SET a.b = 1; -- more\n; BEGIN; RESET a.b;"), "-; SET: a.b=1; -; RESET: a.b");
    EXPECT_EQ(read("SET work_mem = DEFAULT; RESET ALL"), "SET: work_mem; reset all");
    EXPECT_EQ(read("SET LOCAL work_mem = x + 1; SET TRANSACTION READ ONLY; DISCARD PLANS"), "-; -; -");
    EXPECT_EQ(read("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE"),
              "SET: default_transaction_read_only=on default_transaction_isolation=serializable");
    EXPECT_EQ(read(""), "");
}

TEST(SettingSteps, LeaveValuesThatTheServerTellsToIt) {
    EXPECT_EQ(read("SET TIME ZONE INTERVAL '1' HOUR; RESET TIME ZONE"), "SET: timezone!=; RESET: timezone!");
    EXPECT_EQ(read("SET datestyle = 'ISO', DMY; SET DateStyle TO DEFAULT"), "SET: datestyle!=; SET: datestyle!");
    EXPECT_EQ(read("SELECT set_config('TimeZone', 'UTC', false)"), "SELECT 1: timezone!=UTC");
}

TEST(SettingSteps, GiveUpTheRoleWithTheSessionsAuthorization) {
    EXPECT_EQ(read("SET SESSION AUTHORIZATION x; SET SESSION AUTHORIZATION 'A b'"),
              "SET: session_authorization=x role=none; SET: session_authorization=A b role=none");
    EXPECT_EQ(read("SET SESSION AUTHORIZATION DEFAULT; RESET SESSION AUTHORIZATION; RESET session_authorization"),
              "SET: session_authorization role=none; RESET: session_authorization role=none; "
              "RESET: session_authorization role=none");
    EXPECT_EQ(read("SET session_authorization = x; SET ROLE y"), "SET: session_authorization=x role=none; SET: role=y");
    EXPECT_EQ(read("SELECT set_config('session_authorization', 'x', false), set_config('role', 'y', false)"),
              "SELECT 1: session_authorization=x role=none role=y");
    EXPECT_EQ(read("SET LOCAL SESSION AUTHORIZATION x"), "-");
    EXPECT_EQ(read("SET AUTHORIZATION x"), "SET: authorization?=");
    EXPECT_EQ(read("SET SESSION AUTHORIZATION x y"), "SET: session_authorization?=");
    EXPECT_EQ(read("RESET SESSION"), "RESET: session?=");
}

TEST(SettingSteps, ReadSavepoints) {
    EXPECT_EQ(read("SAVEPOINT a; RELEASE a; RELEASE SAVEPOINT b; ROLLBACK TO a"),
              "savepoint a; release a; release b; back to a");
    EXPECT_EQ(read("ROLLBACK WORK TO SAVEPOINT \"A b\"; abort transaction to X"), "back to A b; back to x");
    EXPECT_EQ(read("SAVEPOINT savepoint; ROLLBACK TO savepoint; RELEASE SAVEPOINT savepoint"),
              "savepoint savepoint; back to savepoint; release savepoint");
    EXPECT_EQ(read("ROLLBACK; COMMIT"), "-; -");
    EXPECT_EQ(read("SAVEPOINT \"\xc3\xa4\""), "none");
    EXPECT_EQ(read("SAVEPOINT " + std::string(64, 'x')), "none");
}

TEST(SettingSteps, ReadSetConfigWithConstants) {
    EXPECT_EQ(read("SELECT set_config('A.b', 'It''s', false)"), "SELECT 1: a.b=It's");
    EXPECT_EQ(read("select pg_catalog.set_config('search_path','',false);"), "SELECT 1: search_path=");
    EXPECT_EQ(read("SELECT set_config('a.b','1',false) AS x, set_config('a.c'::text,'2'::text,'false') y, "
                   "set_config('work_mem', NULL, false)"),
              "SELECT 1: a.b=1 a.c=2 work_mem");
    EXPECT_EQ(read("SELECT set_config('search_path', $1, true), set_config('role', $2::text, true), "
                   "set_config('request.jwt.claims', '{\"a\": 1}', true)"),
              "SELECT 1:");
}

TEST(SettingSteps, AreNoneWhereACallMayNotBeMadeOnceOrWithAnotherValue) {
    for (const std::string_view sql : {
             "SELECT set_config($1, 'x', true)",
             "SELECT set_config('a.b', 'x', $1)",
             "SELECT set_config('a.b', 'x' || 'y', false)",
             "SELECT set_config('a.b', 'x', false) FROM t",
             "SELECT set_config('a.b', 'x', false) WHERE false",
             "SELECT set_config('a.b', 'x', false) LIMIT 0",
             "SELECT set_config('a.b', 'x', false) || 'y'",
             "SELECT 1, set_config('a.b', 'x', false)",
             "SELECT set_config('a.b', E'x', false)",
             "SELECT set_config('a.b', 'x\\n', false)",
             "SELECT set_config('a.b', 'x', 1 > 2)",
             "SELECT set_config('a.b', 'x', null)",
             "SELECT set_config('a b', 'x', false)",
             "SELECT set_config('standard_conforming_strings', 'off', true)",
             "SELECT set_config('xmloption', 'content', true)",
             "SELECT my.set_config('a.b', 'x', false)",
             "EXPLAIN ANALYZE SELECT set_config('a.b', 'x', false)",
             "WITH x AS (SELECT set_config('a.b', 'x', false)) SELECT 1",
             "DECLARE c CURSOR FOR SELECT set_config('a.b', 'x', false)",
             "UPDATE pg_settings SET setting = 'x' WHERE name = 'a.b'",
         }) {
        EXPECT_EQ(read(sql), "none") << sql;
    }
}

TEST(SettingSteps, KnowByNameWhatNoOtherBackendCanBeGiven) {
    EXPECT_EQ(read("SET temp_buffers = 800"), "SET: temp_buffers?=800");
    EXPECT_EQ(read("SET xmloption = content"), "SET: xmloption?=content");
    EXPECT_EQ(read("SET statement_timeout = '10ms'; SET statement_timeout = '10s'"),
              "SET: statement_timeout?=10ms; SET: statement_timeout=10s");
    EXPECT_EQ(read("SET work_mem = -08; SET a.b = 1, 2; SET x = E'y'"), "SET: work_mem?=; SET: a.b?=; SET: x?=");
    EXPECT_EQ(read("RESET temp_buffers; SET xmloption TO DEFAULT"), "RESET: temp_buffers; SET: xmloption");
    EXPECT_EQ(read("SELECT set_config('search_path', 'pg_temp, a', false)"), "SELECT 1: search_path?=pg_temp, a");
    EXPECT_EQ(read("SELECT set_config('search_path', 'PG_TEMP', false)"), "SELECT 1: search_path?=PG_TEMP");
    EXPECT_EQ(read("SELECT set_config('search_path', 'a, Pg_Temp', false)"), "SELECT 1: search_path?=a, Pg_Temp");
    EXPECT_EQ(read("SELECT set_config('temp_buffers', '800', false)"), "SELECT 1: temp_buffers?=800");
    EXPECT_EQ(read("SELECT set_config('a.b', $1, false)"), "SELECT 1: a.b?=");
    EXPECT_EQ(read("SELECT set_config('temp_buffers', NULL, false)"), "SELECT 1: temp_buffers");
}

TEST(SettingSteps, AreNoneBesideWhatNobodySees) {
    EXPECT_EQ(read("SET a.b = 1; DO ''"), "none");
    EXPECT_EQ(read("CALL p(); SET a.b = 1"), "none");
    EXPECT_EQ(read("SET standard_conforming_strings = off"), "none");
    EXPECT_EQ(read("SET a.b = 1; SELECT U&\"x\""), "none");
}

TEST(SettingSteps, AreNoneOfATextOfStatementsWithoutEnd) {
    std::string sql = "SET a.b = 1";
    for (int i = 0; i < 1999; ++i) sql += ";x";
    EXPECT_NE(read(sql), "none");
    EXPECT_EQ(read(sql + ";x"), "none");
}

}  // namespace
}  // namespace leasehold::postgres
