// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/statements.hpp"

#include "dialects/postgres/digest.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace leasehold::postgres {
namespace {

std::vector<Statement> all(std::string_view sql, bool conforming = true) {
    std::vector<Statement> found;
    each_statement(sql, conforming, [&](const Statement& statement) { found.push_back(statement); });
    return found;
}

Statement one(std::string_view sql, bool conforming = true) {
    const auto found = all(sql, conforming);
    EXPECT_EQ(found.size(), 1u) << sql;
    return found.empty() ? Statement{} : found.front();
}

struct Case {
    const char* sql;
    Kind kind;
    const char* variable = "";
};

TEST(Statements, AreKnownByTheirFirstWords) {
    const Case cases[] = {
        {"BEGIN", Kind::begin},
        {"begin transaction isolation level serializable", Kind::begin},
        {"START TRANSACTION READ ONLY", Kind::begin},
        {"COMMIT", Kind::commit},
        {"END", Kind::commit},
        {"commit work", Kind::commit},
        {"COMMIT PREPARED 'x'", Kind::commit_prepared},
        {"ROLLBACK", Kind::rollback},
        {"ABORT", Kind::rollback},
        {"ROLLBACK TO SAVEPOINT a", Kind::rollback_to},
        {"ROLLBACK WORK TO a", Kind::rollback_to},
        {"rollback transaction to savepoint a", Kind::rollback_to},
        {"ROLLBACK PREPARED 'x'", Kind::rollback_prepared},
        {"SAVEPOINT a", Kind::savepoint},
        {"RELEASE a", Kind::release},
        {"SET work_mem = 1", Kind::set, "work_mem"},
        {"SET SESSION Work_Mem TO 1", Kind::set, "work_mem"},
        {"SET \"work_mem\" = 1", Kind::set, "work_mem"},
        {"SET a.b = 1", Kind::set, "a.b"},
        {"SET a.\"B\" TO DEFAULT", Kind::set, "a.B"},
        {"SET LOCAL work_mem = 1", Kind::set_local, "work_mem"},
        {"SET TRANSACTION READ ONLY", Kind::set_local},
        {"SET CONSTRAINTS ALL DEFERRED", Kind::set_local},
        {"SET TIME ZONE 'UTC'", Kind::set, "timezone"},
        {"SET LOCAL TIME ZONE 'UTC'", Kind::set_local, "time"},
        {"SET NAMES 'utf8'", Kind::set, "client_encoding"},
        {"SET ROLE x", Kind::set, "role"},
        {"SET SCHEMA 'x'", Kind::set, "search_path"},
        {"SET SESSION AUTHORIZATION x", Kind::set, "session_authorization"},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Kind::set, "session characteristics"},
        // Settings of an extension's own whose names begin like another statement: they outlast a transaction.
        {"SET local.a = 1", Kind::set, "local.a"},
        {"SET transaction.a = 1", Kind::set, "transaction.a"},
        {"SET constraints . a = 1", Kind::set, "transaction.a"},
        {"SET SESSION transaction.a = 1", Kind::set, "transaction.a"},
        {"SET names.a = 1", Kind::set, "client_encoding.a"},
        {"SET schema.a = 1", Kind::set, "search_path.a"},
        {"RESET work_mem", Kind::reset, "work_mem"},
        {"RESET ALL", Kind::reset_all},
        {"RESET TIME ZONE", Kind::reset, "timezone"},
        {"RESET SESSION AUTHORIZATION", Kind::reset, "session_authorization"},
        {"SHOW work_mem", Kind::show},
        {"DISCARD ALL", Kind::discard_all},
        {"DISCARD PLANS", Kind::discard_plans},
        {"DISCARD TEMPORARY", Kind::discard_temp},
        {"DISCARD SEQUENCES", Kind::discard_sequences},
        {"LISTEN c", Kind::listen},
        {"UNLISTEN *", Kind::unlisten},
        {"NOTIFY c", Kind::notify},
        {"PREPARE a AS SELECT 1", Kind::prepare},
        {"PREPARE TRANSACTION 'x'", Kind::prepare_transaction},
        {"PREPARE transaction AS SELECT 1", Kind::prepare},
        {"PREPARE transaction (int) AS SELECT 1", Kind::prepare},
        {"EXECUTE a(1)", Kind::execute},
        {"DEALLOCATE a", Kind::deallocate, "a"},
        {"DEALLOCATE PREPARE \"A\"", Kind::deallocate, "A"},
        {"DEALLOCATE ALL", Kind::deallocate_all},
        {"DEALLOCATE \"all\"", Kind::deallocate, "all"},
        {"DECLARE c CURSOR FOR SELECT 1", Kind::declare},
        {"DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1", Kind::declare_hold},
        {"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", Kind::declare},
        {"CLOSE c", Kind::close},
        {"CREATE TEMP TABLE t (a int)", Kind::create_temp},
        {"create local temporary view v as select 1", Kind::create_temp},
        {"CREATE OR REPLACE TEMP VIEW v AS SELECT 1", Kind::create_temp},
        {"CREATE GLOBAL TEMP SEQUENCE s", Kind::create_temp},
        {"SELECT 1 INTO TEMP t", Kind::create_temp},
        {"CREATE TABLE temp (a int)", Kind::other},
        {"INSERT INTO temp VALUES (1)", Kind::other},
        {"LOAD 'x'", Kind::load},
        {"DO $$BEGIN PERFORM 1; END$$", Kind::run_do},
        {"CALL p()", Kind::call},
        {"COPY t FROM STDIN", Kind::copy},
        {"LOCK t", Kind::lock},
        {"EXPLAIN SELECT 1", Kind::explain},
        {"SELECT 1", Kind::other},
        {"(SELECT 1)", Kind::other},
        {"WITH a AS (SELECT 1) SELECT * FROM a", Kind::other},
        {"setting", Kind::other},
        {"/* BEGIN */ -- x\n COMMIT", Kind::commit},
        {"/* /* nested */ BEGIN */ END", Kind::commit},
        {"\"BEGIN\"", Kind::other},
        {"UPDATE t SET work_mem = 1", Kind::other},
    };
    for (const Case& is : cases) {
        const Statement statement = one(is.sql);
        EXPECT_EQ(to_string(statement.kind), to_string(is.kind)) << is.sql;
        EXPECT_EQ(statement.variable(), is.variable) << is.sql;
    }
}

