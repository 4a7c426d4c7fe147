# SPDX-License-Identifier: Apache-2.0
"""Ordinary clients, unchanged but for host and port, in transaction mode while other sessions keep the pool busy."""
import contextlib
import gc
import os
import subprocess
import threading

import psycopg2
import pymysql
import pytest
import sqlalchemy
import sqlalchemy.orm
from clients import busy
from conftest import PASSWORD, USER
from servers import postgres_bin, wait_until

POSTGRES_SIZE, SHOP_SIZE = 3, 3


@pytest.fixture
def daemon(leasehold, postgres):
    postgres.query("DROP TABLE IF EXISTS busy, notes; CREATE TABLE busy (id int PRIMARY KEY, n int);"
                   " INSERT INTO busy SELECT i, 0 FROM generate_series(0, 9) i;"
                   " CREATE TABLE notes (id serial PRIMARY KEY, body text);"
                   " GRANT ALL ON busy, notes, notes_id_seq TO app", database="orders")
    started = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": POSTGRES_SIZE,
                                          "max_overflow": 0}})
    with busy(lambda: started.connect("orders", USER, PASSWORD)):
        yield started


@pytest.fixture
def notes(postgres):
    return lambda: [row[0] for row in postgres.query("SELECT body FROM notes ORDER BY id", database="orders")]


def run(command, url=None, **options):
    return subprocess.run([*command, *([url] if url else [])], capture_output=True, text=True, timeout=30, check=False,
                          stdin=None if "input" in options else subprocess.DEVNULL, **options)


# --- psql and pgbench ---------------------------------------------------------------------------------------------

def test_psql_runs_a_script_with_transactions_errors_copy_and_meta_commands(daemon, notes):
    done = run(["psql", "-X", "-q", "-A", "-t"], daemon.url("orders", USER, PASSWORD), input="""
BEGIN; INSERT INTO notes (body) VALUES ('kept'); COMMIT;
BEGIN; INSERT INTO notes (body) VALUES ('undone'); SELECT 1/0; ROLLBACK;
COPY notes (body) FROM STDIN;
copied one
copied two
\\.
\\d notes
COPY (SELECT body FROM notes ORDER BY id) TO STDOUT;
SELECT 'several' \\; SELECT 'at once';
\\set AUTOCOMMIT off
INSERT INTO notes (body) VALUES ('by hand');
COMMIT;
\\conninfo
""")
    assert done.returncode == 0
    assert done.stderr.count("ERROR") == 1 and "division by zero" in done.stderr
    assert "notes_id_seq" in done.stdout and "several\nat once" in done.stdout
    assert notes() == ["kept", "copied one", "copied two", "by hand"]


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_runs_its_own_transactions_without_an_error(daemon, postgres, mode):
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    target = ["-h", "127.0.0.1", "-p", str(daemon.port), "-U", USER]
    filled = run([postgres_bin("pgbench"), "-i", "-q", "-s", "1", *target, "orders"], env=environment)
    assert filled.returncode == 0, filled.stderr
    # A thread for each client: one that waits in PQprepare must not stop another that holds a backend.
    done = run([postgres_bin("pgbench"), "-n", "-M", mode, "-c", "8", "-j", "8", "-t", "40", *target, "orders"],
               env=environment)
    assert done.returncode == 0, done.stderr
    assert "actually processed: 320/320" in done.stdout and "failed transactions: 0" in done.stdout
    assert postgres.value("SELECT count(*) FROM pgbench_history", database="orders") == 320
    assert postgres.value("SELECT sum(abalance) FROM pgbench_accounts", database="orders") == \
        postgres.value("SELECT sum(delta) FROM pgbench_history", database="orders")


# --- psycopg2 -----------------------------------------------------------------------------------------------------

