# SPDX-License-Identifier: Apache-2.0
"""Hidden state: what functions, DO and CALL set, lock or make is the session's own, as on a connection of its own; the next
session never meets it; and it is on record."""
import contextlib
import struct

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER
from prometheus import scrape
from servers import wait_until

PID = "SELECT pg_backend_pid()"
TRUSTED_AFTER = 20
WORLD = f"""
DROP SCHEMA IF EXISTS hid CASCADE;
CREATE SCHEMA hid;
GRANT ALL ON SCHEMA hid TO {USER};
CREATE TABLE hid.mood (bad boolean);
INSERT INTO hid.mood VALUES (false);
CREATE TABLE hid.t (id int);
GRANT ALL ON ALL TABLES IN SCHEMA hid TO {USER};
CREATE FUNCTION hid.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION hid.set_it(name text, value text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RETURN set_config(name, value, false); END $$;
CREATE FUNCTION hid.path() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET search_path = hid; RETURN 1; END $$;
CREATE FUNCTION hid.take_role() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET ROLE hid_reader; RETURN 1; END $$;
CREATE FUNCTION hid.tenant(n int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('hid.tenant', n::text, false); RETURN n; END $$;
CREATE FUNCTION hid.back() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RESET work_mem; RETURN 1; END $$;
CREATE FUNCTION hid.style() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET DateStyle = 'German'; RETURN 1; END $$;
CREATE FUNCTION hid.temp() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE made (id int); RETURN 1; END $$;
CREATE FUNCTION hid.lock() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(77); RETURN 1; END $$;
CREATE FUNCTION hid.hear() RETURNS int LANGUAGE plpgsql AS $$ BEGIN LISTEN news; RETURN 1; END $$;
CREATE FUNCTION hid.hold() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'; RETURN 1; END $$;
CREATE FUNCTION hid.moody() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT bad FROM hid.mood) THEN SET work_mem = '6MB'; END IF; RETURN 1; END $$;
CREATE FUNCTION hid.seed() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM setseed(0.5); RETURN 1; END $$;
CREATE FUNCTION hid.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '7MB'; RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE INSERT ON hid.t FOR EACH ROW EXECUTE FUNCTION hid.noted();
CREATE VIEW hid.v AS SELECT hid.path() AS a;
CREATE FUNCTION hid.plus(a hid.t, b int) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RETURN set_config('work_mem', b || 'MB', false); END $$;
CREATE OPERATOR hid.@@@ (FUNCTION = hid.plus, LEFTARG = hid.t, RIGHTARG = int);
GRANT SELECT ON hid.v TO {USER};
CREATE PROCEDURE hid.p(value text) LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('work_mem', value, false); END $$;
"""


@pytest.fixture(scope="module")
def world(postgres):
    with contextlib.closing(postgres.connect("orders")) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'hid_reader'")
        if not cursor.fetchall():
            cursor.execute(f"CREATE ROLE hid_reader; GRANT hid_reader TO {USER}")
        cursor.execute(WORLD)
        cursor.execute("GRANT USAGE ON SCHEMA hid TO hid_reader")
        yield cursor
        cursor.execute("DROP SCHEMA hid CASCADE")


@pytest.fixture
def start(leasehold, postgres, world):
    def one(**keys):
        keys = {"pool_size": 1, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **keys}}, http=True)
    return one


def login(daemon, **parameters):
    return pgwire.connect(daemon.port, USER, "orders", PASSWORD, timeout=30, **parameters)


def resets(daemon):
    return scrape(daemon.http_port).total("leasehold_pool_resets_total", pool="orders", outcome="ok")


def leaks(daemon):
    return [(row["function"], row["kind"], row["what"]) for row in daemon.console("SHOW LEAKS")]


