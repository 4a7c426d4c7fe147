# SPDX-License-Identifier: Apache-2.0
"""What one session did to the only backend is never met by another: settings whose transaction ended in a way of its own,
texts that were read under other rules, statements parsed where names meant something else, and what cannot be undone."""
import contextlib

import pytest
from conftest import PASSWORD, USER, login
from pgwire import SYNC, bind, execute, parse, query, run
from servers import wait_until


@pytest.fixture
def pair(leasehold, postgres):
    """A factory: two sessions of a pool of one backend, the first with these parameters at its start."""
    with contextlib.ExitStack() as stack:
        def start(pool_timeout="10s", **first):
            keys = {"pool_size": 1, "max_overflow": 0, "pool_timeout": pool_timeout}
            daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **keys}})
            return [stack.enter_context(login(daemon, **with_)) for with_ in (first, {})]
        yield start


def replies(session, *parts, count):
    session.send(*parts)
    return [session.reply() for _ in range(count)]


def unharmed(first, second, name="work_mem", usual="4MB"):
    """The second has the usual value: once the first, whose pin may keep the backend, is gone."""
    first.terminate()
    assert second.value(f"SHOW {name}") == usual


def test_what_prepare_transaction_keeps_of_settings_is_the_sessions_own(pair, postgres):
    first, second = pair()
    try:
        reply = first.query("SET work_mem = '7MB'; PREPARE TRANSACTION 'kept'; SELECT 1/0")
        assert reply.tags == ["SET", "PREPARE TRANSACTION"] and reply.sqlstate == "22012"
        assert second.value("SHOW work_mem") == "4MB"
        assert first.value("SHOW work_mem") == "7MB"
    finally:
        with contextlib.suppress(Exception):
            postgres.query("ROLLBACK PREPARED 'kept'", database="orders")


@pytest.mark.parametrize("start", [{}, {"TimeZone": "Europe/Paris", "work_mem": "3MB"}])
@pytest.mark.parametrize("sql, name, value", [("SET TimeZone = 'Asia/Tokyo'", "TimeZone", "Asia/Tokyo"),
                                              ("SET DateStyle = 'German'", "DateStyle", "German, DMY"),
                                              ("SET work_mem = '7MB'", "work_mem", "7MB")])
def test_what_a_pipeline_sets_behind_its_discard_all_stays_set(pair, start, sql, name, value):
    first, second = pair(**start)
    usual = second.value(f"SHOW {name}")
    first.ok("SET DateStyle = 'SQL'")
    reply, = replies(first, run("DISCARD ALL"), run(sql), SYNC, count=1)
    assert reply.tags == ["DISCARD ALL", "SET"]
    assert second.value(f"SHOW {name}") == usual
    assert first.value(f"SHOW {name}") == value
    unharmed(first, second, name, usual)


