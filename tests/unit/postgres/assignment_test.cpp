// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/assignment.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::string read(std::string_view sql) {
    const std::optional<Assignments> found = read_assignment(sql);
    if (!found) return "none";
    std::string all;
    for (const Assignment& each : *found) {
        if (!all.empty()) all += ", ";
        all += each.reset ? "reset " + each.name : each.name + " to [" + each.value + "]";
    }
    return all;
}

TEST(PostgresAssignment, ReadsOneConstantAsTheServerKeepsIt) {
    EXPECT_EQ(read("SET extra_float_digits = 3"), "extra_float_digits to [3]");
    EXPECT_EQ(read(" set\n\tSESSION Work_Mem\rTO '64MB' ; \n"), "work_mem to [64MB]");
    EXPECT_EQ(read("SET a.b='it''s; -- fine /* too */'"), "a.b to [it's; -- fine /* too */]");
    EXPECT_EQ(read("SET a.b TO''"), "a.b to []");
    EXPECT_EQ(read("SET jit=OFF"), "jit to [off]");
    EXPECT_EQ(read("SET client_min_messages TO Error;"), "client_min_messages to [error]");
    EXPECT_EQ(read("SET extra_float_digits=-15"), "extra_float_digits to [-15]");
    EXPECT_EQ(read("SET seq_page_cost = 1.50"), "seq_page_cost to [1.50]");
    EXPECT_EQ(read("SET a.b = -0.0"), "a.b to [-0.0]");
    EXPECT_EQ(read("RESET App.User$1"), "reset app.user$1");
    EXPECT_EQ(read("SET a.b = '" + std::string(256, 'x') + "'"), "a.b to [" + std::string(256, 'x') + "]");
    EXPECT_EQ(read("SET a.b = \"Mixed Case\""), "a.b to [Mixed Case]");
}

TEST(PostgresAssignment, ReadsDefaultAsAReset) {
    EXPECT_EQ(read("SET work_mem = DEFAULT"), "reset work_mem");
    EXPECT_EQ(read("SET SESSION search_path TO default;"), "reset search_path");
    EXPECT_EQ(read("SET role = default"), "reset role");
    EXPECT_EQ(read("SET TIME ZONE DEFAULT"), "reset timezone");
    EXPECT_EQ(read("SET TIME ZONE local"), "reset timezone");
    EXPECT_EQ(read("RESET TIME ZONE"), "reset timezone");
}

TEST(PostgresAssignment, ReadsPhrases) {
    EXPECT_EQ(read("SET ROLE reports"), "role to [reports]");
    EXPECT_EQ(read("set session role 'Some One' ;"), "role to [Some One]");
    EXPECT_EQ(read("SET ROLE NONE"), "role to [none]");
    EXPECT_EQ(read("SET ROLE \"A\"\"b\""), "role to [A\"b]");
    EXPECT_EQ(read("SET role = x"), "role to [x]");
    EXPECT_EQ(read("RESET ROLE"), "reset role");
    EXPECT_EQ(read("SET SCHEMA 'My'"), "search_path to [\"My\"]");
    EXPECT_EQ(read("SET TIME ZONE 'UTC'"), "timezone to [UTC]");
    EXPECT_EQ(read("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"), "default_transaction_read_only to [on]");
    EXPECT_EQ(read("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE"),
              "default_transaction_isolation to [repeatable read], default_transaction_read_only to [off]");
    EXPECT_EQ(read("set session characteristics as transaction read write isolation level read committed;"),
              "default_transaction_read_only to [off], default_transaction_isolation to [read committed]");
}

TEST(PostgresAssignment, PutsASearchPathTogetherAsTheServerDoes) {
    EXPECT_EQ(read("SET search_path TO a, \"B c\", 'user', '', 'x''y', Public, \"$user\""),
              "search_path to [a, \"B c\", \"user\", \"\", \"x'y\", public, \"$user\"]");
    EXPECT_EQ(read("SET search_path = 'a,b'"), "search_path to [\"a,b\"]");
    EXPECT_EQ(read("SET search_path = true,on"), "search_path to [\"true\", \"on\"]");
    EXPECT_EQ(read("SET search_path = '1a', _a"), "search_path to [\"1a\", _a]");
    for (const std::string_view sql :
         {"SET search_path = a,", "SET search_path = a b", "SET search_path = 5", "SET search_path = a.b",
          "SET search_path = e'a'", "SET search_path = json", "SET search_path = \"\"", "SET search_path ="}) {
        EXPECT_EQ(read(sql), "none") << sql;
    }
}

TEST(PostgresAssignment, TakesCommentsForBlanks) {
    for (const std::string_view sql :
         {"/* app:x */ SET a.b = 1", "-- c\nSET a.b = 1", "SET/*x*/a.b/* /* in */ a comment */=--5\n1 -- end",
          "/**/SET a.b=1;/**/", "SET a.b -- x\r= 1", "SET a.b = 1--"}) {
        EXPECT_EQ(read(sql), "a.b to [1]") << sql;
    }
    for (const std::string_view sql : {"/* SET a.b = 1", "SET a.b = 1 /* x", "SET a.b = 1 /* /* */", "SET a.b = 1 */",
                                       "- - c\nSET a.b = 1", "SET a.b = 'x' -- y\n 'z'", "SET a.b = 1 /"}) {
        EXPECT_EQ(read(sql), "none") << sql;
    }
}