def test_psycopg2_commits_rolls_back_and_goes_on_after_errors(daemon, notes):
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO notes (body) VALUES (%s) RETURNING id", ["kept"])
        assert cursor.fetchone()[0] == 1
        connection.commit()
        with pytest.raises(psycopg2.errors.UndefinedTable):
            cursor.execute("SELECT * FROM nowhere")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")
        connection.rollback()
        cursor.execute("INSERT INTO notes (body) VALUES ('undone')")
        connection.rollback()
        with connection:
            cursor.execute("SAVEPOINT s")
            with pytest.raises(psycopg2.errors.UniqueViolation):
                cursor.execute("INSERT INTO notes (id, body) VALUES (1, 'twice')")
            cursor.execute("ROLLBACK TO SAVEPOINT s")
            cursor.execute("INSERT INTO notes (body) VALUES ('after the savepoint')")
    assert notes() == ["kept", "after the savepoint"]


def test_psycopg2_uses_server_side_cursors_copy_and_notices(daemon, tmp_path):
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD)) as connection:
        with connection, connection.cursor("named") as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT i FROM generate_series(1, 5000) i")
            assert sum(row[0] for row in cursor) == 5000 * 5001 // 2
        with connection, connection.cursor() as cursor:
            cursor.execute("DO $$BEGIN RAISE NOTICE 'by the way'; END$$")
            assert "by the way" in connection.notices[-1]
            path = tmp_path / "out"
            with path.open("w") as file:
                cursor.copy_expert("COPY (SELECT generate_series(1, 1000)) TO STDOUT", file)
            assert len(path.read_text().splitlines()) == 1000


def test_psycopg2_in_autocommit_holds_no_backend_between_statements(daemon):
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(contextlib.closing(daemon.connect("orders", USER, PASSWORD, autocommit=True)))
                for _ in range(3 * POSTGRES_SIZE)]
        for connection in many * 3:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)


def test_psycopg2_cancels_its_own_statement(daemon):
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD)) as connection, connection.cursor() as cursor:
        timer = threading.Timer(0.3, connection.cancel)
        timer.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(20)")
        timer.join()
        connection.rollback()
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


# --- SQLAlchemy ---------------------------------------------------------------------------------------------------

Base = sqlalchemy.orm.declarative_base()


class Note(Base):
    __tablename__ = "notes"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    body = sqlalchemy.Column(sqlalchemy.Text)


@pytest.fixture
def engine(daemon):
    made = sqlalchemy.create_engine(daemon.url("orders", USER, PASSWORD, "postgresql+psycopg2"), pool_size=2,
                                    max_overflow=2, pool_pre_ping=True, future=True)
    yield made
    made.dispose()


def no_transaction_but_the_busy_ones(postgres):
    return not [b for b in postgres.backends("%") if b["in_transaction"] and "busy" not in b["query"]
                and b["usename"] == USER]


def test_sqlalchemy_sessions_commit_roll_back_and_close(engine, notes):
    with sqlalchemy.orm.Session(engine) as session:
        session.add(Note(body="committed"))
        session.commit()
        session.add(Note(body="rolled back"))
        session.flush()
        session.rollback()
        assert [note.body for note in session.query(Note)] == ["committed"]
    with sqlalchemy.orm.Session(engine) as session:
        session.add(Note(body="closed without commit"))
        session.flush()
    with sqlalchemy.orm.Session(engine) as session, session.begin():
        session.add(Note(body="begun"))
        with session.begin_nested() as savepoint:
            session.add(Note(body="nested"))
            session.flush()
            savepoint.rollback()
    assert notes() == ["committed", "begun"]


def test_sqlalchemy_forgotten_sessions_leave_nothing_behind(engine, postgres, notes):
    session = sqlalchemy.orm.Session(engine)
    session.add(Note(body="forgotten"))
    session.flush()
    del session
    gc.collect()
    wait_until(lambda: no_transaction_but_the_busy_ones(postgres), 2, "the forgotten transaction's end", 0.05)
    assert notes() == []
    with sqlalchemy.orm.Session(engine) as session:
        assert session.execute(sqlalchemy.text("SELECT 1")).scalar() == 1


