# SPDX-License-Identifier: Apache-2.0
"""Results: many rows, several results, values of every kind, character sets, files."""
import contextlib
import datetime
import decimal
import tempfile

from suite import (CLIENT, DictCursor, SSCursor, PYMYSQL, case, connect, driver,
                   fails, numbers, numbers_table, run, same, table, value)


@case
def many_rows_at_once():
    one = connect()
    t = table(one)
    with contextlib.closing(one.cursor()) as cursor:
        cursor.executemany(f"INSERT INTO {t} (v) VALUES (%s)", [(f"row {i}",) for i in range(2000)])
        same(cursor.rowcount, 2000)
        cursor.executemany(f"UPDATE {t} SET v = %s WHERE id = %s", [("changed", i) for i in range(1, 20)])
        same(cursor.rowcount, 19)
    one.commit()
    same(value(one, f"SELECT count(*) FROM {t} WHERE v = 'changed'"), 19)


@case
def a_result_is_read_row_by_row():
    one, two = connect(), connect()
    t, size = numbers_table(one)
    with contextlib.closing(one.cursor(SSCursor)) as cursor:
        cursor.execute(f"SELECT n, pad FROM {t} ORDER BY n")
        for wanted in range(size):
            same(cursor.fetchone()[0], wanted)
            if wanted % 1000 == 0:
                same(value(two, "SELECT %s", [wanted]), wanted)
        same(cursor.fetchone(), None)
    same(value(one, "SELECT 1"), 1)


@case
def a_result_that_is_not_read_to_its_end():
    one = connect()
    t, _ = numbers_table(one)
    for _ in range(3):
        cursor = one.cursor(SSCursor)
        cursor.execute(f"SELECT n, pad FROM {t}")
        cursor.fetchmany(5)
        cursor.close()
        same(value(one, "SELECT 1"), 1)


@case
def rows_as_dictionaries():
    one = connect(cursorclass=DictCursor)
    same(run(one, "SELECT 1 AS a, 'b' AS b"), [{"a": 1, "b": "b"}])


@case
def procedures_return_results_and_parameters():
    one = connect()
    name = f"p{next(numbers)}"
    run(one, f"DROP PROCEDURE IF EXISTS {name}")
    run(one, f"CREATE PROCEDURE {name} (IN a int, OUT b int) BEGIN SELECT a; SELECT a + 1, 'x'; SET b = a * 2; END")
    for number in range(3):
        cursor = one.cursor()
        cursor.callproc(name, (number, 0))
        same(list(cursor.fetchall()), [(number,)])
        same(bool(cursor.nextset()), True)
        same(list(cursor.fetchall()), [(number + 1, "x")])
        while cursor.nextset():
            pass
        cursor.execute(f"SELECT @_{name}_1")
        same(cursor.fetchone()[0], number * 2)
        cursor.close()


@case
def several_statements_in_one():
    one = connect(client_flag=CLIENT.MULTI_STATEMENTS)
    t = table(one)
    with contextlib.closing(one.cursor()) as cursor:
        cursor.execute(f"INSERT INTO {t} (v) VALUES ('a'); SELECT v FROM {t}; UPDATE {t} SET v = 'b'; SELECT v FROM {t}")
        got = [(cursor.rowcount, list(cursor.fetchall()) if cursor.description else None)]
        while cursor.nextset():
            got.append((cursor.rowcount, list(cursor.fetchall()) if cursor.description else None))
    same(got[:4], [(1, None), (1, [("a",)]), (1, None), (1, [("b",)])])
    one.commit()


@case
def several_statements_are_refused_unless_asked_for():
    one = connect()
    if not PYMYSQL:
        one.set_server_option(1)  # it asks for them by itself
    fails(1064, run, one, "SELECT 1; SELECT 2")
    same(value(one, "SELECT 3"), 3)


@case
def an_error_in_the_middle_of_several_statements():
    one = connect(client_flag=CLIENT.MULTI_STATEMENTS)
    t = table(one)
    with contextlib.closing(one.cursor()) as cursor:
        cursor.execute(f"INSERT INTO {t} (v) VALUES ('a'); SELECT * FROM nowhere; INSERT INTO {t} (v) VALUES ('b')")
        fails(1146, cursor.nextset)
    same(value(one, f"SELECT count(*) FROM {t}"), 1)
    one.rollback()


