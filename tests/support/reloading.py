# SPDX-License-Identifier: Apache-2.0
"""What the tests of reloads have in common: two servers, a daemon, its clients, and load that must not fail."""
import os
import re
import subprocess
import threading

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER
from processes import wait_until
from servers import Postgres, postgres_bin


@pytest.fixture(scope="module")
def second():
    """Another PostgreSQL with the same user and database; its time zone tells it apart."""
    with Postgres(settings={"timezone": "Asia/Tokyo"}) as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        yield server


@pytest.fixture
def start(leasehold, postgres):
    """start(**keys of the pool `orders`): a daemon in front of the first server."""
    def made(sections=None, **keys):
        url = postgres.url("orders", USER, PASSWORD)
        return leasehold(pools={"orders": {"url": url, "pool_size": 5, "max_overflow": 0, **keys}}, **(sections or {}))
    return made


def connect(daemon, user=USER, password=PASSWORD, database="orders", **options):
    return daemon.connect(database, user, password, autocommit=True, **options)


def value(connection, sql="SELECT inet_server_port()"):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def applied(daemon):
    daemon.write_config()
    assert daemon.reload() == []


def refusal(daemon, *arguments, **options):
    """Why a login is refused."""
    with pytest.raises(psycopg2.OperationalError) as caught:
        connect(daemon, *arguments, **options).close()
    return str(caught.value)


def enter(daemon, user=USER, password=PASSWORD, database="orders", **options):
    """A raw client: one that sees the last words which libpq keeps to itself."""
    return pgwire.Connection(daemon.port, **options).login(user, database, password)


def farewell(client):
    """How an idle raw client was sent away."""
    kind, body = client.read()
    assert kind == "E" and client.closed_by_peer()
    fields = pgwire.fields_of(body)
    assert (fields["S"], fields["C"]) == ("FATAL", "57P01")
    return fields["M"]


def used(server):
    """How many of the server's connections are the daemon's, whatever they are called."""
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND backend_type = 'client backend'"
                        " AND application_name <> 'leasehold control'", [USER])


class Load:
    """pgbench with its own small transactions, until stop(): the number of those that failed, and of all."""
    script = "BEGIN;\nSELECT count(*) FROM generate_series(1, 50);\nSELECT 1;\nCOMMIT;\n"

    def __init__(self, daemon, clients=8, seconds=60):
        path = os.path.join(daemon.folder, "load.sql")
        with open(path, "w") as file:
            file.write(self.script)
        self.process = subprocess.Popen(
            [postgres_bin("pgbench"), "-n", "-f", path, "-c", str(clients), "-j", "2", "-T", str(seconds), "-P", "1",
             "-M", "extended", daemon.url("orders", USER, PASSWORD)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.output = []
        self.thread = threading.Thread(target=lambda: self.output.extend(self.process.stdout))
        self.thread.start()

    def begun(self):
        wait_until(lambda: any("progress" in line for line in self.output), 20, "pgbench at work")
        return self

    def stop(self):
        """Says what went wrong; empty: nothing."""
        self.process.send_signal(subprocess.signal.SIGINT)
        self.process.wait(20)
        self.thread.join()
        return [line for line in self.output if re.search(r"error|abort|fatal|terminat|failed: [1-9]", line, re.I)]