def test_sqlalchemy_finds_its_connections_alive_after_all_idle_backends_died(orders, postgres):
    engine = sqlalchemy.create_engine(orders.url("orders", USER, PASSWORD, "postgresql+psycopg2"), pool_pre_ping=True)
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        connection.execute(sqlalchemy.text("SELECT 1"))
    mine = [backend["pid"] for backend in postgres.backends("%") if backend["usename"] == USER]
    assert mine
    for pid in mine:
        postgres.terminate(pid)
    orders.lost(*mine)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        assert connection.connection.dbapi_connection is raw
    engine.dispose()


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])
def test_sqlalchemy_isolation_levels_hold_for_their_transaction(engine, level):
    with engine.connect().execution_options(isolation_level=level) as connection:
        shown = connection.execute(sqlalchemy.text("SHOW transaction_isolation")).scalar()
        assert shown == ("serializable" if level == "SERIALIZABLE" else "read committed")
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SHOW transaction_isolation")).scalar() == "read committed"


# --- MySQL's clients, on both servers --------------------------------------------------------------------------------------------

@pytest.fixture
def store(leasehold, mysql_server):
    mysql_server.query("DROP TABLE IF EXISTS shop.busy, shop.notes")
    mysql_server.query("CREATE TABLE shop.busy (id int PRIMARY KEY, n int) ENGINE=InnoDB")
    mysql_server.query("INSERT INTO shop.busy VALUES " + ", ".join(f"({n}, 0)" for n in range(10)))
    mysql_server.query("CREATE TABLE shop.notes (id int AUTO_INCREMENT PRIMARY KEY, body text) ENGINE=InnoDB")
    started = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": SHOP_SIZE,
                                        "max_overflow": 0}})
    with busy(lambda: started.connect_mysql("shop", USER, PASSWORD)):
        yield started


def test_pymysql_commits_rolls_back_and_goes_on_after_errors(store, mysql_server):
    with contextlib.closing(store.connect_mysql("shop", USER, PASSWORD)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO notes (body) VALUES (%s)", ["kept"])
        assert cursor.lastrowid == 1
        connection.commit()
        cursor.execute("INSERT INTO notes (body) VALUES ('undone')")
        connection.rollback()
        with pytest.raises(pymysql.err.ProgrammingError) as caught:
            cursor.execute("SELECT * FROM nowhere")
        assert caught.value.args[0] == 1146
        cursor.execute("SELECT body FROM notes")
        assert cursor.fetchall() == (("kept",),)
        connection.ping(reconnect=False)
    assert mysql_server.query("SELECT body FROM shop.notes") == [("kept",)]


def test_mariadb_command_line_runs_a_script(store, mysql_server):
    done = run(["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(store.mysql_port), "-u", USER,
                f"--password={PASSWORD}", "--skip-ssl", "-N", "-B", "shop"],
               input="BEGIN; INSERT INTO notes (body) VALUES ('kept'); COMMIT;\n"
                     "BEGIN; INSERT INTO notes (body) VALUES ('undone'); ROLLBACK;\n"
                     "USE shop; SELECT body, database() FROM notes;\n")
    assert (done.returncode, done.stdout) == (0, "kept\tshop\n"), done.stderr
    assert mysql_server.query("SELECT body FROM shop.notes") == [("kept",)]


def test_sqlalchemy_over_pymysql_commits_and_rolls_back(store, mysql_server):
    engine = sqlalchemy.create_engine(store.url("shop", USER, PASSWORD, "mysql+pymysql"), pool_pre_ping=True)
    with sqlalchemy.orm.Session(engine) as session:
        session.add(Note(body="committed"))
        session.commit()
        session.add(Note(body="rolled back"))
        session.flush()
        session.rollback()
    engine.dispose()
    assert mysql_server.query("SELECT body FROM shop.notes") == [("committed",)]
