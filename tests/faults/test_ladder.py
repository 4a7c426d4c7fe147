# SPDX-License-Identifier: Apache-2.0
"""Every way to leave a mess: however a client's transaction ends without its end, in whatever it was doing, nothing of it is
left within a second, and its backend is back in the pool or closed within `quarantine_timeout`."""
import os
import signal
import socket

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from processes import wait_until
from sides import Side

LIMIT = 1.0  # seconds
QUARANTINE = 3


@pytest.fixture(scope="module", params=["postgres", "mariadb"] + (["mysql97"] if os.environ.get("LEASEHOLD_LONG") else []))
def side(request):
    server = request.getfixturevalue(request.param)
    if request.param != "postgres":
        server.query("SET GLOBAL local_infile = 1")
        server.query("SET GLOBAL max_allowed_packet = 1073741824")
    side = Side.of(server)
    side.prepare_many_rows()
    side.table("mess", "id int, note varchar(100)")
    return side


@pytest.fixture(scope="module")
def daemon(side):
    """One for all that ends by the client or by the console."""
    from leasehold import Leasehold
    with Leasehold(pools=side.pool(pool_size=1, quarantine_timeout=f"{QUARANTINE}s", pool_timeout="10s"), workers=2) as started:
        yield started
        print(started.log_text()[-8000:])
    assert not started.complaint


# --- what it was doing --------------------------------------------------------------------------------------------

def begin(side, daemon):
    """A session in a transaction that holds a row; it reads nothing unless it is told to."""
    session = side.login(daemon, application="mess")
    session.ok(side.BEGIN)
    session.ok("INSERT INTO mess VALUES (1, 'mine')")
    return session


def nothing(side, session):
    return None


def long_statement(side, session):
    session.send(side.sleep(60))
    return "sleep(60"


def pipeline(side, session):
    if side.name == "postgresql":
        session.wire.send(*(pgwire.run(sql) for sql in ["SELECT 1", "SELECT 2", side.sleep(61), "SELECT 3"]), pgwire.SYNC,
                          pgwire.query("SELECT 4"), pgwire.run("SELECT 5"), pgwire.SYNC)
    else:
        session.send_bytes(b"".join(session.bytes_of(sql) for sql in ["SELECT 1", side.sleep(61), "SELECT 2", "SELECT 3"]))
    return "sleep(61"


def copy_in(side, session):
    if side.name == "postgresql":
        session.wire.send(pgwire.query("COPY mess FROM STDIN"))
        assert session.wire.read()[0] == "G"
        session.wire.send(pgwire.copy_data(b"2\tcopied\n") * 100, pgwire.copy_data(b"3\tcop")[:8])
        return "COPY mess FROM"
    session.send("LOAD DATA LOCAL INFILE 'sent' INTO TABLE mess FIELDS TERMINATED BY ','")
    assert session.wire.read()[:1] == b"\xfb"
    body = b"2,loaded\n" * 1000
    session.send_bytes(len(body).to_bytes(3, "little") + b"\x02" + body + b"\x40\x00\x00\x03part")
    return "LOAD DATA"


def many_rows(side, session):
    """It reads none of them: COPY TO STDOUT in PostgreSQL, a result without an end in MySQL."""
    if side.name == "postgresql":
        session.wire.send(pgwire.query("COPY (SELECT repeat('x', 1000), generate_series(1, 100000000)) TO STDOUT"))
        assert session.wire.read()[0] == "H"
        return "COPY (SELECT"
    session.send(side.many_rows(1_000_000, 1000))
    session.wire.read()
    return "FROM digits"


def large_rows(side, session):
    """Each of 16 MB, and it has read a part of the first."""
    session.send(f"SELECT repeat('x', {16 << 20})" + (" FROM generate_series(1, 64)" if side.name == "postgresql" else " FROM digits"))
    session.wire.read_exactly(100_000)
    return str(16 << 20)


DOING = [nothing, long_statement, pipeline, copy_in, many_rows, large_rows]


# --- how it ends --------------------------------------------------------------------------------------------------

def fin(daemon, session):
    session.wire.drop()


def rst(daemon, session):
    session.wire.reset()


def half(daemon, session):
    session.wire.socket.shutdown(socket.SHUT_WR)


def killed(daemon, session):
    number, = [row["id"] for row in daemon.console("SHOW CLIENTS") if row["application_name"] == "mess"]
    daemon.console(f"KILL_CLIENT {number}")


BY_CLIENT = [fin, rst, half, killed]


def only_in_long_runs(side, rare):
    """Where what differs between the servers is not the point."""
    if rare and side.name == "mysql" and not os.environ.get("LEASEHOLD_LONG"):
        pytest.skip("on MySQL's side in long runs only")


