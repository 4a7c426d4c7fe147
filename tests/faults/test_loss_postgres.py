# SPDX-License-Identifier: Apache-2.0
"""The loss table of PostgreSQL's dialect, row by row: the server's connection is cut before, in and behind each message of
a request and of its reply. What the client is told must be true, its session must live, and nothing may be left."""
import itertools
import struct

import psycopg2
import pytest
from conftest import PASSWORD, USER, login, url_through
from loss import NEVER, UNKNOWN, Part, Scenario, Table, Told
from pgwire import COPY_DONE, SYNC, Closed, ServerError, copy_data, query, run

BEGIN = ("BEGIN",)
INSERT = "INSERT INTO t VALUES ({0})"
COMMITS, TWO = (Part(UNKNOWN, 1),), (Part(UNKNOWN, 1), Part(UNKNOWN, 1))


def simple(*texts):
    return lambda number, _: b"".join(query(sql.format(number)) for sql in texts)


def extended(*texts):
    return lambda number, _: b"".join(run(sql.format(number)) for sql in texts) + SYNC


def synced(*texts):
    return lambda number, _: b"".join(run(sql.format(number)) + SYNC for sql in texts)


def copy_in(number, _):
    return query("COPY t FROM STDIN") + copy_data(f"{number}\n".encode()) + COPY_DONE


def in_transaction():
    """What cannot end its transaction: 40001 in its place."""
    for name, sql in {"select": "SELECT generate_series(1, 3)", "insert": INSERT + " RETURNING id", "error": "SELECT 1/0",
                      "savepoint": "SAVEPOINT a", "copy out": "COPY (SELECT generate_series(1, 3)) TO STDOUT",
                      "empty": "", "set": "SET LOCAL work_mem = '5MB'"}.items():
        yield Scenario(f"{name} in a transaction", simple(sql), before=BEGIN)
        yield Scenario(f"{name} in a transaction, extended", extended(sql), before=BEGIN)
    yield Scenario("several in a transaction", simple(INSERT + "; SELECT 1; SELECT 2"), before=BEGIN)
    yield Scenario("copy in in a transaction", copy_in, before=BEGIN)
    yield Scenario("pipeline in a transaction", extended(INSERT, "SELECT 1"), before=BEGIN)
    yield Scenario("two syncs in a transaction", synced(INSERT, "SELECT 1"), (Part(), Part()), before=BEGIN)
    yield Scenario("savepoint rolled back", simple("ROLLBACK TO a"), before=("BEGIN", "SAVEPOINT a", "SELECT 1"))


def ends():
    """What may have ended its transaction, or is one by itself: 40003."""
    written = (*BEGIN, INSERT)
    for name, sql in {"commit": "COMMIT", "commit among others": "SELECT 1; COMMIT; SELECT 2", "end": "/* now */ END",
                      "commit and chain": "COMMIT AND CHAIN"}.items():
        yield Scenario(name, simple(sql), COMMITS, before=written)
    yield Scenario("commit, extended", extended("COMMIT"), COMMITS, before=written)
    yield Scenario("commit in a pipeline", extended(INSERT, "COMMIT"), COMMITS, before=BEGIN)
    yield Scenario("all in one string", simple(f"BEGIN; {INSERT}; COMMIT"), COMMITS)
    yield Scenario("all in one pipeline", extended("BEGIN", INSERT, "COMMIT"), COMMITS)
    for name, sql in {"insert": INSERT + " RETURNING id", "call": "CALL writes({0})", "function": "SELECT writes_too({0})",
                      "do": "DO 'BEGIN PERFORM writes_too({0}); END'"}.items():
        yield Scenario(f"{name} alone", simple(sql), COMMITS)
        yield Scenario(f"{name} alone, extended", extended(sql), COMMITS)
    yield Scenario("two in a string alone", simple(f"{INSERT}; {INSERT}"), (Part(UNKNOWN, 2),))
    yield Scenario("copy in alone", copy_in, COMMITS)
    yield Scenario("select alone", simple("SELECT generate_series(1, 3)"), (Part(UNKNOWN),))
    yield Scenario("two syncs alone", synced(INSERT, INSERT), TWO)
    yield Scenario("two queries alone", simple(INSERT, INSERT), TWO)


