# SPDX-License-Identifier: Apache-2.0
"""One short test for each thing that leasehold promises its users, the same for each database; light enough to run under
sanitizers too."""
import contextlib
import os
import signal
import subprocess
import threading
import time

import pgwire
import pytest
import sqlalchemy
import sqlalchemy.orm
from conftest import PASSWORD, USER, login
from leasehold import check
from servers import wait_until
from sides import Side

pytestmark = pytest.mark.promise


@pytest.fixture(scope="session", params=["postgres", "mariadb", "mysql97"])
def side(request):
    return Side.of(request.getfixturevalue(request.param))


@pytest.fixture
def small(leasehold, side):
    """A factory of daemons with a pool of one backend; keys of the pool can be added."""
    return lambda **keys: leasehold(pools=side.pool(**{"pool_size": 1, "pool_timeout": "5s", **keys}))


@pytest.fixture
def table(side):
    """An empty table t (id, note), made for this test; everything may read and write it."""
    side.table("t", "id int, note varchar(100)")
    yield lambda: side.rows("t")
    side.query("DROP TABLE t")


# --- P1: nothing dirty is ever shared -----------------------------------------------------------------------------

# What makes state, what shows it, and what its owner sees then.
POSTGRES_STATES = {
    "setting": ("SET work_mem = '123MB'", "SHOW work_mem", "123MB"),
    "temp table": ("CREATE TEMP TABLE mine (a int)", "SELECT count(*) FROM pg_class WHERE relname = 'mine'"
                   " AND pg_table_is_visible(oid)", "1"),
    "lock": ("SELECT pg_advisory_lock(4711)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
             " AND pid = pg_backend_pid()", "1"),
    "prepare": ("PREPARE plan AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'plan'", "1"),
    "listen": ("LISTEN channel", "SELECT count(*) FROM pg_listening_channels()", "1"),
    "held cursor": ("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT",
                    "SELECT count(*) FROM pg_cursors WHERE name = 'held'", "1"),
    "set_config": ("SELECT set_config('work_mem', '124MB', false)", "SHOW work_mem", "124MB"),
}
MYSQL_STATES = {
    "setting": ("SET sort_buffer_size = 123456", "SELECT @@sort_buffer_size", "123456"),
    "temp table": ("CREATE TEMPORARY TABLE t (mine int)", "SELECT count(*) FROM t", "0"),
    "lock": ("SELECT get_lock('mine', 0)", "SELECT coalesce(is_used_lock('mine') = 0 + connection_id(), 0)", "1"),
    "user variable": ("SET @mine = 5", "SELECT @mine", "5"),
    "assigned variable": ("SELECT @mine := 6", "SELECT @mine", "6"),
    "character set": ("SET NAMES latin1", "SELECT @@character_set_results", "latin1"),
    "autocommit": ("SET autocommit = 0", "SELECT @@autocommit", "0"),
    "database": ("USE information_schema", "SELECT database()", "information_schema"),
}
STATES = [("postgresql", name) for name in POSTGRES_STATES] + [("mysql", name) for name in MYSQL_STATES]


@pytest.mark.parametrize("name, state", STATES, ids=[name for _, name in STATES])
def test_p1_state_of_a_session_is_its_own_and_dies_with_it(small, side, name, state):
    if side.name != name:
        return  # the other protocol's
    make, look, mine = (POSTGRES_STATES if name == "postgresql" else MYSQL_STATES)[state]
    if state == "temp table":
        side.table("t", "id int")
        side.query("INSERT INTO t VALUES (1)")
    daemon = small(pool_size=2)
    owner, other = side.login(daemon), side.login(daemon)
    clean = other.value(look)
    owner.ok(make)
    assert clean != mine
    assert [other.value(look) for _ in range(4)] == [clean] * 4, "another session sees it"
    assert [owner.value(look) for _ in range(2)] == [mine] * 2, "its owner has lost it"
    owner.terminate()
    other.terminate()
    with contextlib.ExitStack() as stack:  # both backends at once
        for session in [stack.enter_context(side.login(daemon)) for _ in range(2)]:
            session.ok(side.BEGIN)
            assert session.value(look) == clean, "it outlived its owner"


def test_p1_unread_rows_of_a_vanished_client_reach_nobody(small, side):
    side.prepare_many_rows()
    daemon = small()
    for _ in range(5):
        gone = side.login(daemon)
        gone.send(side.many_rows(100000, 500))
        gone.begin_reading()
        gone.reset()
        with side.login(daemon) as session:
            assert session.ok("SELECT 'mine'") == [("mine",)]


# --- P2: as on a dedicated connection -----------------------------------------------------------------------------

