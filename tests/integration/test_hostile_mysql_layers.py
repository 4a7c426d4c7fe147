# SPDX-License-Identifier: Apache-2.0
"""Attacks on MySQL's protocol from inside TLS and compression, logins that come byte by byte, and what another session
notices of all that: its p99 at most doubles. The attacks themselves are in test_hostile_mysql.py and, of frames, in
test_mysql_compression.py."""
import concurrent.futures
import contextlib
import socket
import struct
import time

import mycompress
import mywire
import pytest
from conftest import PASSWORD, USER, both_in_long_runs
from hostile import MB, SANITIZED, Bystander, Unharmed
from hostile_mysql import FakeMySQL, packet, rows
from leasehold import MEMORY_FACTOR, Leasehold
from mysqltls import authority  # noqa: F401 pylint: disable=unused-import
from processes import LOOPBACK, wait_until
from test_hostile_mysql import FIRST_WORDS, RESPONSE, SESSIONS, WORDS
from test_mysql_compression import BOMB, LIES

HANDSHAKE_TIMEOUT = 2
LAYERS = ["tls", "zlib", "tls and zlib"]
SECRET = "hush"
FLOOR = 0.8 if SANITIZED else 0.3  # seconds: what attackers encrypt and compress here takes the same processors

mysql_server = both_in_long_runs("mysql97")


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("localhost", sans=["localhost"], ips=[LOOPBACK])


@pytest.fixture(scope="module")
def started(mysql_server, certificate):
    """One daemon for all attacks of clients, and its bystander."""
    daemon = Leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 4, "max_overflow": 0,
                                       "pool_timeout": "5s"}},
                       limits={"handshake_timeout": f"{HANDSHAKE_TIMEOUT}s"}, start=False)
    daemon.config["listen"][-1]["tls"] = {"mode": "prefer", "cert": certificate[0], "key": certificate[1]}
    daemon.write_config()
    daemon.start()
    with contextlib.closing(Bystander(daemon.mysql_port, USER, "shop", PASSWORD, mysql=True)) as bystander:
        wait_until(lambda: bystander.p99()[1], 30, "the bystander at work")
        time.sleep(1)  # what it is used to is measured here
        yield daemon, bystander
    print(f"--- log of leasehold\n{daemon.log_text()[-8000:]}")
    daemon.close()
    assert not daemon.complaint


@pytest.fixture
def daemon(started):
    return started[0]


@pytest.fixture
def unharmed(started):
    time.sleep(0.2)
    return lambda **options: Unharmed(*started, floor=FLOOR, **options)


def login(daemon, layers="", **options):
    tls = True if "tls" in layers else None
    if "zlib" in layers:
        return mycompress.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=20, tls=tls, **options)
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=20, tls=tls, **options)


def below(session):
    """The socket under the compression."""
    return getattr(session.socket, "socket", session.socket)


# --- slow logins --------------------------------------------------------------------------------------------------

def trickle(connection, data, pause):
    """Byte by byte, until the other side says something or has gone; true if all was sent."""
    connection.settimeout(pause)
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            connection.recv(1)
            return False
        except TimeoutError:
            continue
        except OSError:
            return False
    return True


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_that_logs_in_byte_by_byte_is_closed_at_the_handshake_timeout(daemon, unharmed, tls):
    with unharmed(), mywire.Connection(daemon.mysql_port) as slow:
        began = time.monotonic()
        slow.greet()
        if tls:
            slow.start_tls(struct.pack("<IIB23x", 0xA285 | mywire.SSL, 1 << 24, 45), True)
        assert not trickle(slow.socket, packet(RESPONSE, 2 if tls else 1), 0.3), "all of it was taken"
        assert slow.closed_by_peer(5)
        assert HANDSHAKE_TIMEOUT - 0.5 < time.monotonic() - began < HANDSHAKE_TIMEOUT + 5


def test_a_login_byte_by_byte_that_is_in_time_succeeds(daemon):
    class OneByOne:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def sendall(self, data):
            for byte in data:
                self.inner.sendall(bytes([byte]))

    session = mywire.Connection(daemon.mysql_port, timeout=20)
    session.socket = OneByOne(session.socket)
    session.login(USER, PASSWORD, "shop")
    assert session.value("SELECT 'byte by byte'") == "byte by byte"
    session.drop()


