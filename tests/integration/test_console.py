# SPDX-License-Identifier: Apache-2.0
"""The console: who holds what, since when and why, asked in SQL clothing over the ordinary protocol."""
import subprocess

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER, login
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from servers import wait_until


def pools(daemon):
    """The rows of SHOW POOLS for the pools of the application's user, by name."""
    return {row["database"]: row for row in daemon.console("SHOW POOLS") if row["user"] == USER}


def test_show_version_names_the_program_and_its_version(orders):
    assert "leasehold 0." in str(orders.console("SHOW VERSION"))


def test_show_pools_counts_as_sqlalchemy_does(leasehold, postgres):
    pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 1}
    daemon = leasehold(pools={"orders": pool})
    one, two, three, waiting = (login(daemon) for _ in range(4))
    one.ok("BEGIN")
    row = pools(daemon)["orders"]
    assert (row["size"], row["checkedin"], row["checkedout"], row["overflow"], row["waiting"]) == (2, 0, 1, -1, 0)
    assert (row["user"], row["pool_mode"], row["status"]) == (USER, "transaction", "ok")
    two.ok("BEGIN")
    three.ok("BEGIN")
    waiting.send(pgwire.query("SELECT 1"))
    row = wait_until(lambda: [r for r in pools(daemon).values() if r["waiting"] == 1], 2)[0]
    assert (row["checkedin"], row["checkedout"], row["overflow"]) == (0, 3, 1)
    for session in (one, two, three):
        session.ok("COMMIT")
    assert waiting.reply().value() == "1"
    row = wait_until(lambda: [r for r in pools(daemon).values() if r["checkedin"] == 2], 2)[0]
    assert (row["checkedout"], row["overflow"], row["waiting"]) == (0, 0, 0)


def test_show_clients_names_each_session(orders):
    with login(orders, application_name="billing") as session:
        session.ok("BEGIN")
        rows = [row for row in orders.console("SHOW CLIENTS") if row["database"] == "orders"]
        assert len(rows) == 1
        assert (rows[0]["user"], rows[0]["application_name"], rows[0]["addr"]) == (USER, "billing", "127.0.0.1")
        assert (rows[0]["state"], rows[0]["transaction"]) == ("active", "active")
    wait_until(lambda: not [row for row in orders.console("SHOW CLIENTS") if row["database"] == "orders"], 2)


def test_show_servers_names_each_backend_and_who_holds_it(orders, postgres):
    session = login(orders)
    session.ok("BEGIN")
    pid = session.value("SELECT pg_backend_pid()")
    rows = orders.console("SHOW SERVERS")
    assert len(rows) == 1
    assert (rows[0]["database"], str(rows[0]["remote_pid"]), rows[0]["state"]) == ("orders", pid, "active")
    holder = [row["id"] for row in orders.console("SHOW CLIENTS") if row["database"] == "orders"]
    assert [rows[0]["session"]] == holder
    session.ok("COMMIT")
    assert [row["state"] for row in orders.console("SHOW SERVERS")] == ["idle"]


def test_show_quarantine_tells_what_happened_newest_first(orders):
    for number in range(3):
        session = login(orders, application_name=f"walker-{number}")
        session.ok("BEGIN")
        session.ok(f"SELECT {number}, 'literal'")
        session.drop()
        wait_until(lambda: [row["outcome"] for row in orders.console("SHOW QUARANTINE")] ==
                   ["readmitted"] * (number + 1), 2)
    rows = orders.console("SHOW QUARANTINE")
    assert [row["application_name"] for row in rows] == ["walker-2", "walker-1", "walker-0"]
    assert {row["reason"] for row in rows} == {"client_gone"}
    assert all("literal" not in row["statements"] and "BEGIN" in row["statements"] for row in rows)


def test_the_console_holds_no_backend_and_counts_as_no_pool(orders, postgres):
    orders.console("SHOW POOLS")
    assert set(pools(orders)) == {"orders"}
    assert not [b for b in postgres.backends("leasehold orders%")]


def test_commands_are_read_in_any_case_and_unknown_ones_are_errors(orders):
    assert orders.console("show pools;") == orders.console("SHOW POOLS")
    with pgwire.connect(orders.port, CONSOLE_USER, "leasehold", CONSOLE_PASSWORD) as console:
        for wrong in ("SHOW NOTHING", "SELECT * FROM pg_class", "DROP POOL orders", "\x01\x02"):
            reply = console.query(wrong)
            assert reply.sqlstate and reply.status == "I", wrong
        assert console.query("SHOW POOLS").tags == ["SHOW"]


def test_psql_shows_the_console_as_a_table(orders):
    done = subprocess.run(["psql", "-X", "-c", "SHOW POOLS", "-c", "SHOW VERSION",
                           orders.url("leasehold", CONSOLE_USER, CONSOLE_PASSWORD)], capture_output=True, text=True,
                          check=False, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "orders" in done.stdout and "checkedout" in done.stdout


def test_only_those_named_in_admin_users_reach_the_console(orders):
    for user, password in ((USER, PASSWORD), (CONSOLE_USER, "wrong"), ("nobody", "")):
        with pytest.raises(psycopg2.OperationalError):
            orders.console("SHOW POOLS", user, password)


def test_no_table_shows_a_password(orders):
    with login(orders) as session:
        session.ok("BEGIN")
        for table in ("POOLS", "CLIENTS", "SERVERS", "QUARANTINE", "VERSION"):
            shown = str(orders.console(f"SHOW {table}"))
            assert PASSWORD not in shown and "kx%25jj5" not in shown, table
