# SPDX-License-Identifier: Apache-2.0
"""What applications do with SQLAlchemy, 1.4 and 2.0 alike: `cases.py DRIVER URL` prints `ok NAME` or `not ok NAME: WHY`
for each case and `done` at the end. No case holds more than two backends at a time. With asyncpg the same cases run by
SQLAlchemy's own bridge (greenlets), and those of AsyncEngine beside them."""
import asyncio
import contextlib
import gc
import sys
import threading

import sqlalchemy
from sqlalchemy import Column, ForeignKey, Integer, Text, event, func, insert, inspect, select, text
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload
from sqlalchemy.pool import NullPool

DRIVER, URL = sys.argv[1], sys.argv[2]
ASYNC = DRIVER == "asyncpg"
SYNC_URL = URL + ("?async_fallback=true" if ASYNC else "")
CASES = []
Base = declarative_base()


class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    body = Column(Text, unique=True)
    lines = relationship("Line", back_populates="note", cascade="all, delete-orphan")


class Line(Base):
    __tablename__ = "lines"
    id = Column(Integer, primary_key=True)
    note_id = Column(ForeignKey("notes.id"), nullable=False)
    body = Column(Text)
    note = relationship("Note", back_populates="lines")


def make_engine(**options):
    return sqlalchemy.create_engine(SYNC_URL, **{"future": True, "pool_size": 2, "max_overflow": 2, **options})


def case(body):
    CASES.append(body)
    return body


def bodies(engine):
    with engine.connect() as connection:
        return list(connection.execute(select(Note.body).order_by(Note.id)).scalars())


