# SPDX-License-Identifier: Apache-2.0
"""KILL and KILL_CLIENT: who is ended, what becomes of the transaction, and what the client is told; MySQL too."""
import contextlib
import subprocess
import threading
import time

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER, login
from console import Waiting, backends, console, id_of, none_is_open, pool, tell
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from servers import wait_until


# --- KILL and KILL_CLIENT -----------------------------------------------------------------------------------------

def test_kill_ends_all_sessions_of_the_pool_and_leaves_it_paused(busy, postgres):
    daemon, holder = busy
    idle = login(daemon)
    with Waiting(daemon, "PAUSE orders") as pause, login(daemon) as queued:
        wait_until(lambda: pool(daemon)["status"] == "paused", 5)
        queued.send(pgwire.query("SELECT 1"))
        reply = tell(daemon, "KILL orders")
        assert reply.tags == ["KILL"], reply
        assert pause.reply().tags == ["PAUSE"]
        for session in (holder, idle, queued):
            assert session.reply().sqlstate == "57P01"
    none_is_open(postgres)
    assert pool(daemon)["status"] == "paused"
    tell(daemon, "RESUME orders")
    with login(daemon) as session:
        assert session.value("SELECT 1") == "1"


def test_kill_client_rolls_back_and_the_connection_is_used_again(busy, postgres):
    daemon, holder = busy
    pid = holder.value("SELECT pg_backend_pid()")
    assert tell(daemon, f"KILL_CLIENT {id_of(daemon, 'billing')}").tags == ["KILL_CLIENT"]
    goodbye = holder.reply()
    assert goodbye.sqlstate == "57P01" and "KILL_CLIENT" in goodbye.error.message, goodbye
    wait_until(lambda: pool(daemon)["checkedin"] == 1, 5)
    with login(daemon) as session:
        assert session.value("SELECT pg_backend_pid()") == pid
    record = daemon.console("SHOW QUARANTINE")[0]
    assert (record["reason"], record["outcome"]) == ("killed", "readmitted")


def test_kill_client_of_a_session_that_waits_in_the_queue_runs_or_is_pinned(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1,
                                         "max_overflow": 0}})
    pinned = login(daemon, application_name="pinned")
    pinned.ok("CREATE TEMP TABLE t (id int)")
    queued = login(daemon, application_name="queued")
    queued.send(pgwire.query("SELECT 1"))
    wait_until(lambda: pool(daemon)["waiting"] == 1, 5)
    assert tell(daemon, f"KILL_CLIENT {id_of(daemon, 'queued')}").tags == ["KILL_CLIENT"]
    assert queued.reply().sqlstate == "57P01"
    assert tell(daemon, f"KILL_CLIENT {id_of(daemon, 'pinned')}").tags == ["KILL_CLIENT"]
    assert pinned.reply().sqlstate == "57P01"
    runs = login(daemon, application_name="runs")
    runs.send(pgwire.query("SELECT pg_sleep(60)"))
    wait_until(lambda: "active" in backends(postgres).values(), 5)
    assert tell(daemon, f"KILL_CLIENT {id_of(daemon, 'runs')}").tags == ["KILL_CLIENT"]
    assert runs.reply().sqlstate == "57P01"
    with login(daemon) as session:
        assert session.value("SELECT to_regclass('pg_temp.t')") is None


def test_kill_client_of_a_login_that_is_not_over(orders):
    with pgwire.Connection(orders.port) as half:
        wait_until(lambda: [r for r in orders.console("SHOW CLIENTS") if r["state"] == "login"], 5)
        session = next(r["id"] for r in orders.console("SHOW CLIENTS") if r["state"] == "login")
        assert tell(orders, f"KILL_CLIENT {session}").tags == ["KILL_CLIENT"]
        assert half.closed_by_peer()


def test_kill_client_of_oneself_is_heard(orders):
    with console(orders) as session:
        me = min(r["id"] for r in orders.console("SHOW CLIENTS") if r["database"] == "leasehold")
        reply = session.query(f"KILL_CLIENT {me}")
        if reply.tags == ["KILL_CLIENT"]:  # the answer and the farewell are in no order
            reply = session.reply()
        assert reply.sqlstate == "57P01", reply
        assert session.closed_by_peer()


def test_an_operator_who_waits_is_ended_like_anybody(busy):
    daemon, holder = busy
    with Waiting(daemon, "PAUSE orders") as pause:
        wait_until(lambda: pool(daemon)["status"] == "paused", 5)
        waiting = min(r["id"] for r in daemon.console("SHOW CLIENTS") if r["database"] == "leasehold")
        assert tell(daemon, f"KILL_CLIENT {waiting}").tags == ["KILL_CLIENT"]
        assert pause.reply().sqlstate == "57P01"
    assert pool(daemon)["status"] == "paused"
    holder.ok("COMMIT")


# --- MySQL ----------------------------------------------------------------------------------------------------------

def my_login(daemon):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop")


