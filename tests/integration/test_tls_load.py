# SPDX-License-Identifier: Apache-2.0
"""What TLS to clients costs the others: many handshakes at once, and many sessions that idle."""
import contextlib
import ssl
import time

import pgwire
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from hostile import Bystander
from leasehold import MEMORY_FACTOR
from processes import wait_until


@pytest.fixture
def listening(leasehold, postgres, tmp_path):
    """A factory of daemons that offer TLS; `rsa`: bits of the key."""
    def start(rsa=None, sections=None, **listener):
        cert, key = Certificates(tmp_path).issue("localhost", sans=["localhost"], rsa=rsa)
        daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False, **(sections or {}))
        daemon.config["listen"][0].update({"tls": {"mode": "prefer", "cert": cert, "key": key}, **listener})
        daemon.write_config()
        return daemon.start()
    return start


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def secure(connection, made):
    connection.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
    assert connection.read_exactly(1) == b"S"
    connection.socket = made.wrap_socket(connection.socket)
    return connection


class Handshake:
    """A client's handshake step by step: begin() only says hello."""

    def __init__(self, connection, made):
        self.connection, self.incoming, self.outgoing = connection, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = made.wrap_bio(self.incoming, self.outgoing)

    def begin(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.connection.send(self.outgoing.read())

    def finish(self):
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                received = self.connection.socket.recv(1 << 16)
                assert received, "closed in the middle of the handshake"
                self.incoming.write(received)
        self.connection.send(self.outgoing.read())


def test_many_handshakes_at_once_hold_nobody_up(listening):
    """A handshake with such a key keeps a processor busy for milliseconds: 500 of them in a worker's loop would hold its other
    sessions up for seconds."""
    daemon = listening(rsa=4096, sections={"workers": 1, "limits": {"handshake_timeout": "60s"}})
    with contextlib.ExitStack() as stack:
        made = context()
        waiting = [stack.enter_context(pgwire.Connection(daemon.port, timeout=60)) for _ in range(500)]
        for connection in waiting:
            connection.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
        for connection in waiting:
            assert connection.read_exactly(1) == b"S"
        handshakes = [Handshake(connection, made) for connection in waiting]
        bystander = stack.enter_context(contextlib.closing(Bystander(daemon.port, USER, "orders", PASSWORD)))
        wait_until(lambda: bystander.p99()[1], 10, "the bystander at work")
        began = time.monotonic()
        for handshake in handshakes:
            handshake.begin()
        for handshake in handshakes:
            handshake.finish()
        took = time.monotonic() - began
        slowest, asked = bystander.p99()
        print(f"500 handshakes in {took:.2f} s; meanwhile {asked} requests of another session, p99 {slowest * 1000:.1f} ms")
        assert slowest < min(0.3, took / 4) * MEMORY_FACTOR and asked > 20
        first = secure(stack.enter_context(pgwire.Connection(daemon.port)), made)
        assert first.login(USER, "orders", PASSWORD).value("SELECT 1") == "1"


def test_an_idle_client_inside_tls_owns_no_buffer(listening):
    daemon = listening(auth="trust")
    made, count = context(), 400

    def grown(connect):
        with contextlib.ExitStack() as stack:
            first = [stack.enter_context(connect()) for _ in range(50)]  # what is allocated once
            before = daemon.rss()
            for _ in range(count):
                session = stack.enter_context(connect())
                session.login(USER, "orders")
                session.value("SELECT repeat('x', 30000)")
            time.sleep(0.3)
            assert len(first) == 50
            return (daemon.rss() - before) / count / 1024

    def plain():
        return pgwire.Connection(daemon.port)

    grown(plain)
    in_plain_text, encrypted = grown(plain), grown(lambda: secure(plain(), made))
    print(f"an idle client: {in_plain_text:.1f} KiB in plain text, {encrypted:.1f} KiB inside TLS")
    assert encrypted < 64 * MEMORY_FACTOR, "OpenSSL's two buffers alone are 34 KiB"