def says_slowly(pause):
    """Behaviour: a good server, one byte at a time."""
    def behave(peer):
        class Slowly:
            def __init__(self, inner):
                self.inner = inner

            def __getattr__(self, name):
                return getattr(self.inner, name)

            def sendall(self, data):
                for byte in data:
                    self.inner.sendall(bytes([byte]))
                    time.sleep(pause)

        plain = peer.socket
        peer.socket = Slowly(plain)
        peer.login()
        peer.socket = plain
        peer.serve()
    return behave


def test_a_server_that_greets_byte_by_byte_is_given_up_at_the_dial_timeout(leasehold):
    with FakeMySQL(says_slowly(0.1)) as fake:
        daemon = leasehold(pools={"fake": {"url": fake.url("d", "app", SECRET), "dial_timeout": "700ms", "pool_timeout": "1500ms"}})
        began = time.monotonic()
        with pytest.raises(mywire.ServerError) as refused:
            mywire.connect(daemon.mysql_port, "app", SECRET, "fake", timeout=30)
        assert refused.value.code == 1429 and time.monotonic() - began < 15, refused.value
        wait_until(lambda: "event=connect_failed" in daemon.log_text(), 10, "the dial given up")


def test_a_server_that_greets_byte_by_byte_in_time_serves(leasehold):
    with FakeMySQL(says_slowly(0.002)) as fake:
        daemon = leasehold(pools={"fake": {"url": fake.url("d", "app", SECRET), "dial_timeout": "20s", "pool_timeout": "30s"}})
        with mywire.connect(daemon.mysql_port, "app", SECRET, "fake", timeout=30) as session:
            assert session.value("SELECT 1") == "1"


# --- clients inside layers ----------------------------------------------------------------------------------------

def test_first_words_inside_tls_that_are_no_login_end_it_in_time(daemon, unharmed):
    with unharmed():
        several = []
        for words in FIRST_WORDS.values():
            connection = mywire.Connection(daemon.mysql_port)
            connection.greet()
            connection.start_tls(struct.pack("<IIB23x", 0xA285 | mywire.SSL, 1 << 24, 45), True)
            with contextlib.suppress(OSError):
                connection.socket.sendall(words)
            several.append(connection)
        for connection in several:
            assert connection.closed_by_peer(HANDSHAKE_TIMEOUT + 8)
            connection.drop()


@pytest.mark.parametrize("words", ["noise", "a client's hello, cut short", "a record that lies"])
def test_a_handshake_that_is_none_ends_it_in_time(daemon, unharmed, words):
    said = {"noise": bytes(range(256)) * 8, "a client's hello, cut short": b"\x16\3\1\2\0\1\0\1\xfc\3\3" + b"r" * 100,
            "a record that lies": b"\x16\3\1\xff\xff" + b"x" * 70000}[words]
    with unharmed():
        several = [mywire.Connection(daemon.mysql_port) for _ in range(10)]
        for connection in several:
            connection.greet()
            connection.send(struct.pack("<IIB23x", 0xA285 | mywire.SSL, 1 << 24, 45))
            with contextlib.suppress(OSError):
                connection.socket.sendall(said)
        for connection in several:
            assert connection.closed_by_peer(HANDSHAKE_TIMEOUT + 8)
            connection.drop()


@pytest.mark.parametrize("layers", LAYERS)
def test_commands_that_are_none_cost_their_own_connection_at_most(daemon, unharmed, layers):
    with unharmed():
        for words in WORDS.values():
            attackers = [login(daemon, layers, capabilities=1 << 7) for _ in range(2)]
            for attacker in attackers:
                with contextlib.suppress(OSError):
                    attacker.socket.sendall(words)
            for attacker in attackers:
                attacker.drop()
    wait_until(lambda: login(daemon, layers).value("SELECT 'in'") == "in", 10, "another client")


