# SPDX-License-Identifier: Apache-2.0
"""One short test for each thing that leasehold promises its users; light enough to run under sanitizers too."""
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
from conftest import PASSWORD, USER
from leasehold import check
from servers import wait_until

pytestmark = pytest.mark.promise


def login(daemon, **parameters):
    return pgwire.connect(daemon.port, USER, "orders", PASSWORD, **parameters)


@pytest.fixture
def small(leasehold, postgres):
    """A factory of daemons with a pool `orders` of one backend; keys of the pool can be added."""
    def start(**keys):
        pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0, "pool_timeout": "5s"}
        return leasehold(pools={"orders": {**pool, **keys}})
    return start


@pytest.fixture
def table(postgres):
    """An empty table t (id, note), made for this test; everything may read and write it."""
    postgres.query("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, note text); GRANT ALL ON t TO app",
                   database="orders")
    yield lambda: postgres.value("SELECT count(*) FROM t", database="orders")
    postgres.query("DROP TABLE t", database="orders")


def nothing_left(postgres):
    """True when no transaction of the application is open and no statement of it runs."""
    return not [b for b in postgres.backends("%") if b["usename"] == USER and (b["in_transaction"] or
                                                                               b["state"] == "active")]


# --- P1: nothing dirty is ever shared -----------------------------------------------------------------------------

