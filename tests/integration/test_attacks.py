# SPDX-License-Identifier: Apache-2.0
"""Attacks by hostile or careless clients that once got through, or that must never: one pool, one backend, two sessions."""
import time

import pgwire
import pytest
from conftest import PASSWORD, USER, login
from pgwire import FLUSH, SYNC, bind, execute, parse, query, run
from servers import wait_until


@pytest.fixture
def single(leasehold, postgres):
    """A daemon with a pool of one backend; nobody waits for it longer than a moment."""
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0,
                                       "pool_timeout": "300ms"}})


def relation(name):
    return f"SELECT count(*) FROM pg_class WHERE relname = '{name}'"


# Symptom: the text made a session setting or a temporary table, and the next client of the backend found it.
# Each: what the startup packet asks for, the queries (sent in one piece), where it would be seen.
STATE = {
    "rules for quotes changed ahead of the text":
        ({}, ["BEGIN", "SET LOCAL standard_conforming_strings = off",
              r"SELECT 'a\', '; SET work_mem = 99999; --'", "COMMIT"], "SHOW work_mem"),
    "a parameter called begin":
        ({}, ["CREATE OR REPLACE FUNCTION attack(begin int) RETURNS int LANGUAGE sql AS 'SELECT 1'; SET work_mem = '99MB'"],
         "SHOW work_mem"),
    "a column called case in a function's body":
        ({}, ["CREATE OR REPLACE FUNCTION attack2() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1 AS case; END;"
              " SET work_mem = '99MB'"], "SHOW work_mem"),
    "an update of pg_settings":
        ({}, ["UPDATE pg_settings SET setting = '99000' WHERE name = 'work_mem'"], "SHOW work_mem"),
    "pg_temp as a string":
        ({}, ["BEGIN", "SET LOCAL search_path = 'pg_temp'", "CREATE TABLE hidden1 (a int)", "COMMIT"],
         relation("hidden1")),
    "pg_temp in the startup packet":
        ({"search_path": "pg_temp, public"}, ["CREATE TABLE hidden2 (a int)"], relation("hidden2")),
    "a very long text": ({}, ["SELECT '" + "x" * 300000 + "'; SET work_mem = '99MB'"], "SHOW work_mem"),
    "a nested comment": ({}, ["/*/* ' */ ' */ SET work_mem = '99MB'"], "SHOW work_mem"),
    "an escape string behind a number": ({}, [r"SELECT 1e'\' x'; SET work_mem = '99MB' --'"], "SHOW work_mem"),
}


@pytest.mark.parametrize("attack", STATE)
def test_state_hidden_from_the_lexer_reaches_no_other_session(single, attack):
    startup, queries, look = STATE[attack]
    other = login(single)
    clean = other.value(look)
    owner = login(single, **startup)
    owner.send(*map(query, queries))
    for _ in queries:
        owner.reply()
    seen = other.query(look)
    assert seen.sqlstate == "53300" or seen.value() == clean
    owner.terminate()
    wait_until(lambda: other.query("SELECT 1").status == "I", 2, "the backend", 0.05)
    assert login(single).value(look) == clean


# Symptom: a literal becomes a value when its statement is parsed; two sessions with the same text under different
# settings shared one statement, and the second read the first one's date.
@pytest.mark.parametrize("setting, sql, answers", [
    ("DateStyle", "SELECT '01/02/2026'::date", {"ISO, DMY": "2026-02-01", "ISO, MDY": "2026-01-02"}),
    ("client_encoding", "SELECT length('é')", {"LATIN1": "2", "UTF8": "1"}),
    ("TimeZone", "SELECT (extract(epoch FROM '2026-01-01 12:00'::timestamptz)::int / 3600 % 24)::text",
     {"Asia/Tokyo": "3", "UTC": "12"}),
])
def test_a_prepared_text_means_what_its_own_session_set(single, setting, sql, answers):
    sessions = {value: login(single, **{setting: value}) for value in answers}
    for session in sessions.values():
        session.send(parse("same", sql), SYNC)
        assert session.reply().kinds == "1Z"
    for _ in range(2):
        for value, session in sessions.items():
            session.send(bind("same"), execute(), SYNC)
            assert session.reply().rows == [(answers[value],)], value


# Symptom: Execute and Flush, no Sync, then gone: finding the end of the replies by a Sync committed what nobody had
# asked to commit.
@pytest.mark.parametrize("ending", ["drop", "reset", "terminate"])
@pytest.mark.parametrize("flushed", [True, False])
def test_a_pipeline_without_its_sync_is_rolled_back(single, postgres, ending, flushed):
    postgres.query("CREATE TABLE IF NOT EXISTS unsynced (a int); GRANT ALL ON unsynced TO app", database="orders")
    session = login(single)
    session.send(run("INSERT INTO unsynced VALUES (1)"), FLUSH if flushed else b"")
    time.sleep(0.05)
    getattr(session, ending)()
    assert login(single).value("SELECT count(*) FROM unsynced") == "0"


def test_statements_deallocated_behind_the_pools_back_are_there_again(single):
    session = login(single)
    session.send(parse("mine", "SELECT 'mine', $1::int"), SYNC)
    session.reply()
    for attack in ("DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$", "SELECT 1; DEALLOCATE ALL", "DEALLOCATE ALL; SELECT 1/0",
                   "DISCARD ALL"):
        with login(single) as other:
            other.query(attack)
        session.send(bind("mine", values=[1]), execute(), SYNC)
        assert session.reply().rows == [("mine", "1")], attack


def test_cancel_requests_never_hit_the_next_session(single):
    target, bystander = login(single), login(single)
    for _ in range(40):
        target.ok("SELECT 1")
        pgwire.cancel(single.port, target.key)
        assert bystander.query("SELECT pg_sleep(0.002)").sqlstate is None