def expect(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def raises(kind, work):
    try:
        work()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


# --- sessions ---------------------------------------------------------------------------------------------------------

@case
def sessions_commit_roll_back_and_close(engine):
    with Session(engine) as session:
        session.add(Note(body="committed"))
        session.commit()
        session.add(Note(body="rolled back"))
        session.flush()
        session.rollback()
        expect([note.body for note in session.scalars(select(Note))], ["committed"])
    with Session(engine) as session:
        session.add(Note(body="closed without commit"))
        session.flush()
    expect(bodies(engine), ["committed"])


@case
def savepoints_nest(engine):
    with Session(engine) as session, session.begin():
        session.add(Note(body="outer"))
        with session.begin_nested() as savepoint:
            session.add(Note(body="inner"))
            session.flush()
            savepoint.rollback()
        for _ in range(3):
            def twice():
                with session.begin_nested():
                    session.add(Note(body="outer"))
            raises(sqlalchemy.exc.IntegrityError, twice)
        session.add(Note(body="after"))
    expect(bodies(engine), ["outer", "after"])


@case
def errors_leave_a_session_that_works(engine):
    with Session(engine) as session:
        for _ in range(6):
            raises(sqlalchemy.exc.ProgrammingError, lambda: session.execute(text("SELECT * FROM nowhere")))
            session.rollback()
            raises(sqlalchemy.exc.DBAPIError, lambda: session.execute(select(func.now() / 0)))
            session.rollback()
            expect(session.execute(select(1)).scalar(), 1)
            session.commit()


@case
def relationships_load_and_cascade(engine):
    with Session(engine) as session, session.begin():
        session.add_all([Note(body=f"n{i}", lines=[Line(body=f"{i}.{j}") for j in range(5)]) for i in range(40)])
    with Session(engine) as session:
        notes = session.scalars(select(Note).options(selectinload(Note.lines)).order_by(Note.id)).all()
        expect([[line.body for line in note.lines] for note in notes][3], ["3.0", "3.1", "3.2", "3.3", "3.4"])
        session.delete(notes[0])
        notes[1].lines.pop()
        notes[2].body = "changed"
        session.commit()
        expect(session.scalar(select(func.count()).select_from(Line)), 40 * 5 - 6)


@case
def many_rows_are_inserted_at_once_and_returned(engine):
    with engine.begin() as connection:
        connection.execute(insert(Note), [{"body": f"n{i}"} for i in range(2500)])
        returned = connection.execute(insert(Note).returning(Note.id, Note.body), {"body": "one more"})
        expect(returned.one().body, "one more")
    with Session(engine) as session, session.begin():
        session.add_all([Note(body=f"m{i}") for i in range(1500)])
    expect(len(bodies(engine)), 4001)


@case
def large_results_are_streamed(engine):
    with engine.begin() as connection:
        connection.execute(insert(Note), [{"body": f"n{i}"} for i in range(3000)])
    with engine.connect().execution_options(stream_results=True, max_row_buffer=100) as connection:
        rows = connection.execute(select(Note.body).order_by(Note.id))
        expect(sum(len(part) for part in rows.partitions(250)), 3000)
    with Session(engine) as session:
        expect(sum(1 for _ in session.execute(select(Note).execution_options(yield_per=200)).scalars()), 3000)


@case
def forgotten_sessions_leave_nothing_behind(engine):
    for number in range(5):
        session = Session(engine)
        session.add(Note(body=f"forgotten {number}"))
        session.flush()
        del session
        gc.collect()
    expect(bodies(engine), [])


# --- engines ----------------------------------------------------------------------------------------------------------

@case
def isolation_levels_hold_for_their_transaction(engine):
    for level in ("SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT", "READ COMMITTED"):
        with engine.connect().execution_options(isolation_level=level) as connection:
            shown = connection.execute(text("SHOW transaction_isolation")).scalar()
            expect(shown, "read committed" if level == "AUTOCOMMIT" else level.lower())
        with engine.connect() as connection:
            expect(connection.execute(text("SHOW transaction_isolation")).scalar(), "read committed")


@case
def autocommit_and_a_level_for_the_whole_engine(_):
    engine = make_engine(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(insert(Note), {"body": "by itself"})
    expect(bodies(engine), ["by itself"])
    engine.dispose()
    engine = make_engine(isolation_level="SERIALIZABLE")
    with engine.connect() as connection:
        expect(connection.execute(text("SHOW transaction_isolation")).scalar(), "serializable")
    engine.dispose()


@case
def connections_are_pinged_and_recycled(_):
    engine = make_engine(pool_pre_ping=True, pool_recycle=0)
    for number in range(6):
        with engine.begin() as connection:
            connection.execute(insert(Note), {"body": f"n{number}"})
    expect(len(bodies(engine)), 6)
    engine.dispose()


@case
def no_pool_of_its_own(_):
    engine = sqlalchemy.create_engine(SYNC_URL, future=True, poolclass=NullPool)
    for number in range(8):
        with engine.begin() as connection:
            connection.execute(insert(Note), {"body": f"n{number}"})
    expect(len(bodies(engine)), 8)


@case
def a_default_of_each_connection_is_set_when_it_is_made(_):
    engine = make_engine()

    @event.listens_for(engine, "connect")
    def set_it(connection, _record):
        cursor = connection.cursor()
        cursor.execute("SET TimeZone TO 'Asia/Tokyo'")
        cursor.close()
        connection.commit()

    for _ in range(5):
        with engine.begin() as connection:
            expect(connection.execute(text("SHOW TimeZone")).scalar(), "Asia/Tokyo")
    engine.dispose()


@case
def two_phase_transactions(engine):
    with engine.connect() as connection:
        transaction = connection.begin_twophase()
        connection.execute(insert(Note), {"body": "in two phases"})
        transaction.prepare()
        transaction.commit()
        transaction = connection.begin_twophase()
        connection.execute(insert(Note), {"body": "undone"})
        transaction.prepare()
        transaction.rollback()
    expect(bodies(engine), ["in two phases"])


@case
def tables_are_made_reflected_and_dropped(engine):
    metadata = sqlalchemy.MetaData()
    sqlalchemy.Table("made", metadata, Column("id", Integer, primary_key=True), Column("body", Text, index=True))
    for _ in range(3):
        metadata.create_all(engine)
        found = inspect(engine)
        expect(sorted(found.get_table_names()), ["lines", "made", "notes"])
        expect([each["name"] for each in found.get_columns("made")], ["id", "body"])
        expect([each["name"] for each in found.get_indexes("made")], ["ix_made_body"])
        metadata.drop_all(engine)


@case
def temporary_tables_live_in_their_transaction(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE mine (id int) ON COMMIT DROP"))
        connection.execute(text("INSERT INTO mine VALUES (1), (2)"))
        expect(connection.execute(text("SELECT count(*) FROM mine")).scalar(), 2)


@case
def threads_share_an_engine(engine):
    wrong = []

    def work(number):
        try:
            for turn in range(10):
                with Session(engine) as session, session.begin():
                    session.add(Note(body=f"{number}:{turn}"))
        except Exception as error:  # of any kind: the case reports it
            wrong.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(0 if ASYNC else 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(wrong, [])
    expect(len(bodies(engine)), 0 if ASYNC else 60)


# --- AsyncEngine ------------------------------------------------------------------------------------------------------

async def async_sessions():
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    engine = create_async_engine(URL, pool_size=4, max_overflow=4)

    async def work(number):
        for turn in range(8):
            async with AsyncSession(engine) as session, session.begin():
                session.add(Note(body=f"{number}:{turn}"))
            async with AsyncSession(engine) as session:
                found = await session.execute(select(func.count()).select_from(Note).where(Note.body.like(f"{number}:%")))
                expect(found.scalar(), turn + 1)

    await asyncio.gather(*[work(number) for number in range(10)])
    async with engine.connect() as connection:
        rows = await connection.stream(select(Note.body))
        expect(len([row async for row in rows]), 80)
        with contextlib.suppress(sqlalchemy.exc.IntegrityError):
            await connection.execute(insert(Note), {"body": "0:0"})
        await connection.rollback()
        expect((await connection.execute(select(1))).scalar(), 1)
    await engine.dispose()


if DRIVER in ("asyncpg", "psycopg"):
    @case
    def async_sessions_side_by_side(_):
        asyncio.new_event_loop().run_until_complete(async_sessions())  # not run(), which takes the bridge's loop away


def run(body):
    engine = make_engine()
    try:
        Base.metadata.drop_all(engine)
        Base.metadata.create_all(engine)
        body(engine)
        print(f"ok {body.__name__}", flush=True)
    except Exception as error:  # of any kind: it is the outcome
        print(f"not ok {body.__name__}: {type(error).__name__} {' '.join(str(error).split())[:300]}", flush=True)
    finally:
        with contextlib.suppress(Exception):
            engine.dispose()


if __name__ == "__main__":
    print(f"SQLAlchemy {sqlalchemy.__version__} with {DRIVER}")
    for each in CASES:
        run(each)
    print("done")
