# SPDX-License-Identifier: Apache-2.0
"""PREPARE, EXECUTE and DEALLOCATE in SQL: carried from backend to backend without a pin, in one namespace with the
protocol's statements, and never another session's."""
import contextlib
import os
import subprocess

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER
from servers import postgres_bin, wait_until

PID = "SELECT pg_backend_pid()"


@pytest.fixture
def start(leasehold, postgres):
    def one(**keys):
        keys = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **keys}}, http=True)
    return one


def login(daemon, **parameters):
    return pgwire.connect(daemon.port, USER, "orders", PASSWORD, timeout=30, **parameters)


@contextlib.contextmanager
def busy(daemon, number):
    """Backends of others, so that the next statement has to go elsewhere."""
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(login(daemon)).ok("BEGIN")
        yield


def test_many_sessions_share_two_backends_under_the_same_names(start):
    daemon = start()
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon)) for _ in range(50)]
        for n, session in enumerate(sessions):
            session.ok(f"PREPARE q (int) AS SELECT {n} + $1")
        for n, session in enumerate(sessions):
            assert session.value("EXECUTE q (1000)") == str(1000 + n)
            session.send(pgwire.bind("q", values=("2000",)), pgwire.execute(), pgwire.SYNC)
            assert session.reply().value() == str(2000 + n)
        assert len({session.value(PID) for session in sessions}) <= 2
        assert daemon.console("SHOW PINS") == []


def test_a_statement_goes_where_its_session_goes(start):
    daemon = start()
    with login(daemon) as session, login(daemon) as first, login(daemon) as second:
        first.ok("BEGIN")
        session.ok("PREPARE q (int) AS SELECT $1 * 3")  # on the other one, ...
        session.ok("PREPARE r AS SELECT 'r'")
        second.ok("BEGIN")  # ... which is taken now
        first.ok("COMMIT")
        assert session.value("EXECUTE q (7)") == "21"
        assert session.query("SELECT 1; EXECUTE r; DEALLOCATE r; EXECUTE r").tags == ["SELECT 1", "SELECT 1", "DEALLOCATE"]
        second.ok("COMMIT")
        assert session.value("EXECUTE q (7)") == "21"
        assert session.query("EXECUTE r").sqlstate == "26000"


def test_the_texts_of_others_are_not_shown_nor_run(start):
    daemon = start(pool_size=1)
    with login(daemon) as one, login(daemon) as two:
        one.ok("PREPARE secret AS SELECT 'the text of one'")
        assert one.value("EXECUTE secret") == "the text of one"
        assert two.query("SELECT name, statement FROM pg_prepared_statements").rows == []
        one.ok("EXECUTE secret")
        for number in range(1, 60):
            for sql in (f"EXECUTE lh_{number}", f"DEALLOCATE lh_{number}", f"EXPLAIN EXECUTE lh_{number}"):
                assert two.query(sql).sqlstate == "26000", sql
        assert two.query("EXECUTE U&\"lh\\005f1\"").sqlstate == "26000"
        assert [row[0] for row in one.query("SELECT name FROM pg_prepared_statements").rows] == ["secret"]
        assert one.value("EXECUTE secret") == "the text of one"


def test_one_that_was_shown_and_given_up_is_gone_and_pins_nobody(start):
    daemon = start(pool_size=1, audit="all")
    with login(daemon) as session:
        for ask in (session.query, session.extended):
            session.ok("PREPARE \"it's\" AS SELECT 1")
            session.ok("PREPARE q (int) AS SELECT $1")
            assert ask("SELECT count(*) FROM pg_prepared_statements").value() == "2"
            session.ok("SELECT 1")
            # Asked when its client has the answer already.
            wait_until(lambda: daemon.console("SHOW PINS") == [])
            session.ok("DEALLOCATE q")
            assert session.query("EXECUTE q (4)").sqlstate == "26000"
            session.ok("DEALLOCATE ALL")


def test_a_column_called_as_a_backend_calls_a_statement_keeps_its_name_in_errors(start):
    daemon = start(pool_size=1)
    with login(daemon) as session:
        for n in range(30):
            assert session.query(f"PREPARE q AS SELECT lh_9, {n}").error.fields["M"] == 'column "lh_9" does not exist'
            session.send(pgwire.parse("p", f"SELECT lh_40, {n}"), pgwire.SYNC)
            assert session.reply().error.fields["M"] == 'column "lh_40" does not exist'


