// SPDX-License-Identifier: Apache-2.0
// Which functions a text calls: by the lexer's quick look, and by the one that names them.
#include "dialects/postgres/calls.hpp"

#include "dialects/postgres/digest.hpp"
#include "dialects/postgres/known_names.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

std::string called(std::string_view sql, bool conforming = true) {
    std::string all;
    for (const std::string& name : read_calls(sql, conforming).functions) all += (all.empty() ? "" : " ") + name;
    return all;
}

// The quick look, which may see more.
bool marked(std::string_view sql) {
    bool any = false;
    each_statement(sql, true, [&any](const Statement& statement) { any |= (statement.marks & mark::calls) != 0; });
    return any;
}

TEST(PostgresCalls, AreSeenWhereverTheyStand) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"SELECT f()", "f"},
        {"SELECT 1E'\\' g(', f()", "f"},
        {"select F (1)", "f"},
        {"SELECT \"F\"(1)", "F"},
        {"SELECT s.f(1), \"S\".\"f\" (2)", "s.f S.f"},
        {"SELECT db.s.f(1)", "db.s.f"},
        {"SELECT f/* a comment */(1)", "f"},
        {"SELECT f -- a comment\n (1)", "f"},
        {"SELECT * FROM f(1) AS x(a int)", "f"},
        {"SELECT * FROM f(1) x(a, b)", "f"},
        {"SELECT * FROM t, f(t.a) x", "f"},
        {"SELECT * FROM t JOIN LATERAL f(t.a) AS x ON g(x)", "f g"},
        {"SELECT 1 WHERE NOT f(1) AND a IN (g(2)) OR h(3)", "f g h"},
        {"SELECT CASE WHEN f(1) THEN g(2) ELSE h(3) END", "f g h"},
        {"SELECT DISTINCT f(1) FROM t ORDER BY g(2) LIMIT h(3)", "f g h"},
        {"SELECT a+f(1)", "f"},
        {"SELECT sets(), range (1), \"in\"(1)", "sets range in"},
        {"SELECT * FROM filter(1) WHERE key(2) AND (index(3) = copy(4))", "filter key index copy"},
        {"INSERT INTO t VALUES (update(1)) RETURNING zone(2)", "update zone"},
        {"SELECT lower(f(1))", "f"},
        {"SELECT a[f(1)], b[1:g(2)]", "f g"},
        {"SELECT s.lower(1)", "s.lower"},
        {"INSERT INTO t (a, b) VALUES (f(1), 2) RETURNING g(1)", "f g"},
        {"INSERT INTO s.t(a) SELECT f(1)", "f"},
        {"UPDATE t SET a = f(1), (b, c) = (1, 2) WHERE g(1)", "f g"},
        {"DELETE FROM t USING f(1) x WHERE TRUE", "f"},
        {"WITH x (a) AS (SELECT f(1)), y (b) AS MATERIALIZED (SELECT 2) SELECT g(1) FROM x, y", "f g"},
        {"WITH RECURSIVE x(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM x) SELECT * FROM x, f(n)", "f"},
        {"CALL p(1)", "p"},
        {"CALL s.p()", "s.p"},
        {"DO $$ BEGIN PERFORM f(1); END $$", "DO"},
        {"EXECUTE q(1)", "EXECUTE"},
        {"EXPLAIN (ANALYZE) SELECT f(1)", "f"},
        {"EXPLAIN ANALYZE SELECT f(1)", "f"},
        {"COPY (SELECT f(1)) TO STDOUT", "f"},
        {"DECLARE c CURSOR FOR SELECT f(1)", "f"},
        {"CREATE TABLE t AS SELECT f(1)", "f"},
        {"CREATE MATERIALIZED VIEW v AS SELECT f(1)", "f"},
        {"ALTER TABLE t ALTER a TYPE int USING f(a)", "f"},
        {"VALUES (f(1))", "f"},
        {"SELECT 1; SELECT f(1); SELECT g(1)", "f g"},
        {"SELECT E'\\'', f(1)", "f"},
        {"SELECT $a$ g(1) $a$, f(1)", "f"},
        {"SELECT query_to_xml('SELECT g()', true, true, '')", "query_to_xml"},
        {"SELECT f(1), f(2)", "f"},
    };
    for (const auto& [sql, wanted] : cases) {
        EXPECT_EQ(called(sql), wanted) << sql;
        EXPECT_TRUE(marked(sql) || sql.starts_with("DO") || sql.starts_with("EXECUTE")) << sql;
    }
    EXPECT_EQ(called("SELECT '\\', f(1)"), "f");
    EXPECT_EQ(called("SELECT '\\', f(1) '", false), "");
}

