# SPDX-License-Identifier: Apache-2.0
"""The end in order: SIGTERM lets running transactions finish within drain_timeout, everybody else is told and sent away,
the console answers until the last has gone, and the exit code is 0."""
import contextlib
import socket
import time

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from draining import (SHUTDOWN, both, both_databases, ends, farewell, last_words, login, mysql, run,  # noqa: F401
                      shop_server, table, terminate)
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from servers import wait_until


# --- who has no transaction -------------------------------------------------------------------------------------------

@both_databases
def test_idle_clients_are_sent_away_at_once(both, mysql):
    daemon = both()
    fresh, used = login(daemon, mysql), login(daemon, mysql)
    run(used, "SELECT 1")
    began = time.monotonic()
    terminate(daemon)
    assert [last_words(session) for session in (fresh, used)] == [farewell(mysql)] * 2
    assert ends(daemon) == 0 and time.monotonic() - began < 8


@both_databases
def test_300_idle_clients_are_sent_away_at_once(both, mysql):
    daemon = both()
    sessions = [login(daemon, mysql) for _ in range(300)]
    terminate(daemon)
    assert {last_words(session) for session in sessions} == {farewell(mysql)}
    assert ends(daemon) == 0


@both_databases
def test_a_pinned_session_between_its_transactions_is_sent_away(both, mysql):
    daemon = both()
    session = login(daemon, mysql)
    run(session, "CREATE TEMPORARY TABLE mine (a int)")
    terminate(daemon)
    assert last_words(session) == farewell(mysql)
    assert ends(daemon) == 0


@both_databases
def test_those_who_wait_in_the_queue_get_no_lease_any_more(both, mysql, table):
    daemon = both(pool_size=1)
    holder, waiting = login(daemon, mysql), login(daemon, mysql)
    run(holder, "BEGIN")
    run(holder, "INSERT INTO t VALUES (1)")
    waiting.command(mywire.COM_QUERY, b"INSERT INTO t VALUES (2)") if mysql else \
        waiting.send(pgwire.query("INSERT INTO t VALUES (2)"))
    wait_until(lambda: any(row["cl_waiting"] for row in daemon.console("SHOW POOLS")), 10)
    terminate(daemon)
    assert last_words(waiting) == farewell(mysql, answered=True)
    run(holder, "COMMIT")
    assert last_words(holder) == farewell(mysql)
    assert ends(daemon) == 0
    assert table.rows(mysql) == 1


# --- who has one ------------------------------------------------------------------------------------------------------

@both_databases
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_transaction_that_ends_in_time_is_committed(both, mysql, mode, table):
    daemon = both(mode=mode)
    inside, idle = login(daemon, mysql), login(daemon, mysql)
    run(idle, "SELECT 1")
    run(inside, "BEGIN")
    run(inside, "INSERT INTO t VALUES (1)")
    began = time.monotonic()
    terminate(daemon)
    assert last_words(idle) == farewell(mysql)
    for _ in range(3):
        run(inside, "INSERT INTO t VALUES (2)")
        time.sleep(0.1)
    assert daemon.running()
    run(inside, "COMMIT")
    assert last_words(inside) == farewell(mysql)
    assert ends(daemon) == 0 and time.monotonic() - began < 15
    assert table.rows(mysql) == 4


@both_databases
def test_a_transaction_that_idles_past_the_limit_is_rolled_back(both, mysql, table):
    daemon = both(drain_timeout="1s")
    inside = login(daemon, mysql)
    run(inside, "BEGIN")
    run(inside, "INSERT INTO t VALUES (1)")
    began = time.monotonic()
    terminate(daemon)
    assert last_words(inside) == farewell(mysql)
    assert time.monotonic() - began > 0.8
    assert ends(daemon) == 0 and time.monotonic() - began < 10
    assert table.rows(mysql) == 0
    wait_until(lambda: "event=drain_limit" in daemon.log_text(), 10)


@both_databases
def test_a_statement_that_runs_past_the_limit_is_cancelled_and_answered(both, mysql, postgres, shop_server):
    daemon = both(drain_timeout="1s")
    running = login(daemon, mysql)
    if mysql:
        running.command(mywire.COM_QUERY, b"SELECT sleep(300)")
        wait_until(lambda: [p for p in shop_server.processes(USER) if p["info"] == "SELECT sleep(300)"], 10)
    else:
        running.send(pgwire.query("SELECT pg_sleep(300)"))
        wait_until(lambda: [b for b in postgres.backends() if b["query"] == "SELECT pg_sleep(300)"], 10)
    terminate(daemon)
    assert last_words(running) == farewell(mysql, answered=True)
    assert ends(daemon) == 0
    wait_until(lambda: not [p for p in shop_server.processes(USER) if p["info"]], 10)
    wait_until(lambda: not [b for b in postgres.backends() if b["state"] == "active"], 10)


