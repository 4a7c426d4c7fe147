# SPDX-License-Identifier: Apache-2.0
"""asyncpg with its default settings, directly and through leasehold: its statement cache, transactions, cursors, COPY."""
import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg
import pytest
from clients import differs, server, side  # noqa: F401


@pytest.fixture
def play(side):
    """play(work): runs the coroutine work(connect) to its end; what connect() opened is closed then."""
    def run(work, timeout=60):
        async def whole():
            opened = []

            async def connect(**options):
                opened.append(await asyncpg.connect(side.url(), timeout=20, **options))
                return opened[-1]

            try:
                return await asyncio.wait_for(work(connect), timeout)
            finally:
                for connection in opened:
                    await connection.close()

        return asyncio.run(whole())

    return run


@pytest.fixture(autouse=True)
def notes(side):
    side.query("CREATE TABLE notes (id serial PRIMARY KEY, body text UNIQUE, at timestamptz DEFAULT now());"
               " CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text);"
               f" GRANT ALL ON notes, notes_id_seq TO {side.user}")
    return lambda: [row[0] for row in side.query("SELECT body FROM notes ORDER BY id")]


# --- statements -------------------------------------------------------------------------------------------------------

def test_the_statement_cache_serves_many_texts_over_many_backends(play):
    async def work(connect):
        connection = await connect()
        for _ in range(5):
            for number in range(40):
                assert await connection.fetchval(f"SELECT $1::int + {number}", 1) == 1 + number

    play(work)


def test_more_statements_than_the_cache_holds_and_none_at_all(play):
    async def work(connect):
        for size in (5, 0):
            connection = await connect(statement_cache_size=size)
            for _ in range(3):
                for number in range(25):
                    assert await connection.fetchval(f"SELECT $1::text || '{number}'", "x") == f"x{number}"

    play(work)


def test_statements_that_are_prepared_by_hand(play):
    async def work(connect):
        connection = await connect()
        one = await connection.prepare("SELECT $1::int * 2, $2::text")
        two = await connection.prepare("SELECT count(*) FROM notes WHERE body = $1")
        assert [str(each.type.name) for each in one.get_attributes()] == ["int4", "text"]
        assert [each.name for each in one.get_parameters()] == ["int4", "text"]
        for number in range(30):
            assert tuple(await one.fetchrow(number, "t")) == (number * 2, "t")
            assert await two.fetchval("nothing") == 0
        assert one.get_statusmsg() is None
        assert len(await one.fetch(1, "a")) == 1 and one.get_statusmsg() == "SELECT 1"
        assert "Plan" in (await one.explain(1, "a"))[0]

    play(work)


PLANS = "a statement whose result changes is parsed anew on another backend, and the client is not told"


def test_a_cached_statement_whose_table_changes_is_prepared_anew(request, side, play):
    differs(request, side, PLANS)

    async def work(connect):
        connection, other = await connect(), await connect()
        for number in range(20):
            await connection.execute(f"CREATE TABLE shifting{number} (id int)")
            await connection.execute(f"INSERT INTO shifting{number} VALUES (1)")
            query = f"SELECT * FROM shifting{number}"
            assert dict(await connection.fetchrow(query)) == {"id": 1}
            await other.execute(f"ALTER TABLE shifting{number} ADD more text DEFAULT 'm'")
            assert dict(await connection.fetchrow(query)) == {"id": 1, "more": "m"}
            await other.execute(f"ALTER TABLE shifting{number} ALTER id TYPE text")
            assert dict(await connection.fetchrow(query)) == {"id": "1", "more": "m"}

    play(work)


def test_a_changed_table_within_a_transaction_is_reported_as_by_the_server(request, side, play):
    differs(request, side, PLANS)

    async def work(connect):
        connection = await connect()
        for number in range(20):
            await connection.execute(f"CREATE TABLE shifting{number} (id int)")
            await connection.fetch(f"SELECT * FROM shifting{number}")
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(f"ALTER TABLE shifting{number} ADD more text")
            with pytest.raises(asyncpg.InvalidCachedStatementError):
                await connection.fetch(f"SELECT * FROM shifting{number}")
            await transaction.rollback()
            assert await connection.fetch(f"SELECT * FROM shifting{number}") == []

    play(work)


def test_errors_leave_a_connection_that_works(play):
    async def work(connect):
        connection = await connect()
        for _ in range(8):
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.fetch("SELECT * FROM nowhere WHERE id = $1", 1)
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.fetch("SELECT $1::int / 0", 1)
            with pytest.raises(asyncpg.DataError):
                await connection.fetch("SELECT $1::int", "no number")
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await connection.execute("SELEKT; SELECT 1")
            assert await connection.fetchval("SELECT $1::int", 3) == 3

    play(work)