def my_console(daemon, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
    return mywire.connect(daemon.mysql_port, user, password, "leasehold", timeout=30)


def test_the_console_answers_on_a_mysql_listener_as_on_postgresqls(shop):
    done = subprocess.run(["mysql", "-h", "127.0.0.1", "-P", str(shop.mysql_port), "-u", CONSOLE_USER,
                           f"-p{CONSOLE_PASSWORD}", "leasehold", "-t", "-e", "SHOW POOLS; PAUSE shop; RESUME shop; RESUME; SHOW WARNINGS"],
                          capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "checkedout" in done.stdout and "nothing was paused" in done.stdout, done
    with contextlib.closing(shop.connect_mysql("leasehold", CONSOLE_USER, CONSOLE_PASSWORD)) as connection:
        cursor = connection.cursor()
        cursor.execute("SHOW POOLS")
        assert cursor.fetchall()[0][0] == "shop"
        cursor.execute("PAUSE shop")
        assert pool(shop, "shop")["status"] == "paused"
        cursor.execute("RESUME shop")
        with pytest.raises(Exception, match="there is no pool .*did you mean"):
            cursor.execute("PAUSE shp")


def test_kill_client_and_pause_on_mysql(shop):
    holder, idle = my_login(shop), my_login(shop)
    holder.query("BEGIN")
    holder.query("SELECT 1")
    rows = [r for r in shop.console("SHOW CLIENTS") if r["database"] == "shop"]
    holding = next(r["id"] for r in rows if r["transaction"] == "active")
    with my_console(shop) as operator:
        operator.query(f"KILL_CLIENT {holding}")
        assert holder.closed_by_peer()  # nothing is ever written to a client that asks nothing
        holder.drop()
        wait_until(lambda: holding not in [r["id"] for r in shop.console("SHOW CLIENTS")], 5)
        with pytest.raises(mywire.ServerError) as unknown:
            operator.query(f"KILL_CLIENT {holding}")
        assert (unknown.value.code, unknown.value.sqlstate) == (1094, "22023")
        wait_until(lambda: shop.console("SHOW QUARANTINE")[0]["outcome"] == "readmitted", 5)
        assert idle.value("SELECT 1") == "1"
        idle.send(bytes([mywire.COM_QUERY]) + b"SELECT sleep(60)", 0)
        wait_until(lambda: pool(shop, "shop")["checkedout"] == 1, 5)
        operator.query("PAUSE shop 0")
        with pytest.raises(mywire.ServerError) as killed:
            idle.result()
        assert killed.value.code == 1927 and "PAUSE" in killed.value.message
        operator.query("RESUME")


# --- replication ----------------------------------------------------------------------------------------------------

@pytest.fixture
def replicated(leasehold, postgres):
    postgres.create_user("replicator", PASSWORD, options="LOGIN REPLICATION") if not postgres.value(
        "SELECT count(*) FROM pg_roles WHERE rolname = 'replicator'") else None
    return leasehold(pools={"orders": {"url": postgres.url("orders", "replicator", PASSWORD), "max_replication": 2,
                                       "pool_timeout": "60s"}})


def replicate(daemon):
    return pgwire.connect(daemon.port, "replicator", "orders", PASSWORD, replication="database", timeout=30)


def test_a_replication_session_is_ended_by_its_id_and_by_the_limit_of_pause(replicated):
    daemon = replicated
    session = replicate(daemon)
    assert session.ok("IDENTIFY_SYSTEM")
    held = next(r["id"] for r in daemon.console("SHOW CLIENTS") if r["state"] == "replication")
    assert tell(daemon, f"KILL_CLIENT {held}").tags == ["KILL_CLIENT"]
    assert session.reply().sqlstate == "57P01"
    other = replicate(daemon)
    other.ok("IDENTIFY_SYSTEM")
    reply = tell(daemon, "PAUSE orders 200ms")
    assert reply.tags == ["PAUSE"] and [n for n in reply.said if "replication" in n], reply.said
    assert other.reply().sqlstate == "57P01"


def test_a_replication_login_waits_while_its_pool_is_paused(replicated):
    daemon = replicated
    assert tell(daemon, "PAUSE orders").tags == ["PAUSE"]
    logged_in = []
    login_ = threading.Thread(target=lambda: logged_in.append(replicate(daemon)))
    login_.start()
    wait_until(lambda: [r for r in daemon.console("SHOW CLIENTS") if r["database"] == "orders"], 5)
    time.sleep(0.5)
    assert logged_in == []
    assert tell(daemon, "PAUSE orders").tags == ["PAUSE"]  # one that waits holds nothing
    assert tell(daemon, "RESUME").tags == ["RESUME"]
    login_.join(20)
    assert logged_in[0].ok("IDENTIFY_SYSTEM")


# --- the console without a server -------------------------------------------------------------------------------------

def test_where_no_server_ever_answered_mysql_has_no_greeting_and_the_control_socket_still_answers(leasehold):
    """A greeting is the servers' own; whoever has to look into it has the other ways in."""
    daemon = leasehold(pools={"shop": {"url": "mysql://app:secret@127.0.0.1:1/shop"}})
    for user, password in ((CONSOLE_USER, CONSOLE_PASSWORD), (USER, PASSWORD)):
        with pytest.raises(mywire.ServerError) as refused:
            mywire.connect(daemon.mysql_port, user, password, "leasehold", timeout=30)
        assert (refused.value.code, refused.value.sqlstate) == (1429, None), refused.value
    assert "shop" in [row["database"] for row in daemon.console("SHOW POOLS")]
