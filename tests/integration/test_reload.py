# SPDX-License-Identifier: Apache-2.0
"""A reload takes up everything that the file says while clients work, or nothing at all: nobody loses a transaction to it,
and whoever asked for it is told all that is wrong."""
import contextlib
import os
import re
import signal
import socket
import threading
import time

import pgwire
import pymysql
import pytest
from conftest import PASSWORD, USER
from console import tell
from processes import LOOPBACK, Port, wait_until
from reloading import applied, connect, enter, farewell, refusal, start, value  # noqa: F401


# --- pools ------------------------------------------------------------------------------------------------------------

def test_a_pool_grows_and_shrinks_under_those_who_use_it(start):
    daemon = start(pool_size=1, pool_timeout=20)
    first = connect(daemon)
    first.autocommit = False
    value(first, "SELECT 1")
    second_value = []
    waiter = threading.Thread(target=lambda: second_value.append(value(connect(daemon), "SELECT 2")))
    waiter.start()
    wait_until(lambda: daemon.console("SHOW POOLS")[0]["cl_waiting"] == 1, 10, "somebody who waits")
    daemon.set_pool("orders", pool_size=2)
    applied(daemon)
    waiter.join(10)
    assert second_value == [2], "the new place is given to who waits"
    wait_until(lambda: re.search(r"event=reloaded reload=1 changes=\"?pools ~orders\(pool_size\)", daemon.log_text()), 10,
               "the line of the reload")
    daemon.set_pool("orders", pool_size=1)
    applied(daemon)
    first.commit()
    assert value(first, "SELECT 3") == 3


def test_pools_are_added_and_served_at_once(start, postgres):
    daemon = start()
    assert "no pool" in refusal(daemon, database="reports")
    daemon.set_pool("reports", url=postgres.url("orders", USER, PASSWORD))
    applied(daemon)
    with contextlib.closing(connect(daemon, database="reports")) as client:
        assert value(client) == postgres.port
    assert {row["database"] for row in daemon.console("SHOW POOLS")} >= {"orders", "reports"}


def test_a_pool_goes_with_a_farewell_to_the_idle_and_time_for_the_others(start, postgres):
    daemon = start(sections={"drain_timeout": "20s"}, pool_size=2)
    daemon.set_pool("other", url=postgres.url("orders", USER, PASSWORD))
    applied(daemon)
    idle, active, pinned, waiting = (enter(daemon) for _ in range(4))
    bystander = connect(daemon, database="other")
    pinned.ok("SELECT pg_advisory_lock(7)")
    active.ok("BEGIN")
    waiting.send(pgwire.query("SELECT 1"))
    wait_until(lambda: any(row["cl_waiting"] for row in daemon.console("SHOW POOLS")), 10, "somebody who waits")
    del daemon.config["pools"]["orders"]
    applied(daemon)
    assert 'pool "orders" was removed' in farewell(idle)
    assert 'pool "orders" was removed' in farewell(pinned)
    assert 'pool "orders" was removed' in farewell(waiting)
    assert "no pool" in refusal(daemon)
    assert active.value("SELECT 2") == "2", "a transaction that runs goes on"
    active.ok("COMMIT")
    assert 'pool "orders" was removed' in farewell(active)
    assert value(bystander) == postgres.port
    wait_until(lambda: not [row for row in daemon.console("SHOW POOLS") if row["database"] == "orders"], 10, "its end")
    assert not postgres.backends("leasehold orders")


def test_what_is_left_of_a_removed_pool_ends_with_drain_timeout(start, postgres):
    daemon = start(sections={"drain_timeout": "1s"})
    daemon.set_pool("other", url=postgres.url("orders", USER, PASSWORD))
    applied(daemon)
    active = enter(daemon)
    active.ok("BEGIN")
    del daemon.config["pools"]["orders"]
    applied(daemon)
    wait_until(lambda: not postgres.backends("leasehold orders"), 15, "the end of its backend")
    assert 'pool "orders" was removed' in farewell(active)


# --- users ----------------------------------------------------------------------------------------------------------------

