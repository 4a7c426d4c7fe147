# SPDX-License-Identifier: Apache-2.0
"""Replication through leasehold: each such session has a connection of its own, relayed as it is, counted at the server
and not in the pool, and ended with a word."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pgwire
import psycopg2
import psycopg2.extras
import pytest
from conftest import PASSWORD, USER
from processes import wait_until
from servers import Postgres, postgres_bin


@pytest.fixture(scope="module")
def server():
    with Postgres(settings={"max_wal_senders": 10, "max_replication_slots": 10, "wal_sender_timeout": "60s"}) as postgres:
        postgres.create_user(USER, PASSWORD, options="LOGIN REPLICATION")
        postgres.create_database("orders", owner=USER)
        yield postgres


@pytest.fixture
def pooled(leasehold, server):
    def start(max_replication=3, sections=None, **pool):
        keys = {"pool_size": 1, "max_overflow": 0, "max_replication": max_replication, "pool_timeout": "1s", **pool}
        return leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), **keys}}, **(sections or {}))
    return start


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="lh-repl-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def program(name, daemon, *arguments, database="orders"):
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    return subprocess.Popen([postgres_bin(name), "--no-password", "-d",
                             f"host=127.0.0.1 port={daemon.port} user={USER} dbname={database}", *arguments],
                            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)


def ended(process, seconds=60):
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output.decode()


def senders(server):
    return server.query("SELECT pid, application_name FROM pg_stat_replication ORDER BY pid")


def replication(daemon, kind=psycopg2.extras.LogicalReplicationConnection, **options):
    return psycopg2.connect(host="127.0.0.1", port=daemon.port, user=USER, password=PASSWORD, dbname="orders",
                            connection_factory=kind, **options)


@pytest.fixture
def slot(server):
    server.query("SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')", database="orders")
    yield "decoded"
    for _ in range(50):
        try:
            server.query("SELECT pg_drop_replication_slot('decoded')")
            break
        except psycopg2.Error:
            time.sleep(0.1)


# --- the programs that people use ---------------------------------------------------------------------------------

def test_pg_basebackup_copies_a_server(pooled, server, folder):
    daemon = pooled()
    server.query("CREATE TABLE big AS SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 100000) i",
                 database="orders")
    target = os.path.join(folder, "copy")
    before = daemon.rss()
    code, output = ended(program("pg_basebackup", daemon, "-D", target, "-X", "stream", "-c", "fast"), 120)
    assert code == 0, output
    assert os.path.exists(os.path.join(target, "PG_VERSION"))
    done = subprocess.run([postgres_bin("pg_verifybackup"), target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert daemon.rss() - before < 32 * (1 << 20)
    wait_until(lambda: not senders(server), 5, "the connections' end")


def test_pg_receivewal_streams_and_is_named_to_the_server(pooled, server, folder):
    daemon = pooled()
    process = program("pg_receivewal", daemon, "-D", folder, "--no-loop")
    try:
        wait_until(lambda: senders(server), 10, "a sender")
        assert senders(server)[0][1] == "pg_receivewal"
        server.query("SELECT pg_switch_wal()")
        server.query("CREATE TABLE IF NOT EXISTS something (a int); SELECT pg_switch_wal()", database="orders")
        wait_until(lambda: [f for f in os.listdir(folder) if not f.endswith(".partial")], 20, "a segment")
        shown = [row for row in daemon.console("SHOW CLIENTS") if row["application_name"] == "pg_receivewal"]
        assert len(shown) == 1 and shown[0]["state"] == "replication", shown
        shown = [row for row in daemon.console("SHOW SERVERS") if row["state"] == "replication"]
        assert len(shown) == 1 and shown[0]["remote_pid"] == senders(server)[0][0], shown
    finally:
        process.send_signal(signal.SIGINT)
    code, output = ended(process)
    assert code == 0, output
    wait_until(lambda: not senders(server), 5, "the sender's end")


def test_pg_recvlogical_sees_changes(pooled, server, slot, folder):
    daemon = pooled()
    path = os.path.join(folder, "changes")
    process = program("pg_recvlogical", daemon, "--slot", slot, "--start", "-f", path, "--fsync-interval=0")
    try:
        wait_until(lambda: senders(server), 10, "a sender")
        with daemon.connect("orders", USER, PASSWORD, autocommit=True).cursor() as cursor:
            cursor.execute("CREATE TABLE logical (a int)")
            cursor.execute("INSERT INTO logical SELECT generate_series(1, 1000)")
        wait_until(lambda: os.path.exists(path) and open(path).read().count("INSERT") == 1000, 20, "the changes")
    finally:
        process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 0


@pytest.mark.parametrize("physical", [False, True])
def test_psycopg2s_replication_connection(pooled, server, physical):
    daemon = pooled()
    kind = psycopg2.extras.PhysicalReplicationConnection if physical else psycopg2.extras.LogicalReplicationConnection
    connection = replication(daemon, kind, application_name="consumer")
    with connection.cursor() as cursor:
        cursor.execute("IDENTIFY_SYSTEM")
        system = cursor.fetchone()
        assert (system[3] is None) == physical
    assert connection.info.backend_pid == server.value(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'consumer'")
    connection.close()


# --- limits -------------------------------------------------------------------------------------------------------

def test_without_max_replication_nobody_is_admitted_and_the_error_names_the_key(pooled):
    daemon = pooled(max_replication=0)
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database")
    assert refused.value.severity == "FATAL" and refused.value.sqlstate == "53300"
    assert "max_replication" in refused.value.message
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="false") as session:
        assert session.value("SELECT 1") == "1"


def test_max_replication_is_a_limit_and_not_the_pools(pooled, server):
    daemon = pooled(max_replication=2)
    with daemon.connect("orders", USER, PASSWORD).cursor() as cursor:
        cursor.execute("SELECT 1")  # the pool's only backend is held
        both = [pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database") for _ in range(2)]
        with pytest.raises(pgwire.ServerError, match="max_replication"):
            pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database")
        both.pop().terminate()
        wait_until(lambda: contextlib.suppress(pgwire.ServerError) and _admitted(daemon), 5, "a free place")
        both.pop().drop()


def _admitted(daemon):
    try:
        pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database").terminate()
        return True
    except pgwire.ServerError:
        return False


def test_replication_counts_at_the_server(pooled, server):
    daemon = pooled(sections={"servers": {f"127.0.0.1:{server.port}": {"max_connections": 1}}})
    session = pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database")
    assert session.query("IDENTIFY_SYSTEM").rows
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, USER, "orders", PASSWORD)
    assert refused.value.sqlstate in ("53300", "57P03")
    session.terminate()
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as plain:
        assert plain.value("SELECT 1") == "1"
        # An idle backend makes room for one who waits.
        with pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database") as session:
            assert session.query("IDENTIFY_SYSTEM").rows


def test_a_wrong_password_never_reaches_the_server(pooled, server):
    daemon = pooled()
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, USER, "orders", "wrong", replication="true")
    assert refused.value.sqlstate == "28P01"


def test_the_servers_refusal_is_the_clients(leasehold, server):
    server.query("DROP ROLE IF EXISTS nobody")
    server.create_user("nobody", "secret")
    daemon = leasehold(pools={"orders": {"url": server.url("orders", "nobody", "secret"), "max_replication": 1}})
    for replication_, parameters in (("true", {}), ("database", {"TimeZone": "nowhere"})):
        with pytest.raises(pgwire.ServerError) as direct:
            pgwire.connect(server.port, "nobody", "orders", "secret", replication=replication_, **parameters)
        with pytest.raises(pgwire.ServerError) as refused:
            pgwire.connect(daemon.port, "nobody", "orders", "secret", replication=replication_, **parameters)
        for field in "SVCM":
            assert refused.value.fields[field] == direct.value.fields[field]


# --- endings ------------------------------------------------------------------------------------------------------

def stream(daemon, slot):
    session = pgwire.Connection(daemon.port).login(USER, "orders", PASSWORD, replication="database")
    session.send(pgwire.query(f"START_REPLICATION SLOT {slot} LOGICAL 0/0"))
    assert session.read()[0] == "W"
    return session


@pytest.mark.parametrize("ending", ["terminate", "drop", "reset"])
def test_a_consumer_that_goes_away_frees_its_sender(pooled, server, slot, ending):
    daemon = pooled()
    session = stream(daemon, slot)
    wait_until(lambda: senders(server), 5, "a sender")
    getattr(session, ending)()
    wait_until(lambda: not senders(server), 10, "the sender's end")


def test_a_sender_that_dies_ends_its_consumer_with_the_servers_words(pooled, server, slot):
    session = stream(pooled(), slot)
    server.terminate(session.key[0])
    kinds = []
    with contextlib.suppress(pgwire.Closed):
        while True:
            kind, body = session.read()
            kinds.append(kind)
    assert kinds[-1] == "E" and pgwire.fields_of(body)["C"] == "57P01"


def test_a_daemon_that_stops_says_so_between_two_messages(pooled, server, slot):
    daemon = pooled()
    session = stream(daemon, slot)
    server.query("CREATE TABLE IF NOT EXISTS flow (a text); INSERT INTO flow SELECT repeat('x', 1000) FROM"
                 " generate_series(1, 20000)", database="orders")
    time.sleep(0.3)  # not read: the consumer is behind
    os.kill(daemon.pid, signal.SIGTERM)
    last = None
    with contextlib.suppress(pgwire.Closed):
        while True:
            last = session.read()
    assert last is not None and last[0] in "Ed"
    if last[0] == "E":
        assert pgwire.fields_of(last[1])["C"] == "57P01"
    daemon.stop()
    wait_until(lambda: not senders(server), 10, "the sender's end")


def test_an_idle_stream_is_ended_with_57p01(pooled, server, slot):
    daemon = pooled()
    session = stream(daemon, slot)
    time.sleep(0.3)
    os.kill(daemon.pid, signal.SIGTERM)
    last = None
    with contextlib.suppress(pgwire.Closed):
        while True:
            last = session.read()
    assert last[0] == "E" and pgwire.fields_of(last[1])["C"] == "57P01"


def test_a_consumer_that_stops_reading_stops_its_sender_and_nobody_else(pooled, server, slot):
    daemon = pooled()
    session = stream(daemon, slot)
    before = daemon.rss()
    server.query("CREATE TABLE IF NOT EXISTS flood (a text); INSERT INTO flood SELECT repeat('x', 1000) FROM"
                 " generate_series(1, 50000)", database="orders")
    time.sleep(1)
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as other:
        began = time.monotonic()
        assert other.value("SELECT 1") == "1"
        assert time.monotonic() - began < 1
    assert daemon.rss() - before < 16 * (1 << 20)
    seen = 0
    while seen < 50000:
        kind, body = session.read()
        assert kind == "d"
        seen += b"INSERT" in body
    session.drop()


def test_cancel_reaches_what_a_replication_session_runs(pooled, server):
    daemon = pooled()
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database") as session:
        session.send(pgwire.query("SELECT pg_sleep(20)"))
        time.sleep(0.3)
        pgwire.cancel(daemon.port, session.key)
        assert session.reply().sqlstate == "57014"
        assert session.value("SELECT 1") == "1"


def test_half_a_message_when_either_side_goes(pooled, server):
    daemon = pooled()
    session = pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database")
    session.send(pgwire.query("SELECT 1")[:-3])
    time.sleep(0.2)
    session.reset()
    session = pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database")
    session.send(pgwire.query("SELECT 1")[:-3])
    server.terminate(session.key[0])
    time.sleep(0.2)
    assert session.closed_by_peer()
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as plain:
        assert plain.value("SELECT 1") == "1"
