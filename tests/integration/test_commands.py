# SPDX-License-Identifier: Apache-2.0
"""The console's commands on pools: PAUSE, RESUME, RECONNECT, WAIT_CLOSE, DISABLE, ENABLE; and none loses a transaction."""
import contextlib
import os
import subprocess
import threading
import time

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER, login
from console import Waiting, backends, none_is_open, pool, tell
from servers import postgres_bin, wait_until


# --- PAUSE and RESUME ---------------------------------------------------------------------------------------------

def test_pause_answers_when_the_last_connection_is_closed_and_resume_serves_who_waited(busy, postgres):
    daemon, holder = busy
    with Waiting(daemon, "PAUSE orders") as pause, login(daemon) as late:
        wait_until(lambda: pool(daemon)["status"] == "paused", 5)
        late.send(pgwire.query("SELECT 'served'"))
        assert pause.waits() and late.silent()
        holder.ok("COMMIT")
        assert pause.reply().tags == ["PAUSE"]
        none_is_open(postgres)  # the server may be restarted now
        assert late.silent()
        assert tell(daemon, "RESUME orders").tags == ["RESUME"]
        assert late.reply().value() == "served"
        assert holder.value("SELECT 2") == "2"


def test_an_idle_pool_is_paused_at_once_and_its_idle_connections_are_closed(orders, postgres):
    with login(orders) as session:
        session.ok("SELECT 1")
        assert len(backends(postgres)) == 1
        assert tell(orders, "pause;").tags == ["PAUSE"]
        wait_until(lambda: not backends(postgres), 5)
        assert tell(orders, "resume").tags == ["RESUME"]
        assert session.value("SELECT 1") == "1"


@pytest.mark.parametrize("command", ["PAUSE orders 300ms", "PAUSE orders TIMEOUT 0.3", "PAUSE TIMEOUT 300ms"])
def test_past_its_limit_pause_ends_who_holds_a_connection_and_names_them(busy, command):
    daemon, holder = busy
    idle = login(daemon)
    reply = tell(daemon, command)
    assert reply.tags == ["PAUSE"]
    assert [n for n in reply.said if "ended:" in n and "(billing)" in n and "in a transaction" in n], reply.said
    goodbye = holder.reply()
    assert goodbye.sqlstate == "57P01" and "PAUSE" in goodbye.error.message, goodbye
    assert tell(daemon, "RESUME").tags == ["RESUME"]
    assert idle.value("SELECT 1") == "1"  # it held nothing: its session goes on
    wait_until(lambda: "reason=killed" in daemon.log_text(), 10)


def test_pause_without_a_limit_says_whom_it_waits_for(busy):
    daemon, holder = busy
    with Waiting(daemon, "PAUSE orders") as pause:
        kind, body = pause.session.read()
        text = pgwire.fields_of(body)["M"]
        assert kind == "N" and "1 server connection" in text and "(billing)" in text, text
        holder.ok("ROLLBACK")
        assert pause.reply().tags == ["PAUSE"]


def test_pause_0_ends_running_statements_at_once(orders, postgres):
    with login(orders) as session:
        session.send(pgwire.query("SELECT pg_sleep(60)"))
        wait_until(lambda: "active" in backends(postgres).values(), 5)
        began = time.monotonic()
        assert tell(orders, "PAUSE orders 0").tags == ["PAUSE"]
        assert time.monotonic() - began < 10
        assert session.reply().sqlstate == "57P01"
        none_is_open(postgres)


def test_two_pauses_wait_together_and_resume_tells_both(busy):
    daemon, holder = busy
    with Waiting(daemon, "PAUSE orders") as one, Waiting(daemon, "PAUSE") as two:
        wait_until(lambda: pool(daemon)["status"] == "paused", 5)
        assert one.waits() and two.waits()
        assert tell(daemon, "RESUME").tags == ["RESUME"]
        for waiting in (one, two):
            reply = waiting.reply()
            assert reply.sqlstate == "55000" and "resumed" in reply.error.message, reply
    assert holder.value("SELECT 1") == "1"


def test_a_pause_outlives_the_connection_of_who_asked_for_it(busy, postgres):
    daemon, holder = busy
    with Waiting(daemon, "PAUSE orders"):
        wait_until(lambda: pool(daemon)["status"] == "paused", 5)
    wait_until(lambda: not [r for r in daemon.console("SHOW CLIENTS") if r["database"] == "leasehold"][1:], 5)
    holder.ok("COMMIT")
    wait_until(lambda: not backends(postgres), 5)
    assert pool(daemon)["status"] == "paused"
    assert tell(daemon, "RESUME orders").said == []
    assert holder.value("SELECT 1") == "1"


def test_cancelling_a_pause_takes_it_back(busy):
    daemon, holder = busy
    with Waiting(daemon, "PAUSE orders") as pause:
        wait_until(lambda: pool(daemon)["status"] == "paused", 5)
        pgwire.cancel(daemon.port, pause.session.key)
        reply = pause.reply()
        assert reply.sqlstate == "57014" and "goes on" in reply.error.message, reply
    assert pool(daemon)["status"] == "ok"
    with login(daemon) as other:
        assert other.value("SELECT 1") == "1"
    holder.ok("COMMIT")


