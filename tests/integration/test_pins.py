# SPDX-License-Identifier: Apache-2.0
"""Pins: each begins with the state that makes it and ends with it; who is pinned, why and since when; pins by hand."""
import contextlib
import re
import subprocess

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from console import pool
from prometheus import scrape
from servers import postgres_bin, wait_until

PID = "SELECT pg_backend_pid()"


@pytest.fixture
def start(leasehold, postgres):
    def one(**keys):
        keys = {"pool_size": 1, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **keys}},
                         http=True)
    return one


def login(daemon, **parameters):
    return pgwire.connect(daemon.port, USER, "orders", PASSWORD, timeout=30, **parameters)


def pins(daemon):
    return daemon.console("SHOW PINS")


@contextlib.contextmanager
def waits(daemon, sql=PID):
    """Another session, whose statement waits for the only backend."""
    with login(daemon, application_name="waiter") as other:
        other.send(pgwire.query(sql))
        wait_until(lambda: pool(daemon)["waiting"] == 1, 10)
        yield other


def gets_it(other, pid):
    assert other.reply().value() == pid


# (what begins it, what does not end it, what ends it, the reason)
STATES = {
    "temporary table": ("CREATE TEMP TABLE t (id int)", "CREATE TEMP TABLE u (id int); DROP TABLE u", "DROP TABLE t",
                        "temporary object"),
    "discarded": ("CREATE TEMP TABLE t (id int)", "DISCARD PLANS", "DISCARD TEMP", "temporary object"),
    "temporary function": ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT pg_temp.f()",
                           "DROP FUNCTION pg_temp.f()", "temporary object"),
    "temporary domain": ("CREATE DOMAIN pg_temp.d AS int", "SELECT 1::pg_temp.d", "DROP DOMAIN pg_temp.d",
                         "temporary object"),
    "selected into": ("SELECT 1 AS a INTO TEMP t", "DROP TABLE IF EXISTS nothing", "DROP TABLE t", "temporary object"),
    "cursor": ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "FETCH c", "CLOSE c", "cursor WITH HOLD"),
    "lock": ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(8)", "SELECT pg_advisory_unlock(7)",
             "session advisory lock"),
    "lock taken twice": ("SELECT pg_advisory_lock(7), pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)",
                         "SELECT pg_advisory_unlock(7)", "session advisory lock"),
    "shared lock": ("SELECT pg_try_advisory_lock_shared(7)", "SELECT pg_advisory_unlock(7)",
                    "SELECT pg_advisory_unlock_shared(7)", "session advisory lock"),
    "all locks": ("SELECT pg_advisory_lock(7), pg_advisory_lock(1, 2)", "SELECT pg_advisory_unlock(7)",
                  "SELECT pg_advisory_unlock_all()", "session advisory lock"),
    "listening": ("LISTEN \"\u00e9\"", "UNLISTEN b", "UNLISTEN *", "LISTEN"),
    "prepared under a long name": (f"PREPARE {'n' * 64} AS SELECT 1", f"EXECUTE {'n' * 64}", f"DEALLOCATE {'n' * 64}",
                                   "PREPARE"),
    "prepared by a DO": ("DO $$BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END$$", "EXECUTE p", "DEALLOCATE ALL", "PREPARE"),
    "by a DO": ("DO $$BEGIN PERFORM pg_advisory_lock(7); END$$", "DO $$BEGIN END$$",
                "DO $$BEGIN PERFORM pg_advisory_unlock(7); END$$", "session advisory lock"),
    "a table by a DO": ("DO $$BEGIN CREATE TEMP TABLE t (id int); END$$", "SELECT * FROM t",
                        "DO $$BEGIN DROP TABLE t; END$$", "temporary object"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_pin_begins_and_ends_with_its_state(start, name):
    begins, keeps, ends, reason = STATES[name]
    daemon = start()
    with login(daemon, application_name="holder") as session:
        pid = session.value(PID)
        session.ok(begins)
        wait_until(lambda: pins(daemon), 10)
        assert session.value(PID) == pid
        with waits(daemon) as other:
            session.ok(keeps)
            session.ok("SELECT 1")
            row = pins(daemon)[0]
            assert (row["pin"], row["application_name"], row["user"]) == (reason, "holder", USER), row
            assert row["remote_pid"] == int(pid) and row["pin_seconds"] >= 0 and not re.search(r"\b7\b", row["statement"])
            assert other.silent(0.05)
            session.ok(ends)
            gets_it(other, pid)
        wait_until(lambda: not pins(daemon), 10)
        assert session.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
        assert session.value(PID) == pid


@pytest.mark.parametrize("statements", [
    ["CREATE TEMP TABLE t (id int) ON COMMIT DROP"],
    ["BEGIN", "CREATE TEMP TABLE t (id int) ON COMMIT DROP", "COMMIT"],
    ["BEGIN", "CREATE TEMP TABLE t (id int)", "ROLLBACK"],
    ["BEGIN", "CREATE TEMP TABLE t (id int)", "DROP TABLE t", "COMMIT"],
    ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE c", "COMMIT"],
    ["BEGIN", "LISTEN a", "ROLLBACK"],
    ["BEGIN", "SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)", "COMMIT"],
    ["SELECT pg_advisory_lock(7), pg_advisory_unlock(7)"],
    ["CREATE TEMP TABLE t (id int); DROP TABLE t"],
    ["DO $$BEGIN PERFORM 1; END$$"],
    ["BEGIN", "DO $$BEGIN CREATE TEMP TABLE t (id int) ON COMMIT DROP; END$$", "COMMIT"],
])
def test_what_leaves_nothing_behind_pins_nothing(start, statements):
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        pid = session.value(PID)
        for sql in statements:
            session.ok(sql)
        assert other.value(PID) == pid
        assert not pins(daemon)
        metrics = scrape(daemon.http_port)
        assert metrics.series("leasehold_pool_pinned") == [] and metrics.series("leasehold_pool_pins_total") == []


def test_what_fails_pins_nothing(start):
    daemon = start()
    with login(daemon) as session, login(daemon) as other:
        for sql in ("CREATE TEMP TABLE t (id nonsense)", "PREPARE p AS nonsense", "CALL nothing()",
                    "SELECT pg_advisory_lock(1/0)", "DECLARE c CURSOR WITH HOLD FOR SELECT 1/0"):
            assert session.query(sql).errors, sql
            assert other.value("SELECT 1") == "1"


def test_a_rollback_keeps_the_locks_of_the_session(start):
    daemon = start()
    with login(daemon) as session:
        pid = session.value(PID)
        session.ok("BEGIN")
        session.ok("SELECT pg_advisory_lock(7)")
        session.ok("ROLLBACK")
        with waits(daemon) as other:
            assert pins(daemon)[0]["pin"] == "session advisory lock"
            assert session.extended("SELECT pg_advisory_unlock($1)", ["7"]).value() == "t"
            gets_it(other, pid)


def test_a_pin_ends_by_a_way_that_nobody_saw_once_somebody_waits(start, postgres):
    daemon = start()
    postgres.query("CREATE OR REPLACE FUNCTION public.lets_go() RETURNS bool LANGUAGE sql AS"
                   " 'SELECT pg_advisory_unlock(7)'", database="orders")
    with login(daemon) as session:
        pid = session.value(PID)
        session.ok("SELECT pg_advisory_lock(7)")
        session.ok("SELECT public.lets_go()")
        with login(daemon) as other:
            assert other.value(PID) == pid


# What a session may do to mislead whoever asks in its place, or to be unable to answer.
TRICKS = {
    "operators": [
        "CREATE SCHEMA IF NOT EXISTS tricks",
        "CREATE OR REPLACE FUNCTION tricks.never(oid, integer) RETURNS bool LANGUAGE sql AS 'SELECT false'",
        "CREATE OR REPLACE FUNCTION tricks.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 0'",
        "CREATE TABLE IF NOT EXISTS tricks.pg_locks (locktype text, pid int)",
        "DO $$BEGIN CREATE OPERATOR tricks.= (LEFTARG = oid, RIGHTARG = integer, FUNCTION = tricks.never);"
        " EXCEPTION WHEN duplicate_function THEN NULL; END$$",
        "SET search_path = tricks, pg_catalog"],
    "statement_timeout": ["SET statement_timeout = 1"],
    "serializable": ["SET default_transaction_isolation = 'serializable'", "SET default_transaction_read_only = on",
                     "SET default_transaction_deferrable = on"],
    "role": ["SET ROLE pg_signal_backend"],
    "spelling": ["SET transform_null_equals = on", "SET standard_conforming_strings = off",
                 "SET backslash_quote = off", "SET quote_all_identifiers = on"],
}


@pytest.mark.parametrize("name", TRICKS)
def test_nothing_that_a_session_sets_deceives_the_audit(start, postgres, name):
    postgres.query(f'GRANT pg_signal_backend TO "{USER}"')
    daemon = start()
    with login(daemon) as session:
        session.ok("SELECT pg_advisory_lock(7)")
        session.ok("LISTEN a")
        for sql in TRICKS[name]:
            session.ok(sql)
        session.ok("UNLISTEN *")
        session.ok("SELECT pg_catalog.pg_advisory_unlock(8)")
        wait_until(lambda: len(pins(daemon)) == 1, 10)
        assert session.query("SELECT pg_catalog.pg_advisory_unlock(7)").value() == "t"
    with login(daemon) as other:
        wait_until(lambda: not pins(daemon), 10)
        assert other.value("SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory'") == "0"


def test_the_audit_is_not_the_clients_statement(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "echo": True}})
    with login(daemon) as session:
        session.ok("CREATE TEMP TABLE t (id int)")
        reply = session.query("DROP TABLE t")
        assert reply.tags == ["DROP TABLE"] and reply.kinds == "CZ" and reply.status == "I"
        assert session.silent(0.1)
    wait_until(lambda: "DROP TABLE" in daemon.log_text(), 10)
    assert "pg_my_temp_schema" not in daemon.log_text()


