# SPDX-License-Identifier: Apache-2.0
"""How a conversation goes: transactions and errors, COPY, pipelines, large results, and clients that leave without a word."""
from postgres.weave import family

# --- transactions -------------------------------------------------------------------------------------------------------

BEGINS = ("BEGIN", "START TRANSACTION READ ONLY", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN READ WRITE", "BEGIN WORK")
ENDS = ("COMMIT", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "COMMIT", "COMMIT WORK")


def work(draw):
    mine = f"own_{draw.session}"
    return draw.choice([
        f"INSERT INTO {mine} (word, amount) VALUES ('w{draw.randint(1, 20)}', {draw.randint(-1, 9)}) RETURNING word, amount",
        f"SELECT word, amount FROM {mine} ORDER BY id", f"UPDATE {mine} SET amount = amount + 1 WHERE amount > 3",
        f"DELETE FROM {mine} WHERE amount = 2", "SELECT 1 / 0", "SELEC 1", "SELECT * FROM no_such_table", "SELECT id FROM items",
        f"SELECT count(*) FROM {mine}", f"TRUNCATE {mine}", "SHOW transaction_isolation", "SHOW transaction_read_only", "",
        "SELECT pg_sleep(0.001)", "EXPLAIN (COSTS off) SELECT * FROM items", "VALUES (1, NULL), (2, 'b')",
        f"MERGE INTO {mine} m USING items i ON m.id = i.id WHEN MATCHED THEN UPDATE SET amount = 4"])


@family("transactions", outside=True)
def transaction(draw):
    steps = [draw.run(draw.choice(BEGINS))]
    steps += [draw.run(work(draw)) for _ in range(draw.randint(1, 3))]
    if draw.chance(0.4):
        steps += [draw.run("SAVEPOINT a"), draw.run(work(draw)), draw.run("SAVEPOINT b"), draw.run(work(draw)),
                  draw.run(draw.choice(["ROLLBACK TO a", "RELEASE a", "ROLLBACK TO b", "RELEASE b", "ROLLBACK TO nowhere"])),
                  draw.run(work(draw))]
    end = draw.choice(ENDS)
    return [*steps, draw.run(end), *([draw.run("COMMIT")] if "CHAIN" in end else [])]


@family("transactions", outside=True)
def alone(draw):
    return [draw.run(draw.choice([work(draw), "COMMIT", "ROLLBACK", "SAVEPOINT x", work(draw), work(draw)]))]


@family("transactions", outside=True)
def in_a_string(draw):
    statements = [sql for sql in (work(draw) for _ in range(draw.randint(2, 4))) if sql]
    if draw.chance(0.4):
        statements.insert(draw.randint(0, len(statements)), draw.choice(["COMMIT", "BEGIN", "ROLLBACK"]))
    return [draw.simple(*statements), draw.simple("SELECT 'after'"), draw.simple("ROLLBACK")]


# --- COPY -----------------------------------------------------------------------------------------------------------------

@family("copy")
def copy_in(draw):
    mine = f"own_{draw.session}"
    rows = "".join(f"c{draw.randint(1, 9999)}\t{draw.randint(-1 if draw.chance(0.1) else 0, 9)}\n"
                   for _ in range(draw.randint(0, 30)))
    data = [("copy", part.encode()) for part in (rows[:len(rows) // 2], rows[len(rows) // 2:]) if part]
    end = ("copy fail", "the client gives up") if draw.chance(0.2) else ("copy done",)
    sql = f"COPY {mine} (word, amount) FROM STDIN"
    if draw.chance(0.6):
        first = draw.step(("query", sql), *data, end)
    else:
        first = draw.step(("parse", "", sql), ("bind", "", "", (), False), ("execute", "", 0), *data, end, ("sync",))
    return [first, draw.run(f"SELECT count(*), sum(amount) FROM {mine}")]


@family("copy")
def copy_out(draw):
    return [draw.run(draw.choice([f"COPY own_{draw.session} (word, amount) TO STDOUT", "COPY items TO STDOUT (FORMAT csv, HEADER)",
                                  "COPY (SELECT id, word FROM items ORDER BY id DESC) TO STDOUT", "COPY no_such_table TO STDOUT",
                                  "COPY (SELECT 1 / (id - 4) FROM items) TO STDOUT (FORMAT binary)"]))]


# --- both protocols ---------------------------------------------------------------------------------------------------------

def one(draw, name=""):
    sql, values = draw.choice([("SELECT $1::int * 2", ("21",)), ("SELECT 1 / $1::int", ("0",)), ("SELECT $1::text", ("x",)),
                               ("SELECT $1::text", (None,)), ("SELECT id FROM items WHERE id = $1", ("4",)),
                               ("SELECT $1::int", ("no number",)), ("SELECT no_such_column, $1::int", ("1",))])
    return ("parse", name, sql), ("bind", name, "", values, draw.chance(0.3)), ("describe", "P", ""), ("execute", "", 0)


@family("protocols", outside=True)
def pipeline(draw):
    messages = []
    for _ in range(draw.randint(2, 5)):
        messages += one(draw)
        if draw.chance(0.4):
            messages.append(draw.choice([("sync",), ("sync",), ("flush",)]))
    return [draw.step(*messages, ("sync",))]


@family("protocols", outside=True)
def pipelined_transaction(draw):
    def plain(sql):
        return ("parse", "", sql), ("bind", "", "", (), False), ("execute", "", 0)
    between = (("sync",),) if draw.chance(0.5) else ()
    return [draw.step(*plain("BEGIN"), *between, *one(draw), *between, *plain(draw.choice(["COMMIT", "ROLLBACK"])), ("sync",)),
            draw.simple("ROLLBACK")]


@family("protocols", outside=True)
def portals(draw):
    steps = [draw.simple("BEGIN")] if draw.chance(0.6) else []
    steps += [draw.step(("parse", "", "SELECT id, word FROM items ORDER BY id"), ("bind", "", "portal", (), False),
                        ("execute", "portal", 3), ("execute", "portal", 4), ("sync",)),
              draw.step(("execute", "portal", 0), ("sync",)), draw.step(("close", "P", "portal"), ("sync",))]
    return [*steps, draw.simple("COMMIT")]


@family("protocols", outside=True)
def queries_in_a_row(draw):
    sqls = [draw.choice(["SELECT 1", "SELECT 1 / 0", "", "SELECT 2; SELECT 3", "BEGIN; SELECT 4; COMMIT"]) for _ in range(3)]
    return [draw.step(*(("query", sql) for sql in sqls), *(one(draw) if draw.chance(0.4) else ()), ("sync",))]


@family("protocols", outside=True)
def odd_messages(draw):
    return [draw.choice([draw.step(("call", 177, (2, 40))), draw.step(("call", 4294967, (1,))), draw.step(("sync",)),
                         draw.step(("close", "S", "never made"), ("close", "P", "nor this"), ("sync",)),
                         draw.step(("describe", "S", "never made"), ("sync",)), draw.step(("describe", "P", "nor this"), ("sync",)),
                         draw.step(("execute", "nor this", 0), ("sync",)), draw.step(("bind", "never made", "", (), False), ("sync",))])]


# --- large results, and the other way ---------------------------------------------------------------------------------------

@family("large")
def large(draw):
    size = draw.choice([1000, 20000, 200000])
    return [draw.choice([
        draw.run(f"SELECT g, repeat('{draw.session}', 100) FROM generate_series(1, {draw.randint(200, 6000)}) g"),
        draw.run(f"SELECT repeat('{draw.session}', {size * 3})"),
        draw.step(("parse", "", "SELECT length($1), md5($1)"), ("bind", "", "", ("v" * size,), False), ("execute", "", 0), ("sync",)),
        draw.simple("SELECT length('" + "w" * size + "')"), draw.simple(f"COPY (SELECT repeat('z', {size})) TO STDOUT"),
        draw.step(("parse", "", "SELECT g FROM generate_series(1, 5000) g"), ("bind", "", "", (), False), ("execute", "", 100),
                  ("execute", "", 0), ("sync",))])]


# --- abrupt departures --------------------------------------------------------------------------------------------------------

@family("departures", outside=True)
def depart(draw):
    state = draw.choice([(), ("BEGIN",), ("BEGIN", f"INSERT INTO own_{draw.session} (word) VALUES ('lost')"),
                         ("SET work_mem = '11MB'",), ("BEGIN", "SET LOCAL search_path = s2", "SELECT 1 / 0"),
                         ("SELECT pg_try_advisory_lock(9)",), ("CREATE TEMP TABLE t1 (id int)",), ("PREPARE q1 AS SELECT 1",),
                         ("LISTEN news",), ("BEGIN", "DECLARE c1 CURSOR FOR SELECT 1"), ("SET ROLE reader",)])
    steps = [draw.run(sql, holds=("departing",) if sql[:2] in ("SE", "CR", "PR", "LI") else ()) for sql in state]
    return [*steps, draw.step(*draw.choice(last_words(draw)), frees=("*",)), arrived(draw)]


def last_words(draw):
    """How a client leaves, and what it sends just before."""
    table, word = f"own_{draw.session}", f"last {draw.randint(1, 999)}"
    insert = f"INSERT INTO {table} (word) VALUES ('{word}')"
    # What is not carried out to its end may not have begun, so it takes nothing from a sequence.
    number = draw.randint(5000, 9999)
    unsynced = (("parse", "", f"INSERT INTO {table} (id, word) VALUES ({number}, '{word}')"), ("bind", "", "", (), False),
                ("execute", "", 0))
    copy = ("query", f"COPY {table} (id, word) FROM STDIN"), ("copy", f"{number}\t{word}\n".encode())
    ways = [(("leave", how),) for how in ("terminate", "leave", "reset", "half")]
    ways += [(("leave", "goodbye"), ("query", insert)), (("leave", "goodbye"), *unsynced, ("sync",)),
             (("leave", "goodbye"), ("query", "SELECT 1 / 0")), (("leave", "goodbye"), *copy, ("copy done",))]
    ways += [(("leave", how), *unsynced) for how in ("leave", "goodbye")]
    ways += [(("leave", how), *copy) for how in ("leave", "terminate", "reset")]
    return [*ways, (("leave", "leave"), ("query", "SELECT repeat('x', 100000)")), (("leave", "reset"), ("query", "SELECT pg_sleep(0.1)"))]


@family("departures", outside=True)
def look(draw):
    return [arrived(draw)]


def arrived(draw):
    return draw.run(draw.choice([
        "SELECT current_setting('work_mem'), current_schema(), current_user",
        "SELECT pg_try_advisory_xact_lock(9), to_regclass('t1') IS NULL", f"SELECT word FROM own_{draw.session} ORDER BY id",
        "SELECT count(*) FROM pg_prepared_statements WHERE name = 'q1'", "SELECT pg_listening_channels()"]))
