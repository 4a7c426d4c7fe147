// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/restate.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

bool reported(const void*, std::string_view name) { return name == "timezone"; }

class Restating : public ::testing::Test {
  protected:
    void SetUp() override {
        (void)start.set("TimeZone", "Asia/Tokyo");
        (void)start.set("work_mem", "3MB");
    }
    // Of leasehold's own the tag stands in brackets.
    std::string anew(std::string_view sql) {
        const std::optional<SettingSteps> steps = read_setting_steps(sql, true, &reported, nullptr);
        if (!steps) return "unread";
        const std::optional<Restated> made = restate(sql, *steps, start);
        if (!made) return "as it is";
        tags.clear();
        for (const SettingStep& step : made->steps) tags += step.own ? "[" + std::string(step.tag) + "]" : ".";
        return made->sql;
    }
    Settings start;
    std::string tags;
};

TEST_F(Restating, LeavesAloneWhatResetsNothingOfTheStart) {
    for (const std::string_view sql : {"SET work_mem = '1MB'", "RESET jit", "SELECT 1; SET LOCAL jit TO DEFAULT",
                                       "SET ROLE NONE", "RESET ROLE", "SET LOCAL work_mem = 1", "DISCARD ALL", ""}) {
        EXPECT_EQ(anew(sql), "as it is") << sql;
    }
    start.clear();
    EXPECT_EQ(anew("RESET ALL"), "as it is");
}

TEST_F(Restating, TellsTheBackendBehindEachReset) {
    EXPECT_EQ(anew("RESET work_mem"), "RESET work_mem\n;SET \"work_mem\" TO '3MB'");
    EXPECT_EQ(tags, ".[SET]");
    EXPECT_EQ(anew("SELECT 1;set Work_Mem = default ;SELECT 2"),
              "SELECT 1;set Work_Mem = default ;SET \"work_mem\" TO '3MB';SELECT 2");
    EXPECT_EQ(tags, "..[SET].");
    EXPECT_EQ(anew("SET TIME ZONE LOCAL -- so"), "SET TIME ZONE LOCAL -- so\n;SET \"timezone\" TO 'Asia/Tokyo'");
    EXPECT_EQ(anew("RESET ALL;"), "RESET ALL;SET \"TimeZone\" TO 'Asia/Tokyo';SET \"work_mem\" TO '3MB';");
    EXPECT_EQ(tags, ".[SET][SET]");
    EXPECT_EQ(anew("RESET work_mem; RESET jit; RESET timezone"),
              "RESET work_mem;SET \"work_mem\" TO '3MB'; RESET jit; RESET timezone\n;SET \"timezone\" TO 'Asia/Tokyo'");
    EXPECT_EQ(tags, ".[SET]..[SET]");
}

TEST_F(Restating, PutsItInPlaceOfALocalReset) {
    EXPECT_EQ(anew("SET LOCAL work_mem TO DEFAULT"), "SET LOCAL \"work_mem\" TO '3MB'");
    EXPECT_EQ(tags, ".");
    EXPECT_EQ(anew("BEGIN; SET LOCAL TIME ZONE DEFAULT; SELECT 1"),
              "BEGIN;SET LOCAL \"timezone\" TO 'Asia/Tokyo'; SELECT 1");
}

TEST_F(Restating, SparesWhoTheSessionIsWhereAllIsReset) {
    (void)start.set("role", "reader");
    EXPECT_EQ(anew("RESET ALL"), "RESET ALL\n;SET \"TimeZone\" TO 'Asia/Tokyo'\n;SET \"work_mem\" TO '3MB'");
    EXPECT_EQ(anew("RESET ROLE"), "RESET ROLE\n;SET \"role\" TO 'reader'");
}

TEST_F(Restating, WritesValuesSoThatTheServerShowsThemAsBefore) {
    EXPECT_EQ(setting_statement("a.b", "it's", false), "SET \"a\".\"b\" TO 'it''s'");
    EXPECT_EQ(setting_statement("search_path", "s2, public", true), "SET LOCAL \"search_path\" TO s2, public");
    EXPECT_EQ(setting_statement("search_path", "\"$user\", public", false), "SET \"search_path\" TO \"$user\", public");
    const auto call = [](std::string_view name, std::string_view value) {
        return "DO LANGUAGE plpgsql 'BEGIN PERFORM pg_catalog.set_config(''" + std::string(name) + "''," +
               std::string(value) + ",false); END'";
    };
    EXPECT_EQ(setting_statement("search_path", "S2,public", false), call("search_path", "''S2,public''"));
    EXPECT_EQ(setting_statement("search_path", "default", false), call("search_path", "''default''"));
    EXPECT_EQ(setting_statement("search_path", "", false), call("search_path", "''''"));
    EXPECT_EQ(setting_statement("a.b", "\xc3\xa4", false),
              call("a.b",
                   "pg_catalog.convert_from(pg_catalog.decode(''c3a4'',''hex''),pg_catalog.current_setting(''client_"
                   "encoding''))"));
    EXPECT_EQ(setting_statement("a.b", "\\", false), "SET \"a\".\"b\" TO E'\\\\'");
    (void)start.set("search_path", "S2,public");
    EXPECT_TRUE(anew("SET LOCAL search_path TO DEFAULT").starts_with("SET LOCAL search_path TO DEFAULT\n;DO LANGUAGE"));
    EXPECT_EQ(tags, ".[DO]");
}

}  // namespace
}  // namespace leasehold::postgres
