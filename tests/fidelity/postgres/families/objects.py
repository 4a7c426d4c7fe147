# SPDX-License-Identifier: Apache-2.0
"""What a session makes for itself: temporary objects, cursors that outlive their transaction, the last value of sequences."""
from postgres.weave import family


# --- temporary objects ------------------------------------------------------------------------------------------------

TABLES = ("t1", "t2", "items")
LOOK = ("SELECT * FROM t1 ORDER BY 1", "SELECT * FROM pg_temp.t2 ORDER BY 1", "SELECT word FROM items WHERE id = 2",
        "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r' AND "
        "relnamespace = pg_my_temp_schema() ORDER BY 1",
        "SELECT to_regclass('t1') IS NULL, to_regclass('pg_temp.t2') IS NULL")


@family("temp")
def table(draw):
    name, n = draw.choice(TABLES), draw.session
    made = draw.choice([f"CREATE TEMP TABLE {name} (id int, word text)",
                        f"CREATE TEMPORARY TABLE {name} ON COMMIT DELETE ROWS AS SELECT {n} AS id, 'x{n}'::text AS word",
                        f"CREATE TEMP TABLE {name} ON COMMIT DROP AS SELECT {n} AS id, 'y{n}'::text AS word",
                        f"SELECT {n} AS id, 'into {n}'::text AS word INTO TEMP {name}",
                        f"CREATE TABLE pg_temp.{name} (id int DEFAULT {n}, word text)",
                        f"CREATE LOCAL TEMP TABLE IF NOT EXISTS {name} (id int PRIMARY KEY, word text)"])
    holds = (f"temp {name}",)
    steps = [draw.run(made, holds=holds), draw.run(f"INSERT INTO pg_temp.{name} VALUES ({n}, 'of {n}')"),
             draw.run(draw.choice(LOOK))]
    if draw.chance(0.75):
        steps.append(draw.run(f"DROP TABLE pg_temp.{name}", frees=holds))
    if draw.chance(0.3):
        steps.append(draw.run(draw.choice(LOOK)))
    return steps


@family("temp")
def other_objects(draw):
    n = draw.session
    made, used, gone = draw.choice([
        ("CREATE TEMP VIEW v AS SELECT id, word FROM public.items WHERE id < 3", "SELECT * FROM v ORDER BY 1", "DROP VIEW v"),
        ("CREATE TEMP SEQUENCE s", "SELECT nextval('s')", "DROP SEQUENCE s"),
        (f"CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT {n}'", "SELECT pg_temp.f()", "DROP FUNCTION pg_temp.f"),
        ("CREATE TYPE pg_temp.pair AS (a int, b int)", "SELECT (ROW(1, 2)::pg_temp.pair).b", "DROP TYPE pg_temp.pair")])
    return [draw.run(made, holds=(made,)), draw.run(used), draw.run(gone, frees=(made,)), draw.run(used)][:draw.randint(3, 4)]


@family("temp")
def look_or_discard(draw):
    if draw.chance(0.3):
        everything = ("temp t1", "temp t2", "temp items")
        return [draw.simple(draw.choice(["DISCARD TEMP", "DISCARD TEMPORARY"]), frees=everything)]
    return [draw.run(draw.choice(LOOK))]


# --- cursors WITH HOLD --------------------------------------------------------------------------------------------------

@family("cursors")
def held(draw):
    name = draw.choice(("c1", "c2"))
    how = draw.choice(["CURSOR WITH HOLD", "SCROLL CURSOR WITH HOLD", "BINARY CURSOR WITH HOLD", "NO SCROLL CURSOR WITH HOLD"])
    holds = (f"cursor {name}",)
    steps = [draw.run(f"DECLARE {name} {how} FOR SELECT id, word || '{draw.session}' FROM items ORDER BY id", holds=holds)]
    for _ in range(draw.randint(1, 3)):
        steps.append(draw.run(draw.choice([f"FETCH 2 FROM {name}", f"FETCH NEXT FROM {name}", f"MOVE 1 IN {name}",
                                           f"FETCH BACKWARD 1 FROM {name}", f"FETCH ABSOLUTE 4 FROM {name}"])))
    if draw.chance(0.8):
        steps.append(draw.run(draw.choice([f"CLOSE {name}", "CLOSE ALL"]), frees=holds))
    return steps


@family("cursors")
def of_a_transaction(draw):
    return [draw.run("BEGIN"), draw.run("DECLARE c1 CURSOR FOR SELECT id FROM items ORDER BY id"), draw.run("FETCH 3 FROM c1"),
            draw.run(draw.choice(["CLOSE c1", "FETCH ALL FROM c1", f"UPDATE own_{draw.session} SET amount = 1 WHERE false"])),
            draw.run(draw.choice(["COMMIT", "ROLLBACK"])), draw.run("FETCH NEXT FROM c1")]


@family("cursors")
def look(draw):
    return [draw.run(draw.choice([
        "FETCH NEXT FROM c1", "FETCH NEXT FROM c2", "CLOSE c2",
        "SELECT name, is_holdable, is_binary, is_scrollable FROM pg_cursors WHERE name LIKE 'c_' ORDER BY 1",
        "DECLARE c2 CURSOR FOR SELECT 1"]))]


# --- sequences ----------------------------------------------------------------------------------------------------------

def ask(draw):
    """lastval() is what the session drew last, currval('counter') what a function may have drawn (hidden_next): leasehold
    knows of them from the first statement on that names sequences."""
    sql = draw.choice(LAST)
    needs = {"lastval()": "known:sequence", "'counter'": "known:counter"}
    return draw.run(sql, holds=("sequence",), needs=tuple(need for part, need in needs.items() if part in sql))


def named(name):
    """What is known of once its numbers are drawn by that name."""
    return ("sequence", "counter") if name == "counter" else ("sequence",)


LAST = ("SELECT lastval()", "SELECT currval('counter')", "SELECT currval('other_counter'), lastval()",
        "SELECT currval('cached')")


@family("sequences")
def next_and_last(draw):
    name = draw.choice(("counter", "other_counter", "cached"))
    steps = [draw.run(f"SELECT nextval('{name}')", holds=named(name)) for _ in range(draw.randint(1, 2))]
    return steps + [ask(draw) for _ in range(draw.randint(1, 2))]


@family("sequences")
def last(draw):
    return [ask(draw)]


@family("sequences")
def serial(draw):
    mine = f"own_{draw.session}"
    return [draw.simple("BEGIN"), draw.run(f"INSERT INTO {mine} (amount) VALUES (1) RETURNING id"),
            draw.run(f"SELECT currval('{mine}_id_seq'), lastval()", holds=("sequence",), needs=("within",)),
            draw.simple(draw.choice(["COMMIT", "ROLLBACK"]))]


@family("sequences")
def set_and_discard(draw):
    return [draw.run(draw.choice([f"SELECT setval('counter', {draw.randint(10, 99)})", "SELECT setval('counter', 500, false)"]),
                     holds=named("counter")),
            draw.choice([draw.run("DISCARD SEQUENCES", frees=named("counter")), draw.run("DISCARD ALL", frees=("*",)),
                         draw.run("SELECT nextval('counter')", holds=named("counter"))]),
            ask(draw)]
