# SPDX-License-Identifier: Apache-2.0
"""What a session makes for itself: temporary tables and what it opens by HANDLER."""
from mysql.weave import family

LOOK = ("SELECT * FROM t1 ORDER BY 1", "SELECT * FROM main_0000.t2 ORDER BY 1", "SELECT word FROM items WHERE id = 2",
        "SHOW CREATE TABLE t1", "SELECT COUNT(*) FROM main_0000.t1")


@family("temp")
def table(draw):
    name, n = draw.choice(("t1", "t2", "main_0000.items")), draw.session
    made = draw.choice([f"CREATE TEMPORARY TABLE {name} (id INT, word VARCHAR(20))",
                        f"CREATE TEMPORARY TABLE {name} SELECT {n} AS id, 'x{n}' AS word",
                        f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} (id INT PRIMARY KEY, word TEXT)",
                        f"CREATE TEMPORARY TABLE {name} LIKE {draw.own}"])
    holds = (f"temp {name}",)
    steps = [draw.run(made, holds=holds), draw.run(f"INSERT INTO {name} (id, word) VALUES ({n + 20}, 'of {n}')"),
             draw.run(draw.choice(LOOK))]
    if draw.chance(0.4):
        steps.append(draw.run(draw.choice([f"TRUNCATE TABLE {name}", f"ALTER TABLE {name} ADD COLUMN more INT",
                                           f"UPDATE {name} SET word = 'changed'"])))
    if draw.chance(0.75):
        steps.append(draw.run(draw.choice([f"DROP TEMPORARY TABLE {name}", f"DROP TEMPORARY TABLE IF EXISTS {name}"]),
                              frees=holds))
    return steps


@family("temp")
def look(draw):
    return [draw.run(draw.choice(LOOK))]


@family("temp")
def drop(draw):
    return [draw.run(draw.choice(["DROP TEMPORARY TABLE IF EXISTS t1", "DROP TEMPORARY TABLE t2",
                                  "DROP TEMPORARY TABLE IF EXISTS t1, t2"]),
                     frees=())]


# --- HANDLER ----------------------------------------------------------------------------------------------------------

@family("handler")
def handler(draw):
    name = draw.choice(("h1", "h2"))
    holds = ("handler " + name,)
    steps = [draw.simple(f"HANDLER main_0000.items OPEN AS {name}", holds=holds)]
    for _ in range(draw.randint(1, 3)):
        steps.append(draw.simple(draw.choice([f"HANDLER {name} READ FIRST", f"HANDLER {name} READ `PRIMARY` = (4)",
                                              f"HANDLER {name} READ `PRIMARY` NEXT LIMIT 2",
                                              f"HANDLER {name} READ NEXT"])))
    if draw.chance(0.8):
        steps.append(draw.simple(f"HANDLER {name} CLOSE", frees=holds))
    return steps


@family("handler")
def read(draw):
    return [draw.simple(draw.choice(["HANDLER h1 READ NEXT", "HANDLER h2 READ FIRST", "HANDLER h1 CLOSE"]))]
