# SPDX-License-Identifier: Apache-2.0
"""Fixtures over real servers: one PostgreSQL, one MariaDB and one MySQL per file, a daemon per test. A folder's conftest.py
imports all of it."""
import os
import signal
import sys

import pgwire
import pytest
from leasehold import Leasehold
from servers import MariaDB, Postgres
from sid import MySQL97, for_tests

USER, PASSWORD = "app", "kx%jj5/g"  # a password that has to be encoded in a URL


def login(daemon, database="orders", **parameters):
    """A session of PostgreSQL's protocol, byte for byte."""
    return pgwire.connect(daemon.port, USER, database, PASSWORD, **parameters)


# A killed run still ends its servers and removes its folders.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def pytest_configure(config):
    config.addinivalue_line("markers", "promise: one short test per promise; these run under the sanitizers too")


@pytest.fixture(scope="session")
def postgres():
    """PostgreSQL with the user app and its database orders; tests make and drop their own tables in it."""
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        yield server


@pytest.fixture(scope="session")
def mariadb():
    """MariaDB with the user app and its database shop."""
    with MariaDB() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("shop", owner=USER)
        yield server


_versions = []  # of servers that are not the machine's own


def pytest_terminal_summary(terminalreporter):
    for version in _versions:
        terminalreporter.write_line(f"tested with {version}")


@pytest.fixture(scope="session")
def mysql97():
    """Oracle's MySQL of Debian sid, likewise; skipped loudly where it cannot be had."""
    with for_tests("MySQL 9.7", MySQL97) as server:
        _versions.append(f"MySQL {server.version}")
        server.create_user(USER, PASSWORD)
        server.create_database("shop", owner=USER)
        yield server


@pytest.fixture(scope="session", params=["mariadb", "mysql97"])
def mysql_server(request):
    """Each of the two, one after the other: for what holds on both."""
    return request.getfixturevalue(request.param)


def both_in_long_runs(usual):
    """A file's own mysql_server, where its minutes count: that one, and in long runs each of the two."""
    @pytest.fixture(scope="session", params=["mariadb", "mysql97"] if os.environ.get("LEASEHOLD_LONG") else [usual])
    def mysql_server(request):
        return request.getfixturevalue(request.param)
    return mysql_server


@pytest.fixture
def leasehold():
    """A factory: leasehold(pools={...}, ...) starts a daemon that ends with the test, which fails if the daemon crashed or
    a sanitizer reported anything. Its log is shown on failure."""
    daemons = []

    def start(*arguments, **options):
        daemons.append(Leasehold(*arguments, **options))
        return daemons[-1]

    yield start
    for daemon in daemons:
        print(f"--- log of leasehold on port {daemon.port}\n{daemon.log_text()[-8000:]}")
        daemon.close()
    assert not [daemon.complaint for daemon in daemons if daemon.complaint]


@pytest.fixture
def orders(leasehold, postgres):
    """A daemon with the pool `orders`: 5 backends, no overflow. Connect with daemon.connect("orders", USER, PASSWORD)."""
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 5, "max_overflow": 0}})
    daemon.database = postgres
    return daemon


@pytest.fixture
def busy(orders):
    """`orders`, and a session of it that is in a transaction."""
    session = login(orders, application_name="billing")
    session.ok("BEGIN")
    session.ok("SELECT 1")
    return orders, session


@pytest.fixture
def shop(leasehold, mysql_server):
    """A daemon with the pool `shop`, in front of MariaDB and then of MySQL: 5 backends, no overflow."""
    daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 5, "max_overflow": 0}})
    daemon.database = mysql_server
    return daemon


@pytest.fixture
def app():
    """(user, password) of the servers' application user."""
    return USER, PASSWORD