@case
def affected_rows_are_changed_or_found_as_the_client_asked():
    changed, found = connect(client_flag=0), connect(client_flag=CLIENT.FOUND_ROWS)
    t = table(changed)
    run(changed, f"INSERT INTO {t} VALUES (1, 'same')")
    changed.commit()
    for _ in range(4):
        same(run(changed, f"UPDATE {t} SET v = 'same'"), 0)
        changed.commit()
        same(run(found, f"UPDATE {t} SET v = 'same'"), 1)
        found.commit()


@case
def values_of_every_kind():
    one = connect()
    t = table(one, "d decimal(20,5), f double, dt datetime(6), da date, ti time, b varbinary(20), u bigint unsigned,"
                   " i tinyint, n int, j json, bi bit(9), y year, e enum('x','y')")
    row = (decimal.Decimal("12345678901234.56789"), 1.5, datetime.datetime(2026, 1, 2, 3, 4, 5, 678901),
           datetime.date(1999, 12, 31), datetime.timedelta(hours=120, minutes=3), b"\x00\xff'\\\x1a", 2**64 - 1, -128, None,
           '{"a": [1, 2]}', 2026, "y")
    run(one, f"INSERT INTO {t} (d,f,dt,da,ti,b,u,i,n,j,y,e,bi) VALUES ({','.join(['%s'] * 12)}, b'100000001')", row)
    got = run(one, f"SELECT d,f,dt,da,ti,b,u,i,n,j,y,e,bi FROM {t}")[0]
    for kind, got_value, wanted in zip("d f dt da ti b u i n".split(), got, row):
        same((kind, got_value), (kind, wanted))
    text = got[9].decode() if isinstance(got[9], bytes) else got[9]
    same((text, got[10], got[11], bytes(got[12])), ('{"a": [1, 2]}', 2026, "y", b"\x01\x01"))


@case
def texts_in_other_character_sets():
    text = "Ünïcödé €"
    for charset, sample in (("utf8mb4", "日本 🎉 " + text), ("latin1", "Grüße"), ("utf8", text)):
        one = connect(charset=charset)
        t = table(one)
        run(one, f"INSERT INTO {t} (v) VALUES (%s)", [sample])
        one.commit()
        for _ in range(3):
            same(value(one, f"SELECT v FROM {t}"), sample)
            same(value(one, f"SELECT hex(v) FROM {t}"), sample.encode().hex().upper())
            one.commit()


@case
def set_character_set_while_connected():
    one = connect()
    one.set_charset("latin1") if PYMYSQL else one.set_character_set("latin1")
    for _ in range(3):
        same(run(one, "SELECT @@character_set_client, @@character_set_results, 'ü'"), [("latin1", "latin1", "ü")])
        one.commit()


@case
def large_values_in_several_packets():
    one = connect()
    t = table(one, "id int PRIMARY KEY, v longblob")
    blob = bytes(range(32, 256)) * 80000  # over 17 MB
    run(one, f"INSERT INTO {t} VALUES (1, %s)" if PYMYSQL else f"INSERT INTO {t} VALUES (1, _binary %s)", [blob])
    same(bytes(value(one, f"SELECT v FROM {t}")) == blob, True)
    one.commit()
    same(value(one, f"SELECT length(v) FROM {t}"), len(blob))


@case
def a_local_file_is_loaded():
    one = connect(local_infile=True)
    t = table(one, "a int, b text")
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{i}\tline {i}\n" for i in range(5000))
        file.flush()
        same(run(one, f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE {t}"), 5000)
        same(value(one, f"SELECT count(*) FROM {t} WHERE b = concat('line ', a)"), 5000)
        one.rollback()
        same(value(one, f"SELECT count(*) FROM {t}"), 0)


@case
def a_local_file_that_is_not_there():
    one = connect(local_infile=True)
    t = table(one, "a int, b text")
    try:
        run(one, f"LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE {t}")
        raise AssertionError("no error")
    except (driver.Error, OSError):
        pass
    if not PYMYSQL:
        same(value(one, "SELECT 1"), 1)


@case
def local_files_are_refused_where_the_client_did_not_offer_them():
    one = connect() if PYMYSQL else connect(local_infile=0)
    t = table(one, "a int, b text")
    try:
        run(one, f"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE {t}")
        raise AssertionError("no error")
    except (driver.Error, RuntimeError):
        pass
