# SPDX-License-Identifier: Apache-2.0
"""Prepared statements of the binary protocol, with types, long data and cursors, and those of SQL."""
from mysql.weave import family

NAMES = ("p1", "p2", "p3")
TEXTS = (("SELECT ? AS one", 1), ("SELECT ?, ?, 'of {n}'", 2),
         ("SELECT id, word FROM main_0000.items WHERE id <= ? ORDER BY id", 1),
         ("INSERT INTO {own} (amount) VALUES (?)", 1), ("UPDATE {own} SET amount = ? WHERE id = ?", 2),
         ("SELECT 'none of {n}'", 0),
         ("SELECT word FROM items WHERE id = ?", 1), ("SELECT @@time_zone, ?", 1), ("SELECT CHARSET(?), LENGTH(?)", 2),
         ("SELECT LAST_INSERT_ID(), ?", 1), ("CALL main_0000.two_results(?)", 1), ("DO ?", 1), ("SET @a = ?", 1),
         ("SELECT ? FROM no_such_table", 1))
VALUES = (1, 2, 7, -5, "text", "ä", None, 2.5, b"bytes\0", "2026-01-02", 1 << 40, "")


def _text(draw):
    sql, count = draw.choice(TEXTS)
    return sql.format(n=draw.session, own=draw.own), count


def _values(draw, count):
    return tuple(draw.choice(VALUES) for _ in range(count))


@family("prepared")
def kept(draw):
    name = draw.choice(NAMES)
    sql, count = _text(draw)
    values = _values(draw, count)
    steps = [draw.step(("prepare", name, sql)), draw.step(("execute", name, values, 0, "types"))]
    for _ in range(draw.randint(0, 2)):  # the same types, which need not be sent again
        steps.append(draw.step(("execute", name, values, 0, draw.choice(["again", "types"]))))
    if draw.chance(0.3):
        steps.append(draw.step(("close", name)))
    return steps


@family("prepared")
def later(draw):
    """What an earlier piece prepared under the name, whatever it was."""
    name = draw.choice(NAMES)
    return [draw.step(draw.choice([("reset", name), ("close", name), ("execute", name, (), 0, "types"),
                                   ("reset", name)]))]


@family("prepared")
def under_settings(draw):
    """A statement is prepared under settings that may have changed when it is executed."""
    name = draw.choice(NAMES)
    before, after = draw.choice([("SET sql_mode = 'ANSI'", "SET sql_mode = ''"), ("SET NAMES latin1",
                                                                                  "SET NAMES utf8mb4"),
                                 ("USE next_0000", "USE main_0000"), ("SET time_zone = '+02:00'",
                                                                      "SET time_zone = '+03:00'")])
    return [draw.simple(before), draw.step(("prepare", name,
                                            "SELECT word, 'a' || ?, @@time_zone FROM items WHERE id = 1")),
            draw.simple(after), draw.step(("execute", name, ("b",), 0, "types")), draw.step(("execute", name, ("c",), 0,
                                                                                             "again"))]


@family("prepared", outside=True)
def long_data(draw):
    """Under names of its own: MySQL refuses to execute what long data for no parameter was sent to, until it is reset."""
    name = draw.choice(("l1", "l2"))
    part = draw.choice([b"part ", b"x" * 5000, b"", "ä".encode()])
    steps = [draw.step(("prepare", name, "SELECT LENGTH(?), MD5(?), ?")), draw.step(("long", name, 1, part),
                                                                                    holds=("long " + name,))]
    if draw.chance(0.6):
        steps.append(draw.step(("long", name, 1, part)))
    if draw.chance(0.2):
        steps.append(draw.step(("reset", name), frees=("long " + name,)))
    return [*steps, draw.step(("execute", name, ("a", "b", 3), 0, "types"), frees=("long " + name,)),
            draw.step(("execute", name, ("a", "b", 4), 0, "types"))]


@family("prepared", flavour="mariadb")
def just_prepared(draw):
    return [draw.step(("prepare", "p1", "SELECT 1"), ("execute", "p1", (), 0, "types"), ("prepare", "p1", "SELECT 2"),
                      ("execute", "p1", (), 0, "types"))]


# --- cursors ----------------------------------------------------------------------------------------------------------

