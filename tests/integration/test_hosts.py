# SPDX-License-Identifier: Apache-2.0
"""Several servers in one URL: which of them serves, what happens when one goes away, and what is said about it."""
import contextlib
import socket
import struct
import threading
import time

import psycopg2
import pytest
from conftest import PASSWORD, USER
from processes import LOOPBACK, Port, wait_until
from servers import Postgres
from standby import primary_and_standby as two_servers

def primary_and_standby():
    return two_servers(USER, PASSWORD)


@pytest.fixture(scope="module")
def pair():
    with primary_and_standby() as servers:
        yield servers


@pytest.fixture
def behind(leasehold, pair):
    """A factory: behind([server, port, "name:port", ...], attributes) is a daemon with these hosts behind the pool."""
    def start(hosts, attributes=None, pool=None, password=PASSWORD):
        names = [host if isinstance(host, str) else f"{LOOPBACK}:{host if isinstance(host, int) else host.port}"
                 for host in hosts]
        url = pair[0].url("orders", USER, password).replace(f"{LOOPBACK}:{pair[0].port}", ",".join(names))
        if attributes:
            url += f"?target_session_attrs={attributes}"
        return leasehold(pools={"orders": {"url": url, "pool_size": 2, "pool_timeout": 5, "dial_timeout": 2, **(pool or {})}})
    return start


def serving(daemon):
    """The port of the server that serves."""
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, autocommit=True)) as session, session.cursor() as cursor:
        cursor.execute("SELECT current_setting('port')::int")
        return cursor.fetchone()[0]


@contextlib.contextmanager
def blackhole():
    """A port that takes no connection and refuses none: its queue is full."""
    with contextlib.ExitStack() as open_ones:
        listener = open_ones.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(4):
            filler = open_ones.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield listener.getsockname()[1]


@contextlib.contextmanager
def saying(sqlstate, message):
    """A server that answers every login with this error; yields (port, connections so far)."""
    seen = []

    def accept(listener):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                seen.append(peer)
                with contextlib.suppress(OSError), peer:
                    if peer.recv(8)[4:8] == struct.pack("!I", 80877103):
                        peer.sendall(b"N")
                        peer.recv(4096)
                    words = b"SFATAL\0VFATAL\0C" + sqlstate.encode() + b"\0M" + message.encode() + b"\0\0"
                    peer.sendall(b"E" + struct.pack("!I", len(words) + 4) + words)

    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], seen
        listener.shutdown(socket.SHUT_RDWR)


# --- which server -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("first", ["primary", "standby"])
@pytest.mark.parametrize("attributes, chosen", [
    (None, "first"), ("any", "first"), ("read-write", "primary"), ("primary", "primary"), ("read-only", "standby"),
    ("standby", "standby"), ("prefer-standby", "standby")])
def test_target_session_attrs_chooses_as_libpq_does(behind, pair, first, attributes, chosen):
    primary, standby = pair
    order = [primary, standby] if first == "primary" else [standby, primary]
    ports = {"primary": primary.port, "standby": standby.port, "first": order[0].port}
    daemon = behind(order, attributes)
    assert serving(daemon) == ports[chosen]
    import psycopg2.extensions
    hosts = ",".join([LOOPBACK] * 2)
    direct = psycopg2.connect(host=hosts, port=",".join(str(server.port) for server in order), user=USER, dbname="orders",
                              password=PASSWORD, target_session_attrs=attributes or "any")
    with contextlib.closing(direct), direct.cursor() as cursor:
        cursor.execute("SELECT current_setting('port')::int")
        assert cursor.fetchone()[0] == ports[chosen], "libpq itself chooses another one"


def test_a_primary_whose_sessions_are_read_only_is_not_read_write(behind, pair):
    primary, _ = pair
    primary.query("ALTER ROLE app SET default_transaction_read_only = on")
    try:
        assert serving(behind([primary], "read-only")) == primary.port
        assert serving(behind([primary], "primary")) == primary.port
        with pytest.raises(psycopg2.OperationalError, match="read-only"):
            serving(behind([primary], "read-write", {"pool_timeout": 1}))
    finally:
        primary.query("ALTER ROLE app RESET default_transaction_read_only")


def test_prefer_standby_takes_any_server_when_there_is_no_standby(behind, pair):
    primary, _ = pair
    with contextlib.closing(Port()) as closed:
        assert serving(behind([closed.number, primary], "prefer-standby")) == primary.port


def test_no_server_that_fits_is_said_with_each_ones_reason(behind, pair):
    primary, standby = pair
    with contextlib.closing(Port()) as closed, pytest.raises(psycopg2.OperationalError) as failed:
        serving(behind([standby, closed.number], "primary", {"pool_timeout": 1}))
    text = str(failed.value)
    assert f"{LOOPBACK}:{standby.port}: the server is a standby" in text
    assert f"{LOOPBACK}:{closed.number}: " in text and "refused" in text
    assert PASSWORD not in text


