# SPDX-License-Identifier: Apache-2.0
"""Prepared statements of the protocol and of SQL, the two mixed, under names that every session uses for other texts.

Left out: what is to differ. A plan that no longer fits is mended unseen outside of a transaction, and pg_prepared_statements
shows a backend's names."""
from postgres.weave import family

NAMES = ("p1", "p2", "a name with spaces")
TEXTS = ("SELECT {n}, $1::int + {n}", "SELECT word FROM items WHERE id = $1::int", "SELECT $1::text || '{n}'",
         "SELECT id, word FROM changing WHERE id >= $1::int ORDER BY id", "SELECT current_schema(), $1::text",
         "INSERT INTO own_{n} (amount) VALUES ($1::int) RETURNING amount", "SELECT DATE '01/02/2024' + $1::int")


def text(draw):
    return draw.choice(TEXTS).format(n=draw.session)


def executed(name, value, draw):
    return (("bind", name, "", (value,), draw.chance(0.3)), ("describe", "P", ""), ("execute", "", 0))


def value(draw):
    return draw.choice(["1", "2", "3", "7", "no number"] if draw.chance(0.1) else ["1", "2", "3", "7"])


@family("prepared")
def prepare_and_bind(draw):
    name = draw.choice(NAMES)
    steps = [draw.step(("parse", name, text(draw)), *([("describe", "S", name)] if draw.chance(0.4) else []), ("sync",))]
    steps += [draw.step(*executed(name, value(draw), draw), ("sync",)) for _ in range(draw.randint(1, 3))]
    if draw.chance(0.6):
        steps.append(draw.step(("close", "S", name), ("sync",)))
    if draw.chance(0.3):
        steps.append(draw.step(*executed(name, value(draw), draw), ("sync",)))
    return steps


@family("prepared")
def use_a_name_whatever_it_is(draw):
    name = draw.choice(NAMES)
    return [draw.step(*draw.choice([executed(name, value(draw), draw), (("describe", "S", name),), (("close", "S", name),)]),
                      ("sync",))]


@family("prepared")
def unnamed_over_a_boundary(draw):
    steps = [draw.step(("parse", "", text(draw)), ("sync",)), draw.step(*executed("", value(draw), draw), ("sync",))]
    if draw.chance(0.4):  # a Query does away with it
        steps.insert(1, draw.simple("SELECT 'between'"))
    if draw.chance(0.5):
        steps.append(draw.step(*executed("", value(draw), draw), ("sync",)))
    return steps


@family("prepared")
def in_one_pipeline(draw):
    name = draw.choice(NAMES)
    return [draw.step(("close", "S", name), ("parse", name, text(draw)), *executed(name, value(draw), draw),
                      *executed(name, value(draw), draw), ("sync",)),
            draw.step(*executed(name, value(draw), draw), ("close", "S", name), ("sync",))]


@family("prepared")
def in_sql(draw):
    name = draw.choice(("q1", "q2", "p1"))
    body = draw.choice([f"SELECT {draw.session}, $1 + 1", "SELECT word FROM items WHERE id = $1",
                        "SELECT current_schema(), $1 * 2"])
    steps = [draw.run(f"PREPARE {name} (int) AS {body}", holds=(f"prepared {name}",))]
    steps += [draw.run(f"EXECUTE {name} ({draw.randint(1, 9)})") for _ in range(draw.randint(1, 2))]
    if draw.chance(0.3):
        steps.append(draw.step(*executed(name, value(draw), draw), ("sync",)))
    steps.append(draw.run(draw.choice([f"DEALLOCATE {name}", f"DEALLOCATE PREPARE {name}", "DEALLOCATE ALL"]),
                          frees=("prepared q1", "prepared q2", "prepared p1") if name else ()))
    return steps


@family("prepared")
def drop_many(draw):
    sql = draw.choice(["DEALLOCATE ALL", "DISCARD ALL", "DISCARD PLANS", "DEALLOCATE p1", "DEALLOCATE q1"])
    frees = ("*",) if sql == "DISCARD ALL" else ()
    return [draw.run(sql, frees=frees), draw.step(*executed(draw.choice(NAMES), value(draw), draw), ("sync",)),
            draw.run("EXECUTE q1 (1)")]


@family("prepared")
def schema_changes_between(draw):
    name = draw.choice(NAMES)
    column = f"c{draw.session}_{draw.randint(1, 99)}"
    change = draw.choice([f"ALTER TABLE changing ADD COLUMN {column} int", f"CREATE INDEX ON changing ({'word'})",
                          "UPDATE changing SET word = word || '.'", "ANALYZE changing"])
    one = ("parse", name, "SELECT id, word FROM changing WHERE id >= $1::int ORDER BY id")
    return [draw.step(("close", "S", name), one, ("sync",)), draw.step(*executed(name, "2", draw), ("sync",)),
            draw.simple(change, needs=("alone", "idle")), draw.step(*executed(name, "3", draw), ("sync",))]