def test_a_backend_holds_no_more_than_it_may(start, postgres):
    daemon = start(pool_size=1, prepared_per_backend=10)
    with login(daemon) as session:
        for n in range(40):
            session.ok(f"PREPARE q{n} AS SELECT {n}")
        for n in range(40):
            assert session.value(f"EXECUTE q{n}") == str(n)
        session.ok("BEGIN")
        assert int(session.value("SELECT count(*) FROM pg_prepared_statements")) <= 11
        session.ok("COMMIT")


def test_a_client_has_no_more_than_it_may(start):
    daemon = start(prepared_per_client=5)
    with login(daemon) as session:
        for n in range(5):
            session.ok(f"PREPARE q{n} AS SELECT {n}")
        assert session.query("PREPARE q5 AS SELECT 5").sqlstate == "54000"
        assert session.value("EXECUTE q4") == "4"
        session.ok("DEALLOCATE q0")
        session.ok("PREPARE q5 AS SELECT 5")
        session.ok("BEGIN")
        assert session.query("SELECT 1; PREPARE q6 AS SELECT 6").status == "E"
        session.ok("ROLLBACK")


def test_the_loss_of_a_backend_loses_no_statement(start, postgres):
    daemon = start(pool_size=1)
    with login(daemon) as session:
        session.ok("PREPARE q AS SELECT 'still'")
        assert session.value("EXECUTE q") == "still"
        pid = session.value(PID)
        postgres.terminate(int(pid))
        wait_until(lambda: not daemon.console("SHOW SERVERS"), 10)
        assert session.value("EXECUTE q") == "still"
        session.ok("BEGIN")
        session.ok("PREPARE r AS SELECT 'too'")
        pid = session.value(PID)
        postgres.terminate(int(pid))
        assert session.query("EXECUTE r").sqlstate == "40001"
        session.ok("ROLLBACK")
        assert session.value("EXECUTE r") == "too"


def test_names_beyond_ascii_are_the_servers_to_read_in_another_encoding_than_its_own(start):
    daemon = start(pool_size=1)
    with login(daemon) as session:
        def told(sql):
            session.send(pgwire.query(sql))
            return session.reply()

        session.ok("SET client_encoding = 'LATIN1'")
        cut = told("DEALLOCATE " + "\u00e9" * 31)  # 62 bytes here, 124 there
        assert cut.sqlstate == "26000" and [notice["C"] for notice in cut.notices] == ["42622"]
        assert told(b"PREPARE \xe9 AS SELECT 'one'").tags == ["PREPARE"]
        assert [row["pin"] for row in daemon.console("SHOW PINS")] == ["PREPARE"]
        assert told(b"EXECUTE \xe9").value() == "one"
        assert told("EXECUTE \u00e9").sqlstate == "26000"
        session.ok("SET client_encoding = 'UTF8'")
        assert told("EXECUTE \u00e9").value() == "one"
        assert told("DEALLOCATE \u00e9").tags == ["DEALLOCATE"]
        wait_until(lambda: not daemon.console("SHOW PINS"), 10)
        assert told("PREPARE \u00e9 AS SELECT 'two'").tags == ["PREPARE"]
        assert not daemon.console("SHOW PINS")
        assert told("EXECUTE \u00e9").value() == "two"


@pytest.mark.parametrize("texts", [("EXECUTE a",), ("EXPLAIN EXECUTE a",), ("EXECUTE b", "EXECUTE a"),
                                   ("EXECUTE b", "EXPLAIN EXECUTE c", "EXECUTE a")])
def test_statements_that_execute_themselves_are_an_error_of_their_session_alone(start, texts):
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        other.ok("SELECT 1")
        session.send(*(pgwire.parse(name, text) for name, text in zip("abc", texts)), pgwire.SYNC)
        assert session.reply().status == "I"
        for _ in range(2):
            assert session.query("EXECUTE a").sqlstate == "26000"
            session.send(pgwire.bind("a"), pgwire.execute(), pgwire.SYNC)
            assert session.reply().sqlstate == "26000"
        assert session.value("SELECT 1") == other.value("SELECT 1") == "1"


def test_what_a_statement_executes_leaves_its_state_to_its_session(start):
    daemon = start(pool_size=1)
    with login(daemon) as session, login(daemon) as other:
        session.send(pgwire.parse("a", "EXECUTE b"), pgwire.SYNC)
        assert session.reply().status == "I"
        session.ok("PREPARE b AS SELECT pg_advisory_lock(4)")
        session.query("EXECUTE a")
        assert [row["pin"] for row in daemon.console("SHOW PINS")] == ["session advisory lock"]
        session.terminate()
        assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"