def test_a_promoted_standby_serves_the_next_connections(leasehold):
    with primary_and_standby() as (primary, standby):
        url = primary.url("orders", USER, PASSWORD).replace(f":{primary.port}/", f":{primary.port},{LOOPBACK}:{standby.port}/")
        daemon = leasehold(pools={"orders": {"url": url + "?target_session_attrs=primary", "pool_timeout": 20}})
        session = daemon.connect("orders", USER, PASSWORD, autocommit=True)
        cursor = session.cursor()
        cursor.execute("CREATE TABLE kept AS SELECT 1 AS x")
        primary.stop()
        standby.promote()
        began = time.monotonic()
        assert serving(daemon) == standby.port
        assert time.monotonic() - began < 8
        cursor.execute("INSERT INTO kept SELECT 2 RETURNING x")  # the idle client has noticed nothing
        assert cursor.fetchone() == (2,)
        session.close()


# --- servers that cannot be reached ---------------------------------------------------------------------------------------

def test_the_next_host_serves_when_one_is_away(behind, pair):
    primary, _ = pair
    with contextlib.closing(Port()) as closed:
        daemon = behind([closed.number, "no-such-host.invalid:5432", primary])
        began = time.monotonic()
        assert serving(daemon) == primary.port
        assert time.monotonic() - began < 2


def test_a_host_that_swallows_packets_costs_its_share_of_the_dial_and_then_nothing(behind, pair):
    primary, _ = pair
    with blackhole() as port:
        daemon = behind([port, primary], pool={"pool_recycle": "10ms"})
        began = time.monotonic()
        assert serving(daemon) == primary.port
        first = time.monotonic() - began
        assert 0.5 < first < 1.9
        for _ in range(10):  # a new backend each: the host is left alone meanwhile
            time.sleep(0.03)
            began = time.monotonic()
            assert serving(daemon) == primary.port
            assert time.monotonic() - began < 0.7


def test_a_name_that_does_not_resolve_is_named_to_the_client(behind):
    with pytest.raises(psycopg2.OperationalError, match="no-such-host.invalid:5432.*resolve"):
        serving(behind(["no-such-host.invalid:5432"], pool={"pool_timeout": 1}))


def test_a_server_that_is_starting_is_passed_over_and_one_that_refuses_ends_the_search(behind, pair):
    primary, _ = pair
    with saying("57P03", "the database system is starting up") as (port, seen):
        assert serving(behind([port, primary])) == primary.port
        assert seen
    for sqlstate, message in (("28P01", "password authentication failed"), ("3D000", "no such database here")):
        with saying(sqlstate, message) as (port, _):
            with pytest.raises(psycopg2.OperationalError, match=message):
                serving(behind([port, primary]))


def test_a_server_that_hangs_in_the_middle_of_the_login_costs_its_share(behind, pair):
    primary, _ = pair
    with socket.create_server((LOOPBACK, 0)) as silent:
        daemon = behind([silent.getsockname()[1], primary])
        began = time.monotonic()
        assert serving(daemon) == primary.port
        assert time.monotonic() - began < 1.9


def test_all_being_away_the_first_to_come_back_is_found_soon(behind, pair):
    primary, _ = pair
    with contextlib.closing(Port()) as closed, contextlib.closing(Port()) as other:
        daemon = behind([closed.number, other.number], pool={"pool_timeout": 15})
        result = []
        client = threading.Thread(target=lambda: result.append(_outcome(daemon)))
        client.start()
        time.sleep(2)
        with _forwarding(other, primary.port):
            began = time.monotonic()
            client.join(12)
            assert result == [primary.port]
            assert time.monotonic() - began < 6


def _outcome(daemon):
    try:
        return serving(daemon)
    except psycopg2.Error as error:
        return str(error)


@contextlib.contextmanager
def _forwarding(reserved, to):
    """Listens on a reserved port and passes everything on."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((LOOPBACK, reserved.number))
    listener.listen()

    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                server = socket.create_connection((LOOPBACK, to))
                for ends in ((peer, server), (server, peer)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


# --- what is said about it ------------------------------------------------------------------------------------------------

def test_a_server_that_is_away_is_logged_once_until_it_answers(leasehold):
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        url = server.url("orders", USER, PASSWORD)
        keys = {"url": url, "min_idle": 1, "pool_timeout": 1}
        daemon = leasehold(pools={"orders": keys, "copies": keys})
        assert serving(daemon) == server.port
        server.stop()
        with pytest.raises(psycopg2.Error) as failed:
            session = daemon.connect("orders", USER, PASSWORD, autocommit=True)
            session.cursor().execute("SELECT 1")
        text = str(failed.value)
        assert f"{LOOPBACK}:{server.port}" in text and "refused" in text and PASSWORD not in text
        time.sleep(2)

        def lines(*words):
            return [line for line in daemon.log_text().splitlines() if all(word in line for word in words)]
        assert len(lines("connect_failed", "refused")) == 1, "two pools and many attempts, one line"
        assert f"{LOOPBACK}:{server.port}" in lines("connect_failed", "refused")[0]
        server.start()
        wait_until(lambda: lines("connect_recovered"), 15, "word of the recovery")
        assert serving(daemon) == server.port
        assert PASSWORD not in daemon.log_text()