TEST(Statements, EndAtSemicolonsThatAreNoPartOfSomething) {
    EXPECT_EQ(all("SELECT 1; SELECT 2;").size(), 2u);
    EXPECT_EQ(all(";; ;-- x\n/* y */;").size(), 0u);
    EXPECT_EQ(all("SELECT ';', \";\", $$;$$, $a$;$$;$a$, E'\\';', U&';', b'1;' --;\n /*;*/").size(), 1u);
    EXPECT_EQ(all("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); COMMIT").size(), 2u);
    const auto body =
        all("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; COMMIT");
    ASSERT_EQ(body.size(), 2u);
    EXPECT_EQ(body[1].kind, Kind::commit);
    EXPECT_EQ(all("CREATE FUNCTION f(begin int) RETURNS int LANGUAGE sql AS ''; COMMIT").size(), 2u);
    EXPECT_EQ(all("BEGIN; SELECT 1; END").size(), 3u);
    EXPECT_EQ(all("SELECT a$b$; SELECT c$b$").size(), 2u);  // dollars inside names
    EXPECT_EQ(all("SELECT $1; SELECT $2").size(), 2u);
    EXPECT_EQ(all("SELECT 'a''; b'; COMMIT").size(), 2u);
    EXPECT_EQ(all("SELECT 1 - -1; COMMIT").size(), 2u);
}

