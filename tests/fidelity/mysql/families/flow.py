# SPDX-License-Identifier: Apache-2.0
"""Routines and what they leave, resets of the connection, large packets, files, and abrupt departures."""
from mysql.weave import family


# --- routines ---------------------------------------------------------------------------------------------------------

@family("routines")
def call(draw):
    n = draw.randint(1, 9)
    return [draw.run(draw.choice([f"CALL main_0000.two_results({n})", "CALL main_0000.warns()",
                                  f"CALL main_0000.counts_too('by {draw.session}')",
                                  "CALL main_0000.fails(0)"])),
            draw.run(draw.choice(["SELECT LAST_INSERT_ID()", "SELECT @@time_zone", "SELECT 1"]))]


@family("late_reports")
def failing_call(draw):
    """It goes into the database of the procedure; that it is back the next OK says."""
    return [draw.run("CALL main_0000.fails(1)"), draw.run("SELECT 1")]


@family("routines")
def out_parameters(draw):
    n = draw.randint(1, 9)
    if draw.chance(0.4):
        return [draw.step(("prepare", "c", "CALL main_0000.gives(?, ?, ?)"), ("execute", "c", (n, None, "bound"), 0,
                                                                              "types"))]
    return draw.mixed(["SET @w = 'word'", f"CALL main_0000.gives({n}, @d, @w)", "SELECT @d, @w"])


@family("routines")
def what_a_call_leaves(draw):
    n = draw.randint(2, 9)
    made, seen = draw.choice([(f"CALL main_0000.sets('+0{n}:00')", "SELECT @@time_zone"),
                              (f"CALL main_0000.sets_user({n})", "SELECT @a"),
                              (f"CALL main_0000.makes_table({n})", "SELECT * FROM made")])
    steps = [draw.run(made, holds=("call",) if "makes" in made else ()), draw.run(seen)]
    return steps + ([draw.run("DROP TEMPORARY TABLE IF EXISTS main_0000.made")] if "makes" in made else [])


@family("functions")
def function(draw):
    n = draw.randint(2, 9)
    made, seen = draw.choice([
        (f"SELECT main_0000.harmless({n})", "SELECT 1"), (f"SELECT main_0000.sets_a({n})", "SELECT @a"),
                              (f"DO main_0000.sets_a({n})", "SELECT @a"),
        ("SELECT main_0000.sets_zone()", "SELECT @@time_zone"), (f"INSERT INTO main_0000.fires (word) VALUES ('w{n}')",
                                                                 "SELECT @fired"),
        (f"SELECT main_0000.counts('by {draw.session}')", "SELECT LAST_INSERT_ID()"),
                              (f"UPDATE {draw.own} SET amount = main_0000.sets_a({n})", "SELECT @a")])
    return [draw.run(made, holds=("function",)), draw.run(seen)]


@family("functions")
def look_at_what_functions_left(draw):
    return [draw.run(draw.choice(["SELECT @a", "SELECT @fired", "SELECT @@time_zone", "SELECT LAST_INSERT_ID()"]))]


@family("hidden")
def unreported(draw):
    n = draw.randint(2, 9)
    made, seen = draw.choice([(f"SELECT main_0000.selects_a({n})", "SELECT @a"),
                              (f"SELECT main_0000.takes_lock('hidden {draw.session}')",
                               f"SELECT RELEASE_LOCK('hidden {draw.session}')")])
    return [draw.run(made, holds=("hidden",)), draw.run(seen)]


@family("hidden")
def look_at_what_is_hidden(draw):
    return [draw.run(draw.choice(["SELECT @a", f"SELECT IS_FREE_LOCK('hidden {draw.randint(0, 3)}')"]))]


# --- COM_RESET_CONNECTION and COM_CHANGE_USER -------------------------------------------------------------------------

STATE = ("SET time_zone = '+05:00'", "SET @a = 5", "USE next_0000", "CREATE TEMPORARY TABLE main_0000.t1 (id INT)",
         "SET NAMES latin1", "BEGIN",
         "SELECT LAST_INSERT_ID(77)", "SET autocommit = 0", "SELECT GET_LOCK('resets', 0)", "SET sql_mode = 'ANSI'",
         "SELECT 1/0",
         "PREPARE q1 FROM 'SELECT 1'", "SET SESSION TRANSACTION READ ONLY",
         "SELECT SQL_CALC_FOUND_ROWS id FROM main_0000.items LIMIT 2")
LOOK = ("SELECT @@time_zone, @a, DATABASE(), @@autocommit", "SELECT @@character_set_client, @@sql_mode",
        "SELECT LAST_INSERT_ID()",
        "SELECT * FROM main_0000.t1", "EXECUTE q1", "SELECT IS_FREE_LOCK('resets')", "SELECT @@character_set_results")


def _change_user(draw, *databases):
    """What the tracker says of a login is the family `logins`."""
    return [] if draw.start.get("session_track") else [("change_user", name) for name in databases]


@family("role_resets", outside=True)
def role_reset(draw):
    """The servers keep a role through COM_RESET_CONNECTION, MariaDB through COM_CHANGE_USER as well, which here is a login."""
    end = draw.choice([("reset_connection",), *([] if draw.mariadb else _change_user(draw, "main_0000"))])
    return [draw.run("SET ROLE reader", holds=("role",)), draw.step(end, frees=("*",)), draw.run("SELECT CURRENT_ROLE()")]


