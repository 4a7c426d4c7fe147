# SPDX-License-Identifier: Apache-2.0
"""The record of unfinished transactions: who, from where, which application, which statements, how long, and what became
of it; and what keeps coming back, grouped. Time-outs that end a transaction and keep its session, with all it had."""
import contextlib
import os
import time

import pytest
from conftest import USER
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from loglines import lines
from processes import wait_until
from prometheus import scrape
from sides import Side


@pytest.fixture(scope="session", params=["postgres", "mariadb"] + (["mysql97"] if os.environ.get("LEASEHOLD_LONG") else []))
def side(request):
    return Side.of(request.getfixturevalue(request.param))


@pytest.fixture
def start(leasehold, side):
    side.table("cart", "id int PRIMARY KEY, n int")
    side.query("INSERT INTO cart VALUES (1, 0), (2, 0), (3, 0)")
    return lambda **pool: leasehold(pools=side.pool(**{"pool_size": 2, **pool}), http=True, log={"format": "json"})


def walk_away(side, daemon, application, *statements):
    session = side.login(daemon, application=application)
    session.ok(side.BEGIN)
    for sql in statements:
        session.ok(sql)
    session.drop()
    wait_until(side.nothing_left, 10, "the transaction's end", side.GLANCE)


def open_transactions(rows):
    return [row for row in rows if row["kind"] == "open transaction"]


def test_show_leaks_groups_what_is_left_open_by_application_and_statement(start, side):
    daemon = start()
    for number in range(3):
        walk_away(side, daemon, "checkout.py", "SELECT 1", f"UPDATE cart SET n = {number} WHERE id IN ({', '.join('1' * (number + 1))})")
    walk_away(side, daemon, "report.py", "SELECT n FROM cart WHERE id = 77")
    wait_until(lambda: all(row["outcome"] == "readmitted" for row in daemon.console("SHOW QUARANTINE")), 10, "the ladder's end")
    first, second = open_transactions(daemon.console("SHOW LEAKS"))
    assert (first["application_name"], first["statement"]) == ("checkout.py", "UPDATE cart SET n = ? WHERE id IN (?)")
    assert (first["database"], first["user"], first["what"]) == (side.database, USER, "client_gone 3")
    assert int(first["times"]) == int(first["last_day"]) == 3
    assert 0 <= int(first["mean_ms"]) <= int(first["longest_ms"]) < 60_000
    assert (second["application_name"], second["statement"]) == ("report.py", "SELECT n FROM cart WHERE id = ?")
    assert not any("77" in str(second[column]) for column in ("function", "kind", "what", "statement"))


def test_mysqls_console_shows_both_records_too(start, side):
    if side.name != "mysql":
        pytest.skip("PostgreSQL's console is what the other tests ask")
    daemon = start()
    walk_away(side, daemon, "checkout.py", "UPDATE cart SET n = 5")
    with contextlib.closing(daemon.connect_mysql("leasehold", CONSOLE_USER, CONSOLE_PASSWORD)) as console:
        for table in "LEAKS", "QUARANTINE":
            with console.cursor() as cursor:
                cursor.execute(f"SHOW {table}")
                assert "checkout.py" in str(cursor.fetchall())


def test_each_end_is_a_record_a_count_and_a_line(start, side):
    daemon = start()
    began = time.monotonic()
    walk_away(side, daemon, "checkout.py", "UPDATE cart SET n = 4711 WHERE id = 1")
    took = time.monotonic() - began
    record, = wait_until(lambda: [row for row in daemon.console("SHOW QUARANTINE") if row["outcome"] == "readmitted"], 10, "the record")
    assert (record["application_name"], record["user"], record["reason"]) == ("checkout.py", USER, "client_gone")
    assert record["addr"].startswith("127.0.0.1:") and record["ended"] == "rolled back"
    assert "UPDATE cart SET n = ? WHERE id = ?" in record["statements"] and "4711" not in str(record["statements"])
    assert 0 <= int(record["transaction_ms"]) <= took * 1000 + 1
    line, = wait_until(lambda: lines(daemon, "quarantine_end"), 10, "the line")
    assert (line["application"], line["session"], line["outcome"]) == ("checkout.py", record["session"], "readmitted")
    assert "UPDATE" not in daemon.log_text()
    metrics = scrape(daemon.http_port)
    assert metrics.total("leasehold_pool_quarantines_total", pool=side.database, reason="client_gone") == 1


