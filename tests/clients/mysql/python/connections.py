# SPDX-License-Identifier: Apache-2.0
"""Connections: pings, kills, users, many at a time, refusals."""
import contextlib
import os
import threading

from suite import PLACE, PYMYSQL, case, connect, driver, fails, numbers_table, opened, run, same, table, value


@case
def ping_and_server_information():
    one = connect()
    one.ping(False) if PYMYSQL else one.ping()
    same(one.get_server_info().replace("5.5.5-", "").startswith(value(one, "SELECT version()").split("-")[0]), True)
    same(value(one, "SHOW VARIABLES LIKE 'max_allowed_packet'"), "max_allowed_packet")
    same(len(run(one, "SHOW TABLES FROM information_schema")) > 20, True)
    if not PYMYSQL:
        same("Threads" in one.stat(), True)


@case
def the_connections_number_is_what_the_server_says():
    one = connect(autocommit=True)
    for _ in range(3):
        same(value(one, "SELECT connection_id()"), one.thread_id())


@case
def a_statement_is_killed_by_another_connection():
    one, two = connect(), connect()
    number = one.thread_id()
    errors = []

    def kill():
        try:
            run(two, f"KILL QUERY {number}")
        except driver.Error as error:
            errors.append(error)

    killer = threading.Timer(0.5, kill)
    killer.start()
    try:
        got = value(one, "SELECT sleep(5)")  # MySQL's sleep() answers 1 when it is killed
    except driver.Error as error:
        got = error.args[0]
    killer.join()
    same((got in (1, 1317), errors), (True, []))
    same(value(one, "SELECT 1"), 1)


@case
def a_connection_is_killed_by_another():
    one, two = connect(), connect()
    run(two, f"KILL {one.thread_id()}")
    try:
        run(one, "SELECT 1")
        raise AssertionError("it lives")
    except driver.Error as error:
        same(error.args[0] in (2006, 2013, 1927, 4031), True)
        opened.remove(one)


@case
def another_user_takes_over():
    if PYMYSQL:
        return  # it has no such call
    one = connect(autocommit=True)
    run(one, "SET @x = 1")
    one.change_user(PLACE["user"], PLACE["password"], "annex")
    same(run(one, "SELECT @x, database()"), [(None, "annex")])
    fails(1045, one.change_user, PLACE["user"], "wrong", "annex")


@case
def several_statements_are_switched_on_and_off():
    if PYMYSQL:
        return
    one = connect(autocommit=True)
    for _ in range(3):
        one.set_server_option(1)
        fails(1064, run, one, "SELECT 1; SELECT 2")
        one.set_server_option(0)
        run(one, "SELECT 1; SELECT 2")


@case
def compressed():
    if PYMYSQL:
        return
    one = connect(compress=True)
    same(value(one, "SELECT repeat('x', 100000)"), "x" * 100000)
    t, size = numbers_table(one, 1000)
    same(len(run(one, f"SELECT * FROM {t}")), size)


@case
def a_read_that_takes_too_long_closes_the_connection():
    one, two = connect(read_timeout=1), connect()
    try:
        run(one, "SELECT sleep(20)")
        raise AssertionError("no error")
    except driver.Error as error:
        same(error.args[0], 2013)
    opened.remove(one)
    same(value(two, "SELECT 1"), 1)


@case
def wrong_passwords_and_unknown_databases_are_refused():
    fails(1045, lambda: connect(password="wrong"))
    fails(1045, lambda: connect(user="nobody"))
    error = fails(1049 if os.environ["CLIENT_SIDE"] == "leasehold" else 1044, lambda: connect(database="nowhere"))
    same("nowhere" in str(error), True)


@case
def twenty_connections_take_turns():
    first = connect()
    t = table(first)
    run(first, f"INSERT INTO {t} VALUES (1, '0')")
    first.commit()
    errors = []

    def work():
        try:
            with contextlib.closing(driver.connect(**PLACE)) as connection:
                for _ in range(5):
                    run(connection, f"UPDATE {t} SET v = v + 1 WHERE id = 1")
                    run(connection, "SELECT 1")
                    connection.commit()
        except Exception as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(errors, [])
    same(value(first, f"SELECT v FROM {t}"), "100")


@case
def forty_connections_open_and_close():
    for _ in range(40):
        connection = driver.connect(**PLACE)
        same(value(connection, "SELECT 1"), 1)
        connection.close()