def test_p2_settings_follow_the_session_over_a_shared_backend(small, side):
    daemon = small()
    zone = ("SET TimeZone = '{}'", "SHOW TimeZone") if side.name == "postgresql" else \
        ("SET time_zone = '{}'", "SELECT @@time_zone")
    names = ("Asia/Tokyo", "Europe/Paris") if side.name == "postgresql" else ("+09:00", "+01:00")
    sessions = [side.login(daemon) for _ in names]
    for session, name in zip(sessions, names):
        session.ok(zone[0].format(name))
    for _ in range(3):
        assert [session.value(zone[1]) for session in sessions] == list(names)
    assert len({session.backend() for session in sessions}) == 1


def test_p2_settings_of_the_login_and_prepared_statements_follow_the_session_too(small, side):
    if side.name != "postgresql":
        return  # MySQL's protocol has its own words for it: test_mysql_prepared
    daemon = small()
    sessions = {name: pgwire.connect(daemon.port, USER, "orders", PASSWORD, TimeZone=zone)
                for name, zone in (("one", "Asia/Tokyo"), ("two", "Europe/Paris"))}
    for name, session in sessions.items():
        session.send(pgwire.parse("same", f"SELECT '{name}' || $1 || current_setting('TimeZone')"), pgwire.SYNC)
        assert session.reply().kinds == "1Z"
    for turn in range(3):
        for name, session in sessions.items():
            session.send(pgwire.bind("same", values=[turn]), pgwire.execute(), pgwire.SYNC)
            assert session.reply().rows == [(f"{name}{turn}{session.parameters['TimeZone']}",)]


# --- P3: a client outlives its backend ----------------------------------------------------------------------------

def test_p3_an_idle_client_notices_nothing(small, side):
    session = side.login(small())
    old = session.backend()
    side.terminate(old)
    session.daemon.lost(old)
    assert session.silent(0.1)
    assert session.backend() != old


def lose_transaction(side, session):
    """Nothing may be said before the client asks."""
    side.terminate(backend := session.backend())
    session.daemon.lost(backend)
    assert session.silent(0.1)


def test_p3_a_client_in_a_transaction_gets_one_precise_error_and_goes_on(small, side):
    session = side.login(small())
    session.ok(side.BEGIN)
    lose_transaction(side, session)
    lost = session.ask("SELECT 1")
    assert lost.code == side.LOST, lost
    if side.name == "postgresql":  # a failed transaction has to be ended
        assert lost.in_transaction
        assert session.ask("SELECT 1").code == "25P02"
    assert not session.ask("ROLLBACK").in_transaction
    assert session.value("SELECT 1") == "1"


def test_p3_the_commit_of_a_lost_transaction_is_an_error(small, side, table):
    session = side.login(small())
    session.ok(side.BEGIN)
    session.ok("INSERT INTO t (id) VALUES (1)")
    lose_transaction(side, session)
    lost = session.ask("COMMIT")
    assert (lost.code, lost.in_transaction) == (side.LOST, False)
    assert session.value("SELECT count(*) FROM t") == "0"


def test_p3_a_commit_cut_short_is_reported_as_unknown(small, side, table):
    session = side.login(small())
    with side.insert_whose_commit_hangs(session, "t"):
        backend = session.backend()
        session.send("COMMIT")
        wait_until(lambda: side.running("COMMIT"), 5, "the COMMIT on the server")
        side.terminate(backend)
        unknown = session.read()
        # A server closes the connection first, and wakes what waits on it then: free again by that time, it would commit.
        wait_until(lambda: backend not in side.backends(), 20, "the end of the backend")
    assert (unknown.code, unknown.in_transaction) == (side.UNKNOWN, False), unknown
    assert session.value("SELECT count(*) FROM t") == "0"


def test_p3_sqlalchemy_rolls_back_and_its_pool_stays_valid(small, side, table):
    engine = sqlalchemy.create_engine(small(pool_size=3).url(side.database, USER, PASSWORD, side.scheme))
    invalidated = []
    sqlalchemy.event.listen(engine, "invalidate", lambda *arguments: invalidated.append(arguments))
    with sqlalchemy.orm.Session(engine) as session:
        session.execute(sqlalchemy.text("INSERT INTO t VALUES (1, 'lost')"))
        raw = session.connection().connection.dbapi_connection
        side.terminate(session.execute(sqlalchemy.text(side.Session.BACKEND)).scalar())
        with pytest.raises(sqlalchemy.exc.DBAPIError) as caught:
            session.execute(sqlalchemy.text("SELECT 1"))
        assert getattr(caught.value.orig, "pgcode", caught.value.orig.args[0]) == side.LOST
        assert not caught.value.connection_invalidated
        session.rollback()
        session.execute(sqlalchemy.text("INSERT INTO t VALUES (2, 'kept')"))
        assert session.connection().connection.dbapi_connection is raw
        session.commit()
    assert not invalidated
    engine.dispose()
    assert [row[0] for row in side.query("SELECT note FROM t")] == ["kept"]


