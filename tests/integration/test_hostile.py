# SPDX-License-Identifier: Apache-2.0
"""Clients that attack the daemon: each gets an error at most. Memory grows by less than 64 MiB, and another client's p99
at most doubles. Hostile servers are in test_hostile_servers.py; messages and rows of 100 MB in test_large.py."""
import contextlib
import os
import resource
import socket
import struct
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from hostile import MB, Bystander, Unharmed
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER, Leasehold
from pgwire import SYNC, bind, execute, message, parse, query, startup_packet
from servers import wait_until

LONG = bool(os.environ.get("LEASEHOLD_LONG"))
HANDSHAKE_TIMEOUT = 2


@pytest.fixture(scope="module")
def started(postgres):
    """One daemon for all attacks of the file: what one of them leaves behind would be seen by the next."""
    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 4, "max_overflow": 0,
                                         "pool_timeout": "5s", "prepared_per_client": 1000}},
                       limits={"handshake_timeout": f"{HANDSHAKE_TIMEOUT}s"})
    bystander = Bystander(daemon.port, USER, "orders", PASSWORD)
    time.sleep(1)
    yield daemon, bystander
    bystander.close()
    print(f"--- log of leasehold on port {daemon.port}\n{daemon.log_text()[-8000:]}")
    daemon.close()
    assert not daemon.complaint


@pytest.fixture
def daemon(started):
    return started[0]


@pytest.fixture
def unharmed(started):
    time.sleep(0.1)  # what the bystander is used to is measured here
    return lambda **options: Unharmed(*started, **options)


def login(daemon, **options):
    return pgwire.Connection(daemon.port, timeout=20, **options).login(USER, "orders", PASSWORD)


def last_words(connection):
    """The SQLSTATE of the error that ends the connection, None if it ends without one, "open" if it does not end."""
    sqlstate = None
    with contextlib.suppress(pgwire.Closed, ConnectionResetError, BrokenPipeError):
        try:
            while True:
                kind, body = connection.read()
                if kind == "E":
                    sqlstate = pgwire.fields_of(body).get("C")
        except TimeoutError:
            return "open"
    return sqlstate


def start_with(user=USER, database="orders"):
    return startup_packet(pgwire.PROTOCOL_3, pgwire.cstr("user") + pgwire.cstr(user) + pgwire.cstr("database") +
                          pgwire.cstr(database) + b"\0")


# --- slowness -----------------------------------------------------------------------------------------------------------

def test_a_client_that_sends_one_byte_a_second_is_closed_at_the_handshake_timeout(daemon, unharmed):
    with unharmed(), pgwire.Connection(daemon.port) as slow:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in start_with():
                slow.socket.sendall(bytes([byte]))
                slow.socket.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    if slow.socket.recv(1, socket.MSG_PEEK):
                        break
        slow.socket.settimeout(5)
        assert last_words(slow) == "57014"
        assert HANDSHAKE_TIMEOUT - 0.5 < time.monotonic() - began < HANDSHAKE_TIMEOUT + 3


@pytest.mark.parametrize("said", ["nothing", "half a packet", "a user, no password"])
def test_2000_half_open_logins_harm_nobody_and_are_closed_in_time(daemon, unharmed, said):
    count = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200:
        if hard < count + 200:
            pytest.skip("not enough descriptors for the attacker")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    first = {"nothing": b"", "half a packet": start_with()[:20], "a user, no password": start_with()}[said]
    before = daemon.descriptors()
    sockets = []
    try:
        with unharmed():
            for _ in range(count):
                sockets.append(daemon.raw())
                sockets[-1].sendall(first)
            assert login(daemon).value("SELECT 'in'") == "in"  # the door is open to others
            wait_until(lambda: daemon.descriptors() < before + 20, HANDSHAKE_TIMEOUT + 8, "half-open logins closed", 0.05)
    finally:
        for one in sockets:
            one.close()
    assert login(daemon).value("SELECT 'in'") == "in"


def test_a_writer_that_stops_in_the_middle_of_a_message_holds_only_its_own_lease(daemon, unharmed):
    with unharmed():
        stopped = []
        for start in (query("SELECT 1")[:3], query("SELECT 1")[:8], parse("a", "SELECT 1")[:12], bind("a")[:6],
                      message(b"d", b"x" * 100)[:50]):
            for _ in range(4):  # more than there are backends
                stopped.append(login(daemon))
                stopped[-1].send(start)
        for _ in range(20):
            assert login(daemon).value("SELECT 1") == "1"
        for session in stopped:
            assert session.silent(0.01)
            session.drop()


