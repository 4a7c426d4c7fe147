# SPDX-License-Identifier: Apache-2.0
"""Transactions: chained, without autocommit, read only, committed by other statements, and XA."""
from mysql.weave import family


def _write(draw):
    n = draw.randint(1, 99)
    return draw.run(draw.choice([f"INSERT INTO {draw.own} (amount) VALUES ({n})", f"UPDATE {draw.own} SET amount = {n}",
                                 f"DELETE FROM {draw.own} WHERE amount > {n}",
                                 f"SELECT amount FROM {draw.own} ORDER BY id FOR UPDATE"]))


def _read(draw):
    return draw.run(draw.choice([f"SELECT COUNT(*), SUM(amount) FROM {draw.own}",
                                 "SELECT word FROM main_0000.items WHERE id = 5", "SELECT 1"]))


@family("transactions", outside=True)
def plain(draw):
    begin = draw.choice(["BEGIN", "START TRANSACTION READ ONLY", "START TRANSACTION READ WRITE",
                         "START TRANSACTION WITH CONSISTENT SNAPSHOT"])
    steps = [draw.simple(begin), *(draw.choice([_write, _read])(draw) for _ in range(draw.randint(1, 3)))]
    if draw.chance(0.3):
        steps += [draw.simple("SAVEPOINT a"), _write(draw), draw.simple(draw.choice(["ROLLBACK TO a",
                                                                                     "RELEASE SAVEPOINT a",
                                                                                     "SAVEPOINT a"]))]
    end = draw.choice(["COMMIT", "ROLLBACK", "COMMIT AND NO CHAIN", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "BEGIN"])
    steps.append(draw.simple(end))
    if end.endswith(" CHAIN") and " NO" not in end or end == "BEGIN":
        steps += [_write(draw), draw.simple(draw.choice(["COMMIT", "ROLLBACK"]))]
    return [*steps, _read(draw)]


@family("transactions", outside=True)
def implicit(draw):
    """Committed by a statement that cannot be undone."""
    table = f"{draw.own}_made"
    return [draw.simple("BEGIN"), _write(draw), draw.run(f"CREATE TABLE IF NOT EXISTS {table} (id INT)"), _read(draw),
            draw.simple("ROLLBACK"), draw.run(draw.choice([f"DROP TABLE {table}", f"TRUNCATE TABLE {table}"])),
            _read(draw)]


@family("transactions", outside=True)
def without_autocommit(draw):
    off = draw.choice(["SET autocommit = 0", "SET @@autocommit = OFF",
                       "SET SESSION autocommit = 0, time_zone = '+01:00'"])
    steps = [draw.run(off)]
    for _ in range(draw.randint(1, 3)):
        steps.append(draw.choice([_write, _read])(draw))
        if draw.chance(0.4):
            steps.append(draw.simple(draw.choice(["COMMIT", "ROLLBACK", "SAVEPOINT s"])))
    return [*steps, draw.run(draw.choice(["SET autocommit = 1", "SET autocommit = ON", "SET autocommit = DEFAULT"])),
            _read(draw)]


@family("transactions", outside=True)
def stray(draw):
    return [draw.simple(draw.choice(["COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE SAVEPOINT a",
                                     "COMMIT AND CHAIN"])),
            draw.simple("ROLLBACK"), _read(draw)]


@family("transactions", outside=True)
def failing(draw):
    return [draw.simple("BEGIN"), _write(draw), draw.run(draw.choice(["SELECT * FROM no_such_table", "SELEC",
                                                                      f"INSERT INTO {draw.own} (id, id) VALUES (1, 1)"])),
            _read(draw), draw.simple(draw.choice(["COMMIT", "ROLLBACK"])), _read(draw)]


@family("late_reports", outside=True)
def late_report(draw):
    """The error has no room for the report that the transaction is over; the next OK has it."""
    return [draw.simple("BEGIN"), _write(draw), draw.run("CREATE TABLE main_0000.items (id INT)"), _read(draw),
            draw.simple("ROLLBACK")]


@family("xa", outside=True)
def distributed(draw):
    xid, holds = f"'x{draw.session}'", ("xa",)
    steps = [draw.simple(f"XA START {xid}", holds=holds), _write(draw), draw.simple(f"XA END {xid}")]
    if draw.chance(0.2):
        steps.insert(2, draw.run("SELECT * FROM no_such_table"))
    if draw.chance(0.2):
        return [*steps, draw.simple(f"XA ROLLBACK {xid}", frees=holds), _read(draw)]
    if draw.chance(0.5):
        return [*steps, draw.simple(f"XA COMMIT {xid} ONE PHASE", frees=holds), _read(draw)]
    end = draw.choice(["COMMIT", "ROLLBACK"])
    return [*steps, draw.simple(f"XA PREPARE {xid}", frees=() if draw.mariadb else holds),
            draw.simple(f"XA {end} {xid}", frees=holds), _read(draw)]
