# SPDX-License-Identifier: Apache-2.0
"""MariaDB and MySQL behind leasehold, in transaction mode: login, everyday commands, transactions and what interrupts them."""
import contextlib
import threading
import time

import mywire
import pytest
from conftest import PASSWORD, USER
from servers import wait_until


def login(daemon, user=USER, password=PASSWORD, database="shop", **options):
    return mywire.connect(daemon.mysql_port, user, password, database, **options)


@pytest.fixture
def small(leasehold, mysql_server):
    """A factory of daemons with a pool `shop` of one backend; keys of the pool can be added."""
    mysql_server.query("CREATE DATABASE IF NOT EXISTS annex")
    mysql_server.query(f"GRANT ALL ON annex.* TO `{USER}`@`%`")
    mysql_server.query("DROP TABLE IF EXISTS shop.t")
    mysql_server.query("CREATE TABLE shop.t (id int) ENGINE=InnoDB")

    def start(**keys):
        pool = {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0, "pool_timeout": "5s"}
        return leasehold(pools={"shop": {**pool, **keys}})
    return start


@pytest.fixture
def rows(mysql_server):
    return lambda: mysql_server.value("SELECT count(*) FROM shop.t")


def nothing_left(mysql_server):
    return not mysql_server.transactions() and not [p for p in mysql_server.processes(USER) if p["command"] == "Query"]


# --- login --------------------------------------------------------------------------------------------------------

def test_a_client_logs_in_by_its_password_and_sees_the_servers_version(small, mysql_server):
    daemon = small()
    with login(daemon) as first, login(daemon) as second:
        assert first.value("SELECT version()").split("-")[0] in first.greeting["version"]
        expected = "mysql_native_password" if "Maria" in first.greeting["version"] else "caching_sha2_password"
        assert first.greeting["plugin"] == expected
        assert first.greeting["scramble"] != second.greeting["scramble"]
        assert first.greeting["id"] != second.greeting["id"]
        assert first.value("SELECT current_user()").startswith(USER + "@")
        assert first.value("SELECT database()") == "shop"


