# SPDX-License-Identifier: Apache-2.0
"""A cancel request ends the statement that it was meant for, and no other: not the backend's next lessee's, and not the next
one of the same client. It is answered by nothing but the end of its connection."""
import contextlib
import os
import random
import ssl
import struct
import threading
import time

import pgwire
import psycopg2
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from processes import Port, wait_until

CANCELLED = "57014"


@pytest.fixture
def single(leasehold, postgres):
    """A daemon whose pool has one backend."""
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})


@pytest.fixture
def login():
    with contextlib.ExitStack() as stack:
        yield lambda daemon, **options: stack.enter_context(
            pgwire.connect(daemon.port, USER, "orders", PASSWORD, **options))


def running(postgres, text):
    return [b for b in postgres.backends("%") if text in b["query"] and b["state"] == "active" and b["usename"] == USER]


class Statements:
    """A session that runs short statements until it is told to end, and notes when each began and ended, and how."""

    def __init__(self, daemon, in_transaction, seed):
        self.session = pgwire.connect(daemon.port, USER, "orders", PASSWORD)
        self.random, self.in_transaction = random.Random(seed), in_transaction
        self.over, self.done, self.error = threading.Event(), [], None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over.is_set():
                self.one()
        except Exception as error:  # reported by the test
            self.error = error

    def one(self):
        if self.in_transaction:
            self.note("BEGIN")
        for _ in range(self.random.randint(1, 4)):
            self.note(f"SELECT 1 FROM pg_sleep({self.random.choice([0, 0.001, 0.004, 0.02])})")
        if self.in_transaction:
            self.note("ROLLBACK")

    def note(self, sql):
        began = time.monotonic()
        reply = self.session.query(sql)
        assert reply.sqlstate in (None, CANCELLED, "25P02"), reply
        assert reply.status is not None, "the session lives"
        self.done.append((began, time.monotonic(), reply.sqlstate == CANCELLED))


@pytest.mark.parametrize("in_transaction", [False, True])
def test_of_many_cancel_requests_each_hits_its_own_statement_or_nothing(single, in_transaction):
    seed = int(os.environ.get("LEASEHOLD_SEED", time.time_ns() % 1_000_000))
    print("seed", seed)
    chance = random.Random(seed)
    sessions = [Statements(single, in_transaction, seed + n) for n in range(3)]
    cancels = [[] for _ in sessions]
    for one in sessions:
        one.thread.start()
    try:
        for _ in range(1000 if os.environ.get("LEASEHOLD_LONG") else 200):
            victim = chance.randrange(len(sessions))
            began = time.monotonic()
            pgwire.cancel(single.port, sessions[victim].session.key)
            cancels[victim].append((began, time.monotonic()))
            time.sleep(chance.choice([0, 0.001, 0.005]))
    finally:
        for one in sessions:
            one.over.set()
        for one in sessions:
            one.thread.join(30)
    hit = 0
    for number, (one, asked) in enumerate(zip(sessions, cancels)):
        assert one.error is None, f"session {number}: {one.error!r}"
        for began, ended, cancelled in one.done:
            if cancelled:
                hit += 1
                assert any(first <= ended and began <= last for first, last in asked), \
                    f"a statement of session {number} was cancelled, and none of its cancel requests was on its way then"
        assert one.session.value("SELECT 1") == "1"
        one.session.drop()
    print("hit", hit, "of", sum(map(len, cancels)))
    assert hit >= 5, "hardly any cancel request did anything: the test shows nothing"


def test_the_next_statement_after_the_end_of_a_cancel_request_is_safe(single, login):
    session = login(single)
    session.ok("BEGIN")
    session.ok("SAVEPOINT s")
    for turn in range(60):
        session.send(pgwire.query(f"SELECT 1 FROM pg_sleep({0.002 * (turn % 4)})"))
        pgwire.cancel(single.port, session.key)
        assert session.reply().sqlstate in (None, CANCELLED)
        session.ok("ROLLBACK TO s")
        assert session.value("SELECT 2 FROM pg_sleep(0.003)") == "2", turn
    session.ok("COMMIT")


def test_a_waiting_session_leaves_the_queue_and_lives(single, login, postgres):
    holder, waiter, next_one = login(single), login(single), login(single)
    holder.ok("BEGIN")
    began = time.monotonic()
    waiter.send(pgwire.query("SELECT 'must not run'"))
    time.sleep(0.1)
    next_one.send(pgwire.query("SELECT 'served'"))
    pgwire.cancel(single.port, waiter.key)
    reply = waiter.reply()
    assert (reply.sqlstate, reply.status) == (CANCELLED, "I") and time.monotonic() - began < 5
    assert holder.value("SELECT 'undisturbed'") == "undisturbed"
    assert next_one.silent(0.1)
    holder.ok("COMMIT")
    assert next_one.reply().value() == "served"
    assert waiter.value("SELECT 'again'") == "again"


@pytest.mark.parametrize("state", ["idle", "in a transaction", "in a failed transaction"])
def test_a_session_that_runs_nothing_has_nothing_to_cancel(single, login, state):
    session = login(single)
    if state != "idle":
        session.ok("BEGIN")
    if state == "in a failed transaction":
        assert session.query("SELECT 1/0").sqlstate == "22012"
    for _ in range(5):
        pgwire.cancel(single.port, session.key)
    assert session.silent(0.2)
    if state == "in a failed transaction":
        assert session.query("SELECT 1").sqlstate == "25P02"
        session.ok("ROLLBACK")
    assert session.value("SELECT 1 FROM pg_sleep(0.05)") == "1"


