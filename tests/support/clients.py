# SPDX-License-Identifier: Apache-2.0
"""What the client suites share: every case runs directly against the server and through leasehold, in transaction mode
on a pool that three other sessions keep busy, and what passes directly must pass through.

    from clients import server, side, sides                         # fixtures; `server` may be overridden by a file

    def test_something(side):                                       # runs twice: [direct] and [leasehold]
        psycopg.connect(side.url())

    def test_a_program(sides):                                      # a program that tells the outcome of its cases
        direct, through = (outcomes(run([...], env=each.environment())) for each in sides)
        assert_same_outcomes(direct, through, at_least=40)
"""
import contextlib
import dataclasses
import os
import re
import subprocess
import threading
import time
import urllib.parse

import pytest

import pinning
from processes import wait_until
from prometheus import scrape

USER, PASSWORD, DATABASE = "app", "kx%jj5/g", "orders"  # as in integration/conftest.py
POOL = {"pool_size": 3, "max_overflow": 0, "pool_timeout": 10}


@contextlib.contextmanager
def busy(connect, count=3, table="busy", pause=0):
    """Other sessions that run short transactions all the time, with a pause of so many seconds behind each; fails the
    test if one of them saw an error."""
    done, errors, turns = threading.Event(), [], [0] * count

    def work(number):
        try:
            connection = connect()
            with connection.cursor() as cursor:
                while not done.is_set():
                    cursor.execute(f"SELECT %s, count(*) FROM {table}", [number])
                    assert cursor.fetchone()[0] == number
                    cursor.execute(f"UPDATE {table} SET n = n + 1 WHERE id = %s", [number])
                    connection.commit()
                    turns[number] += 1
                    time.sleep(pause)
            connection.close()
        except Exception as error:  # of any driver: the test reports it
            errors.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
        wait_until(lambda: min(turns) > 0 or errors, 10, "a turn for each of the other sessions")
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    assert not errors, errors


# --- the two sides ----------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Side:
    """Where a client connects: `name` is "direct" or "leasehold", `server` the PostgreSQL behind it."""
    name: str
    port: int
    server: object
    daemon: object = None  # of leasehold
    may_pin: set = dataclasses.field(default_factory=set)  # reasons
    host: str = "127.0.0.1"
    user: str = USER
    password: str = PASSWORD
    database: str = DATABASE

    def url(self, scheme="postgresql", **query):
        tail = "?" + urllib.parse.urlencode(query) if query else ""
        return (f"{scheme}://{self.user}:{urllib.parse.quote(self.password, safe='')}@{self.host}:{self.port}"
                f"/{self.database}{tail}")

    def environment(self, **more):
        """The environment for a program: libpq's words, which most clients of other languages read too."""
        return {**os.environ, "PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user,
                "PGPASSWORD": self.password, "PGDATABASE": self.database, **more}

    def query(self, sql, args=None):
        """One statement as superuser, around leasehold; a list of tuples."""
        return self.server.query(sql, args, database=self.database)

    def assert_pins(self):
        """What the clients did was not bought by pinning."""
        made = scrape(self.daemon.http_port).series("leasehold_pool_pins_total")
        unexpected = {labels["reason"]: int(count) for labels, count in made if labels["reason"] not in self.may_pin}
        assert not unexpected, f"pinned without need: {unexpected}"


def fresh_database(server, database=DATABASE):
    """The database with an empty schema that belongs to the user, and what `busy` works on out of the clients' sight."""
    server.query("DROP SCHEMA IF EXISTS public, elsewhere CASCADE;"
                 f" CREATE SCHEMA public AUTHORIZATION {USER}; CREATE SCHEMA elsewhere AUTHORIZATION {USER};"
                 " CREATE TABLE elsewhere.busy (id int PRIMARY KEY, n int);"
                 " INSERT INTO elsewhere.busy SELECT i, 0 FROM generate_series(0, 9) i;"
                 f" GRANT ALL ON elsewhere.busy TO {USER};"
                 f" ALTER DATABASE {database} SET jit = off", database=database)  # asyncpg's look at types takes seconds


def direct_side(server, database=DATABASE):
    fresh_database(server, database)
    return Side("direct", server.port, server, database=database)


@contextlib.contextmanager
def leasehold_side(server, leasehold, database=DATABASE, pause=0, **pool):
    """A daemon with three busy sessions; `leasehold` is the factory of the fixture, `pool` further keys of the pool.
    At the end nothing has pinned but for the reasons in the side's `may_pin`."""
    fresh_database(server, database)
    daemon = leasehold(pools={database: {"url": server.url(database, USER, PASSWORD), **POOL, **pool}}, http=True)
    with busy(lambda: daemon.connect(database, USER, PASSWORD), table="elsewhere.busy", pause=pause):
        through = Side("leasehold", daemon.port, server, daemon, database=database)
        yield through
    through.assert_pins()


@pytest.fixture(scope="session")
def server(postgres):
    """The server of both sides; a file that wants another one defines a fixture of this name."""
    return postgres


@pytest.fixture(params=["direct", "leasehold"])
def side(request, server, leasehold):
    """A case that asks for it runs twice, on a database of its own making."""
    if request.param == "direct":
        yield direct_side(server)
    else:
        with leasehold_side(server, leasehold) as through:
            through.may_pin.update(pinning.TESTS.get(request.node.originalname, ()))
            yield through


@pytest.fixture
def sides(server, leasehold):
    """Yields both sides, one after the other, each with a fresh database when its turn comes."""
    def both():
        yield direct_side(server)
        with leasehold_side(server, leasehold) as through:
            yield through

    return both()


def differs(request, side, why):
    """Says at the beginning of a test that it fails through leasehold, and why; it must do so."""
    if side.name == "leasehold":
        request.applymarker(pytest.mark.xfail(strict=True, reason=why))


# --- programs that run cases of their own -----------------------------------------------------------------------------

def run(command, timeout=120, **options):
    """A program to its end; CompletedProcess with text in stdout and stderr."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=None if "input" in options else subprocess.DEVNULL, **options)


def outcomes(done):
    """Case → "" or why it failed, from a program's lines `ok NAME` and `not ok NAME: WHY`. Fails if the program did not
    come to its end, which is its last line, `done`."""
    told = {match[2]: (match[3] or "failed") if match[1] else ""
            for match in re.finditer(r"^(not )?ok ([^:\n]+)(?:: (.*))?$", done.stdout, re.MULTILINE)}
    assert done.stdout.rstrip().endswith("done"), f"not run to its end:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return told


def assert_same_outcomes(direct, through, at_least, differs=(), varies=()):
    """What passes directly passes through, at least so many cases do, and of `differs` (names of documented differences)
    each still fails: one that passes now is no difference any more. Of `varies` it depends on the backend that serves
    next whether they pass."""
    passed = [name for name, why in direct.items() if not why]
    print(f"{len(passed)} of {len(direct)} pass directly, {sum(not why for why in through.values())} through leasehold")
    lost = {name: through.get(name, "not run") for name in passed if through.get(name, "not run")}
    unexpected = {name: why for name, why in lost.items() if name not in differs and name not in varies}
    for name in set(lost) & set(varies):
        print(f"differed this time: {name}: {varies[name]}")
    assert not unexpected, "pass directly, but not through leasehold:\n" + "\n".join(
        f"  {name}: {why}" for name, why in unexpected.items())
    assert set(differs) <= set(lost), f"no difference any more: {sorted(set(differs) - set(lost))}"
    assert len(passed) >= at_least, f"only {len(passed)} cases pass directly: " + "\n".join(
        f"  {name}: {why}" for name, why in direct.items() if why)