def rolls_back():
    """It has done what it was to do, whoever did it."""
    for name, request in {"rollback": simple("ROLLBACK"), "rollback, extended": extended("ROLLBACK")}.items():
        yield Scenario(name, request, (Part(NEVER),), before=(*BEGIN, INSERT))
    yield Scenario("commit of a failed one", simple("COMMIT"), (Part(NEVER),), before=(*BEGIN, "SELECT 1/0"))


SCENARIOS = [*in_transaction(), *ends(), *rolls_back()]


def messages(stream):
    """Sizes of a stream's messages."""
    at = 0
    while at < len(stream):
        size = 1 + struct.unpack_from("!i", stream, at + 1)[0]
        yield size
        at += size


class PostgresTable(Table):
    LOST, UNKNOWN, FAILED_STAYS, LOSS_IS_HEARD_LATER = "40001", "40003", True, False
    ERRORS = (Closed, ServerError)
    BACKEND = "SELECT pg_backend_pid()"
    split = staticmethod(messages)

    def __init__(self, leasehold, server, proxy, **pool):
        self.proxy = proxy
        self.admin = psycopg2.connect(server.url("orders", USER, PASSWORD))
        self.admin.autocommit = True
        self.daemon = leasehold(pools={"orders": {"url": url_through(proxy, server, "orders", sslmode="disable"),
                                                  "pool_size": 1, "max_overflow": 0, **pool}})
        self.session = self.login()

    def login(self):
        return login(self.daemon, timeout=5)

    def value(self, sql):
        return self.session.value(sql)

    def run(self, sql):
        return self.session.query(sql)

    def send(self, request):
        self.session.send(request)

    def told(self):
        reply = self.session.reply()
        assert len(reply.errors) <= 1, reply
        return Told(reply.sqlstate, reply.status and reply.status != "I")

    def ask(self, sql, value):
        with self.admin.cursor() as cursor:
            cursor.execute(sql, [value])
            return cursor.fetchone()[0]

    def rows(self, number):
        return self.ask("SELECT count(*) FROM t WHERE id = %s", number)

    def serves(self, backend):
        return self.ask("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", int(backend))

    def theirs(self, to_server, from_server, request, scenario):
        """Without what leasehold asks behind it on its own account."""
        asked = sum(itertools.islice(messages(to_server), len(list(messages(request)))))
        at = readies = 0
        for size in messages(from_server):
            readies += from_server[at:at + 1] == b"Z"
            at += size
            if readies == len(scenario.parts):
                return to_server[:asked], from_server[:at]
        raise AssertionError("the reply does not end")

    @staticmethod
    def servers_own(scenario, how, lost):
        """Errors that a server says of itself: of a statement that fails, of what follows in a failed transaction, and
        where it still writes, of a copy's data that it reads no more."""
        own = {"22012"} if "error" in scenario.name else set()
        own |= {"25P02"} if lost else set()
        return own | ({"08006"} if how == "half" else set())


@pytest.fixture(scope="module")
def world(postgres):
    postgres.query("CREATE TABLE t (id int); GRANT ALL ON t TO app;"
                   " CREATE PROCEDURE writes(int) LANGUAGE sql AS 'INSERT INTO t VALUES ($1)';"
                   " CREATE FUNCTION writes_too(int) RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES ($1) RETURNING 1'",
                   database="orders")
    return postgres


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_what_a_client_is_told_of_a_cut_is_true(leasehold, world, behind, scenario):
    wrong = PostgresTable(leasehold, world, behind(world)).all_cuts(scenario)
    assert not wrong, "\n".join([str(scenario), *wrong])