def at_rest(side, daemon, limit):
    """No transaction, no lock and no statement of it within the limit; then the pool has its backend again, or a new one."""
    wait_until(side.nothing_left, limit, "the transaction's end", side.GLANCE)
    assert side.rows("mess") == 0

    def settled():
        pools = [row for row in daemon.console("SHOW POOLS") if row["database"] == side.database]
        return not any(row["quarantined"] or row["checkedout"] for row in pools)
    wait_until(settled, QUARANTINE + 1, "the end of the quarantine", 0.05)
    with side.login(daemon) as other:
        assert other.value("SELECT 1") == "1"


@pytest.mark.parametrize("ending", BY_CLIENT, ids=lambda one: one.__name__)
@pytest.mark.parametrize("doing", DOING, ids=lambda one: one.__name__)
def test_a_client_that_ends_in_the_middle_leaves_nothing(side, daemon, doing, ending):
    only_in_long_runs(side, ending in (rst, half))
    session, _ = begin_with(side, daemon, doing)
    ending(daemon, session)
    at_rest(side, daemon, LIMIT + side.GLANCE)
    session.drop()


def begin_with(side, daemon, doing):
    if side.name == "mysql" and doing is copy_in:
        session = begin_local(side, daemon)
    else:
        session = begin(side, daemon)
    text = doing(side, session)
    if text:
        wait_until(lambda: side.running(text), 10, "the statement running", 0.05)
    return session, text


def begin_local(side, daemon):
    """One that may send files."""
    session = side.Session.__new__(side.Session)
    session.daemon, session.in_transaction = daemon, False
    session.wire = mywire.connect(daemon.mysql_port, USER, PASSWORD, side.database, timeout=20, capabilities=128,
                                  attributes={"program_name": "mess"})
    session.ok(side.BEGIN)
    session.ok("INSERT INTO mess VALUES (1, 'mine')")
    return session


@pytest.mark.parametrize("doing", DOING, ids=lambda one: one.__name__)
@pytest.mark.parametrize("limit", ["transaction_idle_timeout", "transaction_timeout", "query_timeout"])
def test_a_limit_of_time_leaves_nothing(side, leasehold, doing, limit):
    if (doing is nothing) == (limit == "query_timeout") or (limit == "transaction_idle_timeout" and doing is not nothing):
        pytest.skip("that limit does not end it")
    daemon = leasehold(pools=side.pool(pool_size=1, quarantine_timeout="1s", **{limit: "700ms"}))
    session, text = begin_with(side, daemon, doing)
    if limit == "query_timeout":
        # It cancels and leaves the transaction, which the client then ends. Where its client takes nothing of the reply, or
        # sends nothing, a server does not hear of it: then the transaction is lost.
        wait_until(lambda: not side.running(text), 0.7 + 1 + LIMIT + 1, "the statement's end", 0.05)
        session.drop()
    at_rest(side, daemon, 0.7 + LIMIT + side.GLANCE)
    session.drop()


@pytest.mark.parametrize("doing", DOING, ids=lambda one: one.__name__)
def test_a_drain_leaves_nothing(side, leasehold, doing):
    only_in_long_runs(side, doing in (pipeline, many_rows))
    daemon = leasehold(pools=side.pool(pool_size=1, quarantine_timeout=f"{QUARANTINE}s"), drain_timeout="300ms")
    session, _ = begin_with(side, daemon, doing)
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(side.nothing_left, 0.3 + LIMIT + 0.5, "the transaction's end", side.GLANCE)
    assert daemon.process.wait(10) == 0
    assert side.rows("mess") == 0
    session.drop()


def test_200_clients_that_vanish_at_once_cost_no_dials(side, leasehold):
    daemon = leasehold(pools=side.pool(pool_size=10, pool_timeout="20s", quarantine_timeout="5s"), workers=2)
    sessions = [side.login(daemon, application="crowd") for _ in range(200)]
    for session in sessions[:10]:
        session.ok(side.BEGIN)
        session.ok("INSERT INTO mess VALUES (2, 'theirs')")
    for session in sessions[10:]:
        session.send(side.BEGIN)
    before = sorted(side.backends())
    for session in sessions:
        session.drop()
    wait_until(side.nothing_left, 10, "the transactions' end", side.GLANCE)
    wait_until(lambda: not daemon.console("SHOW LEASES") and not daemon.console("SHOW WAITERS"), 10, "the pool at rest")
    assert side.rows("mess") == 0
    ended = daemon.console("SHOW QUARANTINE")
    failed = [row for row in ended if row["outcome"] != "readmitted"]
    new = set(side.backends()) - set(before)
    assert len(new) <= len(failed), (new, failed)