@family("resets", outside=True)
def reset(draw):
    steps = [draw.run(sql, holds=("reset",)) for sql in draw.sample(STATE, draw.randint(1, 3))]
    end = draw.choice([("reset_connection",), *_change_user(draw, "main_0000", "next_0000")])
    return [*steps, draw.step(end, frees=("*",)), *(draw.run(draw.choice(LOOK)) for _ in range(2))]


@family("resets", outside=True)
def prepared_before(draw):
    end = draw.choice([("reset_connection",), *_change_user(draw, "main_0000")])
    return [draw.step(("prepare", "p1", "SELECT 'of before'")), draw.step(end, frees=("*",)),
            draw.step(("execute", "p1", (), 0, "types"))]


# --- large packets ----------------------------------------------------------------------------------------------------

@family("large")
def large(draw):
    size = draw.choice([1000, 40_000, 300_000, 1_000_000])
    part, rest = b"part" * (size // 8), b"rest" * (size // 8)
    return [draw.choice([
        draw.simple(f"SELECT REPEAT('x', {size})"),
        draw.simple(f"SELECT LENGTH('{'y' * size}')"),
        draw.binary(f"SELECT REPEAT('z', {size})"),
        draw.binary("SELECT LENGTH(?), MD5(?)", ("v" * size, "w" * 300)),
        draw.simple(f"SELECT id, REPEAT(word, {size // 500}) FROM main_0000.items ORDER BY id"),
        draw.step(("prepare", "l", "SELECT MD5(?)"), ("long", "l", 0, part), ("long", "l", 0, rest),
                  ("execute", "l", ("x",), 0, "types"))]), draw.run("SELECT 'lives'")]


@family("large")
def large_variable(draw):
    """One of more than 4 KiB is not carried."""
    size, holds = draw.choice([100, 1000, 4000, 5000, 30_000, 100_000]), ("large variable",)
    return [draw.simple(f"SET @big = '{'q' * size}'", holds=holds), draw.run("SELECT LENGTH(@big), MD5(@big)"),
            draw.simple("SET @big = 'small'", frees=holds)]


@family("large")
def huge(draw):
    if draw.chance(0.7):
        return large(draw)
    return [draw.choice([draw.simple("SELECT REPEAT('x', 17000000)"), draw.simple(f"SELECT LENGTH('{'y' * 0xFFFFFF}')"),
                         draw.simple(f"SELECT '{'z' * (0xFFFFFF - 10)}'")]), draw.run("SELECT 'lives'")]


# --- LOAD DATA LOCAL --------------------------------------------------------------------------------------------------

@family("load_data", outside=True)
def load(draw):
    data = draw.choice([b"word one\t1\nword two\t2\n", b"", b"too big\t999\n", b"dup\t1\ndup\t2\n", b"cut\n"])
    sql = f"LOAD DATA LOCAL INFILE 'of the client' {draw.choice(['', 'REPLACE', 'IGNORE'])} INTO TABLE {draw.own} (word, amount)"
    return [draw.step(("infile", sql, data)), draw.run("SELECT LAST_INSERT_ID()"),
            draw.step(("infile", "LOAD DATA LOCAL INFILE 'x' INTO TABLE no_such_table", data)),
            draw.run(f"SELECT word, amount FROM {draw.own} ORDER BY word")]


# --- abrupt departures ------------------------------------------------------------------------------------------------

@family("departures", outside=True)
def depart(draw):
    insert = f"INSERT INTO {draw.own} (word) VALUES ('lost {draw.randint(1, 999)}')"
    state = draw.choice([(), ("BEGIN", insert), ("SET time_zone = '+09:00'",), ("BEGIN", insert,
                                                                                "SELECT * FROM no_such_table"),
                         ("SET autocommit = 0", insert),
                         ("SELECT GET_LOCK('departs', 0)",), ("CREATE TEMPORARY TABLE t1 (id INT)",),
                         ("PREPARE q1 FROM 'SELECT 1'",), ("SET @a = 9",),
                         ("USE next_0000",), (f"LOCK TABLES {draw.own} WRITE",), ("HANDLER main_0000.items OPEN AS h1",),
                         ("SELECT 5 INTO @a",),
                         ("SET ROLE reader",), (f"INSERT INTO {draw.own} (amount) VALUES (1)",),
                         ("SET SESSION TRANSACTION READ ONLY",)])
    last = draw.choice([(), (), (("query", "SELECT REPEAT('x', 100000)"),), (("query", "SELECT SLEEP(0.05)"),)])
    how = draw.choice(["quit", "leave", "reset", "half", "patient"]) if last else draw.choice(["quit", "leave", "reset",
                                                                                               "half"])
    return [*(draw.simple(sql, holds=("departing",)) for sql in state), draw.step(("leave", how), *last, frees=("*",)),
            arrived(draw)]


@family("departures", outside=True)
def look(draw):
    return [arrived(draw)]


def arrived(draw):
    return draw.run(draw.choice(["SELECT @@time_zone, @a, DATABASE(), @@autocommit", "SELECT IS_FREE_LOCK('departs')",
                                 "SELECT * FROM t1", "EXECUTE q1", "SELECT CURRENT_ROLE()",
                                 f"SELECT word FROM {draw.own} ORDER BY id", "SELECT LAST_INSERT_ID()",
                                 "HANDLER h1 READ NEXT"]))
