# SPDX-License-Identifier: Apache-2.0
"""What applications do with PyMySQL and mysqlclient (MySQLdb), which share an interface: `cases.py pymysql|MySQLdb [NAME...]`
has the cases of transactions, results, state and connections; this is what they share."""
import contextlib
import importlib
import os
import sys

driver = importlib.import_module(sys.argv[1])
PYMYSQL = sys.argv[1] == "pymysql"
if PYMYSQL:
    from pymysql.constants import CLIENT
    from pymysql.cursors import DictCursor, SSCursor
else:
    from MySQLdb.constants import CLIENT
    from MySQLdb.cursors import DictCursor, SSCursor
MARIADB = os.environ["CLIENT_SERVER"] == "mariadb"
PLACE = dict(host=os.environ["CLIENT_HOST"], port=int(os.environ["CLIENT_PORT"]), user=os.environ["CLIENT_USER"],
             password=os.environ["CLIENT_PASSWORD"], database=os.environ["CLIENT_DATABASE"])
CASES, opened, numbers = {}, [], iter(range(1, 10000))


def case(function):
    CASES[function.__name__.replace("_", " ")] = function
    return function


def connect(**options):
    opened.append(driver.connect(**{**PLACE, "charset": "utf8mb4", **options}))
    return opened[-1]


def run(connection, sql, args=None):
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(sql, args)
        return list(cursor.fetchall()) if cursor.description else cursor.rowcount


def value(connection, sql, args=None):
    return run(connection, sql, args)[0][0]


def table(connection, columns="id int PRIMARY KEY AUTO_INCREMENT, v varchar(200)"):
    name = f"t{next(numbers)}"
    run(connection, f"DROP TABLE IF EXISTS {name}")
    run(connection, f"CREATE TABLE {name} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")
    return name


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def fails(code, function, *args):
    try:
        function(*args)
    except driver.Error as error:
        same(error.args[0], code)
        return error
    raise AssertionError(f"no error {code}")


def numbers_table(connection, count=4096):
    t = table(connection, "n int PRIMARY KEY, pad varchar(300)")
    run(connection, f"INSERT INTO {t} VALUES (0, repeat('x', 250))")
    size = 1
    while size < count:
        run(connection, f"INSERT INTO {t} SELECT n + {size}, pad FROM {t}")
        size *= 2
    connection.commit()
    return t, size
