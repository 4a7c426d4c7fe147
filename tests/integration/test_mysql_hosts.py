# SPDX-License-Identifier: Apache-2.0
"""Several servers in one MySQL URL: which of them serves, what happens when one goes away, and a reload that points a pool
at another one. Twin of test_hosts and test_reload_servers."""
import contextlib
import socket
import time

import mywire
import pytest
from conftest import PASSWORD, USER
from processes import LOOPBACK, Port, wait_until
from servers import MariaDB
from sid import MySQL97, for_tests


@pytest.fixture(scope="module", params=["mariadb", "mysql97"])
def kind(request):
    """Makes a server of the one family, then of the other."""
    return MariaDB if request.param == "mariadb" else lambda: for_tests("MySQL 9.7", MySQL97)


@pytest.fixture(scope="module")
def pair(kind):
    with kind() as first, kind() as second:
        for server in (first, second):
            server.create_user(USER, PASSWORD)
            server.create_database("shop", owner=USER)
        yield first, second


@pytest.fixture
def behind(leasehold, pair):
    """A factory: behind([server or port, ...], role) is a daemon with these hosts behind the pool."""
    def start(hosts, role=None, sections=None, **pool):
        names = [f"{LOOPBACK}:{host if isinstance(host, int) else host.port}" for host in hosts]
        url = pair[0].url("shop", USER, PASSWORD).replace(f"{LOOPBACK}:{pair[0].port}", ",".join(names))
        if role:
            url += f"?role={role}"
        return leasehold(pools={"shop": {"url": url, "pool_size": 2, "pool_timeout": 5, "dial_timeout": 2, **pool}},
                         **(sections or {}))
    return start


def enter(daemon):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=20)


def serving(daemon):
    """The port of the server that serves."""
    with enter(daemon) as session:
        return int(session.value("SELECT @@port"))


@contextlib.contextmanager
def read_only(server):
    server.query("SET GLOBAL read_only = 1")
    try:
        yield
    finally:
        server.query("SET GLOBAL read_only = 0")


def used(server):
    return len(server.processes(USER))


# --- which server -----------------------------------------------------------------------------------------------------

def test_hosts_are_tried_in_the_urls_order(behind, pair):
    first, second = pair
    assert serving(behind([first, second])) == first.port
    assert serving(behind([second, first])) == second.port
    with contextlib.closing(Port()) as closed:
        assert serving(behind([closed.number, second])) == second.port


def test_a_host_that_swallows_packets_costs_its_share_once(behind, pair):
    with contextlib.ExitStack() as open_ones:
        hole = open_ones.enter_context(socket.socket())
        hole.bind((LOOPBACK, 0))
        hole.listen(0)
        for _ in range(4):
            filler = open_ones.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
        daemon = behind([hole.getsockname()[1], pair[0]], pool_size=4)
        began = time.monotonic()
        assert serving(daemon) == pair[0].port
        assert time.monotonic() - began < 4, "half of dial_timeout is the other's"
        sessions = [open_ones.enter_context(enter(daemon)) for _ in range(3)]
        began = time.monotonic()
        for session in sessions:
            session.query("BEGIN")
        assert time.monotonic() - began < 2, "it is left alone for a while"


@pytest.mark.parametrize("role, chosen", [("primary", 1), ("replica", 0), ("any", 0), (None, 0)])
def test_role_chooses_by_read_only(behind, pair, role, chosen):
    with read_only(pair[0]):
        assert serving(behind(pair, role)) == pair[chosen].port


def test_no_server_that_fits_is_said_with_each_ones_reason(behind, pair):
    with contextlib.closing(Port()) as closed:
        daemon = behind([pair[0], closed.number], "replica", pool_timeout="1s")
        with pytest.raises(mywire.ServerError):
            enter(daemon)
        wait_until(lambda: "the server is not read-only (role=replica)" in daemon.log_text()
                   and f"{LOOPBACK}:{closed.number}" in daemon.log_text(), 10, "both reasons in the log")


def test_when_the_first_goes_away_the_second_serves_and_clients_stay(behind, kind):
    with kind() as first, kind() as second:
        for server in (first, second):
            server.create_user(USER, PASSWORD)
            server.create_database("shop", owner=USER)
        daemon = behind([first, second])
        with enter(daemon) as idle:
            assert int(idle.value("SELECT @@port")) == first.port
            first.kill()
            assert int(idle.value("SELECT @@port")) == second.port
            assert serving(daemon) == second.port


def test_connections_count_at_the_server_that_was_reached(behind, pair):
    with contextlib.closing(Port()) as closed:
        limits = {f"{LOOPBACK}:{closed.number}": {"max_connections": 50}, f"{LOOPBACK}:{pair[0].port}": {"max_connections": 1}}
        daemon = behind([closed.number, pair[0]], sections={"servers": limits}, pool_size=4, pool_timeout="1s")
        with enter(daemon) as first, enter(daemon) as second:
            first.query("BEGIN")
            assert int(first.value("SELECT @@port")) == pair[0].port
            with pytest.raises(mywire.ServerError) as refused:
                second.query("SELECT 1")
            assert refused.value.code == 1203
            first.query("COMMIT")
            assert second.value("SELECT 1") == "1", "it lives, and there is a place again"
        wait_until(lambda: used(pair[0]) <= 1, 10, "no more than one")


# --- a reload ---------------------------------------------------------------------------------------------------------

def test_a_pool_is_pointed_at_another_server_and_idle_clients_do_not_notice(behind, pair):
    first, second = pair
    daemon = behind([first])
    with enter(daemon) as client, enter(daemon) as plain:
        client.query("SET time_zone = '+05:00'")
        assert int(plain.value("SELECT @@port")) == first.port
        daemon.set_pool("shop", url=second.url("shop", USER, PASSWORD))
        daemon.reload()
        assert int(plain.value("SELECT @@port")) == second.port
        assert int(client.value("SELECT @@port")) == second.port
        assert client.value("SELECT @@time_zone") == "+05:00", "its settings go with it"
        wait_until(lambda: used(first) == 0, 10, "nothing left on the old server")


def test_a_transaction_ends_on_the_server_it_began_on(behind, pair):
    first, second = pair
    daemon = behind([first])
    with enter(daemon) as client:
        client.query("BEGIN")
        assert int(client.value("SELECT @@port")) == first.port
        daemon.set_pool("shop", url=second.url("shop", USER, PASSWORD))
        daemon.reload()
        assert int(client.value("SELECT @@port")) == first.port
        client.query("COMMIT")
        assert int(client.value("SELECT @@port")) == second.port


def test_who_stays_on_the_old_server_is_sent_away_when_the_time_is_over(behind, pair):
    first, second = pair
    daemon = behind([first], sections={"drain_timeout": "1s"})
    with enter(daemon) as client:
        client.query("BEGIN")
        client.query("SELECT 1")
        daemon.set_pool("shop", url=second.url("shop", USER, PASSWORD))
        daemon.reload()
        wait_until(lambda: used(first) == 0, 15, "the end of its backend")
        assert client.closed_by_peer(10)
    assert serving(daemon) == second.port