@family("cursors")
def open_cursor(draw):
    name = draw.choice(("c1", "c2"))
    sql = draw.choice(["SELECT id, word FROM main_0000.items ORDER BY id",
                       "SELECT id FROM main_0000.items WHERE id > 8 ORDER BY id",
                       "SELECT 1", "SELECT id FROM main_0000.items WHERE id < 0"])
    holds = ("cursor " + name,)
    steps = [draw.step(("prepare", name, sql)), draw.step(("execute", name, (), 1, "types"), holds=holds)]
    steps += [draw.step(("fetch", name, draw.randint(1, 4))) for _ in range(draw.randint(1, 3))]
    if draw.chance(0.5):
        steps.append(draw.run("SELECT 'between'"))
        steps.append(draw.step(("fetch", name, 2)))
    # MySQL 9.7 sends no rows, nor their end, where a statement that had a cursor is executed without one.
    end = draw.choice([("reset", name), ("close", name), ("fetch", name, 100), ("execute", name, (),
                                                                                int(not draw.mariadb), "types")])
    if end[0] == "execute" and end[3]:  # another cursor in its place
        return [*steps, draw.step(end, ("close", name), holds=holds, frees=holds)]
    return [*steps, draw.step(end, frees=holds)]


@family("cursors")
def fetch(draw):
    return [draw.step(("fetch", draw.choice(("c1", "c2")), 1))]


# --- PREPARE of SQL ---------------------------------------------------------------------------------------------------

@family("sql_prepared")
def by_text(draw):
    name, n = draw.choice(("q1", "q2")), draw.session
    sql = draw.choice([f"SELECT ? + {n} AS one", f"SELECT ''of {n}'', ?", "SELECT word FROM main_0000.items WHERE id = ?",
                       f"INSERT INTO {draw.own} (amount) VALUES (?)"])
    steps = [draw.run(f"PREPARE {name} FROM '{sql}'")]
    for _ in range(draw.randint(1, 2)):
        if draw.chance(0.6):
            steps += draw.mixed(["SET @v = 3", f"EXECUTE {name} USING @v"])
        else:
            steps.append(draw.simple(f"EXECUTE {name} USING 4" if draw.mariadb else f"EXECUTE {name}"))
    if draw.chance(0.7):
        steps.append(draw.run(draw.choice([f"DEALLOCATE PREPARE {name}", f"DROP PREPARE {name}"])))
    return steps


@family("sql_prepared")
def of_a_variable(draw):
    """Whose text is not in the statement: it keeps its session where it is."""
    name, holds = draw.choice(("q3", "q4")), ("prepared",)
    return [draw.simple(f"SET @text = 'SELECT {draw.session}'"), draw.simple(f"PREPARE {name} FROM @text", holds=holds),
            draw.simple(f"EXECUTE {name}"), draw.simple(f"DEALLOCATE PREPARE {name}", frees=holds)]


@family("sql_prepared")
def under_settings_too(draw):
    before, after = draw.choice([("SET sql_mode = 'ANSI'", "SET sql_mode = ''"), ("USE next_0000", "USE main_0000"),
                                 ("SET NAMES latin1", "SET NAMES utf8mb4")])
    return [draw.simple(before), draw.simple("PREPARE q1 FROM 'SELECT word, ''a'' || ''b'', ''ä'' FROM items WHERE id = 1'"),
            draw.simple(after), draw.simple("EXECUTE q1"), draw.simple("EXECUTE q1")]


@family("sql_prepared")
def of_before(draw):
    name = draw.choice(("q1", "q2"))
    return [draw.simple(draw.choice([f"EXECUTE {name}", f"DEALLOCATE PREPARE {name}", f"SET @v = 1",
                                     f"EXECUTE {name} USING @v"]))]


@family("sql_prepared")
def wrong(draw):
    return [draw.simple(draw.choice(["PREPARE q1 FROM 'SELEC 1'", "PREPARE q1 FROM @nothing",
                                     "PREPARE q1 FROM 'SELECT 1; SELECT 2'"])),
            draw.simple("EXECUTE q1")]


@family("sql_prepared", flavour="mariadb")
def at_once(draw):
    return [draw.simple(f"EXECUTE IMMEDIATE 'SELECT {draw.session}'"),
            draw.simple("EXECUTE IMMEDIATE 'SET time_zone = ''+02:00'''"),
            draw.run("SELECT @@time_zone")]
