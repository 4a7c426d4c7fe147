# SPDX-License-Identifier: Apache-2.0
"""What applications do with SQLAlchemy, 1.4 and 2.0 alike, on MySQL and MariaDB: `cases.py URL` prints `ok NAME` or
`not ok NAME: WHY` for each case and `done` at the end. No case holds more than two backends at a time."""
import gc
import sys
import threading
import time

import sqlalchemy
from sqlalchemy import Column, ForeignKey, Integer, String, event, exc, func, insert, inspect, select, text, update
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload
from sqlalchemy.pool import NullPool

URL = sys.argv[1]
CASES = []
Base = declarative_base()


class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    body = Column(String(100), unique=True)
    lines = relationship("Line", back_populates="note", cascade="all, delete-orphan")


class Line(Base):
    __tablename__ = "lines"
    id = Column(Integer, primary_key=True)
    note_id = Column(ForeignKey("notes.id"), nullable=False)
    body = Column(String(100))
    note = relationship("Note", back_populates="lines")


def make_engine(**options):
    return sqlalchemy.create_engine(URL, **{"future": True, "pool_size": 2, "max_overflow": 2, **options})


def case(body):
    CASES.append(body)
    return body


def bodies(engine):
    with engine.connect() as connection:
        return list(connection.execute(select(Note.body).order_by(Note.id)).scalars())


