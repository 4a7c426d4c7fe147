// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/sql_prepared.hpp"

#include <gtest/gtest.h>

namespace leasehold::postgres {
namespace {

using Which = NamedStatement::Kind;

NamedStatement read(std::string_view sql) {
    NamedStatement found;
    each_statement(sql, true, [&](const Statement& statement) { found = read_named(sql, statement); });
    return found;
}

TEST(NamedStatements, AreReadWithTheirPlaces) {
    struct Case {
        std::string_view sql;
        Which kind;
        std::string_view name, written;
    };
    const std::string largest(63, 'n'), longer(70, 'n');
    const std::string prepare_longer = "PREPARE " + longer + " AS SELECT 1";
    const Case cases[] = {
        {"PREPARE q AS SELECT 1", Which::prepare, "q", "q"},
        {"prepare /* a /* b */ */ Q1 (int) AS SELECT 1;", Which::prepare, "q1", "Q1"},
        {"PREPARE \"a \"\"name\"\"\" AS SELECT 1", Which::prepare, "a \"name\"", "\"a \"\"name\"\"\""},
        {"PREPARE transaction (int) AS SELECT 1", Which::prepare, "transaction", "transaction"},
        {prepare_longer, Which::prepare, largest, longer},
        {"EXECUTE q -- it\n(1)", Which::execute, "q", "q"},
        {"  EXECUTE\n\"Q\"", Which::execute, "Q", "\"Q\""},
        {"DEALLOCATE q", Which::deallocate, "q", "q"},
        {"DEALLOCATE PREPARE q;", Which::deallocate, "q", "q"},
        {"DEALLOCATE prepare", Which::deallocate, "prepare", "prepare"},
        {"DEALLOCATE \"all\"", Which::deallocate, "all", "\"all\""},
        {"DEALLOCATE PREPARE ALL", Which::deallocate_all, "", ""},
        {"EXPLAIN EXECUTE q(1)", Which::execute, "q", "q"},
        {"EXPLAIN (ANALYZE, FORMAT 'json') EXECUTE q", Which::execute, "q", "q"},
        {"EXPLAIN ANALYZE VERBOSE CREATE TABLE t AS EXECUTE q", Which::execute, "q", "q"},
        {"CREATE TEMP TABLE t (a, b) WITH (fillfactor = 10) AS EXECUTE q(1)", Which::execute, "q", "q"},
        {"CREATE UNLOGGED TABLE IF NOT EXISTS s.t AS EXECUTE q", Which::execute, "q", "q"},
        {"PREPARE U&\"q\" AS SELECT 1", Which::prepare, "", ""},
        {"CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", Which::none, "", ""},
        {"CREATE TABLE t AS SELECT 1 AS execute", Which::none, "", ""},
        {"EXPLAIN SELECT 1 AS execute", Which::none, "", ""},
        {"PREPARE TRANSACTION 'x'", Which::none, "", ""},
        {"SELECT 1", Which::none, "", ""},
    };
    for (const Case& is : cases) {
        SCOPED_TRACE(is.sql);
        const NamedStatement found = read(is.sql);
        EXPECT_EQ(found.kind, is.kind);
        EXPECT_EQ(found.name, is.name);
        EXPECT_EQ(is.sql.substr(found.at, found.length), is.written);
    }
}

TEST(NamedStatements, ThatTheServerWouldGiveAreMarked) {
    for (const char* sql : {"EXECUTE lh_3", "EXPLAIN EXECUTE \"lh_3\"", "CREATE TABLE t AS EXECUTE LH_3",
                            "DEALLOCATE lh_3", "DEALLOCATE PREPARE lh_3", "PREPARE lh_3 AS SELECT 1"}) {
        SCOPED_TRACE(sql);
        each_statement(sql, true, [](const Statement& is) { EXPECT_NE(is.marks & mark::reserved, 0); });
    }
    for (const char* sql : {"SELECT lh_3", "EXECUTE q(lh_3)", "EXECUTE \"LH_3\"", "SELECT 'EXECUTE lh_3'"}) {
        SCOPED_TRACE(sql);
        each_statement(sql, true, [](const Statement& is) { EXPECT_EQ(is.marks & mark::reserved, 0); });
    }
}

TEST(Rewriting, KnowsWhereEachPlaceWas) {
    const std::string_view sql = "SELECT 'ü'; EXECUTE q(x); EXECUTE \"a name\"(y)";
    Rewriting rewriting;
    rewriting.replace(sql.find("q("), 1, "lh_17");
    rewriting.replace(sql.find("\"a"), 8, "lh_2");
    const std::string made = rewriting.apply(sql);
    EXPECT_EQ(made, "SELECT 'ü'; EXECUTE lh_17(x); EXECUTE lh_2(y)");
    const auto place = [](std::string_view in,
                          std::string_view what) {  // in characters, from 1; behind one of two bytes
        return in.find(what);
    };
    EXPECT_EQ(rewriting.back(8), 8u);
    EXPECT_EQ(rewriting.back(place(made, "lh_17")), place(sql, "q("));
    EXPECT_EQ(rewriting.back(place(made, "x)")), place(sql, "x)"));
    EXPECT_EQ(rewriting.back(place(made, "lh_2(")), place(sql, "\"a"));
    EXPECT_EQ(rewriting.back(place(made, "y)")), place(sql, "y)"));
    EXPECT_EQ(rewriting.back(0), 0u);
}

}  // namespace
}  // namespace leasehold::postgres
