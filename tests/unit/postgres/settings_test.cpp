// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/settings.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

Settings settings(std::initializer_list<std::pair<std::string_view, std::string_view>> items) {
    Settings made;
    for (const auto& [name, value] : items) EXPECT_TRUE(made.set(name, value)) << name;
    return made;
}

TEST(PostgresSettings, NamesAreFoundWhateverTheirCaseAndKeepTheServersSpelling) {
    const Settings s = settings({{"datestyle", "ISO, MDY"}, {"TIMEZONE", "UTC"}, {"MyApp.User", "7"}});
    EXPECT_EQ(s.find("DateStyle"), "ISO, MDY");
    EXPECT_EQ(s.find("timezone"), "UTC");
    EXPECT_EQ(s.find("myapp.user"), "7");
    EXPECT_EQ(s.begin()->name, "DateStyle");
    EXPECT_FALSE(s.find("time_zone"));
}

TEST(PostgresSettings, TheFingerprintDependsOnContentsAlone) {
    Settings a = settings({{"a", "1"}, {"b", "2"}, {"work_mem", "4MB"}});
    Settings b = settings({{"WORK_MEM", "1MB"}, {"b", "2"}, {"c", "3"}, {"A", "1"}, {"work_mem", "4MB"}});
    EXPECT_NE(a.fingerprint(), b.fingerprint());
    EXPECT_TRUE(b.erase("C"));
    EXPECT_EQ(a.fingerprint(), b.fingerprint());
    EXPECT_TRUE(a == b);
    EXPECT_EQ(a.bytes(), b.bytes());
    EXPECT_TRUE(a.erase("a") && a.erase("b") && a.erase("work_mem"));
    EXPECT_EQ(a.fingerprint(), 0u);
    EXPECT_EQ(a.fingerprint(), Settings().fingerprint());
    EXPECT_EQ(a.bytes(), 0u);
    EXPECT_FALSE(a.erase("a"));
    // A name and a value cannot trade places or characters.
    EXPECT_NE(settings({{"ab", "c"}}).fingerprint(), settings({{"a", "bc"}}).fingerprint());
    EXPECT_NE(settings({{"a", "b"}}).fingerprint(), settings({{"b", "a"}}).fingerprint());
}

TEST(PostgresSettings, EqualityIsByContentsNotByFingerprint) {
    EXPECT_TRUE(settings({{"a", "1"}}) == settings({{"A", "1"}}));
    EXPECT_FALSE(settings({{"a", "1"}}) == settings({{"a", "2"}}));
    EXPECT_FALSE(settings({{"a", "1"}}) == Settings());
}

TEST(PostgresSettings, OfOneRevisionAreOnlySetsThatHoldTheSame) {
    Settings a = settings({{"a", "1"}});
    const Settings copy = a;
    EXPECT_EQ(a.revision(), copy.revision());
    EXPECT_TRUE(a.set("A", "1"));
    EXPECT_EQ(a.revision(), copy.revision()) << "nothing has changed";
    EXPECT_TRUE(a.set("a", "2"));
    EXPECT_NE(a.revision(), copy.revision());
    Settings other = copy;
    EXPECT_TRUE(other.set("a", "3"));
    EXPECT_NE(other.revision(), a.revision());
    const std::uint64_t before = a.revision();
    EXPECT_TRUE(a.erase("a"));
    EXPECT_NE(a.revision(), before);
    EXPECT_FALSE(a.set("no name", "1"));
    a.clear();
    EXPECT_EQ(a.revision(), Settings().revision());
}

TEST(PostgresSettings, WhatCannotBeWrittenDownSafelyIsNotTaken) {
    Settings s;
    for (const char* name : {"", "a b", "a\"b", "a;b", "1a", ".a", "a.", "a..b", "a-b", "caf\xc3\xa9"}) {
        EXPECT_FALSE(s.set(name, "v")) << name;
    }
    EXPECT_FALSE(s.set(std::string(128, 'a'), "v"));
    EXPECT_FALSE(s.set("a", std::string_view("x\0y", 3)));
    EXPECT_TRUE(s.empty());
    EXPECT_TRUE(s.set("a$1._b", "v"));
}

