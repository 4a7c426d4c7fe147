# SPDX-License-Identifier: Apache-2.0
"""The pool's rules as they show on a real server: which backend serves, when it is replaced, who waits and how long."""
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

def test_a_backend_older_than_pool_recycle_is_replaced_at_its_next_checkout(pooled):
    with login(pooled(pool_recycle="250ms")) as session:
        first = session.value(PID)
        time.sleep(0.6)
        assert session.value(PID) != first


def test_a_backend_in_use_is_never_recycled(pooled):
    with login(pooled(pool_recycle="250ms")) as session:
        session.ok("BEGIN")
        first = session.value(PID)
        time.sleep(0.6)
        assert session.value(PID) == first
        session.ok("COMMIT")


def test_without_pool_recycle_the_backend_stays(pooled):
    with login(pooled(pool_recycle=-1)) as session:
        first = session.value(PID)
        time.sleep(0.6)
        assert session.value(PID) == first


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


@pytest.mark.parametrize("lifo", [True, False])
def test_idle_backends_are_taken_latest_first_or_longest_idle_first(pooled, lifo):
    daemon = pooled(pool_size=3, pool_use_lifo=lifo)
    sessions, pids = open_all(daemon, 3)
    for session in sessions:
        session.ok("COMMIT")
        time.sleep(0.05)
    served = [sessions[0].value(PID) for _ in range(6)]
    assert served == ([pids[2]] * 6 if lifo else pids * 2)


def test_backends_beyond_pool_size_are_closed_when_they_come_back(pooled, postgres):
    daemon = pooled(pool_size=1, max_overflow=2)
    sessions, pids = open_all(daemon, 3)
    assert len(set(pids)) == 3
    for session in sessions:
        session.ok("COMMIT")
    wait_until(lambda: len(backends(postgres)) == 1, 2, "the overflow closed")


def test_max_overflow_minus_one_means_no_limit(pooled):
    sessions, pids = open_all(pooled(pool_size=1, max_overflow=-1), 12)
    assert len(set(pids)) == 12
    for session in sessions:
        session.ok("COMMIT")


def test_idle_backends_are_closed_after_idle_timeout_down_to_min_idle(pooled, postgres):
    wait_until(lambda: not backends(postgres), 5, "earlier backends gone")
    daemon = pooled(pool_size=4, idle_timeout="300ms", min_idle=2)
    wait_until(lambda: len(backends(postgres)) == 2, 3, "min_idle at the start")
    sessions, _ = open_all(daemon, 4)
    for session in sessions:
        session.ok("COMMIT")
    assert len(backends(postgres)) == 4
    wait_until(lambda: len(backends(postgres)) == 2, 3, "idle ones closed")
    time.sleep(0.5)
    assert len(backends(postgres)) == 2


@pytest.mark.parametrize("reset, ending, rows", [("commit", "terminate", 1), ("commit", "drop", 0),
                                                 ("commit", "reset", 0), ("rollback", "terminate", 0)])
def test_reset_on_return_commits_only_what_was_left_in_order(pooled, postgres, table, reset, ending, rows):
    session = login(pooled(pool_reset_on_return=reset))
    session.ok("BEGIN")
    session.ok("INSERT INTO t VALUES (1)")
    getattr(session, ending)()
    wait_until(lambda: not [b for b in backends(postgres) if b["in_transaction"]], 1, "the transaction's end")
    assert table() == rows


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


def test_statement_mode_refuses_begin_and_the_session_lives(pooled):
    session = login(pooled(mode="statement"))
    refused = session.query("BEGIN")
    assert (refused.sqlstate, refused.status) == ("25001", "I")
    assert session.extended("BEGIN").sqlstate == "25001"
    assert session.value("SELECT 1") == "1"


def test_two_pools_of_one_server_never_share_a_backend(leasehold, postgres):
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={name: {"url": url, "pool_size": 1, "max_overflow": 0} for name in ("orders", "reports")})
    pids = set()
    for name in ("orders", "reports"):
        with pgwire.connect(daemon.port, USER, name, PASSWORD) as session:
            pids.add(session.value(PID))
    assert len(pids) == 2


