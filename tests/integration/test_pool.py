# SPDX-License-Identifier: Apache-2.0
"""The pool's rules as they show on PostgreSQL alone; those that hold for each database are in test_pool_rules."""
import contextlib
import os
import signal
import threading
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from servers import Postgres, wait_until

PID = "SELECT pg_backend_pid()"


def login(daemon, user=USER, timeout=10, **parameters):
    return pgwire.connect(daemon.port, user, "orders", PASSWORD, timeout=timeout, **parameters)


@pytest.fixture
def pooled(leasehold, postgres):
    """A factory of daemons with a pool `orders`; the pool's keys as arguments."""
    def start(server=postgres, user=USER, **keys):
        pool = {"url": server.url("orders", user, PASSWORD), "pool_size": 1, "max_overflow": 0, "pool_timeout": "5s"}
        return leasehold(pools={"orders": {**pool, **keys}})
    return start


@pytest.fixture
def table(postgres):
    postgres.query("DROP TABLE IF EXISTS t; CREATE TABLE t (id int); GRANT ALL ON t TO app", database="orders")
    return lambda: postgres.value("SELECT count(*) FROM t", database="orders")


def backends(server, user=USER):
    """The backends of a user, but for the one connection that asks the server for its limits."""
    return [b for b in server.backends("%") if b["usename"] == user and b["application_name"] != "leasehold control"]


def open_all(daemon, count):
    """Sessions that hold a backend each, in a transaction, and the backends' pids."""
    sessions = [login(daemon) for _ in range(count)]
    for session in sessions:
        session.ok("BEGIN")
    return sessions, [session.value(PID) for session in sessions]


# --- which backend, and when another ------------------------------------------------------------------------------

@pytest.mark.parametrize("pre_ping", [True, False])
def test_pre_ping_replaces_a_backend_that_does_not_answer(pooled, pre_ping):
    with login(pooled(pool_pre_ping=pre_ping, ping_timeout="250ms")) as session:
        stuck = int(session.value(PID))
        time.sleep(1.2)  # one used within the last second is not pinged
        os.kill(stuck, signal.SIGSTOP)
        try:
            session.send(pgwire.query(PID))
            if pre_ping:
                assert session.reply().value() != str(stuck)
            else:
                assert session.silent(0.8)
        finally:
            os.kill(stuck, signal.SIGCONT)
        if not pre_ping:
            assert session.reply().value() == str(stuck)


# --- modes --------------------------------------------------------------------------------------------------------

def test_session_mode_keeps_one_backend_from_the_login_to_the_end(pooled):
    daemon = pooled(mode="session", pool_timeout="250ms")
    with login(daemon) as session:
        first = session.value(PID)
        session.ok("CREATE TEMP TABLE mine (a int)")
        assert session.ok("SELECT * FROM mine") == []
        assert session.value(PID) == first
        with pytest.raises(pgwire.ServerError) as refused:
            login(daemon)
        assert refused.value.sqlstate == "53300"
        session.terminate()
    with login(daemon) as next_one:
        assert next_one.query("SELECT * FROM mine").sqlstate == "42P01"


# --- time-outs ----------------------------------------------------------------------------------------------------

def test_a_pin_that_idles_past_pin_idle_timeout_ends_its_session_and_frees_its_backend(pooled):
    daemon = pooled(pin_idle_timeout="300ms", pool_size=1, max_overflow=0)
    session = login(daemon)
    session.ok("BEGIN; SET temp_buffers = 900; COMMIT")
    with login(daemon) as other:
        assert other.value("SHOW temp_buffers") == "8MB", "the backend is reset and serves others"
    kind, body = session.read()
    assert kind == "E" and b"57P01" in body and b"temp_buffers" in body, (kind, body)
    assert session.closed_by_peer()


# --- waiting ------------------------------------------------------------------------------------------------------

