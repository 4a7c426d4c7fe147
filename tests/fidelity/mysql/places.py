# SPDX-License-Identifier: Apache-2.0
"""Where programs are played: directly before a server, and through leasehold. Each run has two databases of its own, made
anew; what a session left is gone before the next step is sent."""
import contextlib
import itertools
import pathlib

import pymysql
from mysql.session import Session
from postgres.places import Direct as _Direct
from postgres.places import ThroughLeasehold as _Through
from postgres.places import in_memory
from processes import wait_until
from servers import MariaDB
from sid import MySQL97

USER, PASSWORD = "app", "secret"
ROLES = ("reader", "writer")
WORLD = pathlib.Path(__file__).parent / "world.sql"
SETTINGS = {"innodb-lock-wait-timeout": 2, "lock-wait-timeout": 3, "max-allowed-packet": "64M",
            "max-prepared-stmt-count": 4000,
            "local-infile": "ON", "event-scheduler": "OFF"}
_numbers = itertools.count(1)


class Place:
    """Two databases of its own, main_N and next_N, and how they are reached."""

    def __init__(self, target):
        self.target, self.server = target, target.server
        self.number = next(_numbers)
        self.database = f"main_{self.number:04}"
        self.server.build(self.number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.clear(self.number)

    def open(self, start):
        return Session(self.target.port, USER, PASSWORD, self.number, start)

    def gone(self, session):
        wait_until(lambda: self.target.forgot(session, self.database), 30, f"the end of {session.address}", 0.005)


class Server:
    """The one that all of them stand before. `observer`: a superuser's cursor."""

    def __init__(self, flavour):
        with in_memory():
            self.server = (MariaDB if flavour == "mariadb" else MySQL97)(max_connections=200, settings=SETTINGS)
        self.flavour, self.port = flavour, self.server.port
        self.connection = self.server.connect(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
        self.observer = self.connection.cursor()
        self.server.create_user(USER, PASSWORD)
        self.execute(f"GRANT ALL ON *.* TO `{USER}`@`%`")
        self.execute("CREATE DATABASE unused")  # of the template's URL: for leasehold's greeting a server is asked there
        for role in ROLES:
            self.execute(f"CREATE ROLE {role}")
            self.execute(f"GRANT SELECT ON *.* TO {role}")
            self.execute(f"GRANT {role} TO `{USER}`@`%`")
        mine = f"-- {flavour}:"
        world = "".join(line.removeprefix(mine) for line in WORLD.read_text().splitlines(True)
                        if line.startswith(mine) or not line.startswith("--"))
        self.world = [part.strip() for part in world.split("//") if part.strip()]

    def url(self, user, password):
        return self.server.url("unused", user, password)

    def execute(self, sql):
        self.observer.execute(sql)
        while self.observer.nextset():
            pass

    def values(self, sql, *args):
        self.observer.execute(sql, args)
        return self.observer.fetchall()

    def build(self, number):
        self.execute("; ".join(f"CREATE DATABASE {name}_{number:04}" for name in ("main", "next")))
        self.execute("; ".join(sql.replace("_0000", f"_{number:04}") for sql in self.world))

    def clear(self, number):
        """Nobody is connected any more, and nothing of the run is left."""
        def left():
            return self.values("SELECT id FROM information_schema.processlist WHERE user = %s", USER)
        for (thread,) in left():
            with contextlib.suppress(pymysql.MySQLError):
                self.execute(f"KILL {thread}")
        wait_until(lambda: not left(), 30, "the end of a run's connections", 0.005)
        for _, size, rest, name in self.values("XA RECOVER"):
            name = name if isinstance(name, str) else name.decode()
            self.execute(f"XA ROLLBACK '{name[:size]}'" + (f", '{name[size:size + rest]}'" if rest else ""))
        self.execute("; ".join(f"DROP DATABASE IF EXISTS {name}_{number:04}" for name in ("main", "next")))

    def close(self):
        self.connection.close()
        self.server.close()


class Direct(_Direct):
    """Dedicated connections."""

    def fresh(self):
        return Place(self)

    def forgot(self, session, _database):
        return session.id is None or not self.server.values(
            "SELECT 1 FROM information_schema.processlist WHERE id = %s", session.id)


class ThroughLeasehold(_Through):
    """A pool for each run's main database, by the template '*'. Backends beyond pool_size are closed when they come back,
    with all that a session has left on them: there are few of these."""

    def __init__(self, server, two=False, **options):
        super().__init__(server, two, **({} if two else {"pool_size": 5, "max_overflow": 3}), **options)

    def fresh(self):
        return Place(self)


TARGETS = {"leasehold": ThroughLeasehold}