# --- time-outs ----------------------------------------------------------------------------------------------------

def test_an_idle_transaction_is_ended_and_its_session_told_at_its_next_statement(pooled, postgres, table):
    daemon = pooled(transaction_idle_timeout="300ms")
    session = login(daemon)
    session.ok("BEGIN")
    session.ok("INSERT INTO t VALUES (1)")
    wait_until(lambda: not [b for b in backends(postgres) if b["in_transaction"]], 1.5, "the transaction's end")
    assert session.silent(0.2)
    with login(daemon) as other:
        assert other.value("SELECT count(*) FROM t") == "0", "its backend serves others"
    told = session.query("SELECT 1")
    assert (told.sqlstate, told.status) == ("40001", "E"), told
    assert "transaction lost" in told.error.message
    assert session.query("COMMIT").tags == ["ROLLBACK"]
    assert session.value("SELECT 1") == "1"
    assert [r["reason"] for r in daemon.console("SHOW QUARANTINE")] == ["transaction_idle_timeout"]


def test_a_pin_that_idles_past_pin_idle_timeout_ends_its_session_and_frees_its_backend(pooled):
    daemon = pooled(pin_idle_timeout="300ms", pool_size=1, max_overflow=0)
    session = login(daemon)
    session.ok("BEGIN; SET work_mem = '1MB'; COMMIT")
    with login(daemon) as other:
        assert other.value("SHOW work_mem") == "4MB", "the backend is reset and serves others"
    kind, body = session.read()
    assert kind == "E" and b"57P01" in body and b"work_mem" in body, (kind, body)
    assert session.closed_by_peer()


def test_a_busy_transaction_is_not_idle(pooled):
    session = login(pooled(transaction_idle_timeout="400ms"))
    session.ok("BEGIN")
    for _ in range(4):
        session.ok("SELECT pg_sleep(0.15)")
    session.ok("SELECT pg_sleep(0.6)")
    session.ok("COMMIT")


def test_a_transaction_longer_than_transaction_timeout_is_lost_even_while_it_works(pooled, postgres):
    session = login(pooled(transaction_timeout="400ms"))
    session.ok("BEGIN")
    session.ok("SELECT 1")
    began = time.monotonic()
    lost = session.query("SELECT pg_sleep(20)")
    assert time.monotonic() - began < 3
    assert (lost.sqlstate, lost.status) == ("40001", "E"), lost
    assert session.query("ROLLBACK").status == "I"
    wait_until(lambda: not [b for b in backends(postgres) if b["state"] == "active"], 1, "the statement's end")
    assert session.value("SELECT 1") == "1"


def test_query_timeout_cancels_and_leaves_the_transaction_as_the_server_says(pooled):
    session = login(pooled(query_timeout="1s"))
    cancelled = session.query("SELECT pg_sleep(20)")
    assert (cancelled.sqlstate, cancelled.status) == ("57014", "I")
    session.ok("BEGIN")
    cancelled = session.query("SELECT pg_sleep(20)")
    assert (cancelled.sqlstate, cancelled.status) == ("57014", "E")
    assert session.query("ROLLBACK").status == "I"
    assert session.value("SELECT 1 FROM pg_sleep(0.05)") == "1"


# --- waiting ------------------------------------------------------------------------------------------------------

def test_a_client_that_leaves_the_queue_takes_nobodys_turn(pooled):
    daemon = pooled()
    (holder,), _ = open_all(daemon, 1)
    gone, waiter = login(daemon), login(daemon)
    gone.send(pgwire.query("SELECT 'gone'"))
    time.sleep(0.05)
    waiter.send(pgwire.query("SELECT 'served'"))
    time.sleep(0.05)
    gone.reset()
    holder.ok("COMMIT")
    assert waiter.reply().value() == "served"
    assert holder.value("SELECT 'again'") == "again"


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
