// SPDX-License-Identifier: Apache-2.0
// SQL for tests of the lexer: statements of every kind, what is put in their places, and texts that a seed makes of both.
// @s stands for a literal, @n for a name, @e for an expression; where a blank is, any blank or comment may be.
#pragma once

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace leasehold::postgres::corpus {

// clang-format off
inline constexpr auto statements = std::to_array<std::string_view>({
    // transactions
    "BEGIN", "BEGIN WORK", "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE , READ ONLY", "START TRANSACTION",
    "START TRANSACTION READ WRITE DEFERRABLE", "COMMIT", "COMMIT WORK", "END", "END TRANSACTION", "ABORT", "ROLLBACK",
    "ROLLBACK WORK", "COMMIT AND CHAIN", "COMMIT TRANSACTION AND NO CHAIN", "ROLLBACK AND CHAIN",
    "ABORT WORK AND CHAIN", "END AND CHAIN", "ROLLBACK TO @n", "ROLLBACK TO SAVEPOINT @n", "ROLLBACK WORK TO @n",
    "ABORT", "SAVEPOINT @n", "ROLLBACK TRANSACTION TO SAVEPOINT @n", "RELEASE @n", "RELEASE SAVEPOINT @n",
    "PREPARE TRANSACTION @s", "COMMIT PREPARED @s", "ROLLBACK PREPARED @s",
    // settings
    "SET @n = @s", "SET @n TO @s , @s", "SET SESSION @n = 1", "SET LOCAL @n = on", "SET @n . @n = @s",
    "SET @n TO DEFAULT", "SET LOCAL @n . @n TO DEFAULT", "SET TIME ZONE @s", "SET SESSION TIME ZONE LOCAL",
    "SET LOCAL TIME ZONE DEFAULT", "SET TIME ZONE INTERVAL '1' HOUR", "SET TRANSACTION READ ONLY",
    "SET LOCAL TRANSACTION READ ONLY", "SET ROLE @n", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION SNAPSHOT @s", "SET ROLE NONE", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET SESSION AUTHORIZATION @n", "SET NAMES @s", "SET NAMES", "SET LOCAL SESSION AUTHORIZATION DEFAULT",
    "SET SESSION AUTHORIZATION DEFAULT", "SET SCHEMA @s", "SET SEED TO .5", "SET XML OPTION CONTENT",
    "SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS @n IMMEDIATE", "RESET @n", "RESET @n . @n", "RESET ALL",
    "RESET TIME ZONE", "RESET SESSION AUTHORIZATION", "RESET TRANSACTION ISOLATION LEVEL", "SHOW @n", "SHOW ALL",
    "SHOW TIME ZONE", "SET search_path = pg_temp", "SET search_path TO @s , 'PG_TEMP'", "SET session . a = 1",
    "SET search_path = public , \"pg_temp\"", "SET local . a = 1", "SET transaction . a = 1", "SET time . a = 1",
    "ALTER SYSTEM SET @n = 1", "ALTER ROLE @n SET @n = @s", "ALTER DATABASE @n RESET ALL", "SET constraints . a = 1",
    "UPDATE pg_settings SET setting = @s WHERE name = @s", "SET SESSION SESSION AUTHORIZATION @n", "SET xml . a = 1",
    // state
    "DISCARD ALL", "DISCARD PLANS", "DISCARD TEMP", "DISCARD TEMPORARY", "DISCARD SEQUENCES", "LISTEN @n",
    "UNLISTEN @n", "UNLISTEN *", "NOTIFY @n", "NOTIFY @n , @s", "PREPARE @n AS SELECT @e",
    "PREPARE @n ( int , text ) AS SELECT $1 , $2", "PREPARE transaction AS SELECT 1",
    "PREPARE transaction ( int ) AS SELECT $1", "EXECUTE @n", "EXECUTE @n ( @e , @s )", "DEALLOCATE @n",
    "DEALLOCATE PREPARE @n", "DEALLOCATE ALL", "DEALLOCATE PREPARE ALL", "DEALLOCATE prepare",
    "DECLARE @n CURSOR FOR SELECT @e", "DECLARE @n CURSOR WITH HOLD FOR SELECT @e", "CLOSE @n", "CLOSE ALL",
    "DECLARE @n BINARY NO SCROLL CURSOR WITH HOLD FOR VALUES ( @e )", "DECLARE @n CURSOR WITHOUT HOLD FOR TABLE @n",
    "DECLARE hold SCROLL CURSOR FOR WITH hold AS ( SELECT 1 ) SELECT * FROM hold", "FETCH ALL FROM @n",
    "MOVE 1 IN @n", "LOAD @s", "DO @s", "DO LANGUAGE plpgsql @s", "CALL @n ( @e )", "COPY @n FROM STDIN",
    "COPY ( SELECT @e ) TO STDOUT", "COPY @n ( @n ) FROM STDIN WITH ( FORMAT csv , QUOTE @s )", "LOCK @n",
    "LOCK TABLE @n IN SHARE MODE", "EXPLAIN SELECT @e", "EXPLAIN ( ANALYZE , BUFFERS ) SELECT @e",
    "EXPLAIN ANALYZE CREATE TEMP TABLE @n AS SELECT 1", "CHECKPOINT", "VACUUM @n", "ANALYZE", "TRUNCATE @n",
    "GRANT SELECT ON @n TO @n", "COMMENT ON TABLE @n IS @s",
    // objects
    "CREATE TABLE @n ( @n int , @n text DEFAULT @s )", "CREATE TEMP TABLE @n ( a int )",
    "CREATE TEMPORARY TABLE @n AS SELECT @e", "CREATE LOCAL TEMP TABLE IF NOT EXISTS @n ( a int ) ON COMMIT DROP",
    "CREATE GLOBAL TEMPORARY TABLE @n ( a int )", "CREATE UNLOGGED TABLE temp ( temp int )",
    "CREATE TEMP VIEW @n AS SELECT @e", "CREATE TABLE @n AS EXECUTE @n",
    "CREATE OR REPLACE TEMP VIEW @n AS SELECT @e", "CREATE OR REPLACE VIEW @n AS SELECT @e",
    "CREATE TEMP SEQUENCE @n", "CREATE OR REPLACE TEMP RECURSIVE VIEW @n ( a ) AS SELECT 1",
    "CREATE TABLE pg_temp . @n ( a int )", "DROP TABLE @n",
    "CREATE FUNCTION pg_temp . @n ( ) RETURNS int LANGUAGE sql AS @s", "SELECT @e INTO TEMP @n", "SELECT @e INTO @n",
    "SELECT @e INTO LOCAL TEMPORARY TABLE @n FROM @n", "SELECT @e INTO TABLE pg_temp . @n",
    "CREATE SCHEMA @n CREATE TABLE @n ( )", "WITH @n AS ( SELECT 1 ) SELECT * INTO TEMP x FROM @n",
    "CREATE TYPE @n AS ENUM ( @s )", "CREATE DOMAIN pg_temp . d AS int", "CREATE INDEX ON @n ( @n )",
    "ALTER TABLE @n ADD COLUMN @n int", "ALTER TABLE @n RENAME TO temp", "DROP SCHEMA @n CASCADE",
    "CREATE RULE @n AS ON INSERT TO @n DO ( SELECT 1 ; NOTIFY @n ; SELECT 2 )",
    "CREATE MATERIALIZED VIEW @n AS SELECT @e",
    "CREATE FUNCTION @n ( begin int , atomic int ) RETURNS int LANGUAGE sql AS @s , @s",
    "DROP FUNCTION IF EXISTS @n ( int )",
    "CREATE FUNCTION @n ( ) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT @e ; SELECT CASE WHEN true THEN 1 ELSE 2 END ; END",
    "CREATE OR REPLACE PROCEDURE @n ( ) BEGIN ATOMIC INSERT INTO @n VALUES ( @e ) ; END",
    "CREATE FUNCTION @n ( ) RETURNS int RETURN 1",
    "CREATE TRIGGER @n AFTER INSERT ON @n FOR EACH ROW EXECUTE FUNCTION @n ( )",
    "IMPORT FOREIGN SCHEMA @n FROM SERVER @n INTO @n",
    // queries
    "SELECT @e", "SELECT @e , @e FROM @n WHERE @n = @s", "( SELECT @e )", "VALUES ( @e , @s )", "TABLE @n", "SELECT",
    "INSERT INTO @n VALUES ( @e , @s )", "INSERT INTO temp SELECT @e",
    "INSERT INTO @n AS temp ( a ) VALUES ( 1 ) RETURNING *", "INSERT INTO @n DEFAULT VALUES ON CONFLICT DO NOTHING",
    "UPDATE @n SET @n = @e , @n = @s", "DELETE FROM @n USING @n",
    "WITH @n AS ( INSERT INTO @n VALUES ( @e ) RETURNING 1 ) SELECT * FROM @n",
    "WITH a AS ( DELETE FROM @n RETURNING * ) TABLE a", "WITH a AS ( UPDATE pg_settings SET setting = 1 ) SELECT 1",
    "MERGE INTO temp USING @n ON true WHEN MATCHED THEN DO NOTHING",
    "MERGE INTO @n AS temp USING @n ON @e WHEN NOT MATCHED THEN INSERT VALUES ( @e )",
    "SELECT 1 insert INTO TEMP @n", "WITH a AS ( SELECT 1 ) SELECT 1 merge INTO @n", "RESET session . a",
    "( SELECT 1 insert INTO TEMP @n )", "WITH a AS ( SELECT 1 ) INSERT INTO @n SELECT 1",
    "SELECT 1 AS case , 2 AS \"end\"", "SELECT * FROM @n FOR UPDATE", "SELECT * FROM pg_temp . @n",
    "SELECT @e UNION ALL SELECT @e", "SELECT 1 WHERE @n IN ( @e )",
});

inline constexpr auto literals = std::to_array<std::string_view>({
    "'s'", "''", "';'", "'a''b'", "'--'", "'/*'", "'$$'", "'BEGIN'", "'pg_temp'", "'\\'", "E'\\''", "E';\\\\'",
    "U&'\\0061'", "$$;$$", "$$'$$", "$a$;$$;$a$", "$_1$/*$_1$", "$é$;$é$", "'a'\n';'", "'a' \n -- ;\n ';b'",
    "E'a'\n'\\';'", "N'n'", "$a$$b$$a$", "$$$a$$$", "'é;'", "$a$ $A$ ; $a$", "u&'d\\0061t' UESCAPE '\\'", "e'\\n'",
    "$$\\$$",
});
// Without standard_conforming_strings: contents of plain literals.
inline constexpr auto contents = std::to_array<std::string_view>({
    "s", "", ";", "\\'", "\\\\", "\\';", "''", "\\''';", "a'\n'\\';", "a'-- '\n'\\';", "--", "\\\\''", "$$;",
});
inline constexpr auto names = std::to_array<std::string_view>({
    "a", "b1", "_x", "\"a\"", "\"a;b\"", "\"a\"\"b\"", "\"'\"", "\"--\"", "\"/*\"", "\"BEGIN\"", "a$b$", "a$", "é",
    "U&\"a\\0062\"", "temp", "temporary", "begin", "transaction", "prepare", "local", "session", "time", "zone",
    "names", "schema", "work", "chain", "plans", "sequences", "atomic", "hold", "prepared", "replace", "function",
    "authorization_", "constraints", "insert", "update", "e", "u", "n", "x", "b", "e1", "commit", "rollback", "set",
    "listen", "work_mem", "role", "xml", "option", "level", "of",
});
inline constexpr auto expressions = std::to_array<std::string_view>({
    "mine( @e )", "s . mine( @e )", "s . lower( @s )", "pg_catalog . lower( @s )", "\"lower\" ( @s )", "insert( 1 )",
    "left( @s , 1 )", "\"Mine\"( )", "pg_catalog.mine( 1 )", "s.\"lower\" ( 1 )", "begin( 1 )", "row( 1 )",
    "1", "@n", "@s", "-1", "1 - -1", "1 -/**/ 2", "2 / 3", "2 * 3", "nextval( @s )", "lastval()",
    "currval( @s :: regclass )", "pg_advisory_lock( 1 )", "pg_catalog . pg_try_advisory_lock_shared ( 1 )",
    "\"pg_advisory_unlock\" ( 1 )", "setseed( 0.5 )", "pg_advisory_xact_lock( 1 )", "set_config( @s , @s , true )",
    "pg_catalog.set_config( 'a' , 'b' , false )", "( SELECT @e )", "CASE WHEN true THEN @e END",
    "CASE @n WHEN 1 THEN ';' ELSE @e END", "$1", "$1 + $2", "@n :: pg_temp . @n", "ARRAY[ 1 , 2 ]", "a -> 'b'",
    "a ->> 'b' || @s", "a @> b", "x'1F'", "b'01'", "1e5", ".5", "1.", "interval '1 day'", "f( @e )", "a . b . c",
    "( a ) [ 1 ]", "count( * )", "dblink_connect( @s )", "pg_replication_origin_session_setup( @s )", "a ?| b",
    "a #- b", "pg_temp . f( 1 )", "date '2024-01-01'", "CAST( @e AS text )", "EXTRACT( year FROM @n )", "a <> b",
    "a != b", "@ -1", "!! 3", "f( a => @e )", "f( VARIADIC @n )", "sum( 1 ) FILTER ( WHERE true ) OVER ( )", "NOT @e",
    "@e IS NULL", "'a' 'b'", "2 */**/ 3",
});
inline constexpr auto blanks = std::to_array<std::string_view>({
    "\n", "\t", "\r\n", "\f", "  /**/", "/* ; */", "/* BEGIN ' */", "-- ;\n", "--'\n", "-- \"\r",
    "/* a /* ; */ b */", "/*/**/*/", "/***/", "/* -- */", "/*\n--*/\n", " /*//*;*/*/ --/*\n", "/* $$ */", "\n\n",
});
// clang-format on

struct Text {
    std::string text;
    std::string spelled;  // as written where standard_conforming_strings is off; empty: there it is another text
};

class Maker {
  public:
    explicit Maker(unsigned seed) : random_(seed * 2654435761u + 1) {}

    [[nodiscard]] Text make() {
        off_ = among(4) == 0;
        Text made;
        const unsigned count = 1 + among(4);
        for (unsigned i = 0; i < count; ++i) {
            if (i > 0) both(made, among(6) == 0 ? ";;" : ";");
            std::vector<std::string> words = split(pick(statements));
            if (among(4) == 0) mutate(words);
            for (const std::string& word : words) put(made, word, 0);
        }
        if (among(3) == 0) both(made, ";");
        if (!off_) {
            made.spelled.clear();
            if (among(5) == 0) scramble(made.text);
        }
        return made;
    }

    // A statement with the plainest of everything.
    [[nodiscard]] static std::string plain(std::string_view sql) {
        std::string text(sql);
        for (std::size_t at = 0; (at = text.find('@', at)) != std::string::npos;) {
            const char kind = at + 1 < text.size() ? text[at + 1] : ' ';
            text.replace(at, 2, kind == 's' ? "'s'" : kind == 'n' ? "a" : "1");
        }
        return text;
    }

  private:
    [[nodiscard]] unsigned among(unsigned n) { return static_cast<unsigned>(random_() % n); }
    template <class List>
    [[nodiscard]] std::string_view pick(const List& list) {
        return list[among(static_cast<unsigned>(list.size()))];
    }
    static void both(Text& to, std::string_view what) {
        to.text += what;
        to.spelled += what;
    }
    [[nodiscard]] static std::vector<std::string> split(std::string_view sql) {
        std::vector<std::string> words{""};
        for (const char c : sql) c == ' ' ? words.emplace_back() : words.back() += std::string(1, c);
        return words;
    }

    void mutate(std::vector<std::string>& words) {
        const std::size_t at = among(static_cast<unsigned>(words.size()));
        const auto place = words.begin() + static_cast<std::ptrdiff_t>(at);
        const std::vector<std::string> others = split(pick(statements));
        const std::string other = others[among(static_cast<unsigned>(others.size()))];
        switch (among(4)) {
            case 0: words.erase(place); break;
            case 1: *place = other; break;
            case 2: words.insert(place, other); break;
            default: words.insert(place, *place); break;
        }
    }

    void put(Text& to, const std::string& word, unsigned depth) {
        if (word == "@s" && off_) {
            const std::string content(pick(contents));
            to.text += "E'" + content + "'";
            to.spelled += "'" + content + "'";
        } else if (word == "@s") {
            both(to, pick(literals));
        } else if (word == "@n") {
            both(to, pick(names));
        } else if (word == "@e") {
            for (const std::string& part : split(depth > 3 ? "1" : pick(expressions))) put(to, part, depth + 1);
        } else {
            std::string cased = word;
            const bool quoted = word.find_first_of("'\"$\\") != std::string::npos;
            if (!quoted && among(3) == 0) {
                for (char& c : cased) c = static_cast<char>(among(2) == 0 ? std::tolower(c) : std::toupper(c));
            }
            both(to, cased);
        }
        const unsigned blank = among(12);
        both(to, blank == 0 ? pick(blanks) : blank == 1 && !off_ ? "" : " ");
    }

    // Single characters that begin or end something.
    void scramble(std::string& text) {
        static constexpr std::string_view traps = "'\"$;-/*\\()eEuU&\n1. []:@BENDend";
        for (unsigned n = 1 + among(3); n > 0; --n) {
            const std::size_t at = among(static_cast<unsigned>(text.size()) + 1);
            if (among(4) == 0 && at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) {
                text.erase(at, 1);
            } else if (at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) {
                text.insert(at, 1, traps[among(static_cast<unsigned>(traps.size()))]);
            }
        }
    }

    std::mt19937 random_;
    bool off_ = false;
};

}  // namespace leasehold::postgres::corpus