TEST(PostgresAssignment, LeavesAloneWhatItDoesNotUnderstandToTheLastByte) {
    for (const std::string_view sql : {
             "",
             "SET",
             "SET work_mem",
             "SET work_mem =",
             "SET work_mem = ;",
             "SET work_mem 1",
             "SET = 1",
             "RESET",
             "SET work_mem FROM CURRENT",
             "SET work_mem = $1",
             "SET work_mem = E'1'",
             "SET work_mem = e'1'",
             "SET a.b = U&'x'",
             "SET a.b = $$x$$",
             "SET a.b = 'a\\b'",
             "SET a.b = 'a' \n 'b'",
             "SET a.b = a, b",
             "SET a.b = 'a', 'b'",
             "SET a.b = x.y",
             "SET a.b = 'open",
             "SET a.b = '",
             "SET a.b = 'x''",
             "SET a.b = \"\"",
             "SET \"work_mem\" = 1",
             "SET a.b = 'x' y",
             "SET a.b = x y",
             "SET a.b = 'x'; SELECT 1",
             "SET a.b = 'x';;",
             "SET a.b = 1+1",
             "SET a.b = 007",
             "SET a.b = +7",
             "SET a.b = -0",
             "SET a.b = .5",
             "SET a.b = 5.",
             "SET a.b = 1e5",
             "SET a.b = 0x1F",
             "SET a.b = 1_000",
             "SET a.b = - 5",
             "SET a.b = 5MB",
             "SET a.b = 1.2.3",
             "SET a.b = 'na\xc3\xafve'",
             "SET a.b = na\xc3\xafve",
             "SET a.b = 'x\ny'",
             "SET a..b = 1",
             "SET a. = 1",
             "SET .a = 1",
             "SET a.1 = 1",
             "SET a . b = 1",
             "SET 1a = 1",
             "SETa.b = 1",
             "SET a.bTO 1",
             "SET a.b TO5",
             "SET LOCAL a.b = 1",
             "SET local.b = 1",
             "SET SESSION SESSION a.b = 1",
             "SET session.b = 1",
             "SET TIME ZONE = 1",
             "SET TIME ZONE INTERVAL '1' HOUR",
             "SET NAMES 'utf8'",
             "SET names.x = 1",
             "SET SCHEMA x",
             "SET schema.x = 1",
             "SET ROLE x, y",
             "SET ROLE",
             "SET role.x = 1",
             "SET SESSION AUTHORIZATION = x",
             "SET SESSION CHARACTERISTICS AS TRANSACTION DEFERRABLE",
             "SET SESSION CHARACTERISTICS AS TRANSACTION",
             "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL x",
             "SET TRANSACTION READ ONLY",
             "SET transaction.x = 1",
             "SET CONSTRAINTS ALL DEFERRED",
             "SET XML OPTION DOCUMENT",
             "RESET ALL",
             "RESET a.b = 1",
             "RESET TRANSACTION ISOLATION LEVEL",
             "RESET a.b; RESET c.d",
             "RESET a.b, c.d",
             "SHOW a.b",
             "UPDATE t SET a = 1",
         }) {
        EXPECT_EQ(read(sql), "none") << sql;
    }
    EXPECT_EQ(read("SET a.b = '" + std::string(257, 'x') + "'"), "none");
    EXPECT_EQ(read("SET a.b = " + std::string(64, 'x')), "none");
    EXPECT_EQ(read("SET " + std::string(64, 'x') + " = 1"), "none");
    EXPECT_EQ(read(std::string_view("SET a.b = 'x\0y'", 15)), "none");
    EXPECT_EQ(read(std::string_view("SET a.b = 1\0", 12)), "none");
}

TEST(PostgresAssignment, RepeatsOnlyWhatMeansTheSameOnAnyBackend) {
    const auto repeats = [](std::string_view sql) {
        const std::optional<Assignments> found = read_assignment(sql);
        return found && repeatable(found->front());
    };
    for (const std::string_view sql :
         {"SET work_mem = '7MB'", "SET a.b = c", "SET row_security = off", "SET session_replication_role = replica",
          "SET default_transaction_isolation = serializable", "SET default_transaction_read_only = on",
          "SET statement_timeout = 0", "SET statement_timeout = 1000", "SET statement_timeout = '1s'",
          "SET statement_timeout = '1000ms'", "SET statement_timeout = '5min'", "SET search_path = x",
          "RESET search_path", "SET ROLE x", "RESET statement_timeout", "SET lock_timeout = '1ms'"}) {
        EXPECT_TRUE(repeats(sql)) << sql;
    }
    for (const std::string_view sql : {"SET search_path = x, pg_temp",
                                       "SET search_path = x, \"PG_TEMP\"",
                                       "SET temp_tablespaces = x",
                                       "SET is_superuser = on",
                                       "SET seed = 0.5",
                                       "SET session_preload_libraries = x",
                                       "SET local_preload_libraries = x",
                                       "SET transaction_isolation = serializable",
                                       "SET transaction_read_only = on",
                                       "SET standard_conforming_strings = off",
                                       "SET backslash_quote = off",
                                       "SET TimeZone = UTC",
                                       "SET client_encoding = 'UTF8'",
                                       "SET temp_buffers = 800",
                                       "SET exit_on_error = on",
                                       "SET idle_session_timeout = 1",
                                       "SET default_transaction_deferrable = on",
                                       "SET statement_timeout = 999",
                                       "SET statement_timeout = '150ms'",
                                       "SET statement_timeout = '100us'",
                                       "SET statement_timeout = '0.5s'",
                                       "SET statement_timeout = '-1'",
                                       "SET statement_timeout = x",
                                       "RESET temp_buffers"}) {
        EXPECT_FALSE(repeats(sql)) << sql;
    }
}

}  // namespace
}  // namespace leasehold::postgres
