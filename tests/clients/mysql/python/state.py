# SPDX-License-Identifier: Apache-2.0
"""The state of a session: settings, variables, temporary tables, locks, counts."""
from suite import case, connect, fails, run, same, table, value


@case
def settings_of_each_connection_are_its_own():
    connections = [connect(autocommit=True) for _ in range(4)]
    for number, each in enumerate(connections):
        run(each, f"SET time_zone = '+0{number}:00', sql_mode = 'ANSI_QUOTES', group_concat_max_len = {1000 + number}")
        run(each, f"SET SESSION wait_timeout = {2000 + number}")
    for _ in range(3):
        for number, each in enumerate(connections):
            same(run(each, "SELECT @@time_zone, @@group_concat_max_len, @@wait_timeout, @@sql_mode LIKE '%%ANSI_QUOTES%%'"),
                 [(f"+0{number}:00", 1000 + number, 2000 + number, 1)])


@case
def an_initial_command_is_run():
    one = connect(init_command="SET SESSION group_concat_max_len = 4321", autocommit=True)
    for _ in range(3):
        same(value(one, "SELECT @@group_concat_max_len"), 4321)


@case
def the_current_database_is_changed():
    one, two = connect(autocommit=True), connect(autocommit=True)
    one.select_db("annex")
    run(two, "USE annex")
    run(two, "USE shop")
    for _ in range(3):
        same((value(one, "SELECT database()"), value(two, "SELECT database()")), ("annex", "shop"))
    same(value(one, "SELECT database()"), "annex")


@case
def user_variables_are_kept():
    one, two = connect(autocommit=True), connect(autocommit=True)
    run(one, "SET @x = 5, @y = 'text'")
    run(two, "SET @x = 6")
    for _ in range(3):
        same((run(one, "SELECT @x, @y"), run(two, "SELECT @x, @y")), ([(5, "text")], [(6, None)]))
    run(one, "SELECT @x := @x + 1")
    same(value(one, "SELECT @x"), 6)


@case
def temporary_tables_are_kept():
    one, two = connect(autocommit=True), connect(autocommit=True)
    run(one, "CREATE TEMPORARY TABLE mine (a int)")
    run(one, "INSERT INTO mine VALUES (1), (2)")
    fails(1146, run, two, "SELECT * FROM mine")
    same(value(one, "SELECT count(*) FROM mine"), 2)
    run(one, "DROP TEMPORARY TABLE mine")


@case
def named_locks_keep_others_out():
    one, two = connect(autocommit=True), connect(autocommit=True)
    same(value(one, "SELECT get_lock('turn', 1)"), 1)
    same(value(two, "SELECT get_lock('turn', 0)"), 0)
    same(value(one, "SELECT release_lock('turn')"), 1)
    same(value(two, "SELECT get_lock('turn', 1)"), 1)
    same(value(two, "SELECT release_lock('turn')"), 1)


@case
def locked_tables_stay_locked():
    one, two = connect(autocommit=True), connect(autocommit=True)
    t = table(one)
    run(one, f"LOCK TABLES {t} WRITE")
    run(one, f"INSERT INTO {t} (v) VALUES ('x')")
    run(two, "SET lock_wait_timeout = 1")
    fails(1205, run, two, f"SELECT * FROM {t}")
    run(one, "UNLOCK TABLES")
    same(value(two, f"SELECT count(*) FROM {t}"), 1)


@case
def statements_prepared_in_sql():
    one = connect(autocommit=True)
    run(one, "PREPARE s FROM 'SELECT ? + 1'")
    run(one, "SET @a = 41")
    for _ in range(3):
        same(value(one, "EXECUTE s USING @a"), 42)
    run(one, "DEALLOCATE PREPARE s")
    fails(1243, run, one, "EXECUTE s USING @a")


@case
def last_insert_id_is_remembered():
    one, two = connect(autocommit=True), connect(autocommit=True)
    t = table(one)
    for number in range(1, 6):
        run(one, f"INSERT INTO {t} (v) VALUES ('x')")
        same(value(two, "SELECT last_insert_id()"), 0)
        same(value(one, "SELECT last_insert_id()"), number)


@case
def row_counts_within_a_transaction():
    one = connect()
    t = table(one)
    run(one, f"INSERT INTO {t} (v) VALUES ('x'), ('y')")
    run(one, f"UPDATE {t} SET v = 'z'")
    same(value(one, "SELECT row_count()"), 2)
    run(one, f"SELECT SQL_CALC_FOUND_ROWS * FROM {t} LIMIT 1")
    same(value(one, "SELECT found_rows()"), 2)
    one.rollback()


@case
def row_counts_outside_a_transaction():
    one = connect(autocommit=True)
    t = table(one)
    run(one, f"INSERT INTO {t} (v) VALUES ('x'), ('y')")
    for i in range(5):
        run(one, f"UPDATE {t} SET v = 'z{i}'")
        same(value(one, "SELECT row_count()"), 2)


@case
def warnings_within_a_transaction():
    one = connect()
    t = table(one, "a tinyint")
    run(one, "SET sql_mode = ''")
    run(one, f"INSERT INTO {t} VALUES (1000)")
    got = run(one, "SHOW WARNINGS")
    same((len(got), got[0][1]), (1, 1264))
    one.rollback()


@case
def warnings_outside_a_transaction():
    one = connect(autocommit=True)
    t = table(one, "a tinyint")
    run(one, "SET sql_mode = ''")
    for _ in range(5):
        run(one, f"INSERT INTO {t} VALUES (1000)")
        same([row[1] for row in run(one, "SHOW WARNINGS")], [1264])