def test_notifications_that_come_during_an_audit_are_delivered(start, postgres):
    daemon = start()
    with login(daemon) as session, contextlib.closing(postgres.connect("orders")) as notifier:
        session.ok("LISTEN news")
        heard = []
        for turn in range(60):
            session.send(pgwire.query("CREATE TEMP TABLE t (id int)"), pgwire.query("DROP TABLE t"))
            notifier.cursor().execute(f"NOTIFY news, '{turn}'")
            for _ in range(2):
                heard += session.reply().notifications
        session.send(pgwire.query("SELECT 1"))
        heard += session.reply().notifications
        wait_until(lambda: len(heard) == 60 or heard.extend(session.query("SELECT 1").notifications), 10)


def test_many_sessions_share_two_backends_once_their_state_is_gone(start, postgres):
    daemon = start(pool_size=2)
    rounds = (("CREATE TEMP TABLE t (id int)", "DROP TABLE t"),
              ("SELECT pg_advisory_lock({n})", "SELECT pg_advisory_unlock({n})"),
              ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE c"),
              ("LISTEN \"\u00e9\"", "UNLISTEN *"), ("PREPARE p AS SELECT 1", "EXECUTE p"))
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon)) for _ in range(200)]
        for n, session in enumerate(sessions):
            for begins, ends in rounds:
                session.ok(begins.format(n=n))
                session.ok(ends.format(n=n))
        assert len({session.value(PID) for session in sessions}) <= 2
        assert not pins(daemon)
    metrics = scrape(daemon.http_port)
    counted = {labels["reason"]: value for labels, value in metrics.series("leasehold_pool_pins_total")}
    assert counted == dict.fromkeys(("temporary object", "session advisory lock", "cursor WITH HOLD", "LISTEN"), 200)
    assert metrics.total("leasehold_pool_pinned") == 0