def test_a_reader_that_stops_while_a_large_result_streams_costs_a_buffer(daemon, unharmed):
    rows = 2_000_000 if LONG else 200_000
    with unharmed(limit=32 * MB):
        sessions = [login(daemon, receive_buffer=4096) for _ in range(3)]
        for session in sessions:
            session.send(query(f"SELECT repeat('z', 1000) FROM generate_series(1, {rows})"))
        time.sleep(2)
        for session in sessions:
            session.reset()
        wait_until(lambda: login(daemon).value("SELECT 1") == "1", 5, "the backends")


# --- lengths that lie -----------------------------------------------------------------------------------------------------

LENGTHS = {"0": 0, "3": 3, "negative": 0x80000000, "minus 1": 0xFFFFFFFF, "2^31-1": 0x7FFFFFFF}


def in_scram(daemon):
    """A connection whose password message is due."""
    connection = pgwire.Connection(daemon.port, timeout=3)
    connection.send(start_with())
    kind, body = connection.read()
    assert kind == "R" and body[:4] == struct.pack("!i", 10)
    return connection


def in_copy(daemon):
    session = login(daemon)
    session.ok("CREATE TEMP TABLE copied (a text)")
    session.send(query("COPY copied FROM STDIN"))
    assert session.read()[0] == "G"
    return session


