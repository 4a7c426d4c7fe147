# SPDX-License-Identifier: Apache-2.0
"""The end where somebody does not play along: clients that do not read, a second signal, a server that hangs, and load."""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from draining import both, both_databases, ends, last_words, login, mysql, run, shop_server, table, terminate  # noqa: F401
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from servers import Postgres, wait_until


# --- who does not play along ------------------------------------------------------------------------------------------

@both_databases
def test_a_client_that_does_not_read_is_given_up_at_the_limit(both, mysql):
    daemon = both(drain_timeout="1s")
    stuck = login(daemon, mysql)
    if mysql:
        stuck.command(mywire.COM_QUERY, b"SELECT repeat('x', 1000000) FROM seq_1_to_100")
    else:
        stuck.send(pgwire.query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"))
    time.sleep(0.5)
    began = time.monotonic()
    terminate(daemon)
    assert ends(daemon, 20) == 0 and time.monotonic() - began < 10
    stuck.drop()


def test_a_console_that_does_not_read_is_given_up(both):
    daemon = both()
    console = pgwire.Connection(daemon.port, receive_buffer=2048)
    console.login(CONSOLE_USER, "leasehold", CONSOLE_PASSWORD)
    console.send(*[pgwire.query("SHOW HELP")] * 3000)
    time.sleep(0.3)
    terminate(daemon)
    assert ends(daemon, 15) == 0
    console.drop()


def test_a_second_signal_ends_it_at_once_and_in_order(both, postgres, table):
    daemon = both(drain_timeout="60s")
    inside = login(daemon, False)
    inside.ok("BEGIN")
    inside.ok("INSERT INTO t VALUES (1)")
    terminate(daemon)
    time.sleep(0.5)
    assert daemon.running()
    os.kill(daemon.pid, signal.SIGTERM)
    assert ends(daemon, 8) == 0
    assert last_words(inside) == "57P01"
    assert not postgres.backends()
    assert table.rows(False) == 0


def test_any_number_of_signals_is_an_orderly_end(both):
    daemon = both(drain_timeout="60s")
    inside = [login(daemon, mysql) for mysql in (False, True) for _ in range(3)]
    for session in inside:
        run(session, "BEGIN")
    for _ in range(5):
        os.kill(daemon.pid, signal.SIGTERM)
        time.sleep(0.05)
    assert ends(daemon, 8) == 0


def test_a_dead_server_does_not_hold_it_up(leasehold):
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        daemon = leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), "quarantine_timeout": "1s"}},
                           drain_timeout="1s")
        session = pgwire.connect(daemon.port, USER, "orders", PASSWORD)
        session.ok("BEGIN")
        server.pause()
        try:
            session.send(pgwire.query("SELECT 1"))
            terminate(daemon)
            assert ends(daemon, 15) == 0
        finally:
            server.resume()
        assert session.closed_by_peer()


def test_a_drain_ends_whatever_a_reload_does_meanwhile(both):
    daemon = both()
    holder = login(daemon, False)
    holder.ok("BEGIN")
    terminate(daemon)
    for _ in range(2):
        os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: "event=reload_failed" in daemon.log_text(), 10, "the reload refused")
    holder.ok("COMMIT")
    assert last_words(holder) == "57P01"
    assert ends(daemon) == 0


# --- as the console asks for it ---------------------------------------------------------------------------------------

def test_shutdown_wait_for_clients_lets_them_go_on_as_long_as_they_like(both):
    daemon = both(drain_timeout="1s")
    sessions = [login(daemon, mysql) for mysql in (False, True)]
    daemon.console("SHUTDOWN WAIT_FOR_CLIENTS")
    wait_until(lambda: "event=draining" in daemon.log_text(), 10)
    with pytest.raises(pgwire.ServerError) as refused:
        login(daemon, False)
    assert refused.value.sqlstate == "57P03"
    for _ in range(8):  # past drain_timeout: there is no limit
        for session in sessions:
            run(session, "SELECT 1")
        time.sleep(0.2)
    assert daemon.running()
    for session in sessions:
        session.drop()
    assert ends(daemon) == 0


def test_shutdown_wait_for_servers_waits_for_transactions_without_a_limit(both, table):
    daemon = both(drain_timeout="1s")
    idle, inside = login(daemon, False), login(daemon, True)
    run(inside, "BEGIN")
    run(inside, "INSERT INTO t VALUES (1)")
    daemon.console("SHUTDOWN WAIT_FOR_SERVERS")
    assert last_words(idle) == "57P01"
    time.sleep(1.5)
    run(inside, "COMMIT")
    assert ends(daemon) == 0
    assert table.rows(True) == 1


def test_a_signal_puts_a_limit_to_an_end_without_one(both):
    daemon = both(drain_timeout="500ms")
    inside = login(daemon, False)
    inside.ok("BEGIN")
    daemon.console("SHUTDOWN WAIT_FOR_CLIENTS")
    wait_until(lambda: "event=draining" in daemon.log_text(), 10)
    os.kill(daemon.pid, signal.SIGTERM)
    assert last_words(inside) == "57P01"
    assert ends(daemon) == 0


# --- under load -------------------------------------------------------------------------------------------------------

def test_pgbench_loses_no_transaction(both, postgres, tmp_path):
    """Each client is sent away between two transactions: what pgbench counts as done is what the server has."""
    daemon = both(pool_size=8)
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    bench = "/usr/lib/postgresql/15/bin/pgbench"
    bench = bench if os.path.exists(bench) else "pgbench"
    subprocess.run([bench, "-i", "-q", "-s", "1", "-I", "dtGvp", postgres.url("orders", USER, PASSWORD)],
                   check=True, capture_output=True, env=environment, timeout=60)
    process = subprocess.Popen([bench, "-n", "-c", "8", "-j", "2", "-T", "60", daemon.url("orders", USER, PASSWORD)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    wait_until(lambda: postgres.value("SELECT count(*) FROM pgbench_history", database="orders") > 100, 30)
    terminate(daemon)
    out, err = process.communicate(timeout=60)
    assert ends(daemon) == 0
    done = int(re.search(r"number of transactions actually processed: (\d+)", out)[1])
    assert postgres.value("SELECT count(*) FROM pgbench_history", database="orders") == done, err
    complaints = [line for line in err.splitlines() if "FATAL" in line]
    assert len(complaints) == 8 and all("terminating connection: leasehold is shutting down" in line for line in complaints)
    postgres.query("DROP TABLE pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers", database="orders")


def test_under_load_each_mysql_transaction_is_whole_or_was_never_begun(both, table):
    """Clients that come back at once, as a pool does: whatever they were told succeeded is there, nothing else is."""
    daemon = both(pool_size=4)
    committed, unknown, stop = [], [], threading.Event()

    def work():
        done = 0
        while not stop.is_set():
            try:
                session = login(daemon, True)
            except (OSError, mywire.ServerError, mywire.Closed):
                break
            with contextlib.suppress(mywire.Closed, OSError, mywire.ServerError):
                while True:
                    run(session, "BEGIN")
                    run(session, "INSERT INTO t VALUES (1)")
                    try:
                        run(session, "COMMIT")
                    except Exception as error:
                        unknown.append(error)
                        raise
                    done += 1
            session.drop()
        committed.append(done)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: table.rows(True) > 100, 30)
    terminate(daemon)
    assert ends(daemon, 20) == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not unknown
    assert table.rows(True) == sum(committed)