def test_pgbench_pins_nothing(start, postgres):
    daemon = start(pool_size=2)
    command = [postgres_bin("pgbench"), "-h", "127.0.0.1", "-p", str(daemon.port), "-U", USER]
    environment = {"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
    subprocess.run([*command, "-i", "-q", "-s", "1", "orders"], env=environment, check=True, capture_output=True)
    for protocol in ("simple", "extended", "prepared"):
        done = subprocess.run([*command, "-n", "-M", protocol, "-c", "4", "-j", "4", "-t", "20", "orders"], env=environment,
                              check=True, capture_output=True, text=True)
        assert "80/80" in done.stdout
    assert scrape(daemon.http_port).series("leasehold_pool_pins_total") == []


# --- by hand, by time, and what others are told; both databases ------------------------------------------------------

def test_a_session_pins_itself_by_hand(start):
    daemon = start()
    with login(daemon, application_name="holder") as session:
        pid = session.value("/* leasehold: pin */ " + PID)
        with waits(daemon) as other:
            assert pins(daemon)[0]["pin"] == "by hand"
            assert session.value(PID) == pid and other.silent(0.05)
            session.ok("/* leasehold: unpin */")
            gets_it(other, pid)


# (what pins, how it is told to its session; None: nothing is lost, and the session lives)
IDLE = {
    **{name: (begin, reason) for name, (begin, _, _, reason) in STATES.items() if name not in ("all locks", "lock taken twice")},
    "lock": ("SELECT pg_advisory_lock_shared(1)", "session advisory lock"),
    "by a DO": ("DO $$BEGIN PERFORM pg_advisory_lock_shared(1); END$$", "session advisory lock"),
    "by hand": ("/* leasehold: pin */ SELECT 1", "what it had pinned by hand"),
    "search_path": ("SELECT set_config('search_path', 'pg_temp', false)", "SET search_path"),
    "expression": ("SELECT set_config('work_mem', 1 || 'MB', false)", "set_config()"),
    "set": ("SET temp_buffers = 900", "SET temp_buffers"),
    "not in ASCII": ("SET a.b = '\u00e9'", "SET a.b"),
    "seed": ("SELECT setseed(0.5)", "seed of random()"),
    "numbers": ("SELECT lastval()", "currval() or lastval()"),
    "loaded": ("LOAD 'nothing'", "LOAD"),
    "encoding": ("SET client_encoding = 'SJIS'", None),
}


def test_every_kind_of_pin_ends_when_it_idles_too_long(start):
    daemon = start(pool_size=len(IDLE), pin_idle_timeout="1s")
    with contextlib.ExitStack() as stack:
        sessions = {name: stack.enter_context(login(daemon, application_name=name)) for name in IDLE}
        for name, (begin, _) in IDLE.items():
            sessions[name].query(begin)
        for name, (_, reason) in IDLE.items():
            if reason is None:
                continue
            told = sessions[name].reply()
            assert (told.sqlstate, told.status) == ("57P01", None), (name, told)
            assert f": {reason} was lost: idle for " in told.error.message, (name, told.error.message)
            assert "(pin_idle_timeout)" in told.error.message
        wait_until(lambda: not pins(daemon) and pool(daemon)["sv_active"] == 0, 20, "the pins' end")
        for name, (_, reason) in IDLE.items():
            if reason is None:
                assert sessions[name].value("SHOW client_encoding") == "SJIS"
        wait_until(lambda: 'pin="temporary object"' in daemon.log_text(), 10, "the record")
        with login(daemon) as other:
            assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    assert scrape(daemon.http_port).total("leasehold_pool_quarantines_total", reason="pin_idle_timeout") >= len(IDLE)


def test_in_session_mode_a_pin_that_idles_too_long_ends_the_session_only_where_it_loses_something(start):
    daemon = start(mode="session", pin_idle_timeout="300ms", pool_size=2)
    with login(daemon) as clean, login(daemon) as stateful:
        clean.ok("SET work_mem = '7MB'")
        stateful.ok("CREATE TEMP TABLE t (id int)")
        assert stateful.reply().sqlstate == "57P01"
        wait_until(lambda: not pins(daemon), 10, "the pins' end")
        assert clean.value("SHOW work_mem") == "7MB"


def test_who_waits_in_vain_is_told_what_pins(start):
    daemon = start(pool_size=3, pool_timeout="300ms")
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon)) for _ in range(4)]
        sessions[0].ok("CREATE TEMP TABLE t (id int)")
        sessions[1].ok("CREATE TEMP TABLE t (id int)")
        sessions[2].ok("LISTEN \"\u00e9\"")
        wait_until(lambda: len(pins(daemon)) == 3, 10)
        error = sessions[3].query("SELECT 1").error
        assert error.sqlstate == "53300"
        assert "3 of 3 pinned: 1 by LISTEN, 2 by temporary object, the oldest for " in error.message, error.message


