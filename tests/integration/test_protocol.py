# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's protocol message by message: whatever a dedicated connection answers, a shared one answers too."""
import itertools
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from pgwire import SYNC, bind, describe, execute, parse, query, run
from servers import wait_until


@pytest.fixture
def daemon(leasehold, postgres):
    postgres.query("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY); GRANT ALL ON t TO app",
                   database="orders")
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 0,
                                       "pool_timeout": "5s", "prepared_per_backend": 20}})


@pytest.fixture
def login(daemon, postgres):
    """A factory of logged-in sessions, dropped at the end."""
    sessions = []

    def start(**parameters):
        sessions.append(pgwire.connect(daemon.port, USER, "orders", PASSWORD, **parameters))
        return sessions[-1]

    yield start
    for session in sessions:
        session.drop()
    end_all(postgres)


def end_all(postgres):
    """A failed test's statements must not fail the next one too."""
    postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [USER])


@pytest.fixture
def rows(postgres):
    return lambda: [row[0] for row in postgres.query("SELECT id FROM t ORDER BY id", database="orders")]


# --- pipelines ----------------------------------------------------------------------------------------------------

def test_an_error_in_a_pipeline_skips_to_its_sync_and_no_further(login, rows):
    session = login()
    session.send(run("INSERT INTO t VALUES (1)"), SYNC,
                 run("INSERT INTO t VALUES (2)"), run("SELECT 1/0"), run("INSERT INTO t VALUES (3)"), SYNC,
                 run("INSERT INTO t VALUES (4)"), SYNC)
    first, second, third = session.reply(), session.reply(), session.reply()
    assert (first.kinds, first.tags, first.status) == ("12nCZ", ["INSERT 0 1"], "I")
    assert (second.sqlstate, second.status) == ("22012", "I") and second.kinds.endswith("EZ")
    assert (third.tags, third.status) == (["INSERT 0 1"], "I")
    assert rows() == [1, 4]
    assert session.silent(0.1)


def test_many_queries_sent_at_once_are_answered_one_by_one(login):
    session = login()
    session.send(*[query(f"SELECT {n}") if n % 7 else query("SELECT 1/0") for n in range(1, 101)])
    for n in range(1, 101):
        reply = session.reply()
        assert (reply.sqlstate == "22012") if n % 7 == 0 else (reply.value() == str(n))
    assert session.silent(0.1)


def test_a_transaction_sent_at_once_with_its_commit_and_what_follows(login, rows):
    session, other = login(), login()
    session.send(query("BEGIN"), query("INSERT INTO t VALUES (1)"), query("COMMIT"), query("BEGIN"),
                 run("INSERT INTO t VALUES (2)"), SYNC, query("ROLLBACK"), query("SELECT 'end'"))
    assert [session.reply().status for _ in range(7)] == list("TTITTII")
    assert rows() == [1]
    assert other.value("SELECT 1") == "1"


def test_messages_in_pieces_are_the_same_as_whole_ones(daemon, login):
    session = login()
    data = run("SELECT $1::text", ["piece"]) + SYNC + query("SELECT 2") + run("SELECT 3") + SYNC
    for byte in data:
        session.send(bytes([byte]))
    assert [session.reply().value() for _ in range(3)] == ["piece", "2", "3"]


def test_half_a_message_after_a_finished_transaction_keeps_nobody_waiting(login):
    sessions = [login() for _ in range(2)]  # as many as there are backends
    tail = query("SELECT 'rest'")
    for session in sessions:
        session.send(query("SELECT 'whole'"), tail[:7])
        assert session.reply().value() == "whole"
    assert login().value("SELECT 'third'") == "third"
    for session in sessions:
        session.send(tail[7:])
        assert session.reply().value() == "rest"


def test_flush_is_answered_at_once_and_is_no_boundary(login):
    session, other = login(), login()
    session.send(parse("s", "SELECT 7"), pgwire.FLUSH)
    assert session.read()[0] == "1"
    assert session.silent(0.1)
    session.send(bind("s"), execute(), pgwire.FLUSH)
    assert [session.read()[0] for _ in range(3)] == ["2", "D", "C"]
    assert other.value("SELECT 1") == "1"
    session.send(SYNC)
    assert session.reply().kinds == "Z"


def test_sync_alone_and_the_empty_query_are_answered(login):
    session = login()
    session.send(SYNC, query(""), SYNC)
    assert [session.reply().kinds for _ in range(3)] == ["Z", "IZ", "Z"]


