# SPDX-License-Identifier: Apache-2.0
"""The console's tables: PgBouncer's columns where they mean the same, figures that agree with each other, and who holds
what, since when, and why."""
import contextlib
import os
import re
import time

import pgbouncer_columns as pgbouncer
import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER, login
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import LOOPBACK, end_process, free_port, spawn, tail, temp_dir, wait_until

PGBOUNCER = "/usr/sbin/pgbouncer"


def ask(port, user, password, command):
    """(names of the columns, rows) from a console, called by PgBouncer's name for it."""
    with contextlib.closing(psycopg2.connect(host=LOOPBACK, port=port, dbname="pgbouncer", user=user,
                                             password=password or "", connect_timeout=10)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(command)
            return [column.name for column in cursor.description], cursor.fetchall()


# --- columns ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def real_pgbouncer():
    """The real program's port, or None where it is not installed."""
    if not os.access(PGBOUNCER, os.X_OK):
        yield None
        return
    folder, port = temp_dir("lh-pgb-"), free_port()
    with open(os.path.join(folder, "ini"), "w") as file:
        file.write(f"[databases]\norders = host=127.0.0.1\n[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {port}\n"
                   "unix_socket_dir =\nauth_type = any\nadmin_users = operator\n")
    log = os.path.join(folder, "log")
    process = spawn([PGBOUNCER, os.path.join(folder, "ini")], log, user="postgres")

    def answers():
        assert process.poll() is None, tail(log, 20)
        try:
            return ask(port, "operator", None, "SHOW VERSION")
        except psycopg2.OperationalError:
            return None

    wait_until(answers, 20, "pgbouncer answering")
    yield port
    end_process(process)


@pytest.mark.parametrize("table", pgbouncer.COLUMNS)
def test_pgbouncers_columns_come_first_and_in_its_order(orders, real_pgbouncer, table):
    theirs = pgbouncer.COLUMNS[table].split()
    if real_pgbouncer:
        assert ask(real_pgbouncer, "operator", None, f"SHOW {table}")[0] == theirs, "the list is out of date"
    missing = pgbouncer.MISSING.get(table, {})
    ours = ask(orders.port, CONSOLE_USER, CONSOLE_PASSWORD, f"SHOW {table}")[0]
    expected = [name for name in theirs if name not in missing]
    assert ours[:len(expected)] == expected
    assert not set(ours) & set(missing), "no longer missing: take it out of the list"


def test_the_rows_that_exporters_look_up_are_there(orders, real_pgbouncer):
    if real_pgbouncer:
        for table, rows in (("LISTS", pgbouncer.LISTS), ("TOTALS", pgbouncer.TOTALS)):
            assert [row[0] for row in ask(real_pgbouncer, "operator", None, f"SHOW {table}")[1]] == rows.split()
    lists = [row["list"] for row in orders.console("SHOW LISTS")]
    assert lists[:12] == pgbouncer.LISTS.split()
    assert [row["name"] for row in orders.console("SHOW TOTALS")] == pgbouncer.TOTALS.split()


def test_a_table_that_is_not_there_names_the_nearest_or_what_to_ask_instead(orders):
    def error(command):
        with pytest.raises(psycopg2.ProgrammingError) as raised:
            ask(orders.port, CONSOLE_USER, CONSOLE_PASSWORD, command)
        return raised.value.diag.message_primary

    assert "did you mean POOLS?" in error("SHOW POOL")
    assert "did you mean LEASES?" in error("show lease;")
    for table in pgbouncer.ABSENT:
        assert error(f"SHOW {table}").startswith(f'SHOW knows no table "{table}": '), table
    assert "SHOW CLIENTS and SHOW SERVERS" in error("SHOW sockets")
    assert "SHOW CLIENTS takes nothing behind it" in error("SHOW clients orders")


def test_the_console_answers_to_pgbouncers_name_and_in_any_case(orders):
    assert ask(orders.port, CONSOLE_USER, CONSOLE_PASSWORD, "show version;")[1][0][0].startswith("leasehold ")
    everything = {row["name"] for row in orders.console("SHOW TABLES")}
    for table in everything:
        assert ask(orders.port, CONSOLE_USER, CONSOLE_PASSWORD, f"show {table.lower()} ;")[0], table


def test_the_documentation_names_every_table_and_every_column_that_is_left_out(orders):
    with open(os.path.join(os.path.dirname(__file__), "../../docs/console.md")) as file:
        text = file.read()
    for row in orders.console("SHOW TABLES"):
        assert re.search(rf"\b{row['name']}\b", text), row["name"]
    for table, columns in pgbouncer.MISSING.items():
        for column in columns:
            assert f"`{column}`" in text, (table, column)
    for table in pgbouncer.ABSENT:
        assert table in text or table.startswith("DNS_"), table


# --- who holds what, and who waits ------------------------------------------------------------------------------------

def test_show_leases_tells_who_holds_which_backend_since_when_and_what_it_runs(orders):
    with login(orders, application_name="billing") as session, login(orders, application_name="report") as other:
        session.ok("BEGIN")
        session.ok("SELECT 'a secret', 42")
        other.send(pgwire.query("SELECT pg_sleep(30), 'another'"))
        wait_until(lambda: len(orders.console("SHOW LEASES")) == 2, 5, "two leases")
        time.sleep(0.3)
        rows = {row["application_name"]: row for row in orders.console("SHOW LEASES")}
        held, running = rows["billing"], rows["report"]
        assert (held["database"], held["user"], held["addr"], held["state"]) == (
            "orders", USER, "127.0.0.1", "idle in transaction")
        assert held["statement"] == "SELECT ?, ?" and held["pin"] is None
        assert held["transaction"] == "active" and 0.3 <= held["transaction_seconds"] <= held["lease_seconds"] < 20
        assert running["state"] == "running" and "another" not in running["statement"]
        assert running["statement"].startswith("SELECT pg_sleep")
        servers = {row["remote_pid"]: row for row in orders.console("SHOW SERVERS")}
        clients = {row["id"]: row for row in orders.console("SHOW CLIENTS")}
        for row in rows.values():
            client = clients[row["session"]]
            assert client["link"] == servers[row["remote_pid"]]["ptr"]
            assert servers[row["remote_pid"]]["link"] == client["ptr"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", row["lease_time"])
        other.drop()
        session.ok("COMMIT")
    wait_until(lambda: not orders.console("SHOW LEASES"), 10, "no lease")


def test_show_pins_names_who_is_pinned(orders):
    sessions = [login(orders) for _ in range(3)]
    for session in sessions[:2]:
        session.ok("CREATE TEMP TABLE kept (n int)")
    sessions[2].ok("BEGIN")
    rows = orders.console("SHOW PINS")
    assert [(row["database"], row["user"], row["statement"]) for row in rows] == [
        ("orders", USER, "CREATE TEMP TABLE kept (n int)")] * 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", row["pin_time"]) for row in rows)
    assert {row["session"] for row in rows} == {row["session"] for row in orders.console("SHOW LEASES") if row["pin"]}
    assert rows[0]["pin"] and rows[0]["pin"] == orders.console("SHOW LEASES")[0]["pin"]
    assert {row["state"] for row in orders.console("SHOW LEASES")} == {"pinned", "idle in transaction"}
    for session in sessions:
        session.terminate()


def test_show_waiters_tells_who_waits_where_and_whose_turn_is_next(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1,
                                         "max_overflow": 0}})
    holder = login(daemon)
    holder.ok("BEGIN")
    waiting = []
    for name in ("first", "second", "third"):
        waiting.append(login(daemon, application_name=name))
        waiting[-1].send(pgwire.query("SELECT 1"))
        wait_until(lambda: len(daemon.console("SHOW WAITERS")) == len(waiting), 5, "a waiter")
    rows = daemon.console("SHOW WAITERS")
    assert [(row["position"], row["application_name"]) for row in rows] == [(1, "first"), (2, "second"), (3, "third")]
    assert {(row["database"], row["pool_user"], row["user"]) for row in rows} == {("orders", USER, USER)}
    waits = [row["wait"] * 1_000_000 + row["wait_us"] for row in rows]
    assert waits == sorted(waits, reverse=True) and waits[2] > 0
    holder.ok("COMMIT")
    for session in waiting:
        assert session.reply().value() == "1"
    assert daemon.console("SHOW WAITERS") == []