TEST(PostgresCalls, AreNotWhatOnlyLooksLikeOne) {
    for (const std::string_view sql : {
             "SELECT abalance FROM pgbench_accounts WHERE aid = 1",
             "SELECT count(*), max(a), pg_catalog.lower(b) FROM t WHERE a IN (1, 2) AND (b) = ANY ($1)",
             "SELECT a::numeric(10, 2), CAST(b AS decimal (5)), c::varchar(3), d::geometry(Point, 4326)",
             "SELECT row_number() OVER (PARTITION BY a ORDER BY b), sum(a) FILTER (WHERE b) OVER w FROM t",
             "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t GROUP BY GROUPING SETS ((a), ())",
             "SELECT extract(epoch FROM now()), substring(a FROM 1), coalesce(a, b), position('a' IN b)",
             "SELECT * FROM t x (a, b), s.t AS y (a, b), (SELECT 1) z(a)",
             "SELECT * FROM generate_series(1, 2) g(x)",
             "SELECT * FROM a JOIN b USING (id) WHERE EXISTS (SELECT 1) AND NOT (a)",
             "SELECT ARRAY(SELECT 1), ROW(1, 2), (1), interval '1' day, INTERVAL(3) '1'",
             "INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
             "INSERT INTO \"Mixed\".\"T\" (a) VALUES ($1)",
             "WITH x (a) AS (SELECT 1), y (b) AS NOT MATERIALIZED (SELECT 2) SELECT * FROM x, y",
             "CREATE TABLE t (a int, CHECK (a > 0), b varchar(3) REFERENCES u (id))",
             "CREATE TABLE IF NOT EXISTS t (a my_type(3))",
             "CREATE UNIQUE INDEX i ON t USING btree (a, b) INCLUDE (c) WHERE a IS NULL",
             "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT g(1)'",
             "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
             "DROP FUNCTION f(int)",
             "COMMENT ON FUNCTION f(int) IS 'x'",
             "GRANT SELECT (a), UPDATE (b) ON t TO x",
             "COPY t (a, b) FROM STDIN (FORMAT csv)",
             "ANALYZE t (a)",
             "PREPARE q (int) AS SELECT $1",
             "SELECT set_config('a.b', 'c', false), pg_advisory_lock(1), nextval('s')",
             "SELECT 'f(1)', \"f\", $$ f(1) $$, f -- (\n",
             "SELECT pg_stat_get_backend_pid(1)",
             "SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_catalog.pg_index i",
             "SELECT 1 /* f(1) */",
         }) {
        EXPECT_EQ(called(sql), "") << sql;
    }
    // Not even the quick look takes these for one.
    for (const std::string_view sql :
         {"SELECT abalance FROM pgbench_accounts WHERE aid = 1",
          "INSERT INTO pgbench_history (tid, bid) VALUES (1, CURRENT_TIMESTAMP)",
          "INSERT INTO s.t (a) VALUES (lower($1))", "SELECT count(*) FROM t WHERE a IN (1)",
          "SELECT pg_catalog.format_type(1, 2)"}) {
        EXPECT_FALSE(marked(sql)) << sql;
    }
}

TEST(PostgresCalls, AreFoundInAnyText) {
    std::string long_text = "SELECT 1";
    for (int i = 0; i < 100; ++i) long_text += ", f" + std::to_string(i) + "()";
    const Calls many = read_calls(long_text, true);
    EXPECT_EQ(many.functions.size(), Calls::most);
    EXPECT_TRUE(many.more);
    for (const std::string_view sql :
         {"",    "(",   ")",     "f(",    "\"f", "'f(", "$a$ f(", "$",    "$1(",   "/* f(",      "/*",   "--",
          ".f(", "f.(", "f..g(", "\"\"(", "E'",  "e(",  "::f(",   ";;f(", "\xff(", "f\xc3\xa9(", "with", "with x("}) {
        (void)called(sql);
        (void)marked(sql);
    }
    EXPECT_EQ(called("SELECT f\xc3\xa9(1)"), "f\xc3\xa9");
    EXPECT_EQ(called(";;SELECT e(1)"), "e");
}

TEST(PostgresCalls, NameCustomSettingsInLiteralsAndBodies) {
    const auto customs = [](std::string_view sql) { return read_calls(sql, true).customs; };
    using All = std::vector<std::string>;
    EXPECT_EQ(customs("SELECT f('App.Tenant', 'x')"), All{"app.tenant"});
    EXPECT_EQ(customs("DO $$ BEGIN EXECUTE 'SET a.b = ''x'''; PERFORM set_config('c.d.e', '1.5', false); END $$"),
              (All{"a.b", "c.d.e"}));
    EXPECT_EQ(customs("SELECT t.a, f(t.b) FROM s.t"), All{});
    EXPECT_EQ(customs("SELECT f('1.5', 'a.', '.b', 'a..b', '...')"), All{});
}

TEST(PostgresCalls, KnowTheNamesOfTheSystem) {
    for (const std::string_view name :
         {"abs", "count", "now", "xpath_exists", "pg_stat_get_numscans", "generate_series"})
        EXPECT_TRUE(is_harmless(name)) << name;
    for (const std::string_view name : {"", "a", "ab", "abss", "f", "query_to_xml", "zzz", "dblink_connect", "ts_stat"})
        EXPECT_FALSE(is_harmless(name)) << name;
    for (const std::string_view word : {"all", "in", "values", "zone"}) EXPECT_TRUE(is_keyword(word));
    for (const std::string_view word : {"", "a", "f", "zones"}) EXPECT_FALSE(is_keyword(word));
}

TEST(PostgresCalls, BeginAnewWhereFunctionsAreReplaced) {
    for (const std::string_view sql :
         {"CREATE OR REPLACE FUNCTION f() RETURNS int", "drop function f", "ALTER PROCEDURE p",
          "ALTER EXTENSION x UPDATE", "DROP SCHEMA s CASCADE", "drop routine f"})
        EXPECT_TRUE(replaces_functions(sql)) << sql;
    for (const std::string_view sql :
         {"CREATE TABLE t (a int)", "DROP TABLE functions", "ALTER TABLE t ADD my_function int"})
        EXPECT_FALSE(replaces_functions(sql)) << sql;
}

}  // namespace
}  // namespace leasehold::postgres