@pytest.fixture(params=["mariadb", "mysql97"])
def start_mysql(request, leasehold):
    server = request.getfixturevalue(request.param)

    def one(**keys):
        keys = {"pool_size": 1, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"shop": {"url": server.url("shop", USER, PASSWORD), **keys}},
                         http=True)
    return one


def mysql(daemon):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=30)


def test_mysqls_pins_are_shown_counted_and_had_by_hand_likewise(start_mysql):
    daemon = start_mysql(pool_timeout="300ms")
    with mysql(daemon) as session, mysql(daemon) as other:
        session.query("CREATE TEMPORARY TABLE secret SELECT 4711")
        row = wait_until(lambda: pins(daemon), 10)[0]
        assert (row["database"], row["user"]) == ("shop", USER) and row["pin_seconds"] >= 0
        assert "secret" in row["statement"] and "4711" not in row["statement"]
        with pytest.raises(mywire.ServerError, match="1 of 1 pinned: 1 by temporary table"):
            other.query("SELECT 1")
        assert scrape(daemon.http_port).total("leasehold_pool_pins_total", pool="shop") == 1
        session.quit()
        wait_until(lambda: not pins(daemon), 10)
        assert other.value("/* leasehold: pin */ SELECT 1") == "1"
        assert wait_until(lambda: pins(daemon), 10)[0]["pin"] == "by hand"
        assert other.value("/* leasehold: unpin */ SELECT 2") == "2"
        wait_until(lambda: not pins(daemon), 10)


