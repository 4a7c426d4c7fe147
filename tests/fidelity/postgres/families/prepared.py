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
def drop(draw):
    sql = draw.choice(["DEALLOCATE ALL", "DISCARD PLANS", "DEALLOCATE p1", 'DEALLOCATE "a name with spaces"'])
    return [draw.choice([draw.simple, draw.extended])(sql),
            draw.step(*executed(draw.choice(NAMES), value(draw), draw), ("sync",))]


def in_sql(draw, name):
    body = draw.choice([f"SELECT {draw.session}, $1 + 1", "SELECT word FROM items WHERE id = $1",
                        "SELECT current_schema(), $1 * 2"])
    steps = [draw.run(f"PREPARE {name} (int) AS {body}", holds=(f"prepared {name}",))]
    return steps + [draw.run(f"EXECUTE {name} ({draw.randint(1, 9)})") for _ in range(draw.randint(1, 2))]


@family("sql_prepared")
def prepare_and_execute(draw):
    name = draw.choice(("q1", "q2"))
    if draw.chance(0.2):
        return [draw.run(f"EXECUTE {name} (1)")]
    end = draw.choice([f"DEALLOCATE {name}", f"DEALLOCATE PREPARE {name}", "DEALLOCATE ALL", "DEALLOCATE q1"])
    freed = ("prepared q1", "prepared q2") if end.endswith("ALL") else (f"prepared {end.split()[-1]}",)
    return [*in_sql(draw, name), draw.run(end, frees=freed)]


@family("mixed_names")
def deallocate_beside_others(draw):
    return [draw.step(("parse", "p1", text(draw)), ("sync",)), draw.simple("SELECT 'first'", "DEALLOCATE p1")]


@family("mixed_names")
def by_either_way(draw):
    name = draw.choice(("p1", "q1"))
    steps = in_sql(draw, name) if draw.chance(0.5) else [draw.step(("parse", name, text(draw)), ("sync",))]
    steps.append(draw.choice([draw.step(*executed(name, value(draw), draw), ("sync",)), draw.run(f"EXECUTE {name} (1)"),
                              draw.step(("describe", "S", name), ("sync",))]))
    end = draw.choice([f"DEALLOCATE {name}", "DEALLOCATE ALL"])
    freed = (f"prepared {name}",) if name in end else ("prepared p1", "prepared q1")
    return steps + [draw.choice([draw.run(end, frees=freed), draw.step(("close", "S", name), ("sync",), frees=freed)])]


@family("prepared")
def schema_changes_between(draw):
    name = draw.choice(NAMES)
    column = f"c{draw.session}_{draw.randint(1, 99)}"
    change = draw.choice([f"ALTER TABLE changing ADD COLUMN {column} int", f"CREATE INDEX ON changing ({'word'})",
                          "UPDATE changing SET word = word || '.'", "ANALYZE changing"])
    one = ("parse", name, "SELECT id, word FROM changing WHERE id >= $1::int ORDER BY id")
    return [draw.step(("close", "S", name), one, ("sync",)), draw.step(*executed(name, "2", draw), ("sync",)),
            draw.simple(change, needs=("alone", "idle")), draw.step(*executed(name, "3", draw), ("sync",))]