TEST(Statements, ReadBackslashesAsTheServerDoes) {
    EXPECT_EQ(all("SELECT '\\'; COMMIT").size(), 2u);
    EXPECT_EQ(all("SELECT '\\'; COMMIT'", false).size(), 1u);
    EXPECT_EQ(all("SELECT E'\\'; COMMIT'").size(), 1u);
    EXPECT_EQ(all("SELECT n'\\'; COMMIT").size(), 2u);
    // A literal that goes on in the next line keeps its rules.
    EXPECT_EQ(all("SELECT E'a'\n'\\'; COMMIT'").size(), 1u);
    EXPECT_EQ(all("SELECT E'a' -- x\n '\\'; COMMIT'").size(), 1u);
    EXPECT_EQ(all("SELECT E'a' '\\'; COMMIT").size(), 2u);
    EXPECT_EQ(all("SELECT E'a', '\\'; COMMIT").size(), 2u);
}

TEST(Statements, MentionWhatMakesSessionState) {
    const std::pair<const char*, std::uint16_t> cases[] = {
        {"SELECT pg_advisory_lock(1)", mark::advisory_lock},
        {"SELECT PG_TRY_ADVISORY_LOCK_SHARED(1)", mark::advisory_lock},
        {"SELECT \"pg_advisory_lock\"(1)", mark::advisory_lock},
        {"SELECT pg_catalog.pg_advisory_lock(1)", mark::advisory_lock},
        {"SELECT pg_advisory_xact_lock(1)", 0},
        {"SELECT pg_try_advisory_xact_lock(1)", 0},
        {"SELECT pg_advisory_unlock(1)", mark::unlock},
        {"SELECT pg_advisory_unlock_all()", mark::unlock},
        {"SELECT 'pg_advisory_lock(1)'", 0},
        {"SELECT 1 -- set_config(", 0},
        {"SELECT set_config('a', 'b', false)", mark::set_config},
        {"UPDATE pg_settings SET setting = '1'", mark::set_config},
        {"WITH a AS (UPDATE ONLY pg_catalog.\"pg_settings\" SET setting = '1')", mark::set_config},
        {"SELECT name FROM pg_settings FOR UPDATE", 0},
        {"SET LOCAL search_path = 'pg_temp'", mark::pg_temp},
        {"SET LOCAL search_path TO public, 'PG_TEMP'", mark::pg_temp},
        {"SET LOCAL search_path = E'pg\\x5ftemp'", mark::obscure},
        {"SET LOCAL search_path = $$pg_temp$$", mark::obscure},
        {"SET LOCAL search_path = 'tenant'", 0},
        {"SELECT nextval('s')", mark::sequence},
        {"SELECT currval('s'), lastval()", mark::last_value},
        {"CREATE TABLE pg_temp.t (a int)", mark::pg_temp | mark::schema},
        {"CREATE FUNCTION \"pg_temp\".f() RETURNS int AS '' LANGUAGE sql", mark::pg_temp | mark::schema},
        {"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", mark::temporary | mark::schema},
        {"SELECT 1 insert INTO TEMP t", mark::temporary | mark::schema},
        {"(SELECT 1 insert INTO t)", mark::schema},
        {"WITH a AS (INSERT INTO temp VALUES (1)) SELECT 1", 0},
        {"ALTER TABLE t ADD c int", mark::schema},
        {"drop view v", mark::schema},
        {"SELECT 1 AS a INTO t", mark::schema},
        {"INSERT INTO t VALUES (1)", 0},
        {"MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE", 0},
        {"SELECT 'create' AS alter", 0},
        {"SELECT setseed(0)", mark::seed},
        {"SELECT U&\"x\"(1)", mark::obscure},
        {"SELECT u&1", 0},
        {"COMMIT AND CHAIN", mark::chain},
        {"ROLLBACK WORK AND CHAIN", mark::chain},
        {"COMMIT AND NO CHAIN", 0},
        {"SELECT \"\"", 0},
        {"MERGE INTO temp USING a ON true WHEN MATCHED THEN DELETE", 0},
    };
    for (const auto& [sql, marks] : cases) EXPECT_EQ(one(sql).marks & ~mark::calls, marks) << sql;
}

TEST(Statements, MayCommitByThemselves) {
    for (const char* sql : {"COMMIT", "END", "CALL p()", "DO ''", "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'"}) {
        EXPECT_TRUE(one(sql).may_commit()) << sql;
    }
    for (const char* sql :
         {"SELECT 1", "ROLLBACK", "BEGIN", "SAVEPOINT a", "INSERT INTO t VALUES (1)", "PREPARE a AS SELECT 1"}) {
        EXPECT_FALSE(one(sql).may_commit()) << sql;
    }
}