def test_a_function_call_is_a_request_like_others(login):
    session = login()
    four = (4).to_bytes(4, "big")
    body = (177).to_bytes(4, "big") + b"\0\1\0\1\0\2" + (four + four) * 2 + b"\0\1"  # int4pl(4, 4), binary
    session.send(pgwire.message(b"F", body))
    kind, value = session.read()
    assert (kind, value[-4:]) == ("V", (8).to_bytes(4, "big"))
    assert session.reply().status == "I"


# --- prepared statements ------------------------------------------------------------------------------------------

def test_sessions_use_the_same_names_for_different_statements(login):
    sessions = [login() for _ in range(6)]
    for number, session in enumerate(sessions):
        for name in ("", "a", "S_1", "weird \u00fc name"):
            session.send(parse(name, f"SELECT {number}, '{name}', $1::int"), SYNC)
            assert session.reply().kinds == "1Z"
    for turn, (number, session), name in itertools.product(range(3), enumerate(sessions), ("", "a", "S_1",
                                                                                           "weird \u00fc name")):
        session.send(describe("S", name), bind(name, values=[turn]), execute(), SYNC)
        reply = session.reply()
        assert reply.kinds == "tT2DCZ" and reply.rows == [(str(number), name, str(turn))], reply


def test_an_unnamed_statement_survives_until_its_session_replaces_it(login):
    first, second = login(), login()
    first.send(parse("", "SELECT 'first'"), SYNC)
    second.send(parse("", "SELECT 'second'"), SYNC)
    assert first.reply().kinds == second.reply().kinds == "1Z"
    for _ in range(4):
        for session, expected in ((first, "first"), (second, "second")):
            session.send(bind(), execute(), SYNC)
            assert session.reply().rows == [(expected,)]
    first.ok("SELECT 1")  # a simple query destroys the unnamed statement
    first.send(bind(), execute(), SYNC)
    assert first.reply().sqlstate == "26000"


def test_an_unnamed_statement_survives_what_leasehold_asks_its_backend(login):
    session = login()
    session.send(parse("", "SELECT 'kept'"), SYNC)
    assert session.reply().kinds == "1Z"
    time.sleep(1.2)  # a backend that was idle for a second is pinged
    session.send(bind(), execute(), SYNC)
    assert session.reply().rows == [("kept",)]


def test_an_unnamed_statement_survives_that_leasehold_brings_a_reset_setting_back(login):
    session = login(options="-c work_mem=5MB")
    session.query("BEGIN")
    session.send(parse("", "RESET work_mem"), bind(), execute(), SYNC)
    assert session.reply().kinds == "12CZ"
    session.send(bind(), execute(), SYNC)
    assert session.reply().kinds == "2CZ"
    assert session.query("SHOW work_mem").rows == [("5MB",)]


def test_an_unknown_statement_is_26000_and_the_session_lives(login):
    session = login()
    for messages in (bind("nowhere") + execute(), describe("S", "nowhere")):
        session.send(messages, SYNC)
        reply = session.reply()
        assert (reply.sqlstate, reply.status) == ("26000", "I"), reply
    session.ok("BEGIN")
    session.send(bind("nowhere"), execute(), run("SELECT 1"), SYNC)
    reply = session.reply()
    assert (reply.sqlstate, reply.status, reply.kinds) == ("26000", "E", "EZ")
    session.ok("ROLLBACK")
    assert session.value("SELECT 1") == "1"


def test_a_taken_name_is_42P05_until_it_is_closed(login):
    session = login()
    session.send(parse("s", "SELECT 'old'"), SYNC)
    session.reply()
    for _ in range(3):
        session.send(parse("s", "SELECT 'new'"), SYNC)
        reply = session.reply()
        assert (reply.sqlstate, reply.status) == ("42P05", "I"), reply
        session.send(bind("s"), execute(), SYNC)
        assert session.reply().rows == [("old",)]
    session.send(pgwire.close("S", "s"), parse("s", "SELECT 'new'"), bind("s"), execute(), SYNC)
    reply = session.reply()
    assert (reply.kinds, reply.rows) == ("312DCZ", [("new",)])
    session.send(pgwire.close("S", "never there"), SYNC)
    assert session.reply().kinds == "3Z"


def test_a_statement_that_failed_to_parse_is_not_there(login):
    session = login()
    session.send(parse("bad", "SELEC 1"), SYNC)
    assert session.reply().sqlstate == "42601"
    session.send(bind("bad"), execute(), SYNC)
    assert session.reply().sqlstate == "26000"
    session.send(parse("bad", "SELECT 'good'"), bind("bad"), execute(), SYNC)
    assert session.reply().rows == [("good",)]


