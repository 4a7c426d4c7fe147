# SPDX-License-Identifier: Apache-2.0
"""Drivers of MySQL and MariaDB in seven languages: the cases of tests/clients/mysql, directly and through leasehold, each on one
of the servers, and in long runs on both."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import programs  # noqa: E402
import pytest  # noqa: E402
from mysql_clients import sides  # noqa: E402, F401

HERE = programs.SOURCES / "mysql"
# Program → (what makes its command, at least so many cases)
PROGRAMS = {
    "pymysql": (lambda: (["/usr/bin/python3", "-B", "-W", "ignore", HERE / "python/cases.py", "pymysql"], {}), 48),
    "mysqlclient": (lambda: (["/usr/bin/python3", "-B", "-W", "ignore", HERE / "python/cases.py", "MySQLdb"], {}), 48),
    "node-mysql2": (lambda: _node("mysql2"), 30),
    "node-mariadb": (lambda: _node("mariadb"), 30),
    "connector-j": (lambda: programs.java("mysql/java", programs.MARIADB_JDBC), 140),
    "php": (lambda: programs.php("mysql/php"), 35),
    "go": (lambda: programs.go("mysql/go"), 28),
    "connector-c": (lambda: programs.c("mysql/c/suite.c", "libmariadb"), 16),
}
# What depends on the backend that serves next; the table in dialects/mysql/README.md says why.
COUNTS = {"row counts outside a transaction": "counts of the statement before may be those of nothing on another backend",
          "warnings outside a transaction": "a session that moved to another backend sees no warnings of before"}
VARIES = {"pymysql": COUNTS, "mysqlclient": COUNTS}


def _node(driver):
    command, environment = programs.node(HERE / "node", "node's mysql2 and mariadb")
    return [*command, driver], environment


ALL = [(server, program) for server in ("mariadb", "mysql97") for program in PROGRAMS]
HALF = [(("mysql97", "mariadb")[number % 2], program) for number, program in enumerate(PROGRAMS)]


@pytest.mark.parametrize("mysql_server, program", ALL if os.environ.get("LEASEHOLD_LONG") else HALF, indirect=["mysql_server"])
def test_a_driver_does_through_leasehold_what_it_does_directly(sides, program):  # noqa: F811
    make, at_least = PROGRAMS[program]
    programs.compare(sides, make(), at_least, varies=VARIES.get(program, {}))