def expect(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


@case
def sessions_commit_roll_back_and_close(engine):
    with Session(engine) as session:
        session.add(Note(body="kept"))
        session.commit()
        session.add(Note(body="rolled back"))
        session.flush()
        session.rollback()
        session.add(Note(body="closed"))
        session.flush()
    expect(bodies(engine), ["kept"])


@case
def generated_keys_reach_the_objects(engine):
    with Session(engine) as session:
        notes = [Note(body=f"n{i}", lines=[Line(body="a"), Line(body="b")]) for i in range(5)]
        session.add_all(notes)
        session.commit()
        expect([note.id for note in notes], sorted({note.id for note in notes}))
        loaded = session.execute(select(Note).options(selectinload(Note.lines)).order_by(Note.id)).scalars().all()
        expect([len(note.lines) for note in loaded], [2] * 5)
        session.delete(loaded[0])
        session.commit()
        expect(session.execute(select(func.count()).select_from(Line)).scalar(), 8)


@case
def savepoints_nest(engine):
    with Session(engine) as session, session.begin():
        session.add(Note(body="outer"))
        with session.begin_nested():
            session.add(Note(body="inner"))
            inner = session.begin_nested()
            session.add(Note(body="undone"))
            session.flush()
            inner.rollback()
    expect(bodies(engine), ["outer", "inner"])


@case
def errors_leave_a_session_that_works(engine):
    with Session(engine) as session:
        session.add(Note(body="one"))
        session.commit()
        for _ in range(3):
            session.add(Note(body="one"))
            try:
                session.commit()
                raise AssertionError("no error")
            except exc.IntegrityError:
                session.rollback()
        session.add(Note(body="two"))
        session.commit()
    expect(bodies(engine), ["one", "two"])


@case
def row_counts_are_of_matched_rows(engine):
    with engine.begin() as connection:
        connection.execute(insert(Note), [{"body": f"n{i}"} for i in range(3)])
    for _ in range(3):
        with engine.begin() as connection:
            expect(connection.execute(update(Note).where(Note.body == "n1").values(body="n1")).rowcount, 1)


@case
def many_rows_at_once(engine):
    with engine.begin() as connection:
        connection.execute(insert(Note), [{"body": f"n{i}"} for i in range(1000)])
    expect(len(bodies(engine)), 1000)


@case
def results_are_streamed(engine):
    with engine.begin() as connection:
        connection.execute(insert(Note), [{"body": f"n{i}"} for i in range(3000)])
    with engine.connect() as connection:
        result = connection.execution_options(stream_results=True, max_row_buffer=100).execute(select(Note.id))
        expect(sum(1 for _ in result), 3000)
    if "pymysql" in URL:  # mysqlclient wants all of it read
        with engine.connect() as connection:
            connection.execution_options(stream_results=True).execute(select(Note.id)).fetchmany(10)
    expect(len(bodies(engine)), 3000)


@case
def forgotten_connections_leave_nothing_behind(engine):
    for _ in range(5):
        connection = engine.connect()
        connection.execute(insert(Note), {"body": "forgotten"})
        del connection
        gc.collect()
    expect(bodies(engine), [])


@case
def isolation_levels_hold_for_their_transaction(engine):
    for level in ("SERIALIZABLE", "READ COMMITTED", "READ UNCOMMITTED"):
        with engine.connect().execution_options(isolation_level=level) as connection:
            for _ in range(2):
                expect(connection.get_isolation_level(), level)
                connection.execute(text("SELECT 1"))
                connection.commit()
        with engine.connect() as connection:
            expect(connection.get_isolation_level(), "REPEATABLE READ")


@case
def autocommit_for_one_connection_and_for_an_engine(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(insert(Note), {"body": "one"})
        expect(bodies(engine), ["one"])
    other = make_engine(isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        connection.execute(insert(Note), {"body": "two"})
        expect(bodies(engine), ["one", "two"])
    other.dispose()
    with engine.connect() as connection:
        connection.execute(insert(Note), {"body": "three"})
    expect(bodies(engine), ["one", "two"])


@case
def connections_are_pinged_and_recycled(_):
    engine = make_engine(pool_pre_ping=True, pool_recycle=0)
    made = []
    event.listen(engine, "connect", lambda *_: made.append(1))
    for _ in range(5):
        with engine.connect() as connection:
            expect(connection.execute(text("SELECT 1")).scalar(), 1)
        time.sleep(1.1 if len(made) < 3 else 0)
    assert len(made) >= 3, made
    engine.dispose()
    engine = make_engine(pool_pre_ping=True)
    for _ in range(20):
        with engine.connect() as connection:
            expect(connection.execute(text("SELECT 1")).scalar(), 1)
    engine.dispose()


@case
def no_pool_of_its_own(_):
    engine = sqlalchemy.create_engine(URL, future=True, poolclass=NullPool)
    for number in range(20):
        with engine.connect() as connection:
            expect(connection.execute(text("SELECT :n"), {"n": number}).scalar(), number)


@case
def settings_made_at_connect_hold(_):
    engine = make_engine()

    @event.listens_for(engine, "connect")
    def prepare(connection, _):
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+02:00'")

    for _ in range(5):
        with engine.connect() as connection:
            expect(connection.execute(text("SELECT @@time_zone")).scalar(), "+02:00")
    engine.dispose()


@case
def two_phase_transactions(engine):
    with engine.connect() as connection:
        for end in ("rollback", "commit"):
            transaction = connection.begin_twophase()
            connection.execute(insert(Note), {"body": end})
            transaction.prepare()
            getattr(transaction, end)()
    expect(bodies(engine), ["commit"])


@case
def tables_are_reflected(engine):
    found = inspect(engine)
    assert {"notes", "lines"} <= set(found.get_table_names())
    expect([column["name"] for column in found.get_columns("notes")], ["id", "body"])
    expect(found.get_foreign_keys("lines")[0]["referred_table"], "notes")
    expect(set(sqlalchemy.Table("lines", sqlalchemy.MetaData(), autoload_with=engine).columns.keys()), {"id", "note_id", "body"})


@case
def temporary_tables_live_with_their_connection(engine):
    with engine.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE mine (a int)"))
        connection.execute(text("INSERT INTO mine VALUES (1)"))
        connection.commit()
        expect(connection.execute(text("SELECT count(*) FROM mine")).scalar(), 1)
        connection.execute(text("DROP TEMPORARY TABLE mine"))


@case
def threads_share_an_engine(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS counter (id int PRIMARY KEY, n int) ENGINE=InnoDB"))
        connection.execute(text("REPLACE INTO counter VALUES (1, 0)"))
    errors = []

    def work():
        try:
            for _ in range(10):
                with engine.begin() as connection:
                    connection.execute(text("UPDATE counter SET n = n + 1"))
        except Exception as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(errors, [])
    with engine.connect() as connection:
        expect(connection.execute(text("SELECT n FROM counter")).scalar(), 80)


def run(body):
    engine = make_engine()
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    try:
        body(engine)
    finally:
        engine.dispose()


print(f"SQLAlchemy {sqlalchemy.__version__}", flush=True)
for each in CASES:
    name = each.__name__.replace("_", " ")
    try:
        run(each)
        print(f"ok {name}", flush=True)
    except Exception as error:  # of any kind: it is the outcome
        print(f"not ok {name}: {type(error).__name__} {error}".replace("\n", " ")[:500], flush=True)
print("done")