def test_users_come_and_go_and_change_their_passwords(start, postgres):
    postgres.create_user("reader", "one")
    daemon = start()
    assert "authentication failed" in refusal(daemon, "reader", "one")
    users = daemon.config["users"]
    users.append({"name": "reader", "password": "one", "pools": ["orders"]})
    applied(daemon)
    reader = enter(daemon, "reader", "one")
    assert reader.value("SELECT current_user") == "reader"
    postgres.query("ALTER ROLE reader PASSWORD 'two'")
    users[-1]["password"] = "two"
    applied(daemon)
    assert reader.value("SELECT 1") == "1", "who is in stays, and is served with the new password"
    assert "authentication failed" in refusal(daemon, "reader", "one")
    connect(daemon, "reader", "two").close()
    users.pop()
    applied(daemon)
    assert 'user "reader" may not use pool "orders" any more' in farewell(reader)
    assert "authentication failed" in refusal(daemon, "reader", "two")


def test_the_urls_own_password_changes(start, postgres):
    postgres.create_user("owner_", "before")
    postgres.query("GRANT ALL ON DATABASE orders TO owner_")
    daemon = start(url=postgres.url("orders", "owner_", "before"))
    client = connect(daemon, "owner_", "before")
    pid = value(client, "SELECT pg_backend_pid()")
    postgres.query("ALTER ROLE owner_ PASSWORD 'after'")
    daemon.set_pool("orders", url=postgres.url("orders", "owner_", "after"))
    applied(daemon)
    assert value(client, "SELECT pg_backend_pid()") != pid, "with the new password"
    assert "authentication failed" in refusal(daemon, "owner_", "before")
    connect(daemon, "owner_", "after").close()


# --- listeners --------------------------------------------------------------------------------------------------------------

def test_listeners_are_opened_changed_and_closed(start, postgres):
    daemon = start()
    first = connect(daemon)
    with contextlib.closing(Port()) as port:
        daemon.config["listen"].append({"dialect": "postgresql", "address": f"{LOOPBACK}:{port.number}"})
        applied(daemon)
        second_client = connect(daemon, port=port.number)
        assert value(second_client) == postgres.port
        daemon.config["listen"][1]["auth"] = "trust"
        applied(daemon)
        connect(daemon, password="wrong", port=port.number).close()
        assert "authentication failed" in refusal(daemon, password="wrong")
        daemon.config["listen"].pop()
        applied(daemon)
        with pytest.raises(OSError):
            socket.create_connection((LOOPBACK, port.number), 5)
        assert value(second_client) == postgres.port, "who came by it stays"
        assert value(first) == postgres.port


def test_a_unix_sockets_file_comes_and_goes_with_its_listener(start, postgres):
    daemon = start()
    path = os.path.join(daemon.folder, ".s.PGSQL.6432")
    for _ in range(2):
        daemon.config["listen"].append({"dialect": "postgresql", "address": f"unix:{path}", "auth": "scram"})
        applied(daemon)
        with contextlib.closing(connect(daemon, host=daemon.folder, port=6432)) as client:
            assert value(client) == postgres.port
        daemon.config["listen"].pop()
        applied(daemon)
        assert not os.path.exists(path)


def test_a_listener_that_serves_a_pool_no_more_lets_its_clients_go(start, postgres):
    daemon = start()
    daemon.set_pool("other", url=postgres.url("orders", USER, PASSWORD))
    applied(daemon)
    client, kept = enter(daemon), connect(daemon, database="other")
    daemon.config["listen"][0]["pools"] = ["other"]
    applied(daemon)
    assert "is not served here any more" in farewell(client)
    assert value(kept, "SELECT 1") == 1
    assert "no pool" in refusal(daemon)


# --- what is wrong ------------------------------------------------------------------------------------------------------------

