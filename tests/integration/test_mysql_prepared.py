# SPDX-License-Identifier: Apache-2.0
"""Binary prepared statements of MySQL and MariaDB in transaction mode: a statement is the session's, on whichever backend
it is executed."""
import contextlib
import random

import mywire
import pytest
from conftest import PASSWORD, USER
from mybinary import CURSOR_READ_ONLY, LAST_PREPARED, LongData, Statement
from servers import wait_until


@pytest.fixture
def server(mariadb):
    mysql_server = mariadb
    mysql_server.query("CREATE DATABASE IF NOT EXISTS annex")
    mysql_server.query(f"GRANT ALL ON annex.* TO `{USER}`@`%%`", [])
    for database in ("shop", "annex"):
        mysql_server.query(f"DROP TABLE IF EXISTS {database}.goods")
        mysql_server.query(f"CREATE TABLE {database}.goods (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40)) "
                           "ENGINE=InnoDB")
        mysql_server.query(f"INSERT INTO {database}.goods VALUES (1, '{database}')")
    return mysql_server


@pytest.fixture
def pooled(leasehold, server):
    """A factory of daemons with the pool `shop`; keys of the pool can be given."""
    def start(size=3, **keys):
        pool = {"url": server.url("shop", USER, PASSWORD), "pool_size": size, "max_overflow": 0, "pool_timeout": "5s"}
        return leasehold(pools={"shop": {**pool, **keys}})
    return start


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", **options)


@contextlib.contextmanager
def busy(daemon, count=1):
    """As many backends as that are in somebody else's transactions meanwhile."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            other = stack.enter_context(login(daemon))
            other.query("BEGIN")
            other.query("SELECT 1")
        yield


def backend(connection):
    return connection.value("SELECT 0 + connection_id()")


def opened(server):
    """Statements that the server holds open, of all connections."""
    return int(server.query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[0]["Value"])


def test_a_statement_is_executed_on_whichever_backend_is_free(pooled):
    daemon = pooled(size=3)
    with login(daemon) as session:
        plus, where = Statement(session, "SELECT ? + 1"), Statement(session, "SELECT 0 + connection_id()")
        seen = {where.value()}
        assert plus.value(1) == 2
        for count in (1, 2):
            with busy(daemon, count):
                assert plus.value(40 + count) == 41 + count
                seen.add(where.value())
        assert len(seen) == 3
        assert plus.value(7) == 8


def test_what_a_statement_does_is_the_sessions(pooled):
    daemon = pooled(size=3)
    with login(daemon) as session:
        add = Statement(session, "INSERT INTO goods (name) VALUES (?)")
        assert add.execute("a").insert_id == 2
        with busy(daemon):
            assert add.execute("b").insert_id == 3
            assert session.value("SELECT LAST_INSERT_ID()") == "3"
        names = Statement(session, "SELECT name FROM goods WHERE id > ? ORDER BY id")
        session.query("BEGIN")
        add.execute("c")
        assert names.execute(1).rows == [("a",), ("b",), ("c",)]
        Statement(session, "ROLLBACK").execute()
        with busy(daemon, 2):
            assert names.execute(1).rows == [("a",), ("b",)]


def test_a_text_means_what_it_meant_when_it_was_prepared(pooled):
    daemon = pooled(size=3)
    with login(daemon) as session:
        text, table = Statement(session, 'SELECT "name"'), Statement(session, "SELECT name FROM goods")
        session.query("SET sql_mode='ANSI_QUOTES'")
        session.init_db("annex")
        quoted = Statement(session, 'SELECT "name" FROM goods')
        session.query("SET sql_mode=''")
        for count in (0, 1, 2):
            with busy(daemon, count):
                assert text.value() == "name"
                assert table.value() == "shop"
                assert quoted.value() == "annex"
                assert session.value("SELECT database()") == "annex"
                assert session.value("SELECT @@sql_mode") == ""
