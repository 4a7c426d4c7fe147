# SPDX-License-Identifier: Apache-2.0
"""psycopg2 in width, directly and through leasehold; what it does beside a busy pool is in test_clients.py too."""
import contextlib
import datetime
import decimal
import io
import select
import threading
import uuid

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool
import pytest
from clients import server, side  # noqa: F401
from psycopg2 import sql


@pytest.fixture
def connect(side):
    """Opens connections that are closed with the test; further words go to psycopg2."""
    with contextlib.ExitStack() as stack:
        def connect(autocommit=False, **options):
            connection = stack.enter_context(contextlib.closing(psycopg2.connect(side.url(), connect_timeout=20, **options)))
            connection.autocommit = autocommit
            return connection

        yield connect


@pytest.fixture(autouse=True)
def notes(side):
    side.query("CREATE TABLE notes (id serial PRIMARY KEY, body text UNIQUE, more jsonb);"
               f" GRANT ALL ON notes, notes_id_seq TO {side.user}")
    return lambda: [row[0] for row in side.query("SELECT body FROM notes ORDER BY id")]


def fetch(connection, query, arguments=None):
    with connection.cursor() as cursor:
        cursor.execute(query, arguments)
        return cursor.fetchall() if cursor.description else cursor.rowcount


# --- statements -------------------------------------------------------------------------------------------------------

def test_values_of_many_types_there_and_back(connect):
    connection = connect()
    psycopg2.extras.register_uuid(conn_or_curs=connection)
    for value in [True, 17, 2 ** 40, 1.25, decimal.Decimal("123456789.123456789"), "naïve ☃", "it's \\ \"quoted\"",
                  datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, 1, 5), datetime.timedelta(days=3),
                  uuid.UUID(int=7), [1, 2, 3], ["a", None, "b,{}"], None]:
        assert fetch(connection, "SELECT %s", [value]) == [(value,)]
    assert bytes(fetch(connection, "SELECT %s::bytea", [b"\0\1\2"])[0][0]) == b"\0\1\2"
    assert fetch(connection, "SELECT %s::jsonb", [psycopg2.extras.Json({"a": [1]})]) == [({"a": [1]},)]
    assert fetch(connection, "SELECT %s::int4range", [psycopg2.extras.NumericRange(1, 5)])[0][0].upper == 5


def test_rows_as_dicts_and_named_tuples(connect):
    for factory, read in ((psycopg2.extras.RealDictCursor, lambda row: row["b"]), (psycopg2.extras.DictCursor, lambda row: row["b"]),
                          (psycopg2.extras.NamedTupleCursor, lambda row: row.b)):
        with connect(cursor_factory=factory).cursor() as cursor:
            cursor.execute("SELECT 1 AS a, 2 AS b")
            assert read(cursor.fetchone()) == 2


def test_composite_types_and_hstore_are_registered(connect, side):
    side.query("CREATE TYPE pair AS (a int, b text); CREATE EXTENSION IF NOT EXISTS hstore")
    connection = connect()
    psycopg2.extras.register_hstore(connection)
    assert fetch(connection, "SELECT %s", [{"k": "v", "n": None}]) == [({"k": "v", "n": None},)]
    psycopg2.extras.register_composite("pair", connection)
    assert fetch(connection, "SELECT (1, 'x')::pair")[0][0].b == "x"


def test_many_rows_at_once(connect, notes):
    connection = connect()
    with connection.cursor() as cursor:
        got = psycopg2.extras.execute_values(cursor, "INSERT INTO notes (body) VALUES %s RETURNING id",
                                             [[f"v{i}"] for i in range(1000)], page_size=100, fetch=True)
        assert len(got) == 1000
        psycopg2.extras.execute_batch(cursor, "INSERT INTO notes (body) VALUES (%s)", [[f"b{i}"] for i in range(1000)])
        cursor.executemany("INSERT INTO notes (body) VALUES (%s)", [[f"m{i}"] for i in range(100)])
    connection.commit()
    assert len(notes()) == 2100