# --- figures ----------------------------------------------------------------------------------------------------------

def test_show_stats_counts_transactions_queries_bytes_and_times(orders):
    with login(orders) as session:
        before = orders.console("SHOW STATS")[0]
        session.ok("BEGIN")
        session.ok("SELECT pg_sleep(0.1)")
        time.sleep(0.2)
        session.ok("COMMIT")
        for _ in range(4):
            session.ok("SELECT 1")
        session.extended("SELECT $1::int", ["7"])
        session.send(pgwire.query("SELECT 1"), pgwire.query("SELECT 2"))  # pipelined: two
        session.reply()
        session.reply()
        after = orders.console("SHOW STATS")[0]
        gained = {key: after[key] - before[key] for key in after if key.startswith("total_")}
        assert (gained["total_xact_count"], gained["total_query_count"]) == (8, 10)
        assert gained["total_requests"] == gained["total_query_count"]
        assert 100_000 <= gained["total_query_time"] <= gained["total_xact_time"]
        assert gained["total_xact_time"] >= 300_000
        assert 150 < gained["total_received"] < 2000 and 300 < gained["total_sent"] < 5000
    plain = orders.console("SHOW STATS_TOTALS")[0]
    assert plain["xact_count"] == after["total_xact_count"]
    totals = {row["name"]: row["value"] for row in orders.console("SHOW TOTALS")}
    assert totals["total_query_count"] == after["total_query_count"]


def test_show_stats_averages_what_happened_lately(orders):
    with login(orders) as session:
        for _ in range(200):
            session.ok("SELECT 1")
        row = wait_until(lambda: [r for r in orders.console("SHOW STATS_AVERAGES") if r["query_count"] > 0], 10,
                         "an average")[0]
        assert row["xact_count"] == row["query_count"] and row["query_time"] > 0


