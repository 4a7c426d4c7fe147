# SPDX-License-Identifier: Apache-2.0
"""Twin of clients.py for MySQL and MariaDB: every program runs directly against the server and through leasehold, in
transaction mode on a pool of three backends that three other sessions keep busy, on both servers.

    from mysql_clients import sides                  # fixture; runs the test on MariaDB and on MySQL 9.7

    def test_a_program(sides):
        direct, through = (outcomes(run([...], env=each.environment())) for each in sides)

A program reads CLIENT_HOST, CLIENT_PORT, CLIENT_USER, CLIENT_PASSWORD, CLIENT_DATABASE (`shop`; `annex` is there too),
CLIENT_SERVER (mariadb or mysql) and CLIENT_SIDE (direct or leasehold).
"""
import contextlib
import dataclasses
import os

import pymysql
import pytest

from clients import PASSWORD, POOL, USER, Side, busy

DATABASE = "shop"


@dataclasses.dataclass(frozen=True)
class MySQLSide(Side):
    """`server` is a MariaDB or a MySQL97."""

    @property
    def kind(self):
        return "mariadb" if "mariadb" in self.server.version.lower() else "mysql"

    def url(self, scheme="mysql", **query):
        return super().url(scheme, **query)

    def environment(self, **more):
        return {**os.environ, "CLIENT_HOST": self.host, "CLIENT_PORT": str(self.port), "CLIENT_USER": self.user,
                "CLIENT_PASSWORD": self.password, "CLIENT_DATABASE": self.database, "CLIENT_SERVER": self.kind,
                "CLIENT_SIDE": self.name, **more}


def fresh_databases(server, database=DATABASE):
    """The database and `annex`, empty; what `busy` works on is out of the clients' sight."""
    for name in (database, "annex", "elsewhere"):
        server.query(f"DROP DATABASE IF EXISTS `{name}`")
        server.create_database(name, owner=USER)
    server.query("CREATE TABLE elsewhere.busy (id int PRIMARY KEY, n int) ENGINE=InnoDB")
    server.query("INSERT INTO elsewhere.busy VALUES (0,0), (1,0), (2,0), (3,0), (4,0)")
    server.query("SET GLOBAL max_allowed_packet = 67108864")  # MariaDB's own is smaller than one packet of the protocol
    server.query("SET GLOBAL log_bin_trust_function_creators = 1")


def direct_side(server, database=DATABASE):
    fresh_databases(server, database)
    return MySQLSide("direct", server.port, server, database=database)


@contextlib.contextmanager
def leasehold_side(server, leasehold, database=DATABASE, pause=0.005, **pool):
    """A daemon with three busy sessions; `leasehold` is the factory of the fixture, `pool` further keys of the pool. Who logs
    in again may go to `annex`."""
    fresh_databases(server, database)
    pools = {name: {"url": server.url(name, USER, PASSWORD), **POOL, **pool} for name in (database, "annex")}
    daemon = leasehold(pools=pools, start=False)
    daemon.config["listen"][-1]["default_pool"] = database
    daemon.write_config()
    daemon.start()
    with busy(lambda: daemon.connect_mysql(database, USER, PASSWORD), table="elsewhere.busy", pause=pause):
        yield MySQLSide("leasehold", daemon.mysql_port, server, daemon, database=database)


@pytest.fixture
def sides(mysql_server, leasehold):
    """Yields both sides, one after the other, each with fresh databases when its turn comes."""
    def both():
        yield direct_side(mysql_server)
        with leasehold_side(mysql_server, leasehold) as through:
            yield through

    return both()


@pytest.fixture
def through(mysql_server, leasehold):
    """The side of leasehold alone."""
    with leasehold_side(mysql_server, leasehold) as side:
        yield side


def connect(side, **options):
    """A PyMySQL connection to that side."""
    return pymysql.connect(**{"host": side.host, "port": side.port, "user": side.user, "password": side.password,
                              "database": side.database, **options})