# Where the message with the wrong length stands: how to come there, and its type.
STAGES = {
    "startup": (lambda daemon: pgwire.Connection(daemon.port, timeout=3), b""),
    "password": (in_scram, b"p"),
    "query": (login, b"Q"),
    "parse": (login, b"P"),
    "bind": (login, b"B"),
    "describe": (login, b"D"),
    "execute": (login, b"E"),
    "close": (login, b"C"),
    "sync": (login, b"S"),
    "terminate": (login, b"X"),
    "function call": (login, b"F"),
    "copy data": (in_copy, b"d"),
    "copy fail": (in_copy, b"f"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_length_that_lies_ends_the_connection_with_an_error_that_says_so(daemon, unharmed, stage):
    reach, kind = STAGES[stage]
    with unharmed(limit=16 * MB):
        for name, length in LENGTHS.items():
            connection = reach(daemon)
            connection.socket.settimeout(3)
            connection.send(kind + struct.pack("!I", length) + b"\0\3\0\0user\0app\0\0" + b"x" * 1000)
            words = last_words(connection)
            assert words == "08P01", f"{name}: {words}"
            connection.drop()


def test_a_sasl_response_whose_inner_length_lies_is_refused(daemon, unharmed):
    with unharmed(limit=16 * MB):
        for length in (0, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            connection = in_scram(daemon)
            connection.send(message(b"p", pgwire.cstr("SCRAM-SHA-256") + struct.pack("!I", length) + b"n,,n=,r=abc"))
            assert last_words(connection) == "08P01", length


# PgBouncer, CVE-2026-6664: a packet's length overflowed an integer. 6665: names longer than the buffer for them (strlcat).
@pytest.mark.parametrize("user, database", [("u" * 9000, "orders"), (USER, "d" * 9000), ("u" * 4500, "d" * 4500)])
def test_a_name_longer_than_any_database_knows_is_an_unknown_one(daemon, unharmed, user, database):
    with unharmed(limit=16 * MB):
        with pytest.raises(pgwire.ServerError) as refused:
            pgwire.connect(daemon.port, user, database, PASSWORD)
        assert refused.value.sqlstate in ("28P01", "3D000")
        assert daemon.log_text().count("u" * 5000) <= 3


def test_a_startup_packet_larger_than_max_startup_bytes_is_refused_unread(daemon, unharmed):
    with unharmed(limit=16 * MB), pgwire.Connection(daemon.port) as connection:
        connection.send(startup_packet(pgwire.PROTOCOL_3, b"x" * 20000))
        assert last_words(connection) == "08P01"


# --- a great many -----------------------------------------------------------------------------------------------------------

def test_100000_settings_of_one_session_grow_nothing(daemon, unharmed):
    """Values of what is carried, and names that PostgreSQL does not report: those stay with the session's backend (to the
    server a new name costs time in the number of those it has)."""
    names, values, at_once = 20_000 if LONG else 2_000, 100_000, 500
    session = login(daemon)
    with unharmed():
        for start in range(0, values, at_once):
            session.send(*[query(f"SET application_name = 'name {n}'") for n in range(start, start + at_once)])
            for _ in range(at_once):
                assert session.reply().sqlstate is None
        for start in range(0, names, at_once):
            assert session.query(";".join(f"SET hostile.s{n} = '{n}'" for n in range(start, start + at_once))).sqlstate is None
    assert session.value("SHOW hostile.s7") == "7" and session.value("SHOW application_name") == "name 99999"
    session.terminate()
    wait_until(lambda: login(daemon).query("SHOW hostile.s7").sqlstate == "42704", 5, "a clean backend")


def test_more_settings_than_max_settings_per_session_in_a_startup_packet_are_a_clear_error(postgres):
    pools = {"orders": {"url": postgres.url("orders", USER, PASSWORD)}}
    with Leasehold(pools=pools, limits={"max_settings_per_session": 50}) as daemon:
        def options(count):
            return " ".join(f"-ca.s{n}=1" for n in range(count))
        with pytest.raises(pgwire.ServerError) as refused:
            pgwire.connect(daemon.port, USER, "orders", PASSWORD, options=options(51))
        assert refused.value.sqlstate == "54000" and "too many settings" in refused.value.message
        assert pgwire.connect(daemon.port, USER, "orders", PASSWORD, options=options(40)).value("SHOW a.s7") == "1"


def test_100000_prepared_statements_are_refused_from_prepared_per_client_on_and_the_session_lives(daemon, unharmed):
    count, at_once, limit = 100_000, 1000, 1000
    session = login(daemon)
    made = refused = 0
    with unharmed():
        for start in range(0, count, at_once):
            session.send(*[parse(f"s{n}", f"SELECT {n}") + SYNC for n in range(start, start + at_once)])
            for _ in range(at_once):
                reply = session.reply()
                if reply.sqlstate is None:
                    made += 1
                else:
                    assert reply.sqlstate == "54000" and "prepared_per_client" in reply.error.message, reply
                    refused += 1
    assert (made, refused) == (limit, count - limit)
    session.send(bind("s7"), execute(), SYNC)
    assert session.reply().value() == "7"


def test_a_pipeline_that_nobody_reads_is_bounded(daemon, unharmed):
    session = login(daemon)
    session.ok("SELECT 1")
    data = (bind("") + execute()) * 2000
    with unharmed():
        session.send(parse("", "SELECT 1"))
        session.socket.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
            while sent < (2000 if LONG else 400) * MB // 10:
                sent += session.socket.send(data)
        session.reset()
        wait_until(lambda: login(daemon).value("SELECT 1") == "1", 5, "the backends")


def test_notifications_and_empty_queries_by_the_hundred_thousand(daemon, unharmed):
    session = login(daemon)
    with unharmed():
        for _ in range(100):
            session.send(query("") * 1000)
            for _ in range(1000):
                assert session.reply().status == "I"


# --- the console --------------------------------------------------------------------------------------------------------------

# PgBouncer, CVE-2026-6667: a command of administrators without the check that it is one.
def test_no_command_of_the_console_is_carried_out_for_others(postgres):
    with Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}) as daemon:
        with pytest.raises(pgwire.ServerError) as refused:
            pgwire.connect(daemon.port, USER, "leasehold", PASSWORD)
        assert refused.value.sqlstate in ("28000", "28P01", "3D000", "42501")
        session = login(daemon)
        for command in ("SHOW POOLS", "SHOW CLIENTS", "PAUSE", "KILL 1", "RELOAD", "SHUTDOWN"):
            assert session.query(command).sqlstate in ("42601", "42704"), command  # the server's own words
        assert daemon.running()


@pytest.mark.parametrize("attack", ["a query of 1 GB", "portals without end", "statements without end", "a reader that stops"])
def test_the_console_is_bounded_too(daemon, unharmed, attack):
    console = pgwire.Connection(daemon.port, timeout=2).login(CONSOLE_USER, "leasehold", CONSOLE_PASSWORD)
    with unharmed(limit=32 * MB), contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
        if attack == "a query of 1 GB":
            console.send(b"Q" + struct.pack("!I", 0x3FFFFFF0))
            for _ in range(100):
                console.send(b"x" * MB)
        elif attack == "portals without end":
            console.send(parse("", "SHOW POOLS " + "x" * 1000))
            for start in range(0, 100_000, 1000):
                console.send(*[bind("", portal=f"p{n}") for n in range(start, start + 1000)])
        elif attack == "statements without end":
            for start in range(0, 100_000, 1000):
                console.send(*[parse(f"s{n}", "SHOW POOLS " + "x" * 1000) for n in range(start, start + 1000)])
        else:
            for _ in range(2000):
                console.send(query("SHOW CONFIG") * 100)
    console.reset()
