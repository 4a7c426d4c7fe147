# SPDX-License-Identifier: Apache-2.0
"""MySQL clients and servers that attack the daemon: whoever is on the other side gets an error at most, memory stays
bounded, and another client's p99 at most doubles. The same from inside TLS and compression: test_hostile_mysql_layers.py."""
import concurrent.futures
import contextlib
import socket
import struct
import time

import mywire
import pytest
from conftest import PASSWORD, USER, both_in_long_runs
from hostile import SANITIZED, Bystander, Unharmed
from hostile_mysql import COLUMN, FakeMySQL, err, greeting, ok, packet, rows
from leasehold import MEMORY_FACTOR, Leasehold
from servers import wait_until

MB = 1 << 20
HANDSHAKE_TIMEOUT = 2
SECRET = "hush"

mysql_server = both_in_long_runs("mariadb")


# --- clients --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def daemon(mysql_server):
    """One daemon for all attacks of clients: what one of them leaves behind would be seen by the next."""
    with Leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 3, "max_overflow": 0,
                                   "pool_timeout": "5s", "prepared_per_client": 1000}},
                   limits={"handshake_timeout": f"{HANDSHAKE_TIMEOUT}s", "max_settings_per_session": 100}) as started:
        with contextlib.closing(Bystander(started.mysql_port, USER, "shop", PASSWORD, mysql=True)) as started.bystander:
            wait_until(lambda: started.bystander.p99()[1], 30, "the bystander at work")
            time.sleep(1)  # what it is used to is measured here
            yield started
        print(f"--- log of leasehold\n{started.log_text()[-8000:]}")
    assert not started.complaint


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=20, **options)


@contextlib.contextmanager
def unharmed(daemon, limit=64 * MB):
    with login(daemon) as bystander:
        assert bystander.value("SELECT 1") == "1"
        with Unharmed(daemon, daemon.bystander, limit, floor=0.8 if SANITIZED else 0.3):
            yield
        assert bystander.value("SELECT 1") == "1"
    assert login(daemon).value("SELECT 'in'") == "in"


