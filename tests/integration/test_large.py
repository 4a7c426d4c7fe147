# SPDX-License-Identifier: Apache-2.0
"""Messages larger than any buffer, and peers that stop reading: streamed with back-pressure, never collected."""
import os
import signal
import socket
import struct
import threading
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from leasehold import MEMORY_FACTOR
from pgwire import COPY_DONE, SYNC, bind, describe, execute, parse, query

MB = 1 << 20


@pytest.fixture
def daemon(leasehold, postgres):
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 0,
                                       "pool_timeout": "20s"}})


def login(daemon, **options):
    return pgwire.Connection(daemon.port, timeout=120, **options).login(USER, "orders", PASSWORD)


class Highest:
    """The highest resident memory of the daemon while the block runs, above what it was before."""

    def __init__(self, daemon):
        self.daemon, self.done = daemon, threading.Event()
        self.before = self.most = daemon.rss()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while not self.done.wait(0.01):
            self.most = max(self.most, self.daemon.rss())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    @property
    def growth(self):
        return self.most - self.before


# Messages of one gigabyte are the protocol's limit, and the server's for one value is a little below it.
LARGE = 1000 if os.environ.get("LEASEHOLD_LONG") and not os.environ.get("LEASEHOLD_SANITIZED") else 256


def pass_over(session, size):
    """Reads bytes that nobody keeps."""
    size -= len(session.inbox)
    del session.inbox[:]
    while size > 0:
        chunk = session.socket.recv(min(size, MB))
        assert chunk, "the connection ended"
        size -= len(chunk)


def test_a_very_large_row_is_streamed_to_the_client(daemon):
    session = login(daemon)
    session.ok("SELECT 1")
    with Highest(daemon) as memory:
        session.send(query(f"SELECT repeat('x', {LARGE * MB})"))
        assert session.read()[0] == "T"
        kind, size = struct.unpack("!ci", session.read_exactly(5))
        assert (kind, size) == (b"D", LARGE * MB + 10)
        pass_over(session, size - 4)
        assert [session.read()[0] for _ in range(2)] == ["C", "Z"]
    assert memory.growth < 16 * MB * MEMORY_FACTOR
    assert session.value("SELECT 1") == "1"


@pytest.mark.parametrize("protocol", ["simple", "extended", "copy"])
def test_a_very_large_message_is_streamed_to_the_server(daemon, protocol):
    session = login(daemon)
    session.ok("SELECT 1")
    # The server's lexer doubles its buffer for a literal, up to half of what it may allocate.
    size = min(LARGE, 500) * MB if protocol == "simple" else LARGE * MB
    piece = b"y" * MB
    with Highest(daemon) as memory:
        if protocol == "simple":
            before, behind = b"SELECT length('", b"')\0"
            session.send(b"Q" + struct.pack("!i", 4 + len(before) + size + len(behind)) + before)
        elif protocol == "extended":
            before = b"\0\0" + struct.pack("!hhi", 0, 1, size)
            behind = struct.pack("!h", 0)
            session.send(parse("", "SELECT length($1)"), b"B",
                         struct.pack("!i", 4 + len(before) + size + len(behind)) + before)
        else:
            session.ok("BEGIN")
            session.ok("CREATE TEMP TABLE large (a text)")
            session.send(query("COPY large FROM STDIN"))
            assert session.read()[0] == "G"
            behind = b"\n"
            session.send(b"d" + struct.pack("!i", 4 + size + len(behind)))
        for at in range(0, size, MB):
            session.send(piece[:min(MB, size - at)])
        session.send(behind)
        if protocol == "extended":
            session.send(execute(), SYNC)
        if protocol == "copy":
            session.send(COPY_DONE)
            assert session.reply().tags == ["COPY 1"]
            session.send(query("SELECT length(a) FROM large"))
        assert session.reply().value() == str(size)
    assert memory.growth < 16 * MB * MEMORY_FACTOR
    session.query("ROLLBACK")
    assert session.value("SELECT 1") == "1"


def test_a_client_that_stops_reading_stops_its_server_and_nobody_else(daemon):
    session, other = login(daemon, receive_buffer=4096), login(daemon)
    session.ok("SELECT 1")
    with Highest(daemon) as memory:
        session.send(query("SELECT repeat('z', 1000) FROM generate_series(1, 100000)"))
        time.sleep(0.7)
        for _ in range(5):
            began = time.monotonic()
            assert other.value("SELECT 1") == "1"
            assert time.monotonic() - began < 0.5
        reply = session.reply()
    assert len(reply.rows) == 100000 and reply.status == "I"
    assert memory.growth < 8 * MB * MEMORY_FACTOR


def test_a_server_that_stops_reading_stops_its_client_and_nobody_else(daemon):
    session, other = login(daemon), login(daemon)
    session.ok("BEGIN")
    pid = int(session.value("SELECT pg_backend_pid()"))
    other.ok("SELECT 1")
    data = bind(values=[b"w" * (64 * MB)]) + execute() + SYNC
    os.kill(pid, signal.SIGSTOP)
    try:
        with Highest(daemon) as memory:
            session.send(parse("", "SELECT length($1)"))
            session.socket.settimeout(1)
            sent = 0
            with pytest.raises((TimeoutError, socket.timeout)):
                while sent < len(data):
                    sent += session.socket.send(data[sent:sent + MB])
            assert sent < len(data)
            assert other.value("SELECT 1") == "1"
    finally:
        os.kill(pid, signal.SIGCONT)
    session.socket.settimeout(60)
    session.send(data[sent:])
    assert session.reply().value() == str(64 * MB)
    assert memory.growth < 16 * MB * MEMORY_FACTOR


def test_wide_and_narrow_rows_arrive_unchanged(daemon):
    session = login(daemon)
    reply = session.query("SELECT i, md5(i::text), repeat(md5(i::text), i % 200) FROM generate_series(1, 20000) i")
    assert len(reply.rows) == 20000
    for number, digest, text in reply.rows:
        assert text == digest * (int(number) % 200)


def test_many_small_messages_in_one_piece_are_bounded_too(daemon):
    """A pipeline that never ends: 200000 requests before the first reply is read."""
    session = login(daemon)
    session.ok("SELECT 1")
    one = bind("s") + execute()
    with Highest(daemon) as memory:
        session.send(parse("s", "SELECT 1"), describe("S", "s"))
        sender = threading.Thread(target=lambda: session.send(*[one * 1000] * 200, SYNC))
        sender.start()
        time.sleep(0.5)
        reply = session.reply()
        sender.join()
    assert len(reply.rows) == 200000 and reply.status == "I"
    assert memory.growth < 24 * MB * MEMORY_FACTOR


def test_a_vanished_client_in_the_middle_of_a_large_message_frees_its_backend(daemon, postgres):
    for _ in range(3):  # more than there are backends
        session = login(daemon)
        data = query(b"SELECT length('" + b"v" * (8 * MB) + b"')")
        session.send(data[:5 * MB])
        session.reset()
    with login(daemon) as session:
        assert session.value("SELECT 1") == "1"