def test_a_file_with_mistakes_changes_nothing_and_all_of_them_are_told(start, postgres):
    daemon = start(pool_size=3)
    client = connect(daemon)
    value(client)
    with contextlib.closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        good = daemon.config_text()
        with open(daemon.config_file, "w") as file:
            file.write(good.replace("pool_size: 3", "pool_sise: 3") + "drain_timeout: soon\n")
        problems = daemon.reload()
        assert len(problems) == 2, problems
        assert re.search(r"leasehold\.yaml:\d+.*pools\.orders\.pool_sise: unknown key; did you mean pool_size", problems[0])
        assert re.search(r"leasehold\.yaml:\d+.*drain_timeout", problems[1])
        # An address that is taken, a certificate that is not there: what else is in the file does not count either.
        daemon.set_pool("added", url=postgres.url("orders", USER, PASSWORD))
        daemon.config["listen"].append({"dialect": "postgresql", "address": f"{LOOPBACK}:{taken.getsockname()[1]}"})
        daemon.write_config()
        problems = daemon.reload()
        assert len(problems) == 1 and "another program uses this address" in problems[0], problems
        daemon.config["listen"][1] = {"dialect": "postgresql", "address": f"{LOOPBACK}:{taken.getsockname()[1]}",
                                      "tls": {"mode": "require", "cert": "/nowhere/cert", "key": "/nowhere/key"}}
        daemon.write_config()
        assert len(daemon.reload()) >= 2
        assert "no pool" in refusal(daemon, database="added")
    assert value(client) == postgres.port
    os.unlink(daemon.config_file)
    assert len(daemon.reload()) == 1
    daemon.config["listen"].pop()
    applied(daemon)
    connect(daemon, database="added").close()


def test_the_number_of_workers_waits_for_a_restart_and_is_named_each_time(start):
    daemon = start(sections={"workers": 1})
    daemon.config["workers"] = 2
    daemon.write_config()
    for time_ in (1, 2):
        applied(daemon)
        wait_until(lambda: daemon.log_text().count("event=restart_needed keys=workers") >= time_, 10)
        assert daemon.log_text().count("event=restart_needed keys=workers") == time_
        time.sleep(1.1)  # repeats within a second are folded


# --- log, limits, servers -----------------------------------------------------------------------------------------------------

def test_log_limits_and_the_servers_places_change(start, postgres):
    daemon = start()
    client = connect(daemon)
    target = os.path.join(daemon.folder, "other.log")

    def reload(until):
        daemon.write_config()
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: os.path.exists(target) and until in open(target).read(), 10, until)

    daemon.config.update({"log": {"format": "json", "target": target}, "limits": {"max_clients": 1},
                          "servers": {f"{LOOPBACK}:{postgres.port}": {"max_connections": 1}}})
    reload('"event":"reloaded"')
    assert "too many clients" in refusal(daemon)
    value(client)
    os.rename(target, target + ".1")  # as logrotate does
    daemon.config["limits"]["max_clients"] = 2
    reload('"event":"reloaded"')
    daemon.config["log"]["level"] = "warn"
    daemon.write_config()
    assert tell(daemon, "RELOAD").tags == ["RELOAD"]  # answers when it is done, whatever the log says
    daemon.config["limits"]["max_clients"] = "many"
    reload('"event":"reload_failed"')
    assert not [line for line in open(target) if '"reload":4' in line and '"reload_started"' in line], "that is info"


# --- MySQL and MariaDB ------------------------------------------------------------------------------------------------------

def test_mysql_reloads_the_same_way(leasehold, mysql_server):
    daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 2},
                              "till": {"url": mysql_server.url("shop", USER, PASSWORD)}})
    idle = daemon.connect_mysql("shop", USER, PASSWORD)
    active = daemon.connect_mysql("shop", USER, PASSWORD)
    other = daemon.connect_mysql("till", USER, PASSWORD)

    def one(connection, sql="SELECT 0 + connection_id()"):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    backend = one(idle)
    daemon.set_pool("shop", url=mysql_server.url("shop", USER, PASSWORD, connect_timeout="9"), pool_size=3)
    applied(daemon)
    assert one(idle) != backend, "another way to log in: another connection"
    with active.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1")
    del daemon.config["pools"]["shop"]
    applied(daemon)
    assert one(active, "SELECT 2") == 2
    active.commit()
    for gone in (idle, active):
        with pytest.raises(pymysql.err.OperationalError):
            one(gone)
    assert one(other, "SELECT 3") == 3
    with pytest.raises(pymysql.err.OperationalError):
        daemon.connect_mysql("shop", USER, PASSWORD)