RESPONSE = struct.pack("<IIB23x", 0xA285, 1 << 24, 45) + USER.encode() + b"\0\x14" + b"x" * 20
FIRST_WORDS = {
    "nothing": b"",
    "half a packet": packet(RESPONSE, 1)[:30],
    "16 MB announced": b"\xff\xff\xff\1" + b"x" * 60,
    "no sequence": packet(RESPONSE, 0),
    "an empty packet": packet(b"", 1),
    "noise": bytes(range(256)) * 20,
    "fields that lie": packet(RESPONSE[:-21] + b"\xff" + b"x" * 20, 1),
    "attributes that lie": packet(struct.pack("<IIB23x", 0x18A285, 1 << 24, 45) + b"u\0\0p\0" + b"\xfe" + b"\xff" * 8 + b"k", 1),
    "another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("words", FIRST_WORDS)
def test_first_words_that_are_no_login_end_it_in_time(daemon, words):
    with unharmed(daemon):
        several = [daemon.raw(mysql=True) for _ in range(20)]
        for one in several:
            one.sendall(FIRST_WORDS[words])
        for one in several:
            one.settimeout(HANDSHAKE_TIMEOUT + 8)
            with contextlib.suppress(ConnectionResetError):
                while one.recv(1 << 16):
                    pass
            one.close()


def test_a_thousand_half_open_logins_are_closed_in_time(daemon):
    with unharmed(daemon):
        before = daemon.descriptors()
        several = [daemon.raw(mysql=True) for _ in range(1000)]
        assert login(daemon).value("SELECT 'in'") == "in"
        wait_until(lambda: daemon.descriptors() < before + 20, HANDSHAKE_TIMEOUT + 15)
        for one in several:
            one.close()


def test_commands_in_halves_hold_their_own_lease_only(daemon):
    with unharmed(daemon):
        halves = []
        for start in (b"\x20\0\0\0\3SEL", b"\x20\0", b"\xff\xff\xff\0\3SELECT '", b"\5\0\0\0\x19\1", b"\5\0\0\0\x12\1"):
            for _ in range(5):  # more than there are backends
                halves.append(login(daemon))
                halves[-1].socket.sendall(start)
        for _ in range(20):
            assert login(daemon).value("SELECT 1") == "1"
        for half in halves:
            half.reset()


WORDS = {
    "out of order": packet(b"\x0e", 9),
    "an empty packet": packet(b"", 0) * 1000,
    "noise": bytes(range(1, 256)) * 40,
    "half a file": packet(b"\3LOAD DATA LOCAL INFILE 'x' INTO TABLE t", 0) + packet(b"abc", 2),
    "commands of one byte": b"".join(packet(bytes([n]), 0) for n in range(2, 255) if n not in (0x11,)),
    "statements that are not there": (packet(b"\x17" + b"\xff" * 9, 0) + packet(b"\x1c" + b"\xff" * 8, 0) +
                                      packet(b"\x19\xff\xff\xff\xff", 0) + packet(b"\x1a\xff\xff\xff\xff", 0)) * 100,
    "long data to nothing": packet(b"\x18\1\0\0\0\0\0" + b"x" * 60000, 0) * 50,
    "an option that is none": packet(b"\x1b\x77\x77", 0) * 50,
}


@pytest.mark.parametrize("words", WORDS)
def test_commands_that_are_none_cost_their_own_connection_at_most(daemon, words):
    with unharmed(daemon):
        attackers = [login(daemon, capabilities=1 << 7) for _ in range(3)]
        for attacker in attackers:
            with contextlib.suppress(OSError):
                attacker.socket.sendall(WORDS[words])
        time.sleep(0.1)
        for attacker in attackers:
            attacker.drop()


def test_a_reader_that_stops_costs_a_buffer(daemon):
    with unharmed(daemon, 32 * MB):
        lazy = []
        for _ in range(2):
            session = mywire.Connection(daemon.mysql_port, timeout=20)
            session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.append(session.login(USER, PASSWORD, "shop"))
            session.command(mywire.COM_QUERY, b"SELECT repeat('z', 1000000) FROM information_schema.columns")
        time.sleep(1)
        for session in lazy:
            session.reset()


def test_a_pipeline_that_nobody_reads_is_bounded(daemon):
    with unharmed(daemon, 128 * MB):
        with login(daemon) as session:
            session.socket.settimeout(3)
            ask = packet(b"\3SELECT repeat('q', 100000)", 0) * 2000
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    session.socket.sendall(ask)
            session.reset()


def test_settings_and_statements_without_end_are_bounded(daemon):
    with unharmed(daemon):
        with login(daemon) as session:
            for i in range(3000):
                session.query(f"SET @v{i} = {i}")
        with login(daemon) as session:
            refused = 0
            for i in range(1200):
                session.command(0x16, f"SELECT {i}".encode())
                head = session.read()
                if head[0] == 0xFF:
                    refused += 1
                    continue
                for _ in range(2):
                    session.read()
            assert refused == 200
            assert session.value("SELECT 1") == "1"


def test_sessions_that_vanish_in_every_state_leave_nothing(daemon, mysql_server):
    with unharmed(daemon):
        for words in (packet(b"\3BEGIN", 0), packet(b"\3SELECT sleep(30)", 0), packet(b"\3SELECT GET_LOCK('h', 0)", 0),
                      packet(b"\x16SELECT ?", 0), packet(b"\3LOCK TABLES mysql.user READ", 0), packet(b"\3SELECT 1", 0) * 50):
            for _ in range(4):
                session = login(daemon)
                session.socket.sendall(words)
                session.reset()
    wait_until(lambda: not [p for p in mysql_server.processes(USER) if p["command"] in ("Query", "Execute")], timeout=15)
    assert not mysql_server.transactions()


# --- servers --------------------------------------------------------------------------------------------------------

def at_login(*parts, then="wait"):
    """Behaviour: says this in place of a greeting."""
    def behave(peer):
        peer.send(*parts)
        if then == "wait":
            peer.wait()
    return behave


def behind_response(*parts):
    """Behaviour: greets, and says this to the response."""
    def behave(peer):
        peer.send(packet(greeting(), 0))
        peer.read()
        peer.send(*parts)
        peer.wait()
    return behave


def floods_at_login(peer):
    peer.flood(packet(b"x" * 1000, 0))


LOGINS = {
    "nothing": at_login(),
    "goodbye at once": at_login(then="end"),
    "garbage": at_login(b"\xff" * 1000),
    "zeros": at_login(bytes(1000)),
    "half a greeting": at_login(packet(greeting(), 0)[:30]),
    "16 MB announced": at_login(b"\xff\xff\xff\0" + b"x" * 100),
    "no salt": at_login(packet(greeting()[:40], 0)),
    "an old protocol": at_login(packet(b"\x09" + greeting()[1:], 0)),
    "an error": at_login(packet(b"\xff\x10\4Too many connections", 0)),
    "a long error": at_login(packet(err(1045, "28000", "x" * 60000), 0)),
    "a flood": floods_at_login,
    "garbage to the response": behind_response(b"\x77" * 500),
    "an empty packet to the response": behind_response(packet(b"", 2)),
    "a switch to nothing": behind_response(packet(b"\xfe", 2)),
    "a switch to itself without end": behind_response(*[packet(b"\xfemysql_native_password\0" + b"s" * 20 + b"\0", n) for n in (2, 4, 6, 8, 10)]),
    "an unknown plugin": behind_response(packet(b"\xfedialog_of_doom\0" + b"s" * 20, 2)),
    "more data than asked": behind_response(packet(b"\1\4", 2), packet(b"\1\4", 4)),
    "half an OK": behind_response(packet(b"\0", 2)),
}


def test_servers_that_spoil_the_login_cost_their_clients_a_clear_error(leasehold):
    """All behind one daemon: each takes as long as a client waits for its greeting."""
    with contextlib.ExitStack() as stack:
        fakes = [stack.enter_context(FakeMySQL(behave)) for behave in LOGINS.values()]
        daemon = leasehold(pools={f"fake{n}": {"url": fake.url("d", "app", SECRET), "pool_timeout": "800ms", "dial_timeout": "500ms"}
                                  for n, fake in enumerate(fakes)})
        before = daemon.rss()

        def refused(number):
            try:
                mywire.connect(daemon.mysql_port, "app", SECRET, f"fake{number}", timeout=30).drop()
                return "served"
            except mywire.ServerError as error:
                return "the secret" if SECRET in error.message else "refused"
            except (OSError, mywire.Closed) as error:
                return repr(error)

        with concurrent.futures.ThreadPoolExecutor(len(fakes)) as threads:
            outcomes = dict(zip(LOGINS, threads.map(refused, range(len(fakes)))))
        assert outcomes == dict.fromkeys(LOGINS, "refused")
        assert daemon.running() and daemon.rss() - before < 128 * MB * MEMORY_FACTOR


def answers(*parts, then="wait"):
    """Behaviour: a good server up to the client's statement, which is answered with this."""
    def behave(peer):
        peer.login().serve(b"ask")
        peer.send(*parts)
        if then == "wait":
            peer.wait()
        elif then == "serve":
            peer.serve()
    return behave


def streams(head, chunk):
    def behave(peer):
        peer.login().serve(b"ask")
        peer.send(head)
        peer.flood(chunk)
    return behave


def raw_then_idle_noise(noise):
    def behave(peer):
        peer.login().serve(b"ask")
        peer.send(packet(ok(), 1))
        time.sleep(0.3)
        with contextlib.suppress(OSError):
            peer.send(noise)
            peer.serve()
    return behave


HEAD = packet(b"\1", 1) + packet(COLUMN, 2)
SESSIONS = {
    "garbage": answers(b"\x77" * 500),
    "an empty packet": answers(packet(b"", 1)),
    "goodbye": answers(then="end"),
    "nothing": answers(),
    "half a row": answers(HEAD, b"\x20\0\0\3half", then="end"),
    "columns without end": answers(packet(b"\xfd\xff\xff\xff", 1)),
    "a column count of zero and more": answers(packet(b"\xfc\0\0", 1)),
    "rows that do not end": streams(HEAD, packet(b"\3abc", 3)),
    "results that do not end": streams(b"", packet(ok(0x0A), 1)),
    "a wrong sequence": answers(packet(ok(), 77), then="serve"),
    "the answer twice": answers(packet(ok(), 1), packet(ok(), 1), then="serve"),
    "bytes behind the answer": answers(packet(ok(), 1), b"\0\0", then="serve"),
    "a farewell": answers(packet(err(1053, "08S01", "Server shutdown in progress"), 1), then="end"),
    "a farewell in the middle": answers(HEAD, packet(b"\3abc", 3), packet(err(1053, "08S01", "Server shutdown in progress"), 4), then="end"),
    "a file nobody has": answers(packet(b"\xfb/etc/passwd", 1)),
    "an OK that is cut": answers(packet(b"\0\xfe\1", 1)),
    "an error that is cut": answers(packet(b"\xff\1", 1)),
    "16 MB without end": streams(HEAD, b"\xff\xff\xff\3" + b"x" * 65536),
}


@pytest.mark.parametrize("behaviour", SESSIONS)
def test_a_server_that_answers_wrongly_costs_its_client_an_error_at_most(leasehold, behaviour):
    with FakeMySQL(SESSIONS[behaviour]) as fake:
        daemon = leasehold(pools={"fake": {"url": fake.url("d", "app", SECRET), "pool_size": 2, "max_overflow": 0,
                                           "pool_timeout": "8s", "dial_timeout": "500ms", "quarantine_timeout": "300ms"}})
        with mywire.connect(daemon.mysql_port, "app", SECRET, "fake", timeout=15) as session:
            before = daemon.rss()
            session.socket.settimeout(0.5)
            session.command(mywire.COM_QUERY, b"SELECT 'ask'")
            until = time.monotonic() + 1
            with contextlib.suppress(OSError):
                while time.monotonic() < until and session.socket.recv(1 << 18):
                    pass
            assert daemon.running() and daemon.rss() - before < 64 * MB * MEMORY_FACTOR
        with mywire.connect(daemon.mysql_port, "app", SECRET, "fake", timeout=15) as other:
            assert other.value("SELECT 1") == "1"


IDLE = {
    "garbage": b"\xff" * 1000,
    "a timeout": packet(err(4031, "HY000", "The client was disconnected by the server because of inactivity"), 0),
    "a kill": packet(err(1927, "70100", "Connection was killed"), 0),
    "an answer in advance": rows(b"evil"),
    "half a packet": b"\5\0",
}


@pytest.mark.parametrize("noise", IDLE)
def test_what_a_server_says_unasked_reaches_no_client(leasehold, noise):
    with FakeMySQL(raw_then_idle_noise(IDLE[noise])) as fake:
        daemon = leasehold(pools={"fake": {"url": fake.url("d", "app", SECRET), "pool_size": 1, "max_overflow": 0,
                                           "pool_timeout": "2s"}})
        with mywire.connect(daemon.mysql_port, "app", SECRET, "fake", timeout=15) as session:
            assert session.query("SELECT 'ask'").rows == []
            time.sleep(0.5)
            assert session.value("SELECT 2") == "1"  # this server's only answer
            with mywire.connect(daemon.mysql_port, "app", SECRET, "fake", timeout=15) as other:
                assert other.value("SELECT 3") == "1"
