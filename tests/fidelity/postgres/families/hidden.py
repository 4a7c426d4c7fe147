# SPDX-License-Identifier: Apache-2.0
"""What no text tells: DO, CALL, and functions that set, lock or make objects inside."""
from postgres.families.settings import probe
from postgres.weave import family


@family("routines")
def do(draw):
    n = draw.session
    return [draw.run("DO $$ BEGIN " + draw.choice([
        "PERFORM set_config('work_mem', '6MB', false);", "SET work_mem = '7MB';", f"RAISE NOTICE 'from {n}';",
        "PERFORM pg_advisory_lock(3000 + " + str(n) + ");", "CREATE TEMP TABLE IF NOT EXISTS t1 (id int);",
        f"UPDATE own_{n} SET amount = 1; COMMIT;", "RAISE EXCEPTION 'no';", "SET search_path = s1;", "NULL;",
        "EXECUTE 'SET a.b = ''by DO''';"]) + " END $$", holds=("routine",)), probe(draw, draw.choice(["work_mem", "a.b"])),
        draw.run("SELECT current_schema(), to_regclass('t1') IS NULL, "
                 "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())")]


@family("routines")
def call(draw):
    n = draw.session
    return [draw.run("CALL " + draw.choice([f"note_twice('own_{n}', 'a {draw.randint(1, 99)}', 'b')", "set_in_call('8MB')",
                                            "tell('word')", "no_such_procedure()"]), holds=("routine",)),
            probe(draw, "work_mem"), draw.run(f"SELECT word FROM own_{n} WHERE word IS NOT NULL ORDER BY 1")]


@family("routines")
def tidy(draw):
    return [draw.simple("DISCARD ALL", frees=("*",))]


@family("hidden")
def inside_a_function(draw):
    sql = draw.choice(["SELECT hidden_set('work_mem', '5MB')", "SELECT hidden_set('a.b', 'hidden')", "SELECT hidden_path()",
                       "SELECT hidden_set('statement_timeout', '99s')", "SELECT hidden_role()", "SELECT harmless(1)",
                       f"SELECT hidden_lock({4000 + draw.session})", "SELECT hidden_temp()", "SELECT hidden_next()",
                       "SELECT guarded()", "SELECT hidden_set('work_mem', 'nonsense')"])
    draws = ("sequence", "counter") if "hidden_next" in sql else ()
    return [draw.run(sql, holds=("function",), draws=draws), look(draw)]


@family("hidden")
def read(draw):
    return [look(draw)]


@family("hidden")
def tidy_up(draw):
    return [draw.simple("DISCARD ALL", frees=("*",))]


def look(draw):
    return draw.run(draw.choice([
        "SELECT current_setting('work_mem'), current_setting('a.b', true), current_setting('statement_timeout')",
        "SELECT current_user, current_schema(), to_regclass('hidden_t') IS NULL", "SELECT word FROM items WHERE id = 4",
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1",
        "SELECT objid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database()) GROUP BY 1 ORDER BY 1"]))
