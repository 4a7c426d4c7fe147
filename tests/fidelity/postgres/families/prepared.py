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


# As they may be written; the last is longer than a name may be, which the server says, and cuts.
SQL_NAMES = ("q1", "q1", "q2", "Q2", '"Q2"', '"a ""name"""', "lh_3", "transaction", "é" * 31, "n" * 63)
LONG = "long_" * 13
BODIES = ("SELECT {n}, $1 + 1", "SELECT word FROM items WHERE id = $1", "SELECT current_schema(), $1 * 2",
          "INSERT INTO own_{n} (amount) VALUES ($1) RETURNING amount", "SELECT 'it''s;', $1 -- EXECUTE q2",
          "SELECT $$a;b$$, $1, date '01/02/2024'", "VALUES ($1), (1 / ($1 - 3))", "SELECT lh_3, $1", "SELECT * FROM")


def prepare(draw, name):
    body = draw.choice(BODIES).format(n=draw.session)
    return draw.choice([f"PREPARE {name} (int) AS {body}", f"prepare {name}(int)\nAS {body}",
                        f"/* one */ PREPARE {name} (pg_catalog.int4) AS {body}"])


def execute(draw, name):
    return draw.choice([f"EXECUTE {name} ({draw.randint(1, 9)})"] * 4 + [
        f"EXPLAIN (COSTS OFF) EXECUTE {name} (2)", f"EXECUTE {name}", f"EXECUTE {name} (1, 2)", f"execute {name} (no)",
        f"BEGIN; CREATE TABLE made AS EXECUTE {name} (2); SELECT count(*) FROM made; ROLLBACK",
        f"CREATE TEMP TABLE made ON COMMIT DROP AS EXECUTE {name} (3)", f"SELECT 'é'; EXECUTE {name} (4)",
        f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) EXECUTE {name} (2)"])


def in_sql(draw, name):
    return [draw.run(prepare(draw, name)), *(draw.run(execute(draw, name)) for _ in range(draw.randint(1, 2)))]


@family("sql_prepared")
def prepare_and_execute(draw):
    name = draw.choice(SQL_NAMES)
    if draw.chance(0.2):
        return [draw.run(execute(draw, name))]
    end = draw.choice([f"DEALLOCATE {name}", f"DEALLOCATE PREPARE {name}", "DEALLOCATE ALL", "DEALLOCATE q1", None, None])
    return in_sql(draw, name) + ([draw.run(end)] if end else [])


@family("sql_prepared")
def in_a_string(draw):
    names = [draw.choice(SQL_NAMES) for _ in range(2)]
    parts = [draw.choice([f"PREPARE {draw.choice(names)} (int) AS SELECT {draw.session}, $1",
                          f"EXECUTE {draw.choice(names)} (5)", f"DEALLOCATE {draw.choice(names)}", "SELECT 'between'",
                          "DEALLOCATE ALL"]) for _ in range(draw.randint(2, 5))]
    return [draw.simple("; ".join(parts)), draw.run(execute(draw, names[0]))]


@family("sql_prepared")
def over_transactions(draw):
    name = draw.choice(SQL_NAMES)
    return [draw.simple(f"BEGIN; {prepare(draw, name)}", needs=("idle",)), draw.simple(draw.choice(["COMMIT", "ROLLBACK"])),
            draw.run(execute(draw, name)), draw.simple(f"BEGIN; DEALLOCATE {name}; ROLLBACK", needs=("idle",)),
            draw.run(execute(draw, name))]


@family("sql_prepared")
def under_a_long_name(draw):
    held = (f"prepared {LONG}",)
    return [draw.run(f"PREPARE {LONG} (int) AS SELECT {draw.session}, $1", holds=held), draw.run(f"EXECUTE {LONG} (1)"),
            draw.run(f"DEALLOCATE {LONG}", frees=held)]


@family("mixed_names")
def deallocate_beside_others(draw):
    return [draw.step(("parse", "p1", text(draw)), ("sync",)), draw.simple("SELECT 'first'", "DEALLOCATE p1"),
            draw.simple("SELECT 'again'; DEALLOCATE p1")]


@family("mixed_names")
def by_either_way(draw):
    name = draw.choice(("p1", "q1", "lh_7"))
    steps = in_sql(draw, name) if draw.chance(0.5) else [draw.step(("parse", name, text(draw)), ("sync",))]
    steps += [draw.choice([draw.step(*executed(name, value(draw), draw), ("sync",)), draw.run(execute(draw, name)),
                           draw.run(prepare(draw, name)), draw.step(("parse", name, text(draw)), ("sync",)),
                           draw.step(("describe", "S", name), ("sync",))]) for _ in range(draw.randint(1, 3))]
    end = draw.choice([draw.run(f"DEALLOCATE {name}"), draw.run("DEALLOCATE ALL"), draw.step(("close", "S", name), ("sync",)),
                       draw.simple("DISCARD PLANS")])
    return [*steps, end, draw.run(execute(draw, name))]


@family("mixed_names")
def a_statement_that_executes_another(draw):
    name = draw.choice(("p1", "q1"))
    steps = [draw.run(prepare(draw, name)), draw.step(("close", "S", "e"), ("parse", "e", f"EXECUTE {name} (4)"), ("sync",))]
    steps += [draw.step(("bind", "e", "", (), False), ("describe", "P", ""), ("execute", "", 0), ("sync",))
              for _ in range(2)]
    return [*steps, draw.run(f"DEALLOCATE {name}"), draw.step(("bind", "e", "", (), False), ("execute", "", 0), ("sync",))]


@family("prepared")
def schema_changes_between(draw):
    name = draw.choice(NAMES)
    column = f"c{draw.session}_{draw.randint(1, 99)}"
    change = draw.choice([f"ALTER TABLE changing ADD COLUMN {column} int", f"CREATE INDEX ON changing ({'word'})",
                          "UPDATE changing SET word = word || '.'", "ANALYZE changing"])
    one = ("parse", name, "SELECT id, word FROM changing WHERE id >= $1::int ORDER BY id")
    return [draw.step(("close", "S", name), one, ("sync",)), draw.step(*executed(name, "2", draw), ("sync",)),
            draw.simple(change, needs=("alone", "idle")), draw.step(*executed(name, "3", draw), ("sync",))]
