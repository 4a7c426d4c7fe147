# SPDX-License-Identifier: Apache-2.0
"""The pool's rules as they show on real servers, the same for each database: which backend serves, when it is replaced, who
waits and how long, and what ends a transaction that takes too long."""
import time

import pytest
from servers import wait_until
from sides import Side


@pytest.fixture(scope="session", params=["postgres", "mariadb", "mysql97"])
def side(request):
    return Side.of(request.getfixturevalue(request.param))


@pytest.fixture
def pooled(leasehold, side):
    """A factory of daemons with one pool; the pool's keys as arguments."""
    return lambda **keys: leasehold(pools=side.pool(**{"pool_size": 1, "pool_timeout": "5s", **keys}))


@pytest.fixture
def table(side):
    side.table("t", "id int")
    yield lambda: side.rows("t")
    side.query("DROP TABLE t")


def open_all(side, daemon, count):
    """Sessions that hold a backend each, in a transaction, and the backends' numbers."""
    sessions = [side.login(daemon) for _ in range(count)]
    for session in sessions:
        session.ok(side.BEGIN)
    return sessions, [session.backend() for session in sessions]


# --- which backend, and when another ------------------------------------------------------------------------------

def test_a_backend_older_than_pool_recycle_is_replaced_at_its_next_checkout(pooled, side):
    with side.login(pooled(pool_recycle="250ms")) as session:
        first = session.backend()
        time.sleep(0.6)
        assert session.backend() != first


def test_a_backend_in_use_is_never_recycled(pooled, side):
    with side.login(pooled(pool_recycle="250ms")) as session:
        session.ok(side.BEGIN)
        first = session.backend()
        time.sleep(0.6)
        assert session.backend() == first
        session.ok("COMMIT")


def test_without_pool_recycle_the_backend_stays(pooled, side):
    with side.login(pooled(pool_recycle=-1)) as session:
        first = session.backend()
        time.sleep(0.6)
        assert session.backend() == first


@pytest.mark.parametrize("lifo", [True, False])
def test_idle_backends_are_taken_latest_first_or_longest_idle_first(pooled, side, lifo):
    daemon = pooled(pool_size=3, pool_use_lifo=lifo)
    sessions, pids = open_all(side, daemon, 3)
    for session in sessions:
        session.ok("COMMIT")
        time.sleep(0.05)
    served = [sessions[0].backend() for _ in range(6)]
    assert served == ([pids[2]] * 6 if lifo else pids * 2)


def test_backends_beyond_pool_size_are_closed_when_they_come_back(pooled, side):
    daemon = pooled(pool_size=1, max_overflow=2)
    sessions, pids = open_all(side, daemon, 3)
    assert len(set(pids)) == 3
    for session in sessions:
        session.ok("COMMIT")
    wait_until(lambda: len(side.connections()) == 1, 5, "the overflow closed")


def test_max_overflow_minus_one_means_no_limit(pooled, side):
    sessions, pids = open_all(side, pooled(pool_size=1, max_overflow=-1), 12)
    assert len(set(pids)) == 12
    for session in sessions:
        session.ok("COMMIT")


def test_idle_backends_are_closed_after_idle_timeout_down_to_min_idle(pooled, side):
    wait_until(lambda: not side.connections(), 5, "earlier backends gone")
    daemon = pooled(pool_size=4, idle_timeout="1s", min_idle=2)
    wait_until(lambda: len(side.connections()) == 2, 10, "min_idle at the start")
    sessions, _ = open_all(side, daemon, 4)
    for session in sessions:
        session.ok("COMMIT")
    assert len(side.connections()) == 4
    wait_until(lambda: len(side.connections()) == 2, 5, "idle ones closed")
    time.sleep(1.2)
    assert len(side.connections()) == 2


@pytest.mark.parametrize("reset, ending, rows", [("commit", "terminate", 1), ("commit", "drop", 0),
                                                 ("commit", "reset", 0), ("rollback", "terminate", 0)])