def test_values_of_many_types_there_and_back(play):
    values = {"bool": True, "int8": 2 ** 40, "float8": 1.25, "numeric": decimal.Decimal("123456789.123456789"),
              "text": "naïve ☃", "bytea": b"\0\1\2", "date": datetime.date(2024, 2, 29), "uuid": uuid.UUID(int=7),
              "timestamptz": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc), "int4[]": [1, None, 3],
              "timestamp": datetime.datetime(2024, 2, 29, 12, 30, 1, 5), "interval": datetime.timedelta(days=3, seconds=5),
              "text[]": ["a", None, "b,{}"], "jsonb": '{"a": [1, null]}', "mood": "happy", "int4range": asyncpg.Range(1, 5)}

    async def work(connect):
        connection = await connect()
        for _ in range(3):
            for kind, value in values.items():
                assert await connection.fetchval(f"SELECT $1::{kind}", value) == value
            assert tuple(await connection.fetchval("SELECT $1::pair", (1, "b"))) == (1, "b")
            assert [tuple(each) for each in await connection.fetchval("SELECT $1::pair[]", [(1, "b")])] == [(1, "b")]

    play(work)


def test_codecs_of_ones_own(play):
    async def work(connect):
        connection = await connect()
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=repr, decoder=lambda text: ("decoded", text))
        for _ in range(3):
            assert await connection.fetchval("SELECT $1::jsonb", 17) == ("decoded", "17")
        await connection.reset_type_codec("jsonb", schema="pg_catalog")
        assert await connection.fetchval("SELECT '1'::jsonb") == "1"

    play(work)