def test_who_waits_while_paused_is_told_so_after_pool_timeout(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_timeout": "300ms"}})
    with login(daemon) as session:
        session.ok("SELECT 1")
        tell(daemon, "PAUSE orders")
        reply = session.query("SELECT 2")
        assert reply.sqlstate == "53300" and "paused" in reply.error.message and reply.status == "I", reply
        tell(daemon, "RESUME orders")
        assert session.value("SELECT 2") == "2"


def test_all_pools_paused_means_those_made_later_too_and_one_may_be_resumed_alone(leasehold, postgres):
    for name in ("tenant1", "tenant2"):
        with contextlib.suppress(psycopg2.errors.DuplicateDatabase):
            postgres.create_database(name, owner=USER)
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={"orders": {"url": url, "pool_timeout": "60s"}, "*": {"url": url, "pool_timeout": "60s"}})
    assert tell(daemon, "PAUSE").tags == ["PAUSE"]
    clients = []
    for name in ("orders", "tenant1", "tenant2"):
        raw = threading.Thread(target=lambda name=name: clients.append(login(daemon, name, timeout=60).value(
            "SELECT current_database()")))
        raw.start()
    wait_until(lambda: len([r for r in daemon.console("SHOW POOLS") if r["status"] == "paused" and r["user"] == USER]) == 3, 10)
    assert clients == []
    assert tell(daemon, "RESUME tenant1").tags == ["RESUME"]
    wait_until(lambda: clients == ["tenant1"], 10)
    assert tell(daemon, "RESUME").tags == ["RESUME"]
    wait_until(lambda: sorted(clients) == ["orders", "tenant1", "tenant2"], 10)


@pytest.mark.parametrize("wrong, sqlstate, says", [
    ("KILL_CLIENT 999999999", "22023", "no session 999999999"), ("KILL_CLIENT", "42601", "id"),
    ("KILL_CLIENT abc", "42601", "SHOW CLIENTS"), ("KILL_CLIENT 99999999999999999999999", "42601", "SHOW CLIENTS"),
    ("PAUSE ordres", "3D000", 'did you mean "orders"'), ("PAUSE orders 5 apples", "42601", "is no limit"),
    ("PAUSE my-pool", "42601", 'PAUSE "my-pool"'), ("DISABLE", "42601", "wants a pool"), ("SUSPEND", "55000", "SUSPEND"),
    ("SHUTDOWN PLEASE", "42601", "WAIT_FOR_CLIENTS"), ("RESUME a b", "42601", "quotes"), ("RELOAD all", "42601", "no argument"),
])
def test_what_is_not_understood_is_refused_with_what_to_write(orders, wrong, sqlstate, says):
    reply = tell(orders, wrong)
    assert reply.sqlstate == sqlstate and says in reply.error.message and reply.status == "I", reply


# --- RECONNECT and WAIT_CLOSE -------------------------------------------------------------------------------------

def test_reconnect_replaces_connections_and_wait_close_waits_for_those_in_use(busy, postgres):
    daemon, holder = busy
    old = holder.value("SELECT pg_backend_pid()")
    assert tell(daemon, "WAIT_CLOSE orders").tags == ["WAIT_CLOSE"]  # nothing is to be closed
    assert tell(daemon, "RECONNECT orders").tags == ["RECONNECT"]
    with Waiting(daemon, "WAIT_CLOSE") as close, login(daemon) as other:
        assert other.value("SELECT pg_backend_pid()") != old  # new ones are dialled meanwhile
        assert close.waits()
        assert holder.value("SELECT pg_backend_pid()") == old
        holder.ok("COMMIT")
        assert close.reply().tags == ["WAIT_CLOSE"]
        assert holder.value("SELECT pg_backend_pid()") != old
    assert int(old) not in backends(postgres)


# --- DISABLE and ENABLE -------------------------------------------------------------------------------------------

def test_a_disabled_pool_takes_no_new_client_and_serves_those_it_has(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "alias": ["Bestellungen"]}})
    with login(daemon) as session:
        assert tell(daemon, 'DISABLE "Bestellungen"').tags == ["DISABLE"]
        for name in ("orders", "Bestellungen"):
            with pytest.raises(psycopg2.OperationalError, match="is disabled"):
                daemon.connect(name, USER, PASSWORD)
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            daemon.connect("orders", USER, "wrong")
        assert session.value("SELECT 1") == "1"
        assert tell(daemon, "DISABLE orders").said == ['pool "orders" was disabled already']
        assert tell(daemon, "ENABLE orders").tags == ["ENABLE"]
    daemon.connect("orders", USER, PASSWORD).close()


# --- under load -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["simple", "prepared"])
def test_pgbench_loses_no_transaction_to_pause_resume_and_reconnect(leasehold, postgres, mode):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 4,
                                         "max_overflow": 0, "pool_timeout": "60s"}}, workers=2)
    target = ["-h", "127.0.0.1", "-p", str(postgres.port), "-U", USER, "orders"]
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    subprocess.run([postgres_bin("pgbench"), "-i", "-q", "-s", "1", *target], check=True, capture_output=True, env=environment)
    load = subprocess.Popen([postgres_bin("pgbench"), "-n", "-M", mode, "-c", "8", "-j", "8", "-T", "4", "-h",
                             "127.0.0.1", "-p", str(daemon.port), "-U", USER, "orders"], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    rounds = 0
    while load.poll() is None:
        assert tell(daemon, "PAUSE orders").tags == ["PAUSE"]
        none_is_open(postgres)
        assert tell(daemon, "RESUME orders").tags == ["RESUME"]
        time.sleep(0.1)
        assert tell(daemon, "RECONNECT").tags == ["RECONNECT"]
        assert tell(daemon, "WAIT_CLOSE").tags == ["WAIT_CLOSE"]
        rounds += 1
    out, err = load.communicate(timeout=30)
    assert load.returncode == 0 and "aborted" not in err and rounds >= 2, (rounds, out, err)
    assert "number of failed transactions: 0 " in out