# --- P4: unfinished transactions are found, ended and explained ---------------------------------------------------

@pytest.mark.parametrize("ending", ["drop", "reset", "terminate"])
def test_p4_an_unfinished_transaction_is_ended_within_a_second_and_recorded(small, side, table, ending):
    daemon = small()
    session = side.login(daemon, application="checkout-form")
    session.ok(side.BEGIN)
    session.ok("INSERT INTO t VALUES (42, 'a secret literal')")
    getattr(session, ending)()
    wait_until(side.nothing_left, 1, "the transaction's end", side.GLANCE)
    assert table() == 0
    records = wait_until(lambda: [r for r in daemon.console("SHOW QUARANTINE") if r["outcome"] == "readmitted"], 2,
                         "the record")
    assert len(records) == 1
    record = records[0]
    assert (record["database"], record["user"], record["application_name"]) == (side.database, USER, "checkout-form")
    assert record["addr"].startswith("127.0.0.1")
    assert "INSERT INTO t VALUES" in record["statements"]
    assert "secret literal" not in str(record) and "42" not in record["statements"]
    assert record["reason"] == ("orderly" if ending == "terminate" else "client_gone")


def test_p4_the_statement_of_a_killed_client_is_cancelled(small, side):
    daemon = small()
    client = subprocess.Popen(side.client(daemon), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    client.stdin.write(f"BEGIN;\n{side.sleep(60)};\n")
    client.stdin.flush()
    wait_until(lambda: side.running("sleep(60)"), 10, "the statement running")
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    wait_until(side.nothing_left, 1, "the statement's end", side.GLANCE)
    with side.login(daemon) as session:
        assert session.value("SELECT 1") == "1"


# --- P5: nothing is executed twice and nothing is silently lost ----------------------------------------------------

def test_p5_a_statement_cut_short_outside_a_transaction_is_unknown_and_never_repeated(small, side, table):
    session = side.login(small())
    backend = session.backend()
    session.send(side.slow_insert("t", 20))
    wait_until(lambda: side.running("INSERT INTO t"), 5, "the statement running")
    side.terminate(backend)
    unknown = session.read()
    assert (unknown.code, unknown.in_transaction) == (side.UNKNOWN, False), unknown
    wait_until(lambda: not side.running("INSERT INTO t"), 5, "the statement's end")
    # Unknown it is: MySQL's sleep() ends when it is killed, and the row may be there.
    assert session.value("SELECT count(*) FROM t") in (("0",) if side.name == "postgresql" else ("0", "1"))


def test_p5_what_was_answered_happened_once_and_the_rest_at_most_once(small, side, table):
    daemon = small(pool_size=2)
    side.query("CREATE UNIQUE INDEX once ON t (id)")
    answered, unknown, done = [], [], threading.Event()

    def kill_now_and_then():
        while not done.wait(0.03):
            for backend in side.backends()[:1]:
                side.terminate(backend)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        with side.login(daemon) as session:
            for number in range(200):
                reply = session.ask(f"INSERT INTO t (id) VALUES ({number})")
                assert reply.code in (None, side.UNKNOWN), reply
                (unknown if reply.code else answered).append(number)
                time.sleep(0.002)
    finally:
        done.set()
        killer.join()
    present = {row[0] for row in side.query("SELECT id FROM t")}
    assert set(answered) <= present <= set(answered) | set(unknown)


# --- P6: lazy and bounded -----------------------------------------------------------------------------------------

def test_p6_no_backend_is_dialled_before_it_is_needed(small, side):
    wait_until(lambda: not side.connections(), 5, "earlier backends gone")
    daemon = small(pool_size=5)
    time.sleep(0.3)
    assert len(side.connections()) <= side.GREETS, "MySQL's greeting is the server's own"
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(side.login(daemon)) for _ in range(10)]
        assert len(side.connections()) <= 1, "a login holds no backend"
        for session in sessions:
            session.ok("SELECT 1")
        assert 1 <= len(side.connections()) <= 1 + side.GREETS