def test_statements_prepared_in_sql(connect):
    connection = connect(autocommit=True)
    fetch(connection, "PREPARE mine (int) AS SELECT $1 * 2")
    for number in range(10):
        assert fetch(connection, "EXECUTE mine (%s)", [number]) == [(number * 2,)]
    fetch(connection, "DEALLOCATE mine")
    with pytest.raises(psycopg2.errors.InvalidSqlStatementName):
        fetch(connection, "EXECUTE mine (1)")


def test_identifiers_are_composed_and_several_statements_sent_at_once(connect, notes):
    connection = connect()
    fetch(connection, sql.SQL("INSERT INTO {} ({}) VALUES (%s); SELECT count(*) FROM {}").format(
        sql.Identifier("notes"), sql.Identifier("body"), sql.Identifier("notes")), ["composed"])
    connection.commit()
    assert notes() == ["composed"]


def test_errors_tell_their_details_and_leave_a_connection_that_works(connect):
    connection = connect()
    fetch(connection, "INSERT INTO notes (body) VALUES ('x')")
    connection.commit()
    for _ in range(5):
        with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
            fetch(connection, "INSERT INTO notes (body) VALUES ('x')")
        assert (caught.value.pgcode, caught.value.diag.constraint_name) == ("23505", "notes_body_key")
        assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
        connection.rollback()
        with pytest.raises(psycopg2.errors.SyntaxError) as caught:
            fetch(connection, "SELECT 1 +")
        assert caught.value.diag.statement_position == "11"
        connection.rollback()
        assert fetch(connection, "SELECT 1") == [(1,)]
        connection.commit()


# --- transactions -----------------------------------------------------------------------------------------------------

