# SPDX-License-Identifier: Apache-2.0
"""The console's tables while much goes on: they agree with each other, and asking for them holds nobody up."""
import contextlib
import resource
import threading
import time

import pgwire
import psycopg2
from conftest import PASSWORD, USER, login
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import LOOPBACK, free_port, wait_until
from skips import skip_loudly


def test_the_tables_agree_with_each_other_under_load(leasehold, postgres):
    """One pool stands still with sessions in every state; another is under load meanwhile."""
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={"orders": {"url": url, "pool_size": 3, "max_overflow": 1},
                              "churn": {"url": url, "pool_size": 2, "max_overflow": 0}}, workers=2)
    done = threading.Event()

    def churn():
        with login(daemon, "churn") as session:
            while not done.is_set():
                session.ok("SELECT 1")

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        sessions = [login(daemon) for _ in range(8)]
        for session in sessions[:3]:
            session.ok("BEGIN")
        sessions[3].ok("CREATE TEMP TABLE kept (n int)")
        for session in sessions[4:6]:
            session.send(pgwire.query("SELECT 1"))
        half_open = daemon.raw()
        wait_until(lambda: len(daemon.console("SHOW WAITERS")) >= 2 and [
            row for row in daemon.console("SHOW CLIENTS") if row["state"] == "login"], 5, "sessions in every state")
        for _ in range(20):
            agree(daemon)
        for session in sessions[:3]:
            session.ok("COMMIT")
        half_open.close()
    finally:
        done.set()
        for thread in threads:
            thread.join()


def agree(daemon):
    show = {table: daemon.console(f"SHOW {table}") for table in
            ("POOLS", "CLIENTS", "SERVERS", "LEASES", "WAITERS", "PINS", "LISTS", "DATABASES", "USERS")}
    lists = {row["list"]: row["items"] for row in show["LISTS"]}
    of = {table: [row for row in rows if row.get("name", row.get("database")) == "orders"] for table, rows in show.items()}
    pools = [row for row in of["POOLS"] if row["user"] == USER]
    pool = pools[0]
    states = [row["state"] for row in of["CLIENTS"]]
    servers = [row["state"] for row in of["SERVERS"] if row["user"] == USER]
    assert sum(pool[f"sv_{kind}"] for kind in ("active", "idle", "used", "tested", "login")) == len(servers) == 4
    assert pool["sv_active"] == servers.count("active") == len(of["LEASES"]) == pool["checkedout"]
    assert pool["cl_waiting"] == states.count("waiting") == len(of["WAITERS"]) == pool["waiting"] == 2
    assert pool["cl_active"] == states.count("active") + states.count("idle") == 6
    assert pool["cl_idle"] == states.count("idle") == 2
    assert pool["pinned"] == len(of["PINS"]) == 1
    assert of["DATABASES"][0]["current_connections"] == len(of["SERVERS"])
    assert of["DATABASES"][0]["clients"] == len(states) == 8
    assert lists["databases"] == len(show["DATABASES"]) == 2
    assert lists["pools"] == len(show["POOLS"])
    assert lists["users"] == len(show["USERS"])
    # Each question comes by a session of its own, of which the one before may not be quite gone.
    every = [row["state"] for row in show["CLIENTS"] if row["database"] != "leasehold"]
    assert lists["login_clients"] == every.count("login") == 1
    assert lists["used_clients"] - lists["console_clients"] == len(every) - 1 == 8 + 4
    assert lists["console_clients"] >= 1
    assert lists["used_servers"] == len(show["SERVERS"])
    assert lists["pinned_clients"] == 1
    clients = next(row["clients"] for row in show["USERS"] if row["name"] == USER)
    assert clients == lists["used_clients"] - lists["console_clients"]


def test_show_clients_of_2000_sessions_holds_nobody_up(leasehold, postgres):
    count = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * count + 400:
        skip_loudly("2000 sessions at once", f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 400, hard))
    port = free_port()
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 4}},
                       listen=[{"dialect": "postgresql", "address": f"{LOOPBACK}:{port}", "auth": "trust"}], start=False)
    daemon.port = port
    daemon.start()
    sessions, done, times = [], threading.Event(), []
    try:
        for _ in range(count):
            sessions.append(login(daemon, application_name="one of many"))

        def bystander():
            with login(daemon) as session:
                while not done.is_set():
                    begin = time.monotonic()
                    session.ok("SELECT 1")
                    times.append(time.monotonic() - begin)
                    time.sleep(0.001)

        thread = threading.Thread(target=bystander)
        thread.start()
        with contextlib.closing(daemon.connect("leasehold", CONSOLE_USER, CONSOLE_PASSWORD, autocommit=True)) as console:
            for _ in range(10):
                with console.cursor() as cursor:
                    cursor.execute("SHOW CLIENTS")
                    rows = cursor.fetchall()
                    identities = [row[[c.name for c in cursor.description].index("id")] for row in rows]
                    assert len(rows) == count + 2 and identities == sorted(set(identities))
        done.set()
        thread.join()
        times.sort()
        assert times[len(times) * 99 // 100] < 0.25, f"p99 of a bystander: {times[len(times) * 99 // 100]:.3f} s"
    finally:
        done.set()
        for session in sessions:
            session.drop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_daemon_ends_in_order_while_tables_are_asked_for(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, workers=3)
    asked, failures = threading.Semaphore(0), []

    def ask():
        try:
            with contextlib.closing(daemon.connect("leasehold", CONSOLE_USER, CONSOLE_PASSWORD,
                                                   autocommit=True)) as console, console.cursor() as cursor:
                for number in range(100_000):
                    cursor.execute(("SHOW CLIENTS", "SHOW LISTS", "SHOW STATS", "SHOW EVENTS")[number % 4])
                    cursor.fetchall()
                    asked.release()
        except psycopg2.Error:
            pass  # the daemon has said goodbye
        except Exception as problem:  # noqa: BLE001
            failures.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        assert asked.acquire(timeout=20)
    assert daemon.stop() == 0
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not failures