def test_what_a_procedure_commits_before_an_error_stays_set(pair):
    first, second = pair()
    first.ok("CREATE OR REPLACE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    reply, = replies(first, run("SET work_mem = '7MB'"), run("CALL commits()"), run("SELECT 1/0"), SYNC, count=1)
    assert reply.sqlstate == "22012"
    assert first.value("SHOW work_mem") == "7MB"
    unharmed(first, second)


@pytest.mark.parametrize("sql", ["SET LOCAL TimeZone = 'Asia/Tokyo'", "SET TimeZone = 'Asia/Tokyo'"])
def test_a_lost_transaction_takes_its_reported_settings_along(pair, postgres, sql):
    first, _ = pair(application_name="mine")
    first.ok("SET application_name = 'before'")
    first.send(query("BEGIN"), query(sql), query("SET LOCAL application_name = 'within'"))
    assert [first.reply().status for _ in range(3)] == ["T", "T", "T"]
    pid = first.value("SELECT pg_backend_pid()")
    postgres.terminate(int(pid))
    wait_until(lambda: not postgres.value(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"), 10, "its end")
    assert first.query("SELECT 1").sqlstate == "40001"
    first.query("ROLLBACK")
    reply = first.query("SELECT current_setting('TimeZone'), current_setting('application_name')")
    assert reply.rows == [("UTC", "before")]
    assert reply.parameters == {"TimeZone": "UTC", "application_name": "before"}


def test_a_text_that_was_read_in_another_encoding_leaves_nothing_to_others(pair):
    first, second = pair()
    hidden = b"SELECT E'\x95\x5c'; SET work_mem = '77MB' --'"  # one character, whose second byte is a backslash
    sent = [query("SET client_encoding = 'SJIS'"), query(hidden), query("SET client_encoding = 'UTF8'")]
    assert [reply.sqlstate for reply in replies(first, *sent, count=3)] == [None] * 3
    assert first.value("SHOW work_mem") == "77MB"
    unharmed(first, second)


@pytest.mark.parametrize("reset", ["RESET ALL", "DISCARD ALL"])
def test_a_text_that_was_read_with_other_strings_leaves_nothing_to_others(pair, reset):
    first, second = pair(options="-c standard_conforming_strings=off")
    sent = run(reset), run(r"SELECT '\', set_config('work_mem', '77MB', false) --'"), SYNC
    assert replies(first, *sent, count=1)[0].status == "I"
    assert first.value("SHOW standard_conforming_strings") == "off"
    unharmed(first, second)


DAYS = "SELECT '01/02/2026'::date - '2026-01-01'::date"  # 1 or 31: the literal is read when the text is parsed
PREPARED = parse("days", DAYS) + bind("days") + execute() + SYNC
GERMAN = "SET DateStyle = 'SQL, DMY'"


@pytest.mark.parametrize("before", [
    [query(GERMAN)], [run(GERMAN)], [run(GERMAN), SYNC], [query("BEGIN; SET LOCAL DateStyle = 'SQL, DMY'")],
    [query("SELECT set_config('DateStyle', 'SQL, DMY', false)")],
], ids=["simple", "same segment", "extended", "local", "set_config"])
def test_a_literal_read_behind_a_pipelined_set_is_nobody_elses(pair, before):
    first, second = pair()
    count = 2 if len(before) == 2 or before[0][:1] == b"Q" else 1
    assert replies(first, *before, PREPARED, count=count)[-1].value() == "31"
    first.query("COMMIT")
    assert replies(second, PREPARED, count=1)[0].value() == "1"


def test_a_literal_read_behind_a_pipelined_commit_is_nobody_elses(pair):
    first, second = pair()
    first.ok("BEGIN")
    first.ok("SET LOCAL DateStyle = 'SQL, DMY'")
    assert replies(first, query("COMMIT"), PREPARED, count=2)[-1].value() == "1"
    second.ok(GERMAN)
    assert replies(second, PREPARED, count=1)[0].value() == "31"


READS = parse("reads", "SELECT * FROM shadowed") + bind("reads") + execute() + SYNC


def test_a_statement_parsed_beside_a_temporary_table_is_nobody_elses(pair):
    first, second = pair()
    second.ok("DROP TABLE IF EXISTS shadowed; CREATE TABLE shadowed (a text, b int)")
    assert replies(second, READS, count=1)[0].sqlstate is None
    first.ok("CREATE TEMP TABLE shadowed (a int)")
    assert replies(first, READS, count=1)[0].sqlstate is None
    first.ok("DROP TABLE shadowed")
    reply, = replies(second, bind("reads"), execute(), SYNC, count=1)
    assert reply.sqlstate is None, reply


def test_a_statement_parsed_under_a_role_is_not_another_roles(pair, postgres):
    for sql in ("DROP ROLE IF EXISTS weaver", "CREATE ROLE weaver", f"GRANT weaver TO {USER}"):
        postgres.query(sql)
    postgres.query("CREATE SCHEMA weaver AUTHORIZATION weaver; CREATE TABLE weaver.shadowed (a int);"
                   "ALTER TABLE weaver.shadowed OWNER TO weaver", database="orders")
    try:
        first, second = pair()
        second.ok("DROP TABLE IF EXISTS shadowed; CREATE TABLE shadowed (a text, b int)")
        first.ok("SET ROLE weaver")
        assert replies(first, READS, count=1)[0].sqlstate is None
        reply, = replies(second, READS, count=1)
        assert reply.sqlstate is None, reply
    finally:
        postgres.query("DROP SCHEMA weaver CASCADE; DROP ROLE weaver", database="orders")


def test_a_setting_that_only_a_role_may_set_pins_and_harms_nobody(pair, postgres):
    for sql in ("DROP ROLE IF EXISTS mighty", "CREATE ROLE mighty SUPERUSER", f"GRANT mighty TO {USER}"):
        postgres.query(sql)
    try:
        first, second = pair()
        first.ok("SET ROLE mighty")
        first.ok("SET log_min_duration_statement = 12345")
        first.ok("SET work_mem = '7MB'")
        assert first.value("SHOW log_min_duration_statement") == "12345ms"
        unharmed(first, second, "log_min_duration_statement", "-1")
    finally:
        postgres.query("DROP ROLE mighty")


def test_a_setting_that_cannot_be_taken_back_by_its_name_refuses_nobody_else(pair):
    first, second = pair()
    first.ok("SET plpgsql.unknown = 'x'")  # allowed until the library is loaded, which forgets it
    first.ok("CREATE OR REPLACE FUNCTION loads() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'")
    assert first.value("SELECT loads()") == "1"
    assert second.value("SELECT 1") == "1"


SETS = "CREATE OR REPLACE FUNCTION sets() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('{}', '{}', false); END$$"


def test_a_function_whose_setting_is_taken_back_behind_it_is_not_trusted(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    with login(daemon) as first, login(daemon) as second:
        first.ok(SETS.format("enable_seqscan", "off"))
        for _ in range(25):
            replies(first, query("SELECT sets()"), query("RESET enable_seqscan"), count=2)
            replies(first, query("SELECT sets(); RESET enable_seqscan"), count=1)
        first.ok("SELECT sets()")
        assert second.value("SHOW enable_seqscan") == "on"
        assert first.value("SHOW enable_seqscan") == "off"
        first.ok("DROP FUNCTION sets()")


def test_what_a_function_of_a_superuser_sets_harms_nobody(pair, postgres):
    postgres.query(SETS.format("log_min_duration_statement", "12345").replace(" AS ", " SECURITY DEFINER AS "), database="orders")
    try:
        first, second = pair()
        first.ok("SELECT sets()")
        assert first.value("SHOW log_min_duration_statement") == "12345ms"
        unharmed(first, second, "log_min_duration_statement", "-1")
    finally:
        postgres.query("DROP FUNCTION sets()", database="orders")