@pytest.mark.parametrize("layers", ["zlib", "tls and zlib"])
def test_frames_that_lie_end_their_own_connection(daemon, unharmed, layers):
    with unharmed():
        for name, lie in LIES.items():
            liar = login(daemon, layers)
            liar.socket = below(liar)
            with contextlib.suppress(OSError):
                liar.socket.sendall(lie)
            assert liar.closed_by_peer(), name
            liar.drop()


@pytest.mark.parametrize("layers", LAYERS)
def test_readers_that_stop_cost_a_buffer_each(daemon, unharmed, layers):
    with unharmed(limit=48 * MB):
        lazy = [login(daemon, layers) for _ in range(2)]
        for session in lazy:
            session.command(mywire.COM_QUERY, b"SELECT repeat('z', 1000000) FROM information_schema.columns")
        time.sleep(0.7)
        for session in lazy:
            below(session).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            session.drop()
        wait_until(lambda: login(daemon, layers).value("SELECT 1") == "1", 15, "the backends")


# --- servers inside layers ----------------------------------------------------------------------------------------

def frames(*parts):
    """Behaviour: a good server up to the client's statement, which is answered with these frames, whatever they hold."""
    def behave(peer):
        peer.login().serve(b"ask")
        peer.socket.socket.sendall(b"".join(parts))
        peer.wait()
    return behave


REPLY = rows(b"1")
FRAMES = {
    "a bomb": frames(mycompress.frame(BOMB, 1, 100)),
    "a wrong number": frames(mycompress.frame(REPLY, 77)),
    "an empty frame": frames(mycompress.frame(b"", 1)),
    "empty frames without end": frames(mycompress.frame(b"", 1) * 10_000),
    "noise": frames(mycompress.frame(bytes(range(200)), 1, 500)),
    "less than it says": frames(mycompress.frame(mycompress.pack(REPLY, "zlib"), 1, len(REPLY) + 9)),
    "cut short": frames(mycompress.frame(mycompress.pack(REPLY, "zlib")[:-1], 1, len(REPLY))),
    "plain packets": frames(REPLY),
    "16 MB announced": frames(b"\xff\xff\xff\1\xff\xff\xff" + b"x" * 1000),
}


@pytest.mark.parametrize("layers", LAYERS)
def test_servers_that_answer_wrongly_cost_their_clients_an_error_at_most(leasehold, certificate, layers):
    """All of them behind one daemon, and none of their clients but gets an answer from the next connection."""
    with contextlib.ExitStack() as stack:
        behaviours = {**SESSIONS, **(FRAMES if "zlib" in layers else {})}
        fakes = [stack.enter_context(FakeMySQL(behave, certificate=certificate if "tls" in layers else None, compresses="zlib" in layers))
                 for behave in behaviours.values()]
        daemon = leasehold(pools={f"fake{n}": {"url": fake.url("d", "app", SECRET), "pool_size": 2, "max_overflow": 0,
                                               "pool_timeout": "15s", "dial_timeout": "5s", "quarantine_timeout": "300ms"}
                                  for n, fake in enumerate(fakes)})
        before = daemon.rss()

        def attacked(number):
            with mywire.connect(daemon.mysql_port, "app", SECRET, f"fake{number}", timeout=30) as session:
                session.command(mywire.COM_QUERY, b"SELECT 'ask'")
                session.socket.settimeout(0.5)
                until = time.monotonic() + 1
                with contextlib.suppress(OSError):
                    while time.monotonic() < until and session.socket.recv(1 << 18):
                        pass
            with mywire.connect(daemon.mysql_port, "app", SECRET, f"fake{number}", timeout=30) as other:
                return other.value("SELECT 1")

        def outcome(number):
            try:
                return attacked(number)
            except (OSError, mywire.Closed, mywire.ServerError) as error:
                return repr(error)

        with concurrent.futures.ThreadPoolExecutor(len(fakes)) as threads:
            outcomes = dict(zip(behaviours, threads.map(outcome, range(len(fakes)))))
        assert outcomes == dict.fromkeys(behaviours, "1")
        assert daemon.running() and daemon.rss() - before < 160 * MB * MEMORY_FACTOR
