# SPDX-License-Identifier: Apache-2.0
"""What the tests of a daemon's end share: a daemon in front of both databases, its signal, its exit code, and what its
clients are told."""
import os
import signal

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from servers import wait_until

SHUTDOWN = 1053


@pytest.fixture
def mysql():
    """Whose session a test is about: False, or the fixture of a MySQL server. `both_databases` gives all three."""
    return False


@pytest.fixture
def shop_server(request, mysql):
    return request.getfixturevalue(mysql or "mariadb")


@pytest.fixture
def both(leasehold, postgres, shop_server):
    """A daemon in front of both databases; further words are keys of the pools, and drain_timeout."""
    def start(drain_timeout="20s", pool_size=3, sections=None, **keys):
        pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": "20s", **keys}
        return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **pool},
                                "shop": {"url": shop_server.url("shop", USER, PASSWORD), **pool}},
                         drain_timeout=drain_timeout, **(sections or {}))
    return start


@pytest.fixture
def table(postgres, shop_server):
    """A fresh table t in both databases; table.rows(mysql) counts what was committed."""
    class Table:
        def rows(self, mysql):
            return shop_server.value("SELECT count(*) FROM shop.t") if mysql else \
                postgres.value("SELECT count(*) FROM t", database="orders")
    shop_server.query("CREATE TABLE shop.t (a int) ENGINE=InnoDB")
    postgres.query("CREATE TABLE t (a int)", database="orders")
    postgres.query(f"GRANT ALL ON t TO {USER}", database="orders")
    yield Table()
    shop_server.query("DROP TABLE shop.t")
    postgres.query("DROP TABLE t", database="orders")


def login(daemon, mysql):
    if mysql:
        return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=40)
    return pgwire.connect(daemon.port, USER, "orders", PASSWORD, timeout=40)


def run(session, sql):
    """Runs it; what fails is raised by both."""
    return session.query(sql) if isinstance(session, mywire.Connection) else session.ok(sql)


def terminate(daemon):
    os.kill(daemon.pid, signal.SIGTERM)
    wait_until(lambda: "event=draining" in daemon.log_text(), 10, "the drain")


def ends(daemon, within=10):
    """The exit code; the daemon must have ended by then."""
    return daemon.process.wait(within)


def last_words(session):
    """What the peer said before it closed: PostgreSQL's SQLSTATE, MySQL's number, None for a plain FIN."""
    if isinstance(session, mywire.Connection):
        try:
            packet = session.read()
        except mywire.Closed:
            return None
        assert packet[0] == 0xFF, packet
        assert session.closed_by_peer()
        return mywire.ServerError(packet).code
    reply = session.reply()
    assert reply.status is None, reply
    return reply.sqlstate


def farewell(mysql, answered=False):
    return (SHUTDOWN if answered else None) if mysql else "57P01"


both_databases = pytest.mark.parametrize("mysql", [False, "mariadb", "mysql97"], ids=["postgresql", "mariadb", "mysql97"])