def test_the_key_of_a_session_that_is_gone_hits_nobody(single, login, postgres):
    """Its backend is on the ladder first and another session's then."""
    gone, heir = login(single), login(single)
    gone.ok("BEGIN")
    gone.send(pgwire.query("SELECT pg_sleep(20)"))
    wait_until(lambda: running(postgres, "pg_sleep(20)"), 5, "the statement running")
    gone.drop()
    heir.send(pgwire.query("SELECT 'whole' FROM pg_sleep(0.5)"))
    for _ in range(30):
        pgwire.cancel(single.port, gone.key)
    assert heir.reply().value() == "whole"


def test_a_cancel_request_is_never_answered(single, login):
    session = login(single)
    for number, secret in (session.key, (session.key[0], session.key[1] ^ 1), (2**31 - 1, 0), (0, 0)):
        with pgwire.Connection(single.port) as connection:
            connection.send(pgwire.startup_packet(pgwire.CANCEL_REQUEST, struct.pack("!ii", number, secret)))
            assert connection.socket.recv(1) == b""
    assert session.value("SELECT 1") == "1"


def test_many_cancel_requests_for_one_statement_end_it_once(single, login, postgres):
    session = login(single)
    session.send(pgwire.query("SELECT pg_sleep(20)"))
    wait_until(lambda: running(postgres, "pg_sleep(20)"), 5, "the statement running")
    threads = [threading.Thread(target=pgwire.cancel, args=(single.port, session.key)) for _ in range(40)]
    for thread in threads:
        thread.start()
    assert session.reply().sqlstate == CANCELLED
    for thread in threads:
        thread.join()
    assert session.value("SELECT 1 FROM pg_sleep(0.05)") == "1"
    assert len(postgres.backends("leasehold orders")) == 1


def test_a_cancel_request_ends_within_its_time_when_the_server_does_not_answer(single, login, postgres):
    session = login(single)
    session.send(pgwire.query("SELECT pg_sleep(20)"))
    wait_until(lambda: running(postgres, "pg_sleep(20)"), 5, "the statement running")
    postgres.pause()
    try:
        began = time.monotonic()
        with pgwire.Connection(single.port) as connection:
            connection.send(pgwire.startup_packet(pgwire.CANCEL_REQUEST, struct.pack("!ii", *session.key)))
            assert connection.closed_by_peer(20)
        assert time.monotonic() - began < 15
    finally:
        postgres.resume()
    assert session.reply().sqlstate == CANCELLED


# --- the ways to ask ------------------------------------------------------------------------------------------------

@pytest.fixture
def everywhere(leasehold, postgres, tmp_path):
    """A daemon that listens with required TLS and on a unix socket."""
    made = Certificates(tmp_path)
    cert, key = made.issue("localhost", sans=["localhost"], ips=["127.0.0.1"])
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False)
    daemon.local = Port()
    daemon.config["listen"] = [
        {"dialect": "postgresql", "address": f"unix:{daemon.folder}/.s.PGSQL.{daemon.local.number}", "auth": "scram"},
        {"dialect": "postgresql", "address": f"127.0.0.1:{daemon.port}", "tls": {"mode": "require", "cert": cert, "key": key}}]
    daemon.write_config()
    yield daemon.start()
    daemon.local.close()


def secured(daemon):
    """A connection inside TLS, nothing said yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = pgwire.Connection(daemon.port)
    connection.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
    assert connection.read_exactly(1) == b"S"
    connection.socket = context.wrap_socket(connection.socket)
    return connection


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_cancel_request_may_be_encrypted_and_need_not_be(everywhere, postgres, encrypted):
    """Also where TLS is required: libpq before 17 sends it in plain text."""
    with secured(everywhere).login(USER, "orders", PASSWORD) as session:
        session.send(pgwire.query("SELECT pg_sleep(20)"))
        wait_until(lambda: running(postgres, "pg_sleep(20)"), 5, "the statement running")
        with secured(everywhere) if encrypted else pgwire.Connection(everywhere.port) as connection:
            connection.send(pgwire.startup_packet(pgwire.CANCEL_REQUEST, struct.pack("!ii", *session.key)))
            assert connection.socket.recv(1) == b""
        assert session.reply().sqlstate == CANCELLED
        assert session.value("SELECT 1") == "1"


@pytest.mark.parametrize("way", ["tls", "unix"])
def test_libpq_cancels_the_way_that_it_came(everywhere, postgres, way):
    options = {"host": everywhere.folder, "port": everywhere.local.number} if way == "unix" else {"sslmode": "require"}
    with contextlib.closing(everywhere.connect("orders", USER, PASSWORD, **options)) as connection:
        ended = []

        def run():
            try:
                connection.cursor().execute("SELECT pg_sleep(20)")
            except psycopg2.Error as error:
                ended.append(error.pgcode)

        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: running(postgres, "pg_sleep(20)"), 5, "the statement running")
        connection.cancel()
        thread.join(10)
        assert ended == [CANCELLED]