@pytest.mark.parametrize("user, password", [(USER, "wrong"), (USER, ""), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_user_look_the_same(small, user, password):
    daemon = small()
    with pytest.raises(mywire.ServerError) as refused:
        login(daemon, user, password)
    assert (refused.value.code, refused.value.sqlstate) == (1045, "28000")
    assert login(daemon).value("SELECT 1") == "1"


def test_an_unknown_pool_is_an_unknown_database(small):
    with pytest.raises(mywire.ServerError) as refused:
        login(small(), database="nowhere")
    assert (refused.value.code, refused.value.sqlstate) == (1049, "42000")


# --- commands -----------------------------------------------------------------------------------------------------

def test_queries_pings_and_errors_follow_one_another(small):
    session = login(small())
    assert session.query("SELECT 1, 'two', NULL").rows == [("1", "two", None)]
    assert session.ping().status & mywire.STATUS_AUTOCOMMIT
    with pytest.raises(mywire.ServerError) as wrong:
        session.query("SELEC 1")
    assert (wrong.value.code, wrong.value.sqlstate) == (1064, "42000")
    inserted = session.query("INSERT INTO t VALUES (1), (2)")
    assert (inserted.affected, inserted.in_transaction, inserted.autocommit) == (2, False, True)
    assert session.query("SELECT id FROM t WHERE id > 5").rows == []


def test_a_ping_needs_no_backend(small):
    daemon = small(pool_timeout="300ms")
    holder, idle = login(daemon), login(daemon)
    holder.query("BEGIN")
    began = time.monotonic()
    assert not idle.ping().in_transaction
    assert time.monotonic() - began < 0.2


def test_the_current_database_follows_the_session_over_a_shared_backend(small):
    daemon = small()
    first, second = login(daemon), login(daemon)
    first.init_db("annex")
    for _ in range(3):
        assert first.value("SELECT database()") == "annex"
        assert second.value("SELECT database()") == "shop"
    with pytest.raises(mywire.ServerError) as unknown:
        first.init_db("nowhere")
    assert unknown.value.code in (1044, 1049)
    assert first.value("SELECT database()") == "annex"


def test_quit_ends_the_session(small):
    daemon = small()
    session = login(daemon)
    session.query("SELECT 1")
    session.command(mywire.COM_QUIT)
    assert session.closed_by_peer()


def test_half_a_packet_keeps_nobody_waiting(small):
    daemon = small()
    session, other = login(daemon), login(daemon)
    whole = bytes([mywire.COM_QUERY]) + b"SELECT 'late'"
    data = len(whole).to_bytes(3, "little") + b"\0" + whole
    session.query("SELECT 1")
    session.socket.sendall(data[:6])
    assert other.value("SELECT 'served'") == "served"
    session.socket.sendall(data[6:])
    assert session.result().rows == [("late",)]


def test_a_large_result_arrives_whole(small):
    session = login(small(), timeout=30)
    result = session.query("WITH RECURSIVE seq AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM seq WHERE n < 1000)"
                           " SELECT a.n, repeat('x', 1000) FROM seq a, seq b WHERE b.n <= 30 ORDER BY a.n")
    assert len(result.rows) == 30000 and result.rows[-1][0] == "1000"
    assert session.value("SELECT 1") == "1"


# --- transactions -------------------------------------------------------------------------------------------------

def test_a_backend_is_held_for_the_transaction_and_no_longer(small):
    daemon = small(pool_timeout="300ms")
    first, second = login(daemon), login(daemon)
    connection = first.value("SELECT 0 + connection_id()")
    assert second.value("SELECT 0 + connection_id()") == connection, "one backend serves both"
    assert first.query("BEGIN").in_transaction
    first.query("INSERT INTO t VALUES (1)")
    with pytest.raises(mywire.ServerError) as refused:
        second.query("SELECT 1")
    assert (refused.value.code, refused.value.sqlstate) == (1203, "42000")
    assert "shop" in refused.value.message
    assert not first.query("COMMIT").in_transaction
    assert second.value("SELECT count(*) FROM t") == "1"


def test_autocommit_off_is_the_sessions_own(small, rows):
    daemon = small(pool_size=2)
    first, second = login(daemon), login(daemon)
    assert not first.query("SET autocommit=0").autocommit
    for _ in range(2):
        assert second.query("SELECT 1").autocommit
        inserted = first.query("INSERT INTO t VALUES (1)")
        assert inserted.in_transaction and not inserted.autocommit
        assert rows() == 0
        assert not first.query("ROLLBACK").in_transaction
    first.query("INSERT INTO t VALUES (2)")
    first.query("COMMIT")
    assert second.value("SELECT @@autocommit") == "1"
    assert rows() == 1


@pytest.mark.parametrize("ending", ["drop", "reset", "quit"])
@pytest.mark.parametrize("begin", ["BEGIN", "SET autocommit=0"])
def test_an_unfinished_transaction_is_rolled_back_within_a_second(small, mysql_server, rows, begin, ending):
    daemon = small()
    session = login(daemon)
    session.query(begin)
    session.query("INSERT INTO t VALUES (42)")
    getattr(session, ending)()
    wait_until(lambda: nothing_left(mysql_server), 1, "the transaction's end", 0.15)
    assert rows() == 0
    with login(daemon) as other:
        assert (other.value("SELECT count(*) FROM t"), other.value("SELECT @@autocommit")) == ("0", "1")
    records = daemon.console("SHOW QUARANTINE")
    assert [(r["database"], r["user"], r["outcome"]) for r in records] == [("shop", USER, "readmitted")]
    assert "INSERT INTO t VALUES" in records[0]["statements"] and "42" not in records[0]["statements"]


def test_the_statement_of_a_vanished_client_is_cancelled(small, mysql_server):
    daemon = small()
    session = login(daemon)
    session.command(mywire.COM_QUERY, b"SELECT sleep(60)")
    wait_until(lambda: [p for p in mysql_server.processes(USER) if "sleep(60)" in (p["info"] or "")], 3, "the statement")
    session.reset()
    wait_until(lambda: nothing_left(mysql_server), 1, "the statement's end", 0.15)
    assert login(daemon).value("SELECT 1") == "1"


def test_an_idle_client_does_not_notice_that_its_backend_died(small, mysql_server):
    daemon = small()
    session = login(daemon)
    first = session.value("SELECT 0 + connection_id()")
    mysql_server.terminate(first)
    daemon.lost(first)
    assert session.value("SELECT 0 + connection_id()") != first


# --- state --------------------------------------------------------------------------------------------------------

STATES = {
    "user variable": ("SET @mine = 5", "SELECT @mine", "5", None),
    "session variable": ("SET SESSION div_precision_increment = 7", "SELECT @@div_precision_increment", "7", "4"),
    "sql_mode": ("SET sql_mode = 'ANSI'", "SELECT @@sql_mode LIKE '%ANSI%'", "1", "0"),
    "named lock": ("SELECT get_lock('mine', 0)", "SELECT is_used_lock('mine') = connection_id()", "1", None),
}


@pytest.mark.parametrize("state", STATES)
def test_state_of_a_session_is_its_own_and_dies_with_it(small, state):
    make, look, mine, clean = STATES[state]
    daemon = small(pool_size=2)
    owner, other = login(daemon), login(daemon)
    owner.query(make)
    assert [other.value(look) in (clean, "0") for _ in range(4)] == [True] * 4, "another session sees it"
    assert [owner.value(look) for _ in range(2)] == [mine] * 2, "its owner has lost it"
    owner.quit()
    other.quit()  # reading a user variable pins as well
    with contextlib.ExitStack() as stack:  # both backends at once
        for session in [stack.enter_context(login(daemon)) for _ in range(2)]:
            session.query("BEGIN")
            assert session.value(look) in (clean, "0"), "it outlived its owner"


def test_a_temporary_table_is_its_sessions_own_and_dies_with_it(small):
    daemon = small(pool_size=2)
    owner, other = login(daemon), login(daemon)
    owner.query("CREATE TEMPORARY TABLE mine SELECT 1 AS one")
    for _ in range(3):
        with pytest.raises(mywire.ServerError) as unknown:
            other.query("SELECT * FROM mine")
        assert unknown.value.code == 1146
        assert owner.value("SELECT one FROM mine") == "1"


# --- many clients, and bad ones -----------------------------------------------------------------------------------

def test_100_clients_share_3_backends_without_an_error(small, mysql_server):
    daemon = small(pool_size=3, pool_timeout="20s")
    answers, most = [], []

    def one(number):
        with login(daemon, timeout=20) as session:
            for _ in range(5):
                answers.append(session.value(f"SELECT {number}") == str(number))

    threads = [threading.Thread(target=one, args=[number]) for number in range(100)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(len(mysql_server.processes(USER)))
        time.sleep(0.02)
    assert answers == [True] * 500
    assert max(most) <= 4  # and one of the control plane


GARBAGE = {
    "nothing": b"", "http": b"GET / HTTP/1.0\r\n\r\n", "zeros": bytes(64), "longest packet": b"\xff\xff\xff\1",
    "empty packet": b"\0\0\0\1", "wrong number": b"\1\0\0\7\3", "ones": b"\xff" * 64,
}


@pytest.mark.parametrize("stage", ["start", "session"])
def test_garbage_gets_an_error_at_most_and_disturbs_nobody(small, stage):
    daemon = small(pool_size=2)
    witness = login(daemon)
    for name, garbage in GARBAGE.items():
        session = mywire.Connection(daemon.mysql_port)
        session.greet() if stage == "start" else session.login(USER, PASSWORD, "shop")
        session.socket.sendall(garbage)
        time.sleep(0.02)
        session.drop()
        assert witness.value("SELECT 'well'") == "well", name
    assert daemon.running()