def test_a_statement_that_was_cancelled_says_so(start, side):
    daemon = start()
    session = side.login(daemon, application="slow.py")
    session.ok(side.BEGIN)
    session.ok("UPDATE cart SET n = 1")
    session.send(side.sleep(60))
    wait_until(lambda: side.running("sleep(60"), 10, "the statement running")
    session.drop()
    record, = wait_until(lambda: [row for row in daemon.console("SHOW QUARANTINE") if row["outcome"]!= "on the ladder"], 10, "the record")
    assert record["ended"] == "cancelled, rolled back", record


def test_a_transaction_whose_server_connection_broke_is_on_record(start, side):
    daemon = start()
    session = side.login(daemon, application="unlucky.py")
    backend = session.backend()
    session.ok(side.BEGIN)
    session.ok("UPDATE cart SET n = 9 WHERE id = 2")
    side.terminate(backend)
    record, = wait_until(lambda: daemon.console("SHOW QUARANTINE"), 10, "the record")
    assert (record["reason"], record["application_name"], record["ended"]) == ("backend_lost", "unlucky.py", "closed")
    assert "UPDATE cart" in record["statements"]
    assert not open_transactions(daemon.console("SHOW LEAKS")), "its application did nothing wrong"
    assert session.ask("SELECT 1").code == side.LOST


# --- time-outs that keep the session ------------------------------------------------------------------------------

SETTING = {"postgresql": ("SET work_mem = '5MB'", "SHOW work_mem", "5MB"),
           "mysql": ("SET sort_buffer_size = 123456", "SELECT @@sort_buffer_size", "123456")}


@pytest.mark.parametrize("limit", ["transaction_idle_timeout", "transaction_timeout"])
def test_a_transaction_out_of_time_leaves_its_session_all_that_it_had(start, side, limit):
    daemon = start(pool_size=1, **{limit: "400ms"})
    change, show, value = SETTING[side.name]
    session = side.login(daemon, application="forgetful.py")
    session.ok(change)
    keep = prepare(session, side)
    assert keep() == "1"
    session.ok(side.BEGIN)
    session.ok("UPDATE cart SET n = 1 WHERE id = 1")
    wait_until(side.nothing_left, 5, "the transaction's end", side.GLANCE)
    with side.login(daemon) as other:
        assert other.value("SELECT max(n) FROM cart") == "0"
        assert other.value(show) != value
    assert session.silent(0.1)
    told = session.ask("SELECT 1")
    assert told.code == side.LOST and limit in told.message, told
    session.ok("ROLLBACK")
    for _ in range(2):
        assert keep() == "1", "its prepared statement"
        assert session.value(show) == value, "its setting"
        session.ok(side.BEGIN)
        session.ok("UPDATE cart SET n = 2 WHERE id = 2")
        session.ok("COMMIT")
    leak, = open_transactions(daemon.console("SHOW LEAKS"))
    assert (leak["application_name"], leak["what"]) == ("forgetful.py", f"{limit} 1")


def prepare(session, side):
    """A prepared statement of the protocol; what it gives each time."""
    if side.name == "postgresql":
        from pgwire import SYNC, bind, execute, parse
        session.wire.send(parse("kept", "SELECT 1"), SYNC)
        assert session.wire.reply().error is None

        def run():
            session.wire.send(bind("kept"), execute(), SYNC)
            return session.wire.reply().value()
    else:
        import mybinary
        statement = mybinary.Statement(session.wire, "SELECT 1")

        def run():
            return str(statement.execute().rows[0][0])
    return run