def test_executemany_is_all_or_nothing(play, notes):
    async def work(connect):
        connection = await connect()
        await connection.executemany("INSERT INTO notes (body) VALUES ($1)", [[f"n{i}"] for i in range(3000)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.executemany("INSERT INTO notes (body) VALUES ($1)", [[f"m{i}"] for i in range(500)] + [["n1"]])
        assert await connection.fetchval("SELECT count(*) FROM notes") == 3000

    play(work)
    assert len(notes()) == 3000


def test_scripts_of_several_statements(play, notes):
    async def work(connect):
        connection = await connect()
        status = await connection.execute("INSERT INTO notes (body) VALUES ('a'); INSERT INTO notes (body) VALUES ('b');"
                                          " UPDATE notes SET body = body || '!'")
        assert status == "UPDATE 2"
        assert await connection.execute("BEGIN; INSERT INTO notes (body) VALUES ('c'); ROLLBACK") == "ROLLBACK"

    play(work)
    assert notes() == ["a!", "b!"]


# --- transactions and cursors -----------------------------------------------------------------------------------------

def test_transactions_nest_commit_and_roll_back(play, notes):
    async def work(connect):
        connection = await connect()
        async with connection.transaction():
            await connection.execute("INSERT INTO notes (body) VALUES ($1)", "kept")
            with pytest.raises(asyncpg.UniqueViolationError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO notes (body) VALUES ($1)", "kept")
            async with connection.transaction():
                await connection.execute("INSERT INTO notes (body) VALUES ($1)", "nested")
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                await connection.execute("INSERT INTO notes (body) VALUES ($1)", "undone")
                raise ZeroDivisionError
        transaction = connection.transaction(isolation="serializable", readonly=True, deferrable=True)
        await transaction.start()
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("INSERT INTO notes (body) VALUES ('undone')")
        await transaction.rollback()
        assert not connection.is_in_transaction()

    play(work)
    assert notes() == ["kept", "nested"]


def test_isolation_levels_hold_for_their_transaction(play):
    async def work(connect):
        connection = await connect()
        for level in ("serializable", "repeatable_read", "read_committed"):
            async with connection.transaction(isolation=level):
                assert await connection.fetchval("SHOW transaction_isolation") == level.replace("_", " ")
        assert await connection.fetchval("SHOW transaction_isolation") == "read committed"

    play(work)


def test_cursors_are_read_in_portions(play):
    async def work(connect):
        connection = await connect()
        async with connection.transaction():
            total = 0
            async for row in connection.cursor("SELECT i FROM generate_series(1, $1::int) i", 5000, prefetch=100):
                total += row[0]
            assert total == 5000 * 5001 // 2
            statement = await connection.prepare("SELECT generate_series(1, 100)")
            cursor, second = await statement.cursor(), await connection.cursor("SELECT generate_series(1, 10)")
            assert (await cursor.fetchrow())[0] == 1
            assert await cursor.forward(10) == 10
            assert [row[0] for row in await cursor.fetch(3)] == [12, 13, 14]
            assert [row[0] for row in await second.fetch(100)] == list(range(1, 11))
        with pytest.raises(asyncpg.NoActiveSQLTransactionError):
            await connection.cursor("SELECT 1")

    play(work)


def test_a_statement_is_cancelled_and_times_out(play):
    async def work(connect):
        connection = await connect()
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await connection.fetch("SELECT pg_sleep(20)", timeout=0.2)
            assert await connection.fetchval("SELECT $1::int", 5) == 5
        task = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(20)"))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await connection.fetchval("SELECT $1::int", 6) == 6
        with pytest.raises(asyncio.TimeoutError):
            async with connection.transaction():
                await connection.execute("INSERT INTO notes (body) VALUES ('undone')")
                await connection.fetch("SELECT pg_sleep(20)", timeout=0.2)
        assert await connection.fetchval("SELECT count(*) FROM notes") == 0

    play(work)


# --- COPY -------------------------------------------------------------------------------------------------------------

def test_copies_of_records_tables_and_queries(play, notes):
    async def work(connect):
        connection = await connect()
        rows = [(f"copied {i}",) for i in range(3000)]
        assert await connection.copy_records_to_table("notes", records=rows, columns=["body"]) == "COPY 3000"
        out = io.BytesIO()
        assert await connection.copy_from_query("SELECT body FROM notes WHERE id <= $1 ORDER BY id", 2, output=out) == "COPY 2"
        assert out.getvalue() == b"copied 0\ncopied 1\n"
        whole = io.BytesIO()
        await connection.copy_from_table("notes", output=whole, format="binary")
        whole.seek(0)
        await connection.execute("CREATE TABLE again (LIKE notes)")
        assert await connection.copy_to_table("again", source=whole, format="binary") == "COPY 3000"
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.copy_records_to_table("notes", records=[("copied 5",)], columns=["body"])

        async def failing():
            yield ("one more",)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await connection.copy_records_to_table("notes", records=failing(), columns=["body"])
        assert await connection.fetchval("SELECT count(*) FROM notes") == 3000

    play(work)
    assert len(notes()) == 3000


# --- what belongs to the session, and pools ---------------------------------------------------------------------------

def test_settings_at_the_start_and_by_set(play):
    async def work(connect):
        connection = await connect(server_settings={"application_name": "the suite", "TimeZone": "Asia/Tokyo",
                                                    "search_path": "pg_catalog", "statement_timeout": "17s"})
        for _ in range(5):
            assert await connection.fetchval("SELECT current_setting('application_name')") == "the suite"
            assert await connection.fetchval("SHOW TimeZone") == "Asia/Tokyo"
            assert await connection.fetchval("SHOW statement_timeout") == "17s"
            assert await connection.fetchval("SHOW search_path") == "pg_catalog"
        await connection.execute("SET TimeZone TO 'UTC'")
        assert connection.get_settings().TimeZone == "UTC"
        assert connection.get_server_version().major >= 15 and connection.get_server_pid() > 0

    play(work)


def test_temporary_tables_advisory_locks_and_reset(play):
    async def work(connect):
        connection = await connect()
        await connection.execute("CREATE TEMPORARY TABLE mine (id int)")
        await connection.executemany("INSERT INTO mine VALUES ($1)", [[i] for i in range(10)])
        assert await connection.fetchval("SELECT count(*) FROM mine") == 10
        assert await connection.fetchval("SELECT pg_try_advisory_lock(17)")
        await connection.reset()
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0

    play(work)


def test_notices_are_heard(play):
    async def work(connect):
        connection, heard = await connect(), []
        connection.add_log_listener(lambda _, message: heard.append(message.message))
        await connection.execute("DO $$BEGIN RAISE NOTICE 'by the way'; END$$")
        await asyncio.sleep(0.05)
        assert heard == ["by the way"]

    play(work)


def test_a_pool_of_many_connections_on_few_backends(play, side, notes):
    async def work(_):
        async with asyncpg.create_pool(side.url(), min_size=10, max_size=10) as pool:
            async def task(number):
                for turn in range(5):
                    async with pool.acquire() as connection, connection.transaction():
                        await connection.execute("INSERT INTO notes (body) VALUES ($1)", f"{number}:{turn}")
                    assert await pool.fetchval("SELECT count(*) FROM notes WHERE body LIKE $1", f"{number}:%") == turn + 1

            await asyncio.gather(*[task(number) for number in range(20)])

    play(work)
    assert len(notes()) == 100