def test_a_server_that_has_no_connection_left_is_a_queue_not_an_error(pooled, postgres):
    postgres.query("DROP ROLE IF EXISTS limited")
    postgres.create_user("limited", PASSWORD, options="LOGIN CONNECTION LIMIT 2")
    daemon = pooled(user="limited", pool_size=6, pool_timeout="15s")
    answers, most, done = [], [], threading.Event()

    def work():
        with login(daemon, "limited", timeout=20) as session:
            for _ in range(5):
                answers.append(session.value("SELECT 1 FROM pg_sleep(0.02)"))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(len(backends(postgres, "limited")))
        time.sleep(0.02)
    done.set()
    assert answers == ["1"] * 30
    assert 1 <= max(most) <= 2


def test_waiters_are_served_once_the_server_has_a_connection_again(pooled, postgres):
    postgres.query("DROP ROLE IF EXISTS limited")
    postgres.create_user("limited", PASSWORD, options="LOGIN CONNECTION LIMIT 1")
    daemon = pooled(user="limited", idle_timeout="100ms", pool_timeout="10s")
    session = login(daemon, "limited")
    wait_until(lambda: not backends(postgres, "limited"), 3, "the idle backend closed")
    hog = pgwire.connect(postgres.port, "limited", "orders", PASSWORD)
    session.send(pgwire.query("SELECT 'served'"))
    assert session.silent(0.5)
    hog.terminate()
    assert session.reply().value() == "served"


# --- a server that goes away --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def mortal():
    """A server of this file's own, for tests that stop it; running at the start and the end of each test."""
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        yield server


@pytest.fixture
def frail(mortal):
    if not mortal.running():
        mortal.start()
    return mortal


def test_a_restart_of_the_server_is_a_pause_for_those_outside_a_transaction(pooled, frail):
    daemon = pooled(frail, pool_size=2, pool_timeout="15s")
    idle, asking, inside = login(daemon), login(daemon), login(daemon, timeout=15)
    idle.ok("SELECT 1")
    inside.ok("BEGIN")
    inside.ok("SELECT 1")
    frail.stop()
    asking.send(pgwire.query("SELECT 'after'"))
    assert asking.silent(0.3)
    frail.start()
    assert asking.reply().value() == "after"
    assert idle.silent(0.1) and idle.value("SELECT 1") == "1"
    assert inside.query("SELECT 1").sqlstate == "40001"
    assert inside.query("ROLLBACK").status == "I"
    assert inside.value("SELECT 1") == "1"


def test_a_warm_login_succeeds_while_the_server_is_down(pooled, frail):
    daemon = pooled(frail, pool_timeout="500ms")
    with login(daemon) as session:
        warm = dict(session.parameters)
        session.ok("SELECT 1")
    frail.stop()
    session = login(daemon)
    assert session.parameters == warm and "server_version" in warm
    began = time.monotonic()
    refused = session.query("SELECT 1")
    assert 0.4 < time.monotonic() - began < 2.5
    assert (refused.sqlstate, refused.status) == ("53300", "I"), refused
    frail.start()
    assert wait_until(lambda: session.query("SELECT 1").rows, 5) == [("1",)]


def test_a_cold_login_waits_for_the_server_and_then_says_that_it_is_not_there(pooled, frail):
    frail.stop()
    daemon = pooled(frail, pool_timeout="500ms")
    began = time.monotonic()
    with pytest.raises(pgwire.ServerError) as refused:
        login(daemon)
    assert 0.4 < time.monotonic() - began < 2.5
    assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "57P03")
    frail.start()
    with login(daemon) as session:
        assert session.value("SELECT 1") == "1"


def test_a_cold_login_succeeds_when_the_server_comes_up_in_time(pooled, frail):
    frail.stop()
    daemon = pooled(frail, pool_timeout="15s")
    starter = threading.Timer(0.3, frail.start)
    starter.start()
    with contextlib.closing(login(daemon, timeout=15).socket) as _:
        pass
    starter.join()


def test_a_server_that_refuses_the_pools_password_is_named_at_once(leasehold, postgres):
    postgres.query("DROP ROLE IF EXISTS changing")
    postgres.create_user("changing", "the new one")
    url = postgres.url("orders", "changing", "the old one")
    daemon = leasehold(pools={"orders": {"url": url, "pool_timeout": "8s"}})
    began = time.monotonic()
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, "changing", "orders", "the old one")
    assert time.monotonic() - began < 4
    assert "password authentication failed" in refused.value.message
    assert "the old one" not in refused.value.message + daemon.log_text()