@both_databases
def test_a_statement_that_ends_in_time_is_answered(both, mysql, table):
    daemon = both()
    running = login(daemon, mysql)
    sql = f"INSERT INTO t SELECT 1 FROM (SELECT {'sleep' if mysql else 'pg_sleep'}(1.5)) s"
    running.command(mywire.COM_QUERY, sql.encode()) if mysql else running.send(pgwire.query(sql))
    time.sleep(0.3)
    terminate(daemon)
    if mysql:
        assert running.result().affected == 1
    else:
        reply = []
        while not reply or reply[-1][0] != "Z":
            reply.append(running.read())
        assert [body for kind, body in reply if kind == "C"] == [b"INSERT 0 1\0"]
    assert last_words(running) == farewell(mysql)
    assert ends(daemon) == 0
    assert table.rows(mysql) == 1


def test_a_copy_in_progress_is_completed(both, table):
    daemon = both()
    into, out = login(daemon, False), login(daemon, False)
    into.send(pgwire.query("COPY t FROM STDIN"))
    assert into.read()[0] == "G"
    into.send(pgwire.copy_data(b"1\n"))
    out.send(pgwire.query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT"))
    assert out.read()[0] == "H"
    terminate(daemon)
    time.sleep(0.3)
    into.send(pgwire.copy_data(b"2\n"), pgwire.COPY_DONE)
    assert into.read() == ("C", b"COPY 2\0")
    assert into.read()[0] == "Z"
    rows = 0
    while (got := out.read())[0] != "C":
        rows += got[0] == "d"
    assert rows == 20000 and out.read()[0] == "Z"
    assert [last_words(session) for session in (into, out)] == ["57P01"] * 2
    assert ends(daemon) == 0
    assert table.rows(False) == 2


def test_what_was_sent_behind_a_transaction_before_it_ended_is_answered(both, table):
    daemon = both()
    session = login(daemon, False)
    session.ok("BEGIN")
    terminate(daemon)
    session.send(pgwire.query("INSERT INTO t VALUES (1)"), pgwire.query("COMMIT"), pgwire.query("INSERT INTO t VALUES (2)"))
    tags = []
    while True:
        try:
            kind, body = session.read()
        except pgwire.Closed:
            break
        if kind == "C":
            tags.append(body)
        if kind == "E":
            tags.append(pgwire.fields_of(body)["C"])
    assert tags == [b"INSERT 0 1\0", b"COMMIT\0", b"INSERT 0 1\0", "57P01"]
    assert ends(daemon) == 0
    assert table.rows(False) == 2


# --- who is on the way in ---------------------------------------------------------------------------------------------

def test_whoever_is_in_the_middle_of_a_login_is_told(both):
    daemon = both()
    holder = login(daemon, False)
    holder.ok("BEGIN")
    connected, asked = pgwire.Connection(daemon.port), pgwire.Connection(daemon.port)
    words = b"".join(map(pgwire.cstr, ("user", USER, "database", "orders"))) + b"\0"
    asked.send(pgwire.startup_packet(pgwire.PROTOCOL_3, words))
    assert asked.read()[0] == "R"
    greeted = mywire.Connection(daemon.mysql_port)
    hello = greeted.greet()
    terminate(daemon)
    connected.send(pgwire.startup_packet(pgwire.PROTOCOL_3, words))
    assert last_words(connected) == "57P03"
    scram = pgwire.Scram(PASSWORD)
    asked.send(pgwire.message(b"p", scram.first()))
    kind, body = asked.read()
    assert kind == "R", (kind, body)
    asked.send(pgwire.message(b"p", scram.final(body[4:])))
    assert last_words(asked) == "57P03"
    answer = mywire.native_password(PASSWORD, hello["scramble"])
    greeted.send(b"\x0d\xa2\x08\x00" + bytes(4) + b"\x2d" + bytes(23) + USER.encode() + b"\0" + bytes([len(answer)]) +
                 answer + b"shop\0")
    assert last_words(greeted) == SHUTDOWN
    holder.ok("COMMIT")
    assert ends(daemon) == 0


def test_connections_that_say_nothing_do_not_hold_it_up(both):
    daemon = both(drain_timeout="60s")
    silent = [pgwire.Connection(daemon.port) for _ in range(5)] + [mywire.Connection(daemon.mysql_port) for _ in range(5)]
    began = time.monotonic()
    terminate(daemon)
    assert ends(daemon, 15) == 0 and time.monotonic() - began < 10
    assert all(connection.closed_by_peer() for connection in silent)


def test_new_clients_are_told_and_the_console_answers_until_the_end(both):
    daemon = both()
    holder = login(daemon, False)
    holder.ok("BEGIN")
    watcher = pgwire.connect(daemon.port, CONSOLE_USER, "leasehold", CONSOLE_PASSWORD)
    terminate(daemon)
    for user, password in ((USER, PASSWORD), (USER, "wrong"), ("nobody", "")):
        with pytest.raises(pgwire.ServerError) as refused:
            pgwire.connect(daemon.port, user, "orders", password)
        assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "57P03")
    wait_until(lambda: not accepts(daemon.mysql_port), 5, "MySQL's listener closed")
    shown = daemon.console("SHOW CLIENTS")
    assert [row["transaction"] for row in shown if row["database"] == "orders"] == ["active"]
    assert watcher.query("SHOW POOLS").tags == ["SHOW"]
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, CONSOLE_USER, "leasehold", "wrong")
    assert refused.value.sqlstate == "28P01"
    holder.ok("COMMIT")
    assert last_words(holder) == "57P01" and last_words(watcher) == "57P01"
    assert ends(daemon) == 0


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
        return True
    return False