std::string described(std::string_view text, const std::vector<std::size_t>& cuts, bool conforming) {
    Scanner scanner(conforming);
    std::string out;
    const auto note = [&] {
        out += std::string(to_string(scanner.statement().kind)) + "/" + std::to_string(scanner.statement().marks) +
               "/" + std::string(scanner.statement().variable()) + ";";
    };
    std::size_t from = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
        const std::size_t to = i < cuts.size() ? cuts[i] : text.size();
        std::string piece(text.substr(from, to - from));  // its own memory: overreads are seen
        std::string_view left = piece;
        while (!left.empty()) {
            left.remove_prefix(scanner.feed(left));
            if (scanner.ended()) note();
        }
        from = to;
    }
    if (!scanner.ended()) scanner.finish(), note();
    return out;
}

TEST(Statements, AreTheSameFedWholeAndInPieces) {
    const std::vector<std::string> parts{"SELECT ",
                                         "BEGIN",
                                         "COMMIT",
                                         ";",
                                         "'",
                                         "''",
                                         "\\",
                                         "E'",
                                         "u&'",
                                         "U&\"",
                                         "\"",
                                         "$",
                                         "$$",
                                         "$a$",
                                         "$b",
                                         "a$",
                                         "1",
                                         "--",
                                         "-",
                                         "/*",
                                         "*/",
                                         "/",
                                         "*",
                                         "\n",
                                         " ",
                                         "(",
                                         ")",
                                         "set ",
                                         "local ",
                                         "work_mem",
                                         ".",
                                         "=",
                                         "temp ",
                                         "create ",
                                         "into ",
                                         "pg_advisory_lock",
                                         "set_config",
                                         "pg_temp",
                                         "deallocate ",
                                         "all ",
                                         "prepare ",
                                         "transaction ",
                                         "and chain ",
                                         "function ",
                                         "begin ",
                                         "end ",
                                         "case ",
                                         "\xC3\xA9",
                                         "e",
                                         "$1",
                                         std::string(70, 'x'),
                                         "rollback to ",
                                         "with hold ",
                                         "declare "};
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        const std::size_t count = 1 + random() % 14;
        for (std::size_t i = 0; i < count; ++i) text += parts[random() % parts.size()];
        const bool conforming = random() % 2 == 0;
        std::vector<std::size_t> every, some;
        for (std::size_t i = 1; i < text.size(); ++i) {
            every.push_back(i);
            if (random() % 4 == 0) some.push_back(i);
        }
        const std::string whole = described(text, {}, conforming);
        ASSERT_EQ(described(text, every, conforming), whole) << text;
        ASSERT_EQ(described(text, some, conforming), whole) << text;
    }
}

TEST(Mask, HidesLiterals) {
    EXPECT_EQ(mask("SELECT  'secret', 42,\n 1.5e-3 FROM t -- x"), "SELECT ?, ?, ? FROM t");
    EXPECT_EQ(mask("SELECT E'it\\'s', $$body$$, $t$a$$b$t$, $1, a1, \"x'y\""), "SELECT ?, ?, ?, $1, a1, \"x'y\"");
    EXPECT_EQ(mask("UPDATE t SET a='x''y' WHERE /* c */ b=X'1F'"), "UPDATE t SET a=? WHERE b=?");
    EXPECT_EQ(mask("SELECT 'cut in the mid"), "SELECT ?");
    EXPECT_EQ(mask("SELECT $tag$cut in the mid"), "SELECT ?");
    EXPECT_EQ(mask("SELECT '\\' secret'"), "SELECT ?");  // whichever rule held
    EXPECT_EQ(mask("SELECT 'C:\\', 'secret'"), "SELECT ?");
    EXPECT_EQ(mask("SELECT 'C:\\', 'secret', a", 256, true), "SELECT ?, ?, a");
    EXPECT_EQ(mask("SELECT 'it\\'s', 'secret', a", 256, false), "SELECT ?, ?, a");
    EXPECT_EQ(mask("SELECT 'C:\\x', 'secret', a"), "SELECT ?, ?, a");
    EXPECT_EQ(mask(std::string(300, 'a')).size(), 256u);
    EXPECT_EQ(mask("\xC3\xA9\xC3\xA9", 3), "\xC3\xA9");
    EXPECT_EQ(mask(""), "");
}