TEST(PostgresSettings, EqualSettingsNeedNoSql) {
    EXPECT_EQ(diff_sql(settings({{"a", "1"}}), settings({{"A", "1"}})), "");
    EXPECT_EQ(diff_sql({}, {}), "");
}

TEST(PostgresSettings, OnlyDifferencesAreWritten) {
    EXPECT_EQ(diff_sql(settings({{"a", "1"}, {"b", "2"}, {"c", "3"}}), settings({{"a", "1"}, {"b", "9"}})),
              "RESET \"c\";SELECT pg_catalog.set_config('b','9',false);");
    EXPECT_EQ(diff_sql({}, settings({{"search_path", "\"$user\", public"}})),
              "SELECT pg_catalog.set_config('search_path','\"$user\", public',false);");
    EXPECT_EQ(diff_sql(settings({{"My.App", "1"}}), {}), "RESET \"My\".\"App\";");
}

TEST(PostgresSettings, ValuesCannotBreakOutOfTheirLiteral) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    // With standard_conforming_strings off a backslash in '...' would escape the closing quote.
    EXPECT_EQ(quote_literal("\\'; DROP"), "E'\\\\''; DROP'");
    // In SJIS, 0x83 0x5c is one character: a doubled backslash would leave one behind. No such byte is ever sent.
    const std::string sql = quote_literal("\x83\x5c'; SELECT");
    EXPECT_TRUE(std::all_of(sql.begin(), sql.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
    EXPECT_EQ(sql.find('\\'), std::string::npos);
    EXPECT_NE(sql.find("'835c273b2053454c454354'"), std::string::npos);
}

TEST(PostgresSettings, BringsBackWhatIsMissingAndTouchesNothingElse) {
    EXPECT_EQ(missing_sql(settings({{"role", "a"}, {"x", "1"}, {"y", "1"}}),
                          settings({{"role", "a"}, {"x", "2"}, {"z", "3"}})),
              "SELECT pg_catalog.set_config('x','2',false);SELECT pg_catalog.set_config('z','3',false);");
    EXPECT_EQ(missing_sql({}, settings({{"role", "a"}, {"x", "2"}})),
              "SELECT pg_catalog.set_config('x','2',false);SELECT pg_catalog.set_config('role','a',false);");
    EXPECT_EQ(missing_sql(settings({{"x", "1"}}), {}), "");
    // Another session authorization gives the role up: it comes first, and the role again.
    EXPECT_EQ(missing_sql(settings({{"role", "a"}}), settings({{"role", "a"}, {"session_authorization", "b"}})),
              "SELECT pg_catalog.set_config('session_authorization','b',false);"
              "SELECT pg_catalog.set_config('role','a',false);");
}

TEST(PostgresSettings, IdentityIsGivenUpFirstAndTakenLast) {
    const std::string sql =
        diff_sql(settings({{"role", "a"}, {"work_mem", "1MB"}}),
                 settings({{"role", "b"}, {"session_authorization", "c"}, {"log_statement", "all"}}));
    EXPECT_EQ(sql,
              "RESET \"role\";RESET \"work_mem\";"
              "SELECT pg_catalog.set_config('log_statement','all',false);"
              "SELECT pg_catalog.set_config('session_authorization','c',false);"
              "SELECT pg_catalog.set_config('role','b',false);");
    // Where it stays, it is taken again.
    EXPECT_EQ(diff_sql(settings({{"role", "a"}}), settings({{"role", "a"}, {"x", "1"}})),
              "RESET \"role\";SELECT pg_catalog.set_config('x','1',false);"
              "SELECT pg_catalog.set_config('role','a',false);");
}

TEST(PostgresSettings, TheEncodingIsInForceBeforeValuesWrittenInIt) {
    const std::string sql = diff_sql({}, settings({{"application_name", "caf\xc3\xa9"}, {"client_encoding", "UTF8"}}));
    EXPECT_LT(sql.find("client_encoding','UTF8'"), sql.find("application_name"));
}

TEST(PostgresSettings, APartialDateStyleBeginsFromTheDefault) {
    // 'ISO' over 'German, DMY' would leave DMY, which the session never asked for.
    EXPECT_EQ(diff_sql(settings({{"DateStyle", "German, DMY"}}), settings({{"datestyle", "ISO"}})),
              "RESET \"DateStyle\";SELECT pg_catalog.set_config('DateStyle','ISO',false);");
}

TEST(PostgresSettings, ReportedFactsAreNotCarried) {
    for (const char* name : {"server_version", "server_encoding", "integer_datetimes", "is_superuser", "in_hot_standby",
                             "session_authorization"}) {
        EXPECT_TRUE(is_reported(name)) << name;
        EXPECT_FALSE(is_carriable(name)) << name;
    }
    for (const char* name : {"client_encoding", "datestyle", "TimeZone", "IntervalStyle", "standard_conforming_strings",
                             "application_name", "default_transaction_read_only", "search_path", "scram_iterations"}) {
        EXPECT_TRUE(is_carriable(name)) << name;
    }
    EXPECT_FALSE(is_reported("work_mem"));
}

TEST(PostgresOptions, AreReadAsTheServersCommandLine) {
    const StartupOptions o =
        parse_options("-c geqo=off  -cwork_mem=1MB --statement-timeout=5s -c search_path=a\\ b,c\\\\d -S 64 -e");
    EXPECT_EQ(o.error, "");
    const std::vector<std::pair<std::string, std::string>> expected{
        {"geqo", "off"},    {"work_mem", "1MB"},  {"statement_timeout", "5s"}, {"search_path", "a b,c\\d"},
        {"work_mem", "64"}, {"DateStyle", "euro"}};
    EXPECT_EQ(o.settings, expected);
}

TEST(PostgresOptions, SwitchesAreTheSettingsThatTheyStandFor) {
    const StartupOptions o = parse_options("-B 16 -F -c a=b -d3 -ef s -t pl -tex -W 0 -P -s -O -N 7 -i -k /x -l -p 1");
    EXPECT_EQ(o.error, "");
    const std::vector<std::pair<std::string, std::string>> expected{{"shared_buffers", "16"},
                                                                    {"fsync", "off"},
                                                                    {"a", "b"},
                                                                    {"log_min_messages", "debug3"},
                                                                    {"log_statement", "all"},
                                                                    {"debug_print_parse", "on"},
                                                                    {"DateStyle", "euro"},
                                                                    {"enable_seqscan", "off"},
                                                                    {"log_planner_stats", "on"},
                                                                    {"log_executor_stats", "on"},
                                                                    {"post_auth_delay", "0"},
                                                                    {"ignore_system_indexes", "on"},
                                                                    {"log_statement_stats", "on"},
                                                                    {"allow_system_table_mods", "on"},
                                                                    {"max_connections", "7"},
                                                                    {"listen_addresses", "*"},
                                                                    {"unix_socket_directories", "/x"},
                                                                    {"ssl", "on"},
                                                                    {"port", "1"}};
    EXPECT_EQ(o.settings, expected);
}

TEST(PostgresOptions, SwitchesWithoutAMeaningForAClientAreIgnored) {
    const StartupOptions o = parse_options("-n -T -v 3 -C x -b -E -j -D /x -r /tmp/x -nTbEj");
    EXPECT_EQ(o.error, "");
    EXPECT_TRUE(o.settings.empty());
    EXPECT_EQ(parse_options("-c a=1 --").settings.size(), 1u);
}

TEST(PostgresOptions, MalformedOnesAreErrors) {
    for (const char* text : {"-c", "-c work_mem", "--work_mem", "-c =1", "work_mem=1", "-", "-- x", "-c\\ ", "-x", "-G",
                             "-ts", "-f z", "-t x", "-S", "-ex", "-c a=1 foo"}) {
        EXPECT_NE(parse_options(text).error, "") << text;
    }
    EXPECT_EQ(parse_options("").error, "");
    EXPECT_EQ(parse_options(" \t\\").settings.size(), 0u);
}

}  // namespace
}  // namespace leasehold::postgres
