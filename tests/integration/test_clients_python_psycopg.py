# SPDX-License-Identifier: Apache-2.0
"""psycopg 3, directly and through leasehold: automatic prepared statements, pipelines, COPY, cursors, asyncio."""
import asyncio
import contextlib
import datetime
import decimal
import threading
import time
import uuid

import psycopg
import psycopg.rows
import pytest
from clients import server, side  # noqa: F401
from psycopg import sql
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.usefixtures("side")


@pytest.fixture
def connect(side):
    """Opens connections that are closed with the test; further words go to psycopg."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            contextlib.closing(psycopg.connect(side.url(), connect_timeout=20, **options)))


@pytest.fixture(params=[5, 0, 1, None], ids=lambda n: f"prepare_threshold={n}")
def threshold(request):
    return request.param


@pytest.fixture
def notes(side):
    side.query("CREATE TABLE notes (id serial PRIMARY KEY, body text UNIQUE);"
               f" GRANT ALL ON notes, notes_id_seq TO {side.user}")
    return lambda: [row[0] for row in side.query("SELECT body FROM notes ORDER BY id")]


# --- transactions and statements --------------------------------------------------------------------------------------

def test_transactions_commit_roll_back_and_nest(connect, notes, threshold):
    connection = connect(prepare_threshold=threshold)
    with connection.transaction():
        connection.execute("INSERT INTO notes (body) VALUES (%s)", ["kept"])
        with contextlib.suppress(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO notes (body) VALUES (%s)", ["kept"])
        with connection.transaction() as inner:
            connection.execute("INSERT INTO notes (body) VALUES (%s)", ["undone"])
            raise psycopg.Rollback(inner)
    with pytest.raises(ZeroDivisionError), connection.transaction():
        connection.execute("INSERT INTO notes (body) VALUES ('undone too')")
        raise ZeroDivisionError
    connection.execute("INSERT INTO notes (body) VALUES ('committed')")
    connection.commit()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert notes() == ["kept", "committed"]


def test_statements_prepared_automatically_go_on_over_many_transactions(connect, threshold):
    connection = connect(prepare_threshold=threshold)
    for number in range(60):
        row = connection.execute("SELECT %s::int + 1, %s::text", [number, f"text {number}"]).fetchone()
        assert row == (number + 1, f"text {number}")
        if number % 3 == 0:
            connection.commit()
        elif number % 7 == 0:
            connection.rollback()


def test_more_statements_than_psycopg_keeps_prepared(connect):
    connection = connect(prepare_threshold=0, autocommit=True)
    connection.prepared_max = 10
    for _ in range(3):
        for number in range(40):
            assert connection.execute(f"SELECT %s::int + {number}", [1]).fetchone() == (1 + number,)


def test_autocommit_with_prepared_statements_on_two_connections_at_once(connect, threshold):
    one, two = (connect(prepare_threshold=threshold, autocommit=True) for _ in range(2))
    for number in range(30):
        for connection in (one, two):
            assert connection.execute("SELECT %s::int * 2", [number]).fetchone() == (number * 2,)
            assert connection.execute("SELECT %s || 'x'", [str(number)]).fetchone() == (f"{number}x",)


def test_prepare_asked_for_and_types_that_change(connect):
    connection = connect(prepare_threshold=1)
    for value in (1, 2 ** 40, "text", 1.5, None, decimal.Decimal("3.25"), "text again", 7):
        assert connection.execute("SELECT %s", [value], prepare=True).fetchone() == (value,)
        connection.commit()


def test_a_prepared_statement_after_its_table_changed(connect, notes):
    connection = connect(prepare_threshold=0, autocommit=True)
    assert len(connection.execute("SELECT * FROM notes WHERE id > %s", [0]).description) == 2
    connection.execute("INSERT INTO notes (body) VALUES ('one')")
    connection.execute("DROP TABLE notes")
    connection.execute("CREATE TABLE notes (id int, body text)")
    connection.execute("INSERT INTO notes VALUES (5, 'five')")
    assert connection.execute("SELECT * FROM notes WHERE id > %s", [0]).fetchall() == [(5, "five")]
    connection.execute("ALTER TABLE notes ADD more int")
    try:
        rows = connection.execute("SELECT * FROM notes WHERE id > %s", [0]).fetchall()
    except psycopg.errors.FeatureNotSupported as error:  # "cached plan must not change result type": the server's own word
        assert "cached plan" in str(error)
    else:
        assert rows == [(5, "five", None)]


def test_deallocate_all_and_discard_all_by_hand(connect, threshold):
    connection = connect(prepare_threshold=threshold, autocommit=True)
    for turn, command in enumerate(["DEALLOCATE ALL", "DISCARD ALL"]):
        for _ in range(8):
            assert connection.execute(f"SELECT %s::int + {turn}", [1]).fetchone() == (1 + turn,)
        connection.execute(command)
        if threshold is not None:  # psycopg 3.1 does not know that it is gone, and must be told so as by a server
            with pytest.raises(psycopg.errors.InvalidSqlStatementName):
                connection.execute(f"SELECT %s::int + {turn}", [1])
        assert connection.execute(f"SELECT %s::int - {turn}", [1]).fetchone() == (1 - turn,)


def test_errors_leave_a_connection_that_works(connect, threshold):
    connection = connect(prepare_threshold=threshold)
    for _ in range(8):
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere WHERE id = %s", [1])
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT %s", [1])
        connection.rollback()
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT %s::int / 0", [1])
        connection.rollback()
        with pytest.raises(psycopg.errors.SyntaxError):
            connection.execute("SELEKT %s", [1])
        connection.rollback()
        assert connection.execute("SELECT %s::int", [3]).fetchone() == (3,)
        connection.commit()


def test_values_of_many_types_there_and_back(connect):
    connection = connect()
    values = [True, 17, 2 ** 40, 1.25, decimal.Decimal("123456789.123456789"), "naïve ☃", b"\0\1\2bytes",
              datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, 1, 5),
              datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc), datetime.timedelta(days=3, seconds=5),
              uuid.UUID(int=7), [1, 2, 3], None]
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            for value in values:
                assert cursor.execute("SELECT %s", [value]).fetchone() == (value,)
            assert cursor.execute("SELECT %s::text[]", [["a", None, "b,{}"]]).fetchone() == (["a", None, "b,{}"],)
            assert cursor.execute("SELECT %s", [Jsonb({"a": [1, {"b": None}]})]).fetchone() == ({"a": [1, {"b": None}]},)


def test_executemany_with_returning_and_row_factories(connect, notes):
    connection = connect(row_factory=psycopg.rows.dict_row)
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO notes (body) VALUES (%s) RETURNING id, body", [[f"n{i}"] for i in range(200)],
                           returning=True)
        got = []
        while True:
            got.append(cursor.fetchone())
            if not cursor.nextset():
                break
    connection.commit()
    assert got[199] == {"id": 200, "body": "n199"} and len(got) == len(notes()) == 200


def test_composed_identifiers_client_side_cursors_and_several_statements(connect, notes):
    connection = connect(cursor_factory=psycopg.ClientCursor)
    connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES (%s)").format(sql.Identifier("notes"), sql.Identifier("body")),
                       ["it's"])
    cursor = connection.execute("SELECT %s; SELECT body FROM notes; SELECT 3", [1])
    results = [cursor.fetchall()]
    while cursor.nextset():
        results.append(cursor.fetchall())
    connection.commit()
    assert results == [[(1,)], [("it's",)], [(3,)]] and notes() == ["it's"]


# --- pipelines --------------------------------------------------------------------------------------------------------

def test_a_pipeline_of_many_statements(connect, notes, threshold):
    connection = connect(prepare_threshold=threshold)
    with connection.pipeline(), connection.cursor() as cursor:
        for number in range(300):
            connection.execute("INSERT INTO notes (body) VALUES (%s)", [f"p{number}"])
        assert cursor.execute("SELECT count(*) FROM notes").fetchone() == (300,)
    connection.commit()
    assert notes() == [f"p{number}" for number in range(300)]


def test_pipelines_in_autocommit_with_syncs_and_transactions_within(connect, notes, threshold):
    connection = connect(prepare_threshold=threshold, autocommit=True)
    for turn in range(10):
        with connection.pipeline() as pipeline:
            first = connection.execute("SELECT %s::int", [turn])
            pipeline.sync()
            with connection.transaction():
                connection.execute("INSERT INTO notes (body) VALUES (%s)", [f"t{turn}"])
            second = connection.execute("SELECT %s::int + 1", [turn])
        assert (first.fetchone(), second.fetchone()) == ((turn,), (turn + 1,))
    assert len(notes()) == 10


def test_an_error_in_a_pipeline_aborts_what_follows_up_to_the_sync(connect, notes, threshold):
    connection = connect(prepare_threshold=threshold, autocommit=True)
    for turn in range(6):  # texts of their own: psycopg 3.1 takes a statement that failed in a pipeline for prepared
        with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline() as pipeline:
            before = connection.execute("SELECT %s::int", [1])
            pipeline.sync()
            connection.execute(f"SELECT {turn} / %s::int", [0])
            connection.execute(f"INSERT INTO notes (body) VALUES ('skipped {turn}')")
            pipeline.sync()
        assert before.fetchone() == (1,)
        with pytest.raises(psycopg.errors.PipelineAborted), connection.pipeline() as pipeline:
            with contextlib.suppress(psycopg.errors.UndefinedTable):
                connection.execute(f"SELECT {turn} FROM nowhere").fetchall()
            connection.execute(f"SELECT {turn}").fetchall()
        assert connection.execute("SELECT %s::int", [2]).fetchone() == (2,)
    assert notes() == []


# --- COPY and cursors -------------------------------------------------------------------------------------------------

def test_copy_in_and_out_text_and_binary(connect, side):
    side.query(f"CREATE TABLE copied (id int, at timestamptz, body text); GRANT ALL ON copied TO {side.user}")
    connection = connect()
    at = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    with connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            for number in range(2000):
                copy.write_row((number, at, f"tab\t{number}"))
        with cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "timestamptz", "text"])
            for number in range(2000, 4000):
                copy.write_row((number, at, "x" * 100))
        assert cursor.rowcount == 2000
        with cursor.copy("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT") as copy:
            copy.set_types(["int4", "timestamptz", "text"])
            rows = list(copy.rows())
        with cursor.copy("COPY copied TO STDOUT (FORMAT binary)") as copy:
            assert sum(len(bytes(part)) for part in copy) > 200_000
    connection.commit()
    assert rows[7] == (7, at, "tab\t7") and len(rows) == 4000


def test_copies_that_fail_from_either_side(connect, side):
    side.query(f"CREATE TABLE copied (id int PRIMARY KEY); GRANT ALL ON copied TO {side.user}")
    connection = connect(autocommit=True)
    with pytest.raises(psycopg.errors.QueryCanceled), connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write_row([1])
            raise ZeroDivisionError
    with pytest.raises(psycopg.errors.InvalidTextRepresentation), connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write("1\nnot a number\n")
    with pytest.raises(ZeroDivisionError), connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT generate_series(1, 1000000)) TO STDOUT") as copy:
            next(iter(copy))
            raise ZeroDivisionError
    with pytest.raises(psycopg.errors.DivisionByZero), connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT 1 / (500 - i) FROM generate_series(1, 1000) i) TO STDOUT") as copy:
            list(copy)
    assert connection.execute("SELECT count(*) FROM copied").fetchone() == (0,)


def test_server_side_cursors_scroll_and_are_held_over_a_commit(connect):
    connection = connect()
    with connection.cursor("forward") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT i FROM generate_series(1, 2500) i WHERE i > %s", [500])
        assert sum(row[0] for row in cursor) == sum(range(501, 2501))
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
    connection.commit()


def test_streamed_rows_and_large_values(connect):
    connection = connect(autocommit=True)
    assert sum(row[0] for row in connection.cursor().stream("SELECT generate_series(1, %s::int)", [3000])) == 3000 * 3001 // 2
    large = "ab" * 3_000_000
    assert connection.execute("SELECT %s::text", [large]).fetchone() == (large,)


# --- what belongs to the session --------------------------------------------------------------------------------------

def test_isolation_read_only_and_deferrable_by_attribute(connect):
    connection = connect()
    for level in psycopg.IsolationLevel:
        connection.isolation_level, connection.read_only = level, True
        shown = connection.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
        assert shown.fetchone() == (level.name.lower().replace("_", " "), "on")
        connection.rollback()


def test_notices_parameters_and_the_time_zone_of_values(connect):
    connection, heard = connect(autocommit=True), []
    connection.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary))
    connection.execute("DO $$BEGIN RAISE NOTICE 'by the way'; END$$")
    assert heard == ["by the way"]
    for zone in ("Asia/Tokyo", "UTC", "America/New_York"):
        connection.execute(f"SET TimeZone TO '{zone}'")
        for _ in range(5):
            assert str(connection.info.timezone).lower() == zone.lower()
            assert connection.execute("SHOW TimeZone").fetchone() == (zone,)
    for encoding in ("LATIN1", "UTF8"):
        connection.execute(f"SET client_encoding TO '{encoding}'")
        assert connection.info.encoding == {"LATIN1": "iso8859-1", "UTF8": "utf-8"}[encoding]
        assert connection.execute("SELECT %s", ["naïve"]).fetchone() == ("naïve",)


def test_temporary_tables_and_settings_last_as_long_as_the_session(connect):
    connection = connect(autocommit=True, prepare_threshold=0)
    connection.execute("CREATE TEMPORARY TABLE mine (id int)")
    connection.execute("SET work_mem TO '7MB'")
    for number in range(10):
        connection.execute("INSERT INTO mine VALUES (%s)", [number])
    assert connection.execute("SELECT count(*), current_setting('work_mem') FROM mine").fetchone() == (10, "7MB")


def test_a_statement_is_cancelled_from_another_thread(connect):
    connection = connect(autocommit=True)
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    from_then = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(20)")
    timer.join()
    assert time.monotonic() - from_then < 10
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_two_phase_commit(connect, notes):
    connection = connect()
    name = connection.xid(42, "gtrid", "bqual")
    connection.tpc_begin(name)
    connection.execute("INSERT INTO notes (body) VALUES ('prepared')")
    connection.tpc_prepare()
    assert [each.gtrid for each in connect(autocommit=True).tpc_recover()] == ["gtrid"] and notes() == []
    connection.tpc_commit()
    assert notes() == ["prepared"]


# --- asyncio ----------------------------------------------------------------------------------------------------------

def test_asyncio_sessions_side_by_side(side, notes, threshold):
    async def work(number):
        async with await psycopg.AsyncConnection.connect(side.url(), prepare_threshold=threshold) as connection:
            for turn in range(10):
                async with connection.transaction():
                    await connection.execute("INSERT INTO notes (body) VALUES (%s)", [f"{number}:{turn}"])
                async with connection.cursor() as cursor:
                    await cursor.execute("SELECT count(*) FROM notes WHERE body LIKE %s", [f"{number}:%"])
                    assert await cursor.fetchone() == (turn + 1,)
                await connection.commit()
            async with connection.pipeline():
                cursors = [await connection.execute("SELECT %s::int", [i]) for i in range(20)]
            assert [await cursor.fetchone() for cursor in cursors] == [(i,) for i in range(20)]
            async with connection.cursor() as cursor, cursor.copy("COPY notes (body) FROM STDIN") as copy:
                await copy.write_row([f"copied {number}"])

    async def all_of_them():
        await asyncio.gather(*[work(number) for number in range(8)])

    asyncio.run(all_of_them())
    assert len(notes()) == 88