def test_a_statement_parsed_after_an_error_in_its_pipeline_is_not_there(login):
    session = login()
    session.send(run("SELECT 1/0"), parse("skipped", "SELECT 1"), SYNC)
    assert session.reply().sqlstate == "22012"
    session.send(bind("skipped"), execute(), SYNC)
    assert session.reply().sqlstate == "26000"


def test_a_statement_outlives_the_rollback_of_the_transaction_that_made_it(login):
    session, other = login(), login()
    session.ok("BEGIN")
    session.send(parse("s", "SELECT 'mine'"), SYNC)
    session.reply()
    session.ok("ROLLBACK")
    for _ in range(3):
        assert other.value("SELECT 1") == "1"
        session.send(bind("s"), execute(), SYNC)
        assert session.reply().rows == [("mine",)]


def test_more_statements_than_a_backend_holds(login):
    session, other = login(), login()
    for number in range(60):  # prepared_per_backend is 20
        session.send(parse(f"s{number}", f"SELECT {number}"), SYNC)
        assert session.reply().kinds == "1Z"
    for number in list(range(60)) + list(range(59, -1, -1)):
        session.send(bind(f"s{number}"), execute(), SYNC)
        assert session.reply().rows == [(str(number),)]
        if number % 10 == 0:
            other.extended("SELECT 1", statement="s0")


def test_statements_are_there_again_after_their_backend_died(login, daemon, postgres):
    session = login()
    session.send(parse("s", "SELECT pg_backend_pid()"), bind("s"), execute(), SYNC)
    first = session.reply().value()
    postgres.terminate(int(first))
    daemon.lost(first)
    session.send(bind("s"), execute(), SYNC)
    assert session.reply().value() not in (None, first)


# --- portals and transactions -------------------------------------------------------------------------------------

def test_a_portal_is_read_in_portions_within_its_transaction(login):
    session = login()
    session.ok("BEGIN")
    session.send(parse("", "SELECT generate_series(1, 5)"), bind(portal="p"), execute("p", 2), SYNC)
    assert session.reply().kinds == "12DDsZ"
    session.send(execute("p", 2), SYNC)
    assert session.reply().kinds == "DDsZ"
    session.ok("COMMIT")
    session.send(execute("p", 2), SYNC)
    reply = session.reply()
    assert (reply.sqlstate, reply.status) == ("34000", "I")


def test_an_error_in_a_transaction_stays_until_rollback(login):
    session = login()
    session.ok("BEGIN")
    assert session.query("SELECT 1/0").status == "E"
    assert session.extended("SELECT 1").sqlstate == "25P02"
    assert session.query("COMMIT").tags == ["ROLLBACK"]
    assert session.value("SELECT 1") == "1"


def test_several_statements_in_one_query_are_one_transaction(login, rows):
    session = login()
    reply = session.query("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)")
    assert (reply.tags, reply.sqlstate, reply.status) == (["INSERT 0 1"], "23505", "I")
    assert session.query("INSERT INTO t VALUES (2); SELECT 1; BEGIN; SELECT 2").status == "T"
    assert session.query("ROLLBACK").status == "I"
    assert rows() == []


def test_notices_and_parameter_changes_arrive_with_their_statement(login):
    session, other = login(), login()
    reply = session.query("DO $$BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END$$")
    assert [notice["M"] for notice in reply.notices] == ["one", "two"]
    assert session.query("SET TimeZone = 'Asia/Tokyo'").parameters == {"TimeZone": "Asia/Tokyo"}
    assert other.query("SELECT 1").kinds == "TDCZ", "another session's parameters are not told"
    assert session.query("SELECT 1").kinds == "TDCZ"


# --- COPY ---------------------------------------------------------------------------------------------------------

def test_copy_in_and_out(login, rows):
    session = login()
    session.send(query("COPY t FROM STDIN"))
    assert session.read()[0] == "G"
    session.send(*[pgwire.copy_data(f"{n}\n".encode()) for n in range(1000)], pgwire.COPY_DONE)
    assert session.reply().tags == ["COPY 1000"]
    assert len(rows()) == 1000
    session.send(query("COPY (SELECT id FROM t ORDER BY id) TO STDOUT"))
    reply = session.reply()
    assert reply.kinds == "H" + "d" * 1000 + "cCZ"