def test_levels_of_isolation_by_session(connect):
    connection = connect()
    for level in ("SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "DEFAULT"):
        connection.set_session(isolation_level=level, readonly=level == "SERIALIZABLE", deferrable=None)
        shown = fetch(connection, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
        assert shown == [("read committed" if level == "DEFAULT" else level.lower(), "on" if level == "SERIALIZABLE" else "off")]
        connection.rollback()
    connection.autocommit = True
    connection.set_session(readonly=True)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        fetch(connection, "INSERT INTO notes (body) VALUES ('no')")
    connection.set_session(readonly=False)
    fetch(connection, "INSERT INTO notes (body) VALUES ('yes')")


def test_savepoints_and_contexts(connect, notes):
    connection = connect()
    with connection, connection.cursor() as cursor:
        for number in range(20):
            cursor.execute("SAVEPOINT s")
            cursor.execute("INSERT INTO notes (body) VALUES (%s)", [f"n{number}"])
            cursor.execute("ROLLBACK TO s" if number % 2 else "RELEASE s")
    with pytest.raises(ZeroDivisionError), connection:
        fetch(connection, "INSERT INTO notes (body) VALUES ('undone')")
        raise ZeroDivisionError
    assert notes() == [f"n{number}" for number in range(0, 20, 2)]


def test_transactions_in_two_phases(connect, notes):
    connection, other = connect(), connect()
    for number, finish in ((1, "commit"), (2, "rollback")):
        name = connection.xid(number, f"global {number}", "branch")
        connection.tpc_begin(name)
        fetch(connection, "INSERT INTO notes (body) VALUES (%s)", [finish])
        connection.tpc_prepare()
        connection.reset()
        assert [each.gtrid for each in other.tpc_recover()] == [f"global {number}"]
        getattr(other, f"tpc_{finish}")(name)
    assert notes() == ["commit"]


# --- cursors, COPY, large objects -------------------------------------------------------------------------------------

def test_named_cursors_scroll_and_are_held(connect):
    connection = connect()
    with connection.cursor("forward") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT generate_series(1, 2500)")
        assert sum(row[0] for row in cursor) == 2500 * 2501 // 2
    with connection.cursor("back", scrollable=True) as cursor:
        cursor.execute("SELECT generate_series(1, 100)")
        cursor.scroll(50)
        assert cursor.fetchone() == (51,)
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchmany(2) == [(1,), (2,)]
    with connection.cursor("held", withhold=True) as cursor:
        cursor.execute("SELECT generate_series(1, 100)")
        assert cursor.fetchone() == (1,)
        connection.commit()
        assert len(cursor.fetchall()) == 99


def test_copies_in_both_directions_and_failing(connect, notes):
    connection = connect()
    with connection.cursor() as cursor:
        cursor.copy_from(io.StringIO("".join(f"c{i}\n" for i in range(5000))), "notes", columns=["body"])
        connection.commit()
        out = io.StringIO()
        cursor.copy_to(out, "notes", columns=["body"])
        assert len(out.getvalue().splitlines()) == 5000
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.copy_expert("COPY notes (body) FROM STDIN", io.StringIO("new\nc1\n"))
        connection.rollback()

        class Failing:
            def read(self, size):
                raise ZeroDivisionError

        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.copy_expert("COPY notes (body) FROM STDIN", Failing())
        connection.rollback()
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.copy_expert("COPY (SELECT 1 / (500 - i) FROM generate_series(1, 1000) i) TO STDOUT", io.StringIO())
        connection.rollback()
        cursor.execute("SELECT count(*) FROM notes")
        assert cursor.fetchone() == (5000,)


def test_large_objects(connect):
    connection = connect()
    large = connection.lobject(0, "wb")
    large.write(b"0123456789" * 20000)
    large.seek(5)
    large.close()
    connection.commit()
    with connection:
        again = connection.lobject(large.oid, "rb")
        assert again.seek(199_995) == 199_995 and again.read() == b"56789"
        again.unlink()


# --- what belongs to the session --------------------------------------------------------------------------------------

def test_parameters_of_the_connection_and_the_client_encoding(connect, side):
    connection = connect(application_name="the suite", options="-c statement_timeout=17s -c IntervalStyle=iso_8601")
    assert fetch(connection, "SHOW statement_timeout") == [("17s",)] and fetch(connection, "SHOW IntervalStyle") == [("iso_8601",)]
    assert fetch(connection, "SHOW application_name") == [("the suite",)]
    connection.commit()
    for encoding in ("LATIN1", "UTF8"):
        connection.set_client_encoding(encoding)
        assert connection.encoding == encoding and fetch(connection, "SELECT %s", ["naïve"]) == [("naïve",)]
        connection.commit()
    assert connection.info.server_version >= 150000 and connection.get_parameter_status("IntervalStyle") == "iso_8601"


def test_reset_of_a_connection(connect):
    connection = connect()
    fetch(connection, "SET DateStyle TO 'German'")
    connection.commit()
    connection.reset()
    assert fetch(connection, "SHOW DateStyle") == [("ISO, MDY",)]
    connection.rollback()


def test_notices_and_a_cancel_from_another_thread(connect):
    connection = connect(autocommit=True)
    fetch(connection, "DO $$BEGIN RAISE WARNING 'by the way'; END$$")
    assert "by the way" in connection.notices[-1]
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        fetch(connection, "SELECT pg_sleep(20)")
    timer.join()
    assert fetch(connection, "SELECT 1") == [(1,)]


def test_asynchronous_connections(side):
    def wait(connection):
        while True:
            state = connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            reads = [connection] if state == psycopg2.extensions.POLL_READ else []
            select.select(reads, [] if reads else [connection], [], 20)

    connections = [psycopg2.connect(side.url(), async_=1) for _ in range(4)]
    for connection in connections:
        wait(connection)
    cursors = [connection.cursor() for connection in connections]
    for number, cursor in enumerate(cursors):
        cursor.execute("SELECT %s FROM pg_sleep(0.05)", [number])
    for number, cursor in enumerate(cursors):
        wait(cursor.connection)
        assert cursor.fetchone() == (number,)
    for connection in connections:
        connection.close()


def test_a_pool_of_threads(side, notes):
    pool, wrong = psycopg2.pool.ThreadedConnectionPool(1, 8, side.url()), []

    def work(number):
        try:
            for turn in range(10):
                connection = pool.getconn()
                with connection:
                    fetch(connection, "INSERT INTO notes (body) VALUES (%s)", [f"{number}:{turn}"])
                pool.putconn(connection)
        except Exception as error:  # of any kind: the test reports it
            wrong.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.closeall()
    assert wrong == [] and len(notes()) == 80
