# SPDX-License-Identifier: Apache-2.0
"""Locks of names, of tables, and of the whole server. What another session may hold is only tried."""
from mysql.weave import family


# --- GET_LOCK() -------------------------------------------------------------------------------------------------------

LOOK = ("SELECT IS_FREE_LOCK('shared'), IS_USED_LOCK('shared') IS NULL", "SELECT IS_FREE_LOCK('l1'), IS_FREE_LOCK('l2')",
        "SELECT IS_USED_LOCK('nobody has it')")


@family("get_lock")
def of_its_own(draw):
    name = f"of {draw.session} {draw.randint(0, 1)}"
    times, holds = draw.randint(1, 2), (f"lock {name}",)
    steps = [draw.run(f"SELECT GET_LOCK('{name}', 0)", holds=holds) for _ in range(times)]
    steps.append(draw.run(f"SELECT IS_USED_LOCK('{name}') = CONNECTION_ID(), IS_FREE_LOCK('{name}')"))
    return steps + [draw.run(draw.choice([f"SELECT RELEASE_LOCK('{name}')", f"DO RELEASE_LOCK('{name}')"]),
                             frees=holds if n == times - 1 else ()) for n in range(times)]


@family("get_lock")
def tried(draw):
    name = draw.choice(("shared", "l1", "l2"))
    holds = (f"lock {name}",)
    steps = [draw.run(draw.choice([f"SELECT GET_LOCK('{name}', 0)", f"DO GET_LOCK('{name}', 0)"]), holds=holds),
             draw.run(draw.choice(LOOK))]
    if draw.chance(0.8):
        steps.append(draw.run(f"SELECT RELEASE_LOCK('{name}')", frees=holds))
    return steps


@family("get_lock")
def look(draw):
    return [draw.run(draw.choice([*LOOK, "SELECT RELEASE_LOCK('shared')", "SELECT RELEASE_LOCK('l1')"]))]


@family("get_lock")
def all_of_them(draw):
    everything = tuple(f"lock {name}" for name in ("shared", "l1", "l2", f"of {draw.session} 0", f"of {draw.session} 1"))
    return [draw.run("SELECT RELEASE_ALL_LOCKS()", frees=everything)]


# --- LOCK TABLES ------------------------------------------------------------------------------------------------------

@family("lock_tables", outside=True)
def tables(draw):
    holds = ("tables",)
    sql = draw.choice([f"LOCK TABLES {draw.own} WRITE", f"LOCK TABLES {draw.own} READ",
                       f"LOCK TABLE main_0000.items READ, {draw.own} WRITE",
                       "LOCK TABLES main_0000.items READ LOCAL"])
    steps = [draw.simple(sql, holds=holds)]
    for _ in range(draw.randint(1, 3)):
        steps.append(draw.run(draw.choice([f"INSERT INTO {draw.own} (amount) VALUES (1)",
                                           "SELECT word FROM main_0000.items WHERE id = 3",
                                           f"SELECT COUNT(*) > 0 FROM {draw.own}", "SELECT 1",
                                           "SET time_zone = '+04:00'"])))
    end = draw.choice([("UNLOCK TABLES",), ("UNLOCK TABLES",), ("BEGIN", "ROLLBACK"), ("START TRANSACTION", "COMMIT")])
    return steps + [draw.simple(one, frees=holds) for one in end]


@family("lock_tables")
def unlock(draw):
    return [draw.simple("UNLOCK TABLES")]


@family("lock_tables", outside=True)
def of_the_server(draw):
    """Others would wait: in one step, and when nobody has anything."""
    begin = draw.choice(["FLUSH TABLES WITH READ LOCK", f"FLUSH TABLES {draw.own} WITH READ LOCK",
                         f"FLUSH TABLES {draw.own} FOR EXPORT"])
    return [draw.step(("query", begin), ("query", f"SELECT COUNT(*) >= 0 FROM {draw.own}"),
                      ("query", f"DELETE FROM {draw.own} WHERE id = -1"),
                      ("query", "UNLOCK TABLES"), needs=("quiet", "idle"))]