def test_a_table_that_is_gone_is_the_servers_own_error(start, postgres):
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        other.ok("CREATE TABLE short_lived (a int)")
        session.ok("PREPARE q AS SELECT * FROM short_lived")
        other.ok("DROP TABLE short_lived")
        for _ in range(2):
            assert session.query("EXECUTE q").sqlstate == "42P01"
        with busy(daemon, 1):
            assert session.query("EXECUTE q").sqlstate == "42P01"
            session.ok("BEGIN")
            assert session.query("EXECUTE q").sqlstate == "42P01"
            assert session.query("SELECT 1").sqlstate == "25P02"
            session.ok("ROLLBACK")
        other.ok("CREATE TABLE short_lived (a int)")
        assert session.query("EXECUTE q").rows == []
        other.ok("DROP TABLE short_lived")


def test_it_does_what_its_text_does(start):
    daemon = start(pool_size=1)
    with login(daemon) as session, login(daemon) as other:
        session.ok("PREPARE lock AS SELECT pg_advisory_lock(9)")
        assert daemon.console("SHOW PINS") == []
        assert other.value("SELECT 1") == "1"
        session.ok("EXECUTE lock")
        assert [row["pin"] for row in daemon.console("SHOW PINS")] == ["session advisory lock"]
        session.ok("SELECT pg_advisory_unlock(9)")
        assert other.value("SELECT 1") == "1"


def test_a_text_of_many_kilobytes(start):
    daemon = start()
    long = "x" * 300_000
    with login(daemon) as session:
        session.ok(f"PREPARE q (text) AS SELECT length($1), length('{long}')")
        assert session.query(f"EXECUTE q ('{long * 2}')").rows == [("600000", "300000")]
        with busy(daemon, 1):
            assert session.query(f"EXECUTE q ('{long}')").rows == [("300000", "300000")]
        assert daemon.console("SHOW PINS") == []


def test_psql_and_psycopg2(start):
    daemon = start()
    script = ("PREPARE p (int) AS SELECT $1 + 1;\nEXECUTE p (1);\nEXPLAIN (COSTS OFF) EXECUTE p (1);\n"
              "CREATE TEMP TABLE made AS EXECUTE p (2);\nSELECT * FROM made;\nDROP TABLE made;\nDEALLOCATE p;\nEXECUTE p (1);\n")
    psql = [postgres_bin("psql"), "-XAtq", "-h", "127.0.0.1", "-p", str(daemon.port), "-U", USER, "orders"]
    how = {"text": True, "capture_output": True, "timeout": 60, "env": {**os.environ, "PGPASSWORD": PASSWORD}}
    done = subprocess.run(psql, input=script, **how)
    assert done.stdout.split() == ["2", "Result", "3"], done
    assert 'prepared statement "p" does not exist' in done.stderr
    done = subprocess.run(psql, input="PREPARE p (int) AS SELECT $1;\nSELECT 1\\; EXECUTE p(nothing);\n", **how)
    shown = done.stderr.splitlines()
    assert shown[1].startswith("LINE 1: ") and shown[1][shown[2].index("^"):].startswith("nothing"), done
    connection = psycopg2.connect(host="127.0.0.1", port=daemon.port, user=USER, password=PASSWORD, dbname="orders")
    with connection, connection.cursor() as cursor:
        cursor.execute("PREPARE p (int, text) AS SELECT $1, $2")
        for number in range(5):
            cursor.execute("EXECUTE p (%s, %s)", (number, "it's"))
            assert cursor.fetchall() == [(number, "it's")]
        connection.commit()
        cursor.execute("EXECUTE p (7, 'later')")
        assert cursor.fetchall() == [(7, "later")]
    connection.close()
    assert daemon.console("SHOW PINS") == []


def test_a_name_given_twice_in_one_string(start):
    """The first one stands, as nothing takes a PREPARE back but DEALLOCATE."""
    daemon = start()
    with login(daemon) as session:
        for before in ("DEALLOCATE ALL; ", "DEALLOCATE twice; ", ""):
            reply = session.query(before + "PREPARE twice AS SELECT 2; PREPARE twice AS SELECT 3")
            assert reply.sqlstate == "42P05" and '"twice"' in str(reply.errors[0])
            assert session.value("EXECUTE twice") == "2"