STATES = {
    "setting": ("SET work_mem = '123MB'", "SHOW work_mem", "123MB"),
    "temp table": ("CREATE TEMP TABLE mine (a int)", "SELECT count(*) FROM pg_class WHERE relname = 'mine'"
                   " AND pg_table_is_visible(oid)", "1"),
    "listen": ("LISTEN channel", "SELECT count(*) FROM pg_listening_channels()", "1"),
    "advisory lock": ("SELECT pg_advisory_lock(4711)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                      " AND pid = pg_backend_pid()", "1"),
    "held cursor": ("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT",
                    "SELECT count(*) FROM pg_cursors WHERE name = 'held'", "1"),
    "prepare": ("PREPARE plan AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'plan'", "1"),
    "set_config": ("SELECT set_config('work_mem', '124MB', false)", "SHOW work_mem", "124MB"),
}


@pytest.mark.parametrize("state", STATES)
def test_p1_state_of_a_session_is_its_own_and_dies_with_it(small, state):
    make, look, mine = STATES[state]
    daemon = small(pool_size=2)
    owner, other = login(daemon), login(daemon)
    clean = other.value(look)
    owner.ok(make)
    assert [other.value(look) for _ in range(4)] == [clean] * 4, "another session sees it"
    assert [owner.value(look) for _ in range(2)] == [mine] * 2, "its owner has lost it"
    owner.terminate()
    with contextlib.ExitStack() as stack:  # both backends at once
        for session in [stack.enter_context(login(daemon)) for _ in range(2)]:
            session.ok("BEGIN")
            assert session.value(look) == clean, "it outlived its owner"


def test_p1_unread_rows_of_a_vanished_client_reach_nobody(small):
    daemon = small()
    for _ in range(5):
        gone = login(daemon)
        gone.send(pgwire.query("SELECT 'not yours', repeat('x', 500) FROM generate_series(1, 100000)"))
        gone.read()
        gone.reset()
        with login(daemon) as session:
            assert session.ok("SELECT 'mine'") == [("mine",)]


# --- P2: as on a dedicated connection -----------------------------------------------------------------------------

def test_p2_settings_follow_the_session_over_a_shared_backend(small):
    daemon = small()
    first, second = login(daemon, TimeZone="Asia/Tokyo"), login(daemon)
    assert first.parameters["TimeZone"] == "Asia/Tokyo"
    second.ok("SET TimeZone = 'Europe/Paris'")
    second.ok("SET DateStyle = 'German'")
    for _ in range(3):
        assert first.value("SHOW TimeZone") == "Asia/Tokyo"
        assert second.value("SHOW TimeZone") == "Europe/Paris"
        assert first.value("SELECT date '2026-01-02'") == "2026-01-02"
        assert second.value("SELECT date '2026-01-02'") == "02.01.2026"


def test_p2_prepared_statements_follow_the_session_over_a_shared_backend(small):
    daemon = small()
    sessions = {name: login(daemon) for name in ("one", "two")}
    for name, session in sessions.items():
        session.send(pgwire.parse("same", f"SELECT '{name}' || $1"), pgwire.SYNC)
        assert session.reply().kinds == "1Z"
    for turn in range(3):
        for name, session in sessions.items():
            session.send(pgwire.bind("same", values=[turn]), pgwire.execute(), pgwire.SYNC)
            assert session.reply().rows == [(f"{name}{turn}",)]


# --- P3: a client outlives its backend ----------------------------------------------------------------------------

def test_p3_an_idle_client_notices_nothing(small, postgres):
    session = login(small())
    old = session.value("SELECT pg_backend_pid()")
    postgres.terminate(int(old))
    assert session.silent(0.3)
    assert session.value("SELECT pg_backend_pid()") != old


def test_p3_a_client_in_a_transaction_gets_one_precise_error_and_goes_on(small, postgres):
    session = login(small())
    session.ok("BEGIN")
    postgres.terminate(int(session.value("SELECT pg_backend_pid()")))
    assert session.silent(0.2), "nothing may be said before the client asks"
    lost = session.query("SELECT 1")
    assert (lost.sqlstate, lost.kinds, lost.status) == ("40001", "EZ", "E"), lost
    assert session.query("SELECT 1").sqlstate == "25P02"
    ended = session.query("ROLLBACK")
    assert (ended.tags, ended.status) == (["ROLLBACK"], "I")
    assert session.value("SELECT 1") == "1"


def test_p3_the_commit_of_a_lost_transaction_is_an_error(small, postgres, table):
    session = login(small())
    session.ok("BEGIN")
    session.ok("INSERT INTO t VALUES (1)")
    postgres.terminate(int(session.value("SELECT pg_backend_pid()")))
    assert session.silent(0.2), "a COMMIT on its way when the backend died would be of unknown outcome"
    lost = session.query("COMMIT")
    assert (lost.sqlstate, lost.tags, lost.status) == ("40001", [], "I")
    assert session.value("SELECT count(*) FROM t") == "0"


def test_p3_a_commit_cut_short_is_reported_as_unknown(small, postgres, table):
    postgres.query("CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$BEGIN PERFORM pg_sleep(20); RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t"
                   " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()", database="orders")
    session = login(small())
    session.ok("BEGIN")
    session.ok("INSERT INTO t VALUES (1)")
    pid = int(session.value("SELECT pg_backend_pid()"))
    session.send(pgwire.query("COMMIT"))
    wait_until(lambda: postgres.value("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]) == "active", 2)
    postgres.terminate(pid)
    unknown = session.reply()
    assert (unknown.sqlstate, unknown.status) == ("40003", "I"), unknown
    assert session.value("SELECT count(*) FROM t") == "0"


def test_p3_sqlalchemy_rolls_back_and_its_pool_stays_valid(small, postgres, table):
    engine = sqlalchemy.create_engine(small(pool_size=3).url("orders", USER, PASSWORD, "postgresql+psycopg2"))
    invalidated = []
    sqlalchemy.event.listen(engine, "invalidate", lambda *arguments: invalidated.append(arguments))
    with sqlalchemy.orm.Session(engine) as session:
        session.execute(sqlalchemy.text("INSERT INTO t VALUES (1, 'lost')"))
        raw = session.connection().connection.dbapi_connection
        postgres.terminate(session.execute(sqlalchemy.text("SELECT pg_backend_pid()")).scalar())
        with pytest.raises(sqlalchemy.exc.DBAPIError) as caught:
            session.execute(sqlalchemy.text("SELECT 1"))
        assert caught.value.orig.pgcode == "40001"
        assert not caught.value.connection_invalidated
        session.rollback()
        session.execute(sqlalchemy.text("INSERT INTO t VALUES (2, 'kept')"))
        assert session.connection().connection.dbapi_connection is raw
        session.commit()
    assert not invalidated
    engine.dispose()
    assert postgres.query("SELECT note FROM t", database="orders") == [("kept",)]


# --- P4: unfinished transactions are found, ended and explained ---------------------------------------------------

@pytest.mark.parametrize("ending", ["drop", "reset", "terminate"])
def test_p4_an_unfinished_transaction_is_ended_within_a_second_and_recorded(small, postgres, table, ending):
    daemon = small()
    session = login(daemon, application_name="checkout-form")
    session.ok("BEGIN")
    session.ok("INSERT INTO t VALUES (42, 'a secret literal')")
    getattr(session, ending)()
    wait_until(lambda: nothing_left(postgres), 1, "the transaction's end", 0.05)
    assert table() == 0
    records = wait_until(lambda: [r for r in daemon.console("SHOW QUARANTINE") if r["outcome"] == "readmitted"], 2,
                         "the record")
    assert len(records) == 1
    record = records[0]
    assert (record["database"], record["user"], record["application_name"]) == ("orders", USER, "checkout-form")
    assert record["addr"].startswith("127.0.0.1")
    assert "INSERT INTO t VALUES" in record["statements"]
    assert "secret literal" not in str(record) and "42" not in record["statements"]
    assert record["reason"] == ("orderly" if ending == "terminate" else "client_gone")


def test_p4_the_statement_of_a_killed_client_is_cancelled(small, postgres):
    daemon = small()
    client = subprocess.Popen(["psql", "-X", "-c", "BEGIN", "-c", "SELECT pg_sleep(60)",
                               daemon.url("orders", USER, PASSWORD)], stdout=subprocess.DEVNULL)
    wait_until(lambda: [b for b in postgres.backends("%") if "pg_sleep(60)" in b["query"] and b["state"] == "active"
                        and b["usename"] == USER], 5, "the statement running")
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    wait_until(lambda: nothing_left(postgres), 1, "the statement's end", 0.05)
    with login(daemon) as session:
        assert session.value("SELECT 1") == "1"


# --- P5: nothing is executed twice and nothing is silently lost ----------------------------------------------------

def test_p5_a_statement_cut_short_outside_a_transaction_is_unknown_and_never_repeated(small, postgres, table):
    session = login(small())
    pid = int(session.value("SELECT pg_backend_pid()"))
    session.send(pgwire.query("INSERT INTO t SELECT 1 FROM pg_sleep(20)"))
    wait_until(lambda: postgres.value("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]) == "active", 2)
    postgres.terminate(pid)
    unknown = session.reply()
    assert (unknown.sqlstate, unknown.status) == ("40003", "I"), unknown
    assert session.value("SELECT count(*) FROM t") == "0"
    assert not [b for b in postgres.backends("%") if "INSERT INTO t" in b["query"] and b["state"] == "active"]


def test_p5_what_was_answered_happened_once_and_the_rest_at_most_once(small, postgres, table):
    daemon = small(pool_size=2)
    postgres.query("CREATE UNIQUE INDEX ON t (id)", database="orders")
    answered, unknown, done = [], [], threading.Event()

    def kill_now_and_then():
        while not done.wait(0.03):
            postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' LIMIT 1")

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        with login(daemon) as session:
            for number in range(200):
                reply = session.query(f"INSERT INTO t VALUES ({number})")
                assert reply.sqlstate in (None, "40003"), reply
                (unknown if reply.errors else answered).append(number)
                time.sleep(0.002)
    finally:
        done.set()
        killer.join()
    present = {row[0] for row in postgres.query("SELECT id FROM t", database="orders")}
    assert set(answered) <= present <= set(answered) | set(unknown)


# --- P6: lazy and bounded -----------------------------------------------------------------------------------------

def ours(postgres):
    """leasehold's backends, but for the one connection that asks the server for its limits."""
    return [b for b in postgres.backends("%") if b["usename"] == USER and b["application_name"] != "leasehold control"]


def test_p6_no_backend_is_dialled_before_it_is_needed(small, postgres):
    wait_until(lambda: not ours(postgres), 5, "earlier backends gone")
    daemon = small(pool_size=5)
    time.sleep(0.3)
    assert not ours(postgres)
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon)) for _ in range(10)]
        assert len(ours(postgres)) <= 1, "a login holds no backend"
        for session in sessions:
            session.ok("SELECT 1")
        assert len(ours(postgres)) == 1


def test_p6_a_full_pool_makes_wait_and_then_says_who_is_in_the_way(small):
    daemon = small(pool_size=1, max_overflow=1, pool_timeout="300ms")
    holders = [login(daemon, application_name=f"holder-{n}") for n in range(2)]
    for holder in holders:
        holder.ok("BEGIN")
    waiter = login(daemon)
    began = time.monotonic()
    refused = waiter.query("SELECT 1")
    assert 0.25 < time.monotonic() - began < 2
    assert (refused.sqlstate, refused.status) == ("53300", "I")
    for word in ("orders", "size 1", "overflow 1", "0.30"):
        assert word in refused.error.message, refused.error.message
    holders[0].ok("COMMIT")
    assert waiter.value("SELECT 1") == "1"


def test_p6_waiters_are_served_first_come_first_served(small, postgres):
    postgres.query("DROP SEQUENCE IF EXISTS turn; CREATE SEQUENCE turn; GRANT ALL ON SEQUENCE turn TO app",
                   database="orders")
    daemon = small()
    holder, waiters = login(daemon), [login(daemon) for _ in range(8)]
    holder.ok("BEGIN")
    for waiter in waiters:
        waiter.send(pgwire.query("SELECT nextval('turn')"))
        time.sleep(0.02)
    holder.ok("COMMIT")
    assert [waiter.reply().value() for waiter in waiters] == [str(n) for n in range(1, 9)]


def test_p6_a_connect_storm_becomes_a_queue(small, postgres):
    daemon = small(pool_size=3, pool_timeout="20s")
    answers, most = [], []

    def one():
        with login(daemon, timeout=20) as session:
            answers.append(session.value("SELECT 1 FROM pg_sleep(0.02)"))

    threads = [threading.Thread(target=one) for _ in range(60)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(len(ours(postgres)))
    assert answers == ["1"] * 60
    assert max(most) <= 3


# --- P8: both databases, one behaviour ----------------------------------------------------------------------------

def test_p8_an_abandoned_transaction_is_rolled_back_on_mariadb_too(shop, mariadb):
    mariadb.query("CREATE OR REPLACE TABLE shop.t (id int) ENGINE=InnoDB")
    client = shop.connect_mysql("shop", USER, PASSWORD)
    client.cursor().execute("INSERT INTO t VALUES (1)")
    assert mariadb.transactions()
    client._sock.close()  # FIN, no COM_QUIT
    client._rfile.close()
    client._sock = None
    wait_until(lambda: not mariadb.transactions(), 1, "the transaction's end", 0.15)  # the view is cached for 0.1 s
    assert mariadb.value("SELECT count(*) FROM shop.t") == 0
    again = shop.connect_mysql("shop", USER, PASSWORD)
    with again.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM t")
        assert cursor.fetchone() == (0,)
    assert [r["database"] for r in shop.console("SHOW QUARANTINE")] == ["shop"]


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
def test_p10_garbage_gets_an_error_at_most_and_disturbs_nobody(small, stage):
    daemon = small(pool_size=2)
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