def test_p6_a_full_pool_makes_wait_and_then_says_who_is_in_the_way(small, side):
    daemon = small(pool_size=1, max_overflow=1, pool_timeout="300ms")
    holders = [side.login(daemon, application=f"holder-{n}") for n in range(2)]
    for holder in holders:
        holder.ok(side.BEGIN)
        holder.ok("SELECT 1")
    waiter = side.login(daemon)
    began = time.monotonic()
    refused = waiter.ask("SELECT 1")
    assert 0.25 < time.monotonic() - began < 2
    assert (refused.code, refused.in_transaction) == (side.TIMEOUT, False)
    for word in (side.database, "size 1", "overflow 1", "0.30"):
        assert word in refused.message, refused.message
    holders[0].ok("COMMIT")
    assert waiter.value("SELECT 1") == "1"


def test_p6_waiters_are_served_first_come_first_served(small, side):
    side.numbered_table("turn", "who int")
    daemon = small()
    holder, waiters = side.login(daemon), [side.login(daemon) for _ in range(8)]
    holder.ok(side.BEGIN)
    holder.ok("SELECT 1")
    for number, waiter in enumerate(waiters):
        waiter.send(f"INSERT INTO turn (who) VALUES ({number})")
        wait_until(lambda: daemon.console("SHOW POOLS")[0]["cl_waiting"] == number + 1, 5, "it waits", 0.005)
    holder.ok("COMMIT")
    assert not [answer for answer in [waiter.read() for waiter in waiters] if answer.code]
    assert [row[0] for row in side.query("SELECT who FROM turn ORDER BY id")] == list(range(8))


def test_p6_a_connect_storm_becomes_a_queue(small, side):
    daemon = small(pool_size=3, pool_timeout="20s")
    answers, most = [], []

    def one():
        with side.login(daemon) as session:
            session.ok(side.sleep(0.02))
            answers.append(session.value("SELECT 1"))

    threads = [threading.Thread(target=one) for _ in range(60)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(len(side.connections()))
    assert answers == ["1"] * 60
    assert max(most) <= 3


# --- P9: operable -------------------------------------------------------------------------------------------------

def test_p9_every_error_of_a_configuration_names_file_line_and_key():
    done = check("listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  orders:\n"
                 "    url: postgresql://app:x@h/d\n    pool_sise: 3\n    pool_timeout: soon\n")
    assert done.returncode == 78
    text = done.stdout + done.stderr
    for place in ("leasehold.yaml:6: pools.orders.pool_sise", "leasehold.yaml:7: pools.orders.pool_timeout"):
        assert place in text, text
    assert "pool_size" in text


# --- P10: hard to break -------------------------------------------------------------------------------------------

STARTS = {
    "length 0": b"\0\0\0\0\0\3\0\0", "length 3": b"\0\0\0\3\0\3\0\0", "negative": b"\xff\xff\xff\xff\0\3\0\0",
    "2^31-1": b"\x7f\xff\xff\xff\0\3\0\0", "http": b"GET / HTTP/1.0\r\n\r\n", "zeros": bytes(64),
    "protocol 2": pgwire.startup_packet(2 << 16, bytes(288)), "no user": pgwire.startup_packet(body=b"database\0x\0\0"),
    "unterminated": pgwire.startup_packet(body=b"user\0app"),
    "tls twice": pgwire.startup_packet(pgwire.SSL_REQUEST) * 2 + b"\x16\x03\x01",
}
MESSAGES = {
    "length 0": b"Q\0\0\0\0", "length 3": b"Q\0\0\0\3", "negative": b"P\xff\xff\xff\xf0",
    "2^31-1": b"B\x7f\xff\xff\xff",
    "unknown type": pgwire.message(b"~"), "server's type": pgwire.message(b"Z", b"I"),
    "no end of text": pgwire.message(b"Q", b"SELECT 1"), "bind of nothing": pgwire.message(b"B", b"\0") + pgwire.SYNC,
    "negative count": pgwire.message(b"B", b"\0\0\xff\xff") + pgwire.SYNC,
}


@pytest.mark.parametrize("stage", ["start", "session"])
def test_p10_garbage_gets_an_error_at_most_and_disturbs_nobody(orders, stage):
    """PostgreSQL's; MySQL's is in test_hostile_mysql."""
    daemon = orders
    witness = login(daemon)
    for name, garbage in (STARTS if stage == "start" else MESSAGES).items():
        session = pgwire.Connection(daemon.port, timeout=5) if stage == "start" else login(daemon, timeout=5)
        session.send(garbage)
        try:
            kind, _ = session.read()
            while kind in "N":
                kind, _ = session.read()
            assert kind == "E", f"{name}: {kind}"
        except pgwire.Closed:
            pass
        except TimeoutError:
            pytest.fail(f"{name}: no answer")
        session.drop()
        assert witness.value("SELECT 'well'") == "well", name
    assert daemon.running()