def test_mysql_sessions_are_counted_and_shown_alike(shop):
    connection = shop.connect_mysql("shop", USER, PASSWORD)
    with connection.cursor() as cursor:
        before = shop.console("SHOW STATS")[0]
        cursor.execute("SELECT 'hidden', SLEEP(0.1)")
        connection.commit()
        connection.begin()
        cursor.execute("SELECT 12345")
        row = shop.console("SHOW LEASES")[0]
        assert (row["database"], row["state"], row["transaction"]) == ("shop", "idle in transaction", "active")
        assert "12345" not in row["statement"] and row["statement"].startswith("SELECT")
        connection.commit()
    after = shop.console("SHOW STATS")[0]
    assert after["total_xact_count"] - before["total_xact_count"] >= 2
    assert after["total_query_count"] - before["total_query_count"] >= 4
    assert after["total_query_time"] - before["total_query_time"] >= 100_000
    assert after["total_received"] > before["total_received"] and after["total_sent"] > before["total_sent"]
    connection.close()


# --- what there is ----------------------------------------------------------------------------------------------------

def test_show_databases_has_a_row_per_pool(leasehold, postgres):
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={
        "orders": {"url": url, "pool_size": 4, "max_overflow": 3, "min_idle": 1, "alias": ["sales"]},
        "held": {"url": url, "mode": "session"}},
        users=[{"name": "reports", "password": "x", "pools": ["orders"]}])
    rows = {row["name"]: row for row in daemon.console("SHOW DATABASES")}
    assert set(rows) == {"orders", "held"}
    row = rows["orders"]
    assert (row["host"], row["port"], row["database"], row["force_user"]) == ("127.0.0.1", postgres.port, "orders", USER)
    assert (row["pool_size"], row["min_pool_size"], row["reserve_pool"], row["pool_mode"]) == (4, 1, 3, "transaction")
    assert (row["paused"], row["disabled"], row["alias"], row["dialect"]) == (0, 0, "sales", "postgresql")
    assert rows["held"]["pool_mode"] == "session"
    assert PASSWORD not in str(rows) and "***" in row["url"]


def test_show_users_says_who_may_do_what(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}},
                       users=[{"name": "reports", "password": "geheim", "pools": ["orders"], "as": "pool"}])
    with login(daemon):
        rows = {row["name"]: row for row in daemon.console("SHOW USERS")}
    assert set(rows) == {USER, "reports", CONSOLE_USER}
    assert (rows[USER]["pools"], rows[USER]["login"], rows[USER]["clients"]) == ("orders", "the URL's", 1)
    assert (rows["reports"]["login"], rows["reports"]["password"]) == ("as the URL's", "clear text")
    assert (rows[CONSOLE_USER]["console"], rows[USER]["console"]) == ("administer", "no")
    assert "geheim" not in str(rows) and PASSWORD not in str(rows)


def test_show_config_has_every_key_and_no_secret(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 7}},
                       limits={"max_clients": 321}, users=[{"name": "reports", "password": "geheim"}])
    rows = {row["key"]: row for row in daemon.console("SHOW CONFIG")}
    assert (rows["pools.orders.pool_size"]["value"], rows["pools.orders.pool_size"]["default"]) == ("7", "5")
    assert rows["limits.max_clients"]["value"] == "321"
    assert rows["max_client_conn"]["value"] == "321", "what exporters look up"
    assert (rows["workers"]["changeable"], rows["drain_timeout"]["changeable"]) == ("no", "yes")
    assert rows["users[0].password"]["value"] == "***"
    assert all("geheim" not in str(row) and PASSWORD not in str(row) and "kx%25" not in str(row) for row in rows.values())
    assert f"{USER}:***@" in rows["pools.orders.url"]["value"]


def test_show_state_says_whether_the_daemon_serves(orders):
    state = {row["key"]: row["value"] for row in orders.console("SHOW STATE")}
    assert (state["active"], state["paused"], state["suspended"], state["draining"]) == ("yes", "no", "no", "no")
    assert (state["pid"], state["config_file"]) == (str(orders.pid), orders.config_file)
    assert 0 <= int(state["uptime_seconds"]) < 600


def test_show_events_has_the_last_life_cycle_events_newest_first(orders):
    with login(orders, application_name="walker") as session:
        session.ok("BEGIN")
        session.ok("SELECT 'literal'")
        session.drop()
    rows = wait_until(lambda: [rows for rows in [orders.console("SHOW EVENTS")]
                               if {"quarantine_end"} & {row["event"] for row in rows}], 5, "the events")[0]
    events = [row["event"] for row in rows]
    assert events.index("quarantine_end") < events.index("quarantine") < events.index("connect") < events.index("started")
    row = rows[events.index("quarantine")]
    assert (row["database"], row["level"], row["reason"]) == ("orders", "info", "client_gone")
    assert row["session"] > 0 and "application=walker" in row["details"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", row["time"])
    assert [row["time"] for row in rows] == sorted((row["time"] for row in rows), reverse=True)
    assert "literal" not in str(rows) and PASSWORD not in str(rows)
