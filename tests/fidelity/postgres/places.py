# SPDX-License-Identifier: Apache-2.0
"""Where programs are played: directly before a server, through leasehold, through pgbouncer. Each run has a database of
its own, made anew of one template; what a session left is gone before the next step is sent."""
import contextlib
import itertools
import os
import pathlib
import shutil

import psycopg2
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER, ROOT, Leasehold
from postgres.session import Names, Session
from processes import LOOPBACK, end_process, free_port, spawn, temp_dir, wait_until
from servers import Postgres, ServerFailed
from sid import PostgreSQL18

USER, PASSWORD = "app", "secret"
TEMPLATE = "fidelity"
WORLD = pathlib.Path(__file__).parent / "world.sql"
_numbers = itertools.count(1)


class Place:
    """A database of its own, and how it is reached."""

    def __init__(self, target):
        self.target = target
        self.database = f"{TEMPLATE}_{next(_numbers)}"
        self.names = Names()
        target.server.observer.execute(f"CREATE DATABASE {self.database} TEMPLATE {TEMPLATE}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.target.server.observer.execute(f"DROP DATABASE {self.database} WITH (FORCE)")

    def open(self, start):
        return Session(self.target.port, USER, self.database, PASSWORD, start, self.names)

    def gone(self, session):
        wait_until(lambda: self.target.forgot(session, self.database), 30, f"the end of {session.address}", 0.005)


@contextlib.contextmanager
def in_memory():
    """Folders made meanwhile are in memory where there is room: a database is made 25 times as fast there."""
    before, shared = os.environ.get("LEASEHOLD_TMP"), "/dev/shm"
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 30:
        os.environ["LEASEHOLD_TMP"] = shared
    try:
        yield
    finally:
        os.environ.pop("LEASEHOLD_TMP", None)
        if before:
            os.environ["LEASEHOLD_TMP"] = before


class Server:
    """The one PostgreSQL that all of them stand before. `observer`: a superuser's cursor."""

    def __init__(self, server="postgres15"):
        with in_memory():
            self.postgres = {"postgres15": Postgres, "postgres18": PostgreSQL18}[server](
                max_connections=200, settings={"autovacuum": "off", "jit": "off", "max_wal_size": "96MB"})
        self.observer = self.postgres.connect().cursor()
        self.observer.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        for name in ("a.b", "app.user_id"):  # a setting that nobody declared cannot be forgotten again: '' is not NULL
            self.observer.execute(f"ALTER ROLE {USER} SET {name} = 'declared'")
        for role in ("reader", "writer"):
            self.observer.execute(f"CREATE ROLE {role}")
        self.observer.execute(f"CREATE DATABASE {TEMPLATE} OWNER {USER}")
        with contextlib.closing(self.postgres.connect(TEMPLATE, user=USER)) as connection:
            connection.cursor().execute(WORLD.read_text())
        self.port = self.postgres.port

    def url(self, user, password):
        return self.postgres.url("unused", user, password)

    def values(self, sql, *args):
        self.observer.execute(sql, args)
        return self.observer.fetchall()

    def close(self):
        self.observer.connection.close()
        self.postgres.close()


class Direct:
    """Dedicated connections."""
    name = "directly"

    def __init__(self, server):
        self.server, self.port = server, server.port

    def fresh(self):
        return Place(self)

    def forgot(self, session, _database):
        return not self.server.values("SELECT 1 FROM pg_stat_activity WHERE pid = %s", session.pid)

    def close(self):
        pass


def switched():
    """The daemon that has switches: LEASEHOLD_SWITCHED, or what was built beside LEASEHOLD_BIN."""
    built = os.environ.get("LEASEHOLD_BIN") or ROOT / "build/release/bin/leasehold"
    path = pathlib.Path(os.environ.get("LEASEHOLD_SWITCHED") or pathlib.Path(built).with_name("leasehold_switched"))
    if not os.access(path, os.X_OK):
        raise ServerFailed(f"{path} is not there: build it, or set LEASEHOLD_SWITCHED")
    return str(path.resolve())


class ThroughLeasehold(Direct):
    """A pool for each database, by the template '*'. `switches`: names of tests/fidelity/switches.hpp, for a program that
    has them (leasehold_switched)."""
    name = "leasehold"

    def __init__(self, server, two=False, switches=("move",), **keys):
        super().__init__(server)
        pool = {"url": server.url(USER, PASSWORD), "pool_size": 2, "max_overflow": 0 if two else 6, "pool_timeout": 4, **keys}
        pool["idle_timeout"] = 5
        pool["audit"] = "all"
        self.daemon = Leasehold(pools={"*": pool}, workers=1, binary=switched(), limits={"max_template_pools": 100000},
                                environment={"LEASEHOLD_SWITCHES": ",".join(switches)})
        self.port = self.daemon.mysql_port or self.daemon.port
        self.console = psycopg2.connect(host=LOOPBACK, port=self.daemon.port, dbname="leasehold", user=CONSOLE_USER,
                                        password=CONSOLE_PASSWORD)
        self.console.autocommit = True

    def show(self, table):
        with self.console.cursor() as cursor:
            cursor.execute(f"SHOW {table}")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def forgot(self, session, database):
        """Its session is gone, and the backend that it may have held has been made clean."""
        if any(row["port"] == session.address[1] for row in self.show("CLIENTS")):
            return False
        return all(row["state"] in ("idle", "active") for row in self.show("SERVERS") if row["database"] == database)

    def close(self):
        self.console.close()
        self.daemon.close()


class ThroughPgbouncer(Direct):
    """Debian's pgbouncer in transaction mode: what a pooler without these promises does."""
    name = "pgbouncer"

    def __init__(self, server, **_):
        super().__init__(server)
        self.port = free_port()
        folder = pathlib.Path(temp_dir("lh-pgb-"))
        (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={LOOPBACK} port={server.port}\n[pgbouncer]\nlisten_addr = {LOOPBACK}\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {folder}/users\n"
            "pool_mode = transaction\ndefault_pool_size = 8\nmax_client_conn = 100\nquery_wait_timeout = 2\n"
            "ignore_startup_parameters = extra_float_digits,options,search_path,work_mem\n")
        for path in folder.iterdir():
            os.chmod(path, 0o644)
        self.process = spawn(["/usr/sbin/pgbouncer", folder / "pgbouncer.ini"], folder / "log", user="postgres")
        wait_until(self._answers, 20, "pgbouncer", 0.05)

    def _answers(self):
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(host=LOOPBACK, port=self.port, dbname="postgres", user=USER, password=PASSWORD).close()
            return True
        return False

    def forgot(self, session, database):
        """It closes a backend whose client left in a transaction."""
        return not self.server.values("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND state LIKE 'active%%'", database)

    def close(self):
        end_process(self.process)


TARGETS = {"leasehold": ThroughLeasehold, "pgbouncer": ThroughPgbouncer}