TEST(Mask, NeverShowsAStringsInside) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        std::string text = "SELECT a FROM t WHERE b = '";
        const std::size_t filler = random() % 300;
        for (std::size_t i = 0; i < filler; ++i) text += "SECRET"[random() % 6];
        text += "'";
        const std::string shown = mask(std::string_view(text).substr(0, random() % text.size()));
        EXPECT_EQ(shown.find("SECR"), std::string::npos) << shown;
        EXPECT_LE(shown.size(), 256u);
    }
}

bool reported(const void*, std::string_view name) { return name == "timezone"; }

Digest digest(std::string_view sql) {
    Digester digester(&reported, nullptr);
    each_statement(sql, true, [&](const Statement& statement) { digester.take(statement); });
    return digester.digest();
}

TEST(Digests, NameTheFirstThingThatPins) {
    const std::pair<const char*, const char*> cases[] = {
        {"SET work_mem = 1", "SET work_mem"},
        {"SET TIME ZONE 'UTC'", ""},
        {"SET TIME ZONE 'UTC'; SET a.b = 1", "SET a.b"},
        {"RESET ALL", "SET all"},
        {"SELECT 1; RESET ALL", "SET all"},
        {"RESET ALL; SELECT 1", "SET all"},
        {"BEGIN; RESET ALL", "SET all"},
        {"RESET ALL; RESET ALL", "SET all"},
        {"LISTEN c", "LISTEN"},
        {"CREATE TEMP TABLE t (a int)", "temporary object"},
        {"SELECT pg_advisory_lock(1)", "session advisory lock"},
        {"LOAD 'x'", "LOAD"},
        {"PREPARE a AS SELECT 1", "PREPARE"},
        {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "cursor WITH HOLD"},
        {"SELECT set_config('a','b',false)", "set_config()"},
        {"SELECT lastval()", "currval() or lastval()"},
        {"SELECT 1; BEGIN; COMMIT", ""},
        {"SET LOCAL work_mem = 1", ""},
        {"SAVEPOINT a", ""},
        {"DO ''", ""},
        {"SELECT nextval('s')", "currval() or lastval()"},
        {"SELECT setval('s', 1)", "currval() or lastval()"},
        {"CREATE TABLE t (id int DEFAULT nextval('s'))", ""},
    };
    for (const auto& [sql, reason] : cases) {
        const Digest found = digest(sql);
        const PinKind pin = found.setting_pin != PinKind::none ? found.setting_pin : found.pin;
        EXPECT_EQ(describe_pin(pin, found.variable()), reason) << sql;
    }
}

TEST(Digests, TellWhatATransactionMustKnow) {
    EXPECT_TRUE(digest("ROLLBACK").rolls_back());
    EXPECT_FALSE(digest("ROLLBACK AND CHAIN").rolls_back());
    EXPECT_FALSE(digest("ROLLBACK; SELECT 1").rolls_back());
    EXPECT_FALSE(digest("ROLLBACK TO a").rolls_back());
    EXPECT_TRUE(digest("END").commits());
    EXPECT_TRUE(digest("SELECT 1; COMMIT").may_commit);
    EXPECT_TRUE(digest("SELECT 1; BEGIN").begins);
    EXPECT_TRUE(digest("DO ''").soils);
    EXPECT_TRUE(digest("DISCARD ALL").discards);
    EXPECT_FALSE(digest("DEALLOCATE ALL").discards);
    EXPECT_TRUE(digest("DEALLOCATE ALL").drops_statements);
    EXPECT_EQ(digest(" ; -- nothing").statements, 0u);
}

}  // namespace
}  // namespace leasehold::postgres