def test_a_sync_sent_before_the_rows_of_a_copy_is_not_answered(login, rows):
    """libpq sends Execute and Sync, then the rows, then CopyDone and Sync: the server ignores the first Sync."""
    sessions = [login() for _ in range(3)]
    for number, session in enumerate(sessions):  # one more than there are backends: each lease ends
        session.send(parse("", "COPY t FROM STDIN"), bind(), execute(), SYNC)
        assert [session.read()[0] for _ in range(3)] == ["1", "2", "G"]
        session.send(pgwire.copy_data(f"{number}\n".encode()), pgwire.COPY_DONE, SYNC)
        assert session.reply().kinds == "CZ"
        assert session.silent(0.05)
    assert [session.value("SELECT 1") for session in sessions] == ["1"] * 3
    assert rows() == [0, 1, 2]


def test_a_copy_that_fails_on_either_side_leaves_the_session_in_order(login, rows):
    session = login()
    session.send(query("COPY t FROM STDIN"), pgwire.copy_data(b"1\n"), pgwire.copy_fail("changed my mind"))
    reply = session.reply()
    assert (reply.sqlstate, reply.status) == ("57014", "I") and "changed my mind" in reply.error.message
    session.send(query("COPY t FROM STDIN"), pgwire.copy_data(b"1\nnot a number\n"))
    time.sleep(0.1)
    session.send(*[pgwire.copy_data(b"2\n")] * 50, pgwire.COPY_DONE)  # the server drops what comes after its error
    reply = session.reply()
    assert (reply.sqlstate, reply.status) == ("22P02", "I"), reply
    assert session.value("SELECT 'in order'") == "in order"
    assert session.silent(0.1)
    assert rows() == []


@pytest.mark.parametrize("ending", ["drop", "reset", "terminate"])
def test_a_client_that_leaves_in_the_middle_of_a_copy_leaves_no_rows(login, postgres, rows, ending):
    for _ in range(3):  # more than there are backends
        session = login()
        session.send(query("COPY t FROM STDIN"), *[pgwire.copy_data(f"{n}\n".encode()) for n in range(100)])
        assert session.read()[0] == "G"
        getattr(session, ending)()
    wait_until(lambda: not [b for b in postgres.backends("%") if b["usename"] == USER and b["state"] != "idle"], 2,
               "the copies ended")
    assert rows() == []
    assert login().value("SELECT 1") == "1"


# --- the end ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("ending", ["drop", "reset"])
def test_a_pipeline_left_behind_is_cancelled_to_its_last_statement(login, postgres, ending):
    """A cancel request ends one statement only, and none if it comes before the server has begun."""
    for count in (1, 1, 1, 4):
        session = login()
        session.send(*[query("SELECT pg_sleep(20)"), run("SELECT pg_sleep(20)") + SYNC] * count)
        getattr(session, ending)()
    wait_until(lambda: not [b for b in postgres.backends("%") if b["usename"] == USER and b["state"] != "idle"], 2,
               "all statements ended", 0.05)
    with login() as session:
        assert session.value("SELECT 1") == "1"


def test_what_was_sent_before_terminate_is_executed_and_answered(daemon, login, rows):
    """A server works off what came before Terminate: a last INSERT is not lost because its client was in a hurry."""
    for number in range(10):
        session = login()
        session.send(query(f"INSERT INTO t VALUES ({number})"), pgwire.TERMINATE)
        assert session.reply().tags == ["INSERT 0 1"]
        assert session.closed_by_peer()
    for number in range(10, 20):
        session = login()
        session.send(query(f"INSERT INTO t VALUES ({number})"))
        session.terminate()
    wait_until(lambda: rows() == list(range(20)), 2, "all rows")
    wait_until(lambda: not [c for c in daemon.console("SHOW CLIENTS") if c["database"] == "orders"], 2,
               "the session gone")


def test_a_statement_sent_right_before_the_goodbye_is_carried_out(login):
    """As a server does: it reads Terminate only when the statement in front of it is done."""
    with login() as watcher:
        watcher.ok("CREATE TABLE IF NOT EXISTS last_words (n int)")
        watcher.ok("TRUNCATE last_words")
        for n in range(20):
            session = login()
            session.send(query(f"INSERT INTO last_words SELECT {n} FROM pg_sleep(0.01)"), pgwire.TERMINATE)
            session.socket.close()  # most of them while they wait for one of the two backends
        wait_until(lambda: watcher.value("SELECT count(*) FROM last_words") == "20", 3, "all twenty rows", 0.05)