def test_an_audit_leaves_the_sessions_unnamed_statement_alone(start):
    daemon = start()
    with login(daemon) as session:
        session.ok("SELECT pg_advisory_lock(7)")
        session.send(pgwire.parse("", "SELECT 'kept', pg_advisory_unlock(8)"), pgwire.SYNC)
        assert not session.reply().errors
        for _ in range(3):  # each of them is followed by an audit
            session.send(pgwire.bind(), pgwire.execute(), pgwire.SYNC)
            assert session.reply().value() == "kept"


@pytest.mark.parametrize("path", ["PG_TEMP", "public, Pg_Temp", "pg_temp"])
def test_a_search_path_that_makes_tables_temporary_pins_however_it_is_spelt(start, path):
    # set_config() folds it as the server does: a table made by this path is unseen by others, and must not stay behind.
    daemon = start()
    with login(daemon) as session:
        session.ok(f"SELECT set_config('search_path', '{path}', false)")
        assert [row["pin"] for row in pins(daemon)] == ["SET search_path"]
        session.ok("CREATE TABLE unseen (id int)")
        with waits(daemon, "SELECT to_regclass('pg_temp.unseen'), current_setting('search_path')") as other:
            session.drop()
            assert other.reply().rows == [(None, '"$user", public')]


def test_what_such_a_search_path_has_made_pins_when_it_is_gone(start):
    daemon = start()
    with login(daemon) as session:
        for made, pinned in (("SELECT 1", []), ("CREATE TABLE unseen (id int)", ["temporary object"])):
            session.ok("SELECT set_config('search_path', 'pg_temp', false)")
            session.ok(made)
            session.ok("RESET search_path")
            # The reply comes first, and what is left is asked behind it.
            wait_until(lambda: [row["pin"] for row in pins(daemon)] == pinned, 10, pinned)
        session.ok("DROP TABLE pg_temp.unseen")
        wait_until(lambda: not pins(daemon), 10)