# What a session may be asked for, and what one that nobody has touched answers.
LOOKS = {
    "work_mem": "SELECT current_setting('work_mem')",
    "search_path": "SELECT current_setting('search_path')",
    "current_user": "SELECT current_user",
    "hid.tenant": "SELECT coalesce(nullif(current_setting('hid.tenant', true), ''), 'none')",
    "statement_timeout": "SELECT current_setting('statement_timeout')",
    "DateStyle": "SELECT current_setting('DateStyle')",
    "temporary": "SELECT to_regclass('pg_temp.made') IS NOT NULL",
    "locks": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    "channels": "SELECT count(*) FROM pg_listening_channels()",
    "cursors": "SELECT count(*) FROM pg_cursors WHERE is_holdable",
}


def look(session):
    return {name: session.value(sql) for name, sql in LOOKS.items()}


# (what calls it, what is other then, its value, what SHOW LEAKS calls it)
SETTINGS = {
    "set_config()": ("SELECT hid.set_it('work_mem', '5120kB')", "work_mem", "5MB", ("hid.set_it", "setting", "work_mem")),
    "SET": ("SELECT hid.path()", "search_path", "hid", ("hid.path", "setting", "search_path")),
    "role": ("SELECT hid.take_role()", "current_user", "hid_reader", ("hid.take_role", "setting", "role")),
    "custom": ("SELECT hid.set_it('hid.tenant', '5')", "hid.tenant", "5", ("hid.set_it", "setting", "hid.tenant")),
    "custom that only the function names": ("SELECT hid.tenant(8)", "hid.tenant", "8", ("hid.tenant", "setting", "hid.tenant")),
    "timeout": ("SELECT hid.set_it('statement_timeout', '99s')", "statement_timeout", "99s",
                ("hid.set_it", "setting", "statement_timeout")),
    "reported": ("SELECT hid.style()", "DateStyle", "German, DMY", ("hid.style", "setting", "DateStyle")),
    "DO": ("DO $$ BEGIN SET work_mem = '5MB'; END $$", "work_mem", "5MB", ("DO", "setting", "work_mem")),
    "custom of DO": ("DO $$ BEGIN EXECUTE 'SET hid.tenant = 9'; END $$", "hid.tenant", "9", ("DO", "setting", "hid.tenant")),
    "CALL": ("CALL hid.p('5MB')", "work_mem", "5MB", ("hid.p", "setting", "work_mem")),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_a_function_makes_are_the_sessions_own_and_nobody_elses(start, name):
    sql, changed, value, record = SETTINGS[name]
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        usual = look(other)
        for _ in range(2):
            session.query(sql)
            assert look(other) == usual
            assert look(session) == {**usual, changed: value}
            assert look(other) == usual, "the one backend goes to and fro"
            assert look(session) == {**usual, changed: value}
        assert not daemon.console("SHOW PINS")
        session.ok("RESET ALL")
        session.ok("RESET ROLE")
        assert look(session) == usual
        assert look(other) == usual
    assert leaks(daemon) == [record]


KINDS = {
    "SELECT hid.temp()": ("temporary", "t", "temporary object", "DROP TABLE made"),
    "SELECT hid.lock()": ("locks", "1", "session advisory lock", "SELECT pg_advisory_unlock(77)"),
    "SELECT hid.hold()": ("cursors", "1", "cursor WITH HOLD", "CLOSE c"),
    "DO $$ BEGIN PERFORM pg_advisory_lock(77); END $$": ("locks", "1", "session advisory lock", "DISCARD ALL"),
}


@pytest.mark.parametrize("sql", KINDS)
def test_other_state_that_a_function_makes_pins_while_it_lasts(start, sql):
    changed, value, reason, ends = KINDS[sql]
    daemon = start(pool_size=2)
    with login(daemon) as session, login(daemon) as other:
        usual = look(other)
        session.query(sql)
        wait_until(lambda: [row["pin"] for row in daemon.console("SHOW PINS")] == [reason], 10, "the backend has been asked")
        assert look(session) == {**usual, changed: value}
        assert look(other) == usual
        session.ok(ends)
        wait_until(lambda: not daemon.console("SHOW PINS"), 10)
        for one in (other, session):
            assert look(one) == usual
    assert [record[1:] for record in leaks(daemon)] == [(reason, None)]


def test_what_was_reset_goes_back_to_what_the_session_began_with(start):
    daemon = start()
    with login(daemon, options="-c work_mem=3MB") as session, login(daemon) as other:
        usual = look(other)
        session.ok("SET work_mem = '9MB'")
        session.ok("SELECT hid.back()")
        assert look(session) == {**usual, "work_mem": "3MB"}
        assert look(other) == usual


def test_what_is_rolled_back_is_nobodys(start):
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        usual = look(other)
        for sql in ("SELECT hid.path(), hid.take_role(), hid.tenant(1), hid.style()", "SELECT hid.temp()"):
            session.ok("BEGIN")
            session.query(sql)
            session.ok("ROLLBACK")
            assert look(other) == usual
            assert look(session) == usual
        session.query("SELECT hid.path(), 1 / 0")
        assert look(session) == usual
    assert leaks(daemon) in ([], [("hid.path, hid.take_role, hid.tenant, ...", "setting", "DateStyle")])


@pytest.mark.parametrize("way", ["text", "DO", "function", "function call"])
def test_nobody_goes_on_with_the_random_numbers_of_another(start, way):
    daemon = start()
    sent = {"text": pgwire.query("SELECT setseed(0.5)"), "DO": pgwire.query("DO $$ BEGIN PERFORM setseed(0.5); END $$"),
            "function": pgwire.query("SELECT hid.seed()"),
            "function call": pgwire.message(b"F", struct.pack("!ihhhidh", 1599, 1, 1, 1, 8, 0.5, 1))}[way]
    seen = set()
    for _ in range(3):
        with login(daemon) as session, login(daemon) as other:
            session.send(sent)
            assert not session.reply().errors
            session.terminate()
            seen.add(other.value("SELECT random()"))
    assert len(seen) == 3


@pytest.mark.parametrize("way", ["query", "extended"])
def test_what_a_backend_takes_with_it_before_it_was_asked_is_not_lost_in_silence(start, postgres, world, way):
    daemon = start()
    with login(daemon) as session, contextlib.closing(postgres.connect("orders")) as connection:
        pid = int(session.value(PID))
        blocker = connection.cursor()
        blocker.execute("BEGIN; LOCK pg_catalog.pg_depend IN ACCESS EXCLUSIVE MODE")  # the question reads it
        assert not getattr(session, way)("SELECT hid.set_it('work_mem', '5MB')").errors
        waiting = f"SELECT count(*) FROM pg_catalog.pg_locks WHERE pid = {pid} AND NOT granted"
        wait_until(lambda: world.execute(waiting) or world.fetchone()[0], 10, "the question")
        postgres.terminate(pid)
        blocker.execute("ROLLBACK")
        told = session.reply()
        assert (told.sqlstate, told.status) == ("57P01", None)
        assert "hid.set_it" in told.errors[0].message
    with login(daemon) as session:
        assert session.value("SHOW work_mem") == "4MB"


def test_a_function_that_has_been_clean_twenty_times_is_looked_at_by_sample(start):
    daemon = start(audit="50%")
    with login(daemon) as session:
        session.ok("SELECT 1")
        assert resets(daemon) == 0
        for _ in range(TRUSTED_AFTER):
            session.ok("SELECT hid.f()")
        session.ok("SELECT 1")
        assert resets(daemon) == TRUSTED_AFTER
        for _ in range(10):
            session.ok("SELECT hid.f()")
        session.ok("SELECT 1")
        assert resets(daemon) == TRUSTED_AFTER + 5
        with login(daemon) as other:
            other.ok("CREATE OR REPLACE FUNCTION hid.own() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        for _ in range(4):
            session.ok("SELECT hid.f()")
        session.ok("SELECT 1")
        assert resets(daemon) == TRUSTED_AFTER + 5 + 4, "functions may be others now"
    assert leaks(daemon) == []


def test_a_function_that_changes_its_ways_is_found_by_the_sample(start, world):
    daemon = start(audit="50%")
    with login(daemon) as session, login(daemon) as other:
        usual = look(other)
        for _ in range(TRUSTED_AFTER):
            session.ok("SELECT hid.moody()")
        world.execute("UPDATE hid.mood SET bad = true")
        try:
            for _ in range(2):
                session.ok("SELECT hid.moody()")
            assert look(other) == usual
            assert leaks(daemon) == [("hid.moody", "setting", "work_mem")]
            assert look(session) in (usual, {**usual, "work_mem": "6MB"})  # by the sample, or looked at again
            session.ok("SELECT hid.moody()")
            assert look(other) == usual
            assert look(session) == {**usual, "work_mem": "6MB"}
        finally:
            world.execute("UPDATE hid.mood SET bad = false")
        before = resets(daemon)
        for _ in range(TRUSTED_AFTER):
            session.ok("SELECT hid.moody()")
            other.ok("SELECT 1")
        assert resets(daemon) == before + TRUSTED_AFTER, "its trust begins anew"


@pytest.mark.parametrize("sql", ["SELECT a FROM hid.v", "INSERT INTO hid.t VALUES (1)",
                                 "SELECT ROW(1)::hid.t OPERATOR(hid.@@@) 8"])
def test_audit_all_finds_what_views_triggers_and_operators_do(start, sql):
    daemon = start(audit="all")
    with login(daemon) as session, login(daemon) as other:
        usual = look(other)
        session.query(sql)
        assert look(other) == usual
        assert look(session) != usual
        assert look(other) == usual
    assert [(function, kind) for function, kind, _ in leaks(daemon)] == [(None, "setting")]


def test_what_was_found_is_on_record(start):
    daemon = start()
    with login(daemon, application_name="billing") as session:
        for n in range(3):
            session.query(f"SELECT hid.set_it('work_mem', '{n + 5}MB'), 'secret'")
        row, = wait_until(lambda: [row for row in daemon.console("SHOW LEAKS") if row["times"] == 3], 10)
        assert row.pop("time").endswith("UTC") and row.pop("addr").startswith("127.0.0.1:") and row.pop("session") > 0
        assert row == {"database": "orders", "user": USER, "application_name": "billing", "function": "hid.set_it",
                       "kind": "setting", "what": "work_mem", "statement": "SELECT hid.set_it(?, ?), ?", "times": 3,
                       "last_day": None, "mean_ms": None, "longest_ms": None}
        metrics = scrape(daemon.http_port)
        assert metrics.series("leasehold_pool_leaks_total") == [({"pool": "orders", "kind": "setting"}, 3)]
        wait_until(lambda: "event=leak" in daemon.log_text() and "function=hid.set_it" in daemon.log_text(), 10)
        assert "secret" not in daemon.log_text()


@pytest.mark.parametrize("protocol", ["named", "unnamed"])
def test_a_prepared_call_is_looked_at_each_time_it_runs(start, protocol):
    name = "p" if protocol == "named" else ""
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        usual = look(other)
        session.send(pgwire.parse(name, "SELECT hid.set_it('work_mem', $1)"), pgwire.SYNC)
        session.reply()
        for value in ("5MB", "6MB"):
            parse = (pgwire.parse("", "SELECT hid.set_it('work_mem', $1)"),) if not name else ()
            session.send(*parse, pgwire.bind(name, "", (value,)), pgwire.execute(), pgwire.SYNC)
            session.reply()
            assert look(other) == usual
            assert look(session) == {**usual, "work_mem": value}


def test_what_drivers_and_tools_ask_by_themselves_is_not_looked_at(start, postgres):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    daemon = start(pool_size=2)
    engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(
        host="127.0.0.1", port=daemon.port, user=USER, password=PASSWORD, dbname="orders"))
    inspector = sqlalchemy.inspect(engine)
    for schema in ("public", "hid"):
        for table in inspector.get_table_names(schema=schema):
            for what in ("columns", "indexes", "foreign_keys", "pk_constraint", "unique_constraints", "check_constraints"):
                getattr(inspector, f"get_{what}")(table, schema=schema)
        inspector.get_view_names(schema=schema)
    engine.dispose()
    assert resets(daemon) == 0
