# SPDX-License-Identifier: Apache-2.0
"""Pools of drivers through a restart of the server: they keep their connections. SQLAlchemy's is in test_holding."""
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import PASSWORD, USER
from servers import MariaDB, Postgres

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import programs  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "pools"
JAVA = "/usr/share/java/{}.jar".format
COUNT = 4


def hikari(driver):
    jars = ":".join([JAVA("HikariCP"), JAVA("slf4j-api"), JAVA("slf4j-nop"), driver])
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jars, HERE / "Hikari.java"]


def survives(daemon, server, database, command, environment=None):
    """The program begins, the server restarts, the program goes on."""
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, **(environment or {})}) as program:
        said = program.stdout.readline()
        if said == "ready\n":
            server.restart()
        out, errors = program.communicate("go\n", timeout=120)
    assert (said, out.splitlines()) == ("ready\n", ["told 40001", f"kept {COUNT}"]), said + out + errors[-3000:]
    assert [row[0] for row in server.query("SELECT who FROM served ORDER BY who", database=database)] == list(range(3, 12))
    assert "session_lives=false" not in daemon.log_text()


@pytest.fixture(scope="module")
def postgres_world():
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        yield server


def through(leasehold, server, database, table):
    server.query(f"DROP TABLE IF EXISTS served; CREATE TABLE served ({table}); GRANT ALL ON served TO app" if database == "orders"
                 else f"CREATE TABLE served ({table}) ENGINE=InnoDB", database=database)
    return leasehold(pools={database: {"url": server.url(database, USER, PASSWORD), "pool_size": 3, "max_overflow": 0}})


def test_hikari_and_pgjdbc(leasehold, postgres_world):
    daemon = through(leasehold, postgres_world, "orders", "who int")
    url = f"jdbc:postgresql://127.0.0.1:{daemon.port}/orders"
    survives(daemon, postgres_world, "orders", [*hikari(programs.PGJDBC), url, USER, PASSWORD, COUNT])


def test_node_postgres(leasehold, postgres_world):
    daemon = through(leasehold, postgres_world, "orders", "who int")
    _, environment = programs.node()
    survives(daemon, postgres_world, "orders", ["node", HERE / "pg_pool.js", daemon.url("orders", USER, PASSWORD), COUNT], environment)


def test_hikari_and_mariadbs_connector(leasehold):
    with MariaDB() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("shop", owner=USER)
        daemon = through(leasehold, server, "shop", "who int")
        url = f"jdbc:mariadb://127.0.0.1:{daemon.mysql_port}/shop"
        survives(daemon, server, "shop", [*hikari(programs.MARIADB_JDBC), url, USER, PASSWORD, COUNT])