def test_reset_on_return_commits_only_what_was_left_in_order(pooled, side, table, reset, ending, rows):
    session = side.login(pooled(pool_reset_on_return=reset))
    session.ok(side.BEGIN)
    session.ok("INSERT INTO t VALUES (1)")
    getattr(session, ending)()
    wait_until(side.nothing_left, 1, "the transaction's end", side.GLANCE)
    assert table() == rows


# --- modes --------------------------------------------------------------------------------------------------------

def test_statement_mode_refuses_begin_and_the_session_lives(pooled, side):
    session = side.login(pooled(mode="statement"))
    refused = session.ask("BEGIN")
    assert (refused.code, refused.in_transaction) == (side.BEGIN_REFUSED, False)
    assert session.prepared("BEGIN").code == side.BEGIN_REFUSED
    assert session.value("SELECT 1") == "1"


def test_two_pools_of_one_server_never_share_a_backend(leasehold, side):
    (name, pool), = side.pool(pool_size=1).items()
    daemon = leasehold(pools={name: pool, "reports": pool})
    numbers = set()
    for database in (name, "reports"):
        with side.Session(daemon, database, None, 10) as session:
            numbers.add(session.backend())
    assert len(numbers) == 2


# --- time-outs ----------------------------------------------------------------------------------------------------

def test_an_idle_transaction_is_ended_and_its_session_told_at_its_next_statement(pooled, side, table):
    daemon = pooled(transaction_idle_timeout="300ms")
    session = side.login(daemon)
    session.ok(side.BEGIN)
    session.ok("INSERT INTO t VALUES (1)")
    wait_until(side.nothing_left, 2, "the transaction's end", side.GLANCE)
    assert session.silent(0.2)
    with side.login(daemon) as other:
        assert other.value("SELECT count(*) FROM t") == "0", "its backend serves others"
    told = session.ask("SELECT 1")
    assert told.code == side.LOST, told
    assert "transaction lost" in told.message
    assert not session.ask("COMMIT").in_transaction
    assert session.value("SELECT 1") == "1"
    assert [r["reason"] for r in daemon.console("SHOW QUARANTINE")] == ["transaction_idle_timeout"]


def test_a_busy_transaction_is_not_idle(pooled, side):
    session = side.login(pooled(transaction_idle_timeout="1s"))
    session.ok(side.BEGIN)
    for _ in range(4):
        session.ok(side.sleep(0.4))
    session.ok(side.sleep(1.4))
    session.ok("COMMIT")


def test_a_transaction_longer_than_transaction_timeout_is_lost_even_while_it_works(pooled, side):
    session = side.login(pooled(transaction_timeout="400ms"))
    session.ok(side.BEGIN)
    session.ok("SELECT 1")
    began = time.monotonic()
    lost = session.ask(side.sleep(20))
    assert time.monotonic() - began < 3
    assert lost.code == side.LOST, lost
    assert not session.ask("ROLLBACK").in_transaction
    wait_until(side.nothing_left, 2, "the statement's end", side.GLANCE)
    assert session.value("SELECT 1") == "1"


def test_query_timeout_cancels_and_leaves_the_transaction_as_the_server_says(pooled, side):
    session = side.login(pooled(query_timeout="1s"))
    cancelled = session.ask(side.sleep(20))
    assert (cancelled.code, cancelled.in_transaction) == (side.CANCELLED, False)
    session.ok(side.BEGIN)
    cancelled = session.ask(side.sleep(20))
    assert (cancelled.code, cancelled.in_transaction) == (side.CANCELLED, True)
    assert not session.ask("ROLLBACK").in_transaction
    assert session.value("SELECT 1") == "1"


# --- waiting ------------------------------------------------------------------------------------------------------

def test_a_client_that_leaves_the_queue_takes_nobodys_turn(pooled, side):
    daemon = pooled()
    (holder,), _ = open_all(side, daemon, 1)
    gone, waiter = side.login(daemon), side.login(daemon)
    gone.send("SELECT 'gone'")
    time.sleep(0.05)
    waiter.send("SELECT 'served'")
    time.sleep(0.05)
    gone.reset()
    holder.ok("COMMIT")
    assert waiter.read().rows == [("served",)]
    assert holder.value("SELECT 'again'") == "again"
