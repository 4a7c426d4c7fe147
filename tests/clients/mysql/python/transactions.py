# SPDX-License-Identifier: Apache-2.0
"""Transactions: commits, errors, deadlocks, two phases."""
import contextlib
import threading

from suite import MARIADB, case, connect, driver, fails, opened, run, same, table, value


@case
def commits_and_rolls_back():
    one = connect()
    t = table(one)
    with contextlib.closing(one.cursor()) as cursor:
        cursor.execute(f"INSERT INTO {t} (v) VALUES (%s)", ["kept"])
        same((cursor.lastrowid, cursor.rowcount), (1, 1))
    one.commit()
    run(one, f"INSERT INTO {t} (v) VALUES ('undone')")
    one.rollback()
    same(value(one, f"SELECT group_concat(v) FROM {t}"), "kept")


@case
def uncommitted_rows_are_unseen_by_others():
    one, two = connect(), connect()
    t = table(one)
    run(one, f"INSERT INTO {t} (v) VALUES ('x')")
    same(value(two, f"SELECT count(*) FROM {t}"), 0)
    two.commit()
    one.commit()
    same(value(two, f"SELECT count(*) FROM {t}"), 1)


@case
def autocommit_is_switched_on_and_off():
    one, two = connect(), connect(autocommit=True)
    t = table(one)
    one.autocommit(True)
    for _ in range(3):
        run(one, f"INSERT INTO {t} (v) VALUES ('x')")
    same(value(two, f"SELECT count(*) FROM {t}"), 3)
    one.autocommit(False)
    run(one, f"INSERT INTO {t} (v) VALUES ('y')")
    same(value(two, f"SELECT count(*) FROM {t}"), 3)
    one.rollback()
    same(value(two, f"SELECT count(*) FROM {t}"), 3)


@case
def errors_do_not_end_the_transaction():
    one = connect()
    t = table(one)
    run(one, f"INSERT INTO {t} VALUES (1, 'a')")
    fails(1062, run, one, f"INSERT INTO {t} VALUES (1, 'b')")
    fails(1146, run, one, "SELECT * FROM nowhere")
    fails(1064, run, one, "SELEC 1")
    run(one, f"INSERT INTO {t} VALUES (2, 'c')")
    one.commit()
    same(value(one, f"SELECT count(*) FROM {t}"), 2)


@case
def savepoints_are_kept_apart():
    one = connect()
    t = table(one)
    run(one, f"INSERT INTO {t} (v) VALUES ('a')")
    run(one, "SAVEPOINT s1")
    run(one, f"INSERT INTO {t} (v) VALUES ('b')")
    run(one, "ROLLBACK TO SAVEPOINT s1")
    run(one, "RELEASE SAVEPOINT s1")
    one.commit()
    same(value(one, f"SELECT group_concat(v) FROM {t}"), "a")
    fails(1305, run, one, "ROLLBACK TO SAVEPOINT s1")


@case
def a_deadlock_ends_one_of_two_transactions():
    one, two = connect(), connect()
    t = table(one)
    run(one, f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
    one.commit()
    codes = []

    def cross(connection, first, second, barrier=threading.Barrier(2)):
        run(connection, f"UPDATE {t} SET v = concat(v, 'x') WHERE id = {first}")
        barrier.wait(10)
        try:
            run(connection, f"UPDATE {t} SET v = concat(v, 'y') WHERE id = {second}")
            connection.commit()
        except driver.Error as error:
            codes.append(error.args[0])
            same(value(connection, "SELECT 1"), 1)
            connection.rollback()

    threads = [threading.Thread(target=cross, args=args) for args in ((one, 1, 2), (two, 2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(codes, [1213])
    one.rollback()
    same(value(one, f"SELECT group_concat(v ORDER BY id) FROM {t}") in ("axx,byy", "ay,bx", "ax,by", "axy,bxy"), True)


@case
def a_lock_wait_ends_in_1205_and_the_transaction_goes_on():
    one, two = connect(), connect()
    t = table(one)
    run(one, f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
    one.commit()
    run(two, "SET innodb_lock_wait_timeout = 1")
    run(two, f"UPDATE {t} SET v = 'two' WHERE id = 2")
    run(one, f"UPDATE {t} SET v = 'one' WHERE id = 1")
    fails(1205, run, two, f"UPDATE {t} SET v = 'two' WHERE id = 1")
    two.commit()
    one.commit()
    same(run(one, f"SELECT v FROM {t} ORDER BY id"), [("one",), ("two",)])


@case
def isolation_levels_and_read_only_transactions():
    one = connect()
    t = table(one)
    run(one, "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    name = "@@tx_isolation" if MARIADB else "@@transaction_isolation"
    for _ in range(4):
        same(value(one, f"SELECT {name}"), "SERIALIZABLE")
        one.commit()
    run(one, "START TRANSACTION READ ONLY")
    fails(1792, run, one, f"INSERT INTO {t} (v) VALUES ('x')")
    one.rollback()
    run(one, "SET TRANSACTION READ ONLY")
    run(one, "START TRANSACTION")
    fails(1792, run, one, f"INSERT INTO {t} (v) VALUES ('x')")
    one.rollback()
    run(one, f"INSERT INTO {t} (v) VALUES ('x')")
    one.commit()


@case
def a_schema_change_commits():
    one = connect()
    t = table(one)
    run(one, f"INSERT INTO {t} (v) VALUES ('x')")
    run(one, f"ALTER TABLE {t} ADD COLUMN w int")
    one.rollback()
    same(run(one, f"SELECT v, w FROM {t}"), [("x", None)])


@case
def a_transaction_in_two_phases():
    one = connect(autocommit=True)
    t = table(one)
    for end, count in (("ROLLBACK", 0), ("COMMIT", 1)):
        run(one, f"XA START '{t}'")
        run(one, f"INSERT INTO {t} (v) VALUES ('x')")
        run(one, f"XA END '{t}'")
        run(one, f"XA PREPARE '{t}'")
        run(one, f"XA {end} '{t}'")
        same(value(one, f"SELECT count(*) FROM {t}"), count)


@case
def closing_rolls_back():
    one, two = connect(), connect(autocommit=True)
    t = table(two)
    run(one, f"INSERT INTO {t} VALUES (1, 'x')")
    opened.remove(one)
    one.close()
    run(two, "SET innodb_lock_wait_timeout = 5")
    same(run(two, f"INSERT INTO {t} VALUES (1, 'y')"), 1)
