# SPDX-License-Identifier: Apache-2.0
"""COPY in and out, ended in the middle from either side: the client gets the error that a direct one gets, the backend is
never left running and, where it is sound, serves on. Function calls too, the other message that few clients send."""
import struct
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from pgwire import COPY_DONE, FLUSH, SYNC, bind, close, copy_data, copy_fail, describe, execute, message, parse, query
from processes import wait_until

MB = 1 << 20
PID = "SELECT pg_backend_pid()"
ROW = copy_data(b"1\thello\n")


@pytest.fixture
def daemon(leasehold, postgres):
    postgres.query("DROP TABLE IF EXISTS copied; CREATE TABLE copied (a int, b text CHECK (b <> 'bad'))",
                   database="orders")
    postgres.query(f"GRANT ALL ON copied TO {USER}", database="orders")
    yield leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0,
                                      "pool_timeout": "5s", "quarantine_timeout": "5s"}})


def login(daemon, timeout=20):
    return pgwire.Connection(daemon.port, timeout=timeout).login(USER, "orders", PASSWORD)


def count(postgres):
    return postgres.value("SELECT count(*) FROM copied", database="orders")


def start_in(session, extended, sql="COPY copied FROM STDIN"):
    """Up to CopyInResponse."""
    if extended:
        session.send(parse("", sql), bind(), execute(), FLUSH)
        assert [session.read()[0] for _ in range(2)] == ["1", "2"]
    else:
        session.send(query(sql))
    assert session.read()[0] == "G"


def no_backend_runs(postgres):
    wait_until(lambda: not [b for b in postgres.backends("leasehold%")
                            if b["state"] == "active" or b["in_transaction"]], 10, "nothing runs any more")


both = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


# --- COPY IN ------------------------------------------------------------------------------------------------------

@both
def test_copy_in_ends_its_lease_when_it_is_done(daemon, postgres, extended):
    session, other = login(daemon), login(daemon)
    for _ in range(3):
        start_in(session, extended)
        session.send(ROW * 1000, COPY_DONE, SYNC if extended else b"")
        assert session.reply().tags == ["COPY 1000"]
        assert other.value("SELECT count(*) FROM copied") == str(count(postgres))
    assert count(postgres) == 3000


@both
def test_a_client_that_fails_its_copy_gets_the_servers_error(daemon, postgres, extended):
    session = login(daemon)
    first = session.value(PID)
    start_in(session, extended)
    session.send(ROW * 10, copy_fail("changed my mind"), SYNC if extended else b"")
    reply = session.reply()
    assert reply.sqlstate == "57014" and "changed my mind" in reply.error.message and reply.status == "I"
    assert count(postgres) == 0 and session.value(PID) == first


@both
@pytest.mark.parametrize("size", [10, 64 * 1024, 3 * MB])
def test_a_server_that_fails_a_copy_while_data_streams_keeps_its_backend(daemon, postgres, extended, size):
    """The client sends on for a while: what it sends is dropped, as the server would."""
    session, other = login(daemon), login(daemon)
    first = session.value(PID)
    start_in(session, extended)
    filler = copy_data(b"1\t" + b"x" * (size - 3) + b"\n")
    session.send(ROW, copy_data(b"2\tbad\n" + b"1\tgood\n" * 1000), filler)
    for _ in range(20):
        session.send(filler)
    time.sleep(0.3)
    session.send(filler, filler, COPY_DONE, SYNC if extended else b"")
    reply = session.reply()
    assert reply.sqlstate == "23514" and reply.status == "I"
    assert count(postgres) == 0
    assert other.value(PID) == first  # and its lease had ended
    assert session.value(PID) == first


@both
def test_an_error_in_the_middle_of_a_message_that_is_still_being_sent(daemon, postgres, extended):
    session, other = login(daemon), login(daemon)
    first = session.value(PID)
    start_in(session, extended)
    long = copy_data(b"3\t" + b"x" * (4 * MB) + b"\n")
    session.send(copy_data(b"2\tbad\n"), copy_data(b"1\tx\n" * 20000), long[:MB])
    time.sleep(0.3)
    session.send(long[MB:2 * MB])
    time.sleep(0.3)
    session.send(long[2 * MB:], COPY_DONE, SYNC if extended else b"")
    reply = session.reply()
    assert reply.sqlstate == "23514" and reply.status == "I"
    assert other.value(PID) == first == session.value(PID)


@both
def test_a_client_that_stops_in_the_middle_of_a_message_after_the_error_frees_its_backend(daemon, postgres, extended):
    session, other = login(daemon), login(daemon)
    start_in(session, extended)
    long = copy_data(b"3\t" + b"x" * (4 * MB) + b"\n")
    session.send(copy_data(b"2\tbad\n"), copy_data(b"1\tx\n" * 20000), long[:MB])
    time.sleep(0.3)
    session.reset()
    assert other.value("SELECT 1") == "1"
    no_backend_runs(postgres)


@both
@pytest.mark.parametrize("ending", ["terminate", "drop", "reset"])
@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
def test_a_client_that_vanishes_in_a_copy_frees_its_backend(daemon, postgres, extended, ending, half):
    session, other = login(daemon), login(daemon)
    start_in(session, extended)
    session.send(ROW * 100, copy_data(b"x" * 100000)[:50000] if half else b"")
    time.sleep(0.1)
    getattr(session, ending)()
    assert other.value("SELECT count(*) FROM copied") == "0"
    no_backend_runs(postgres)


@both
def test_a_backend_that_is_killed_in_a_copy_fails_it_and_the_session_lives(daemon, postgres, extended):
    session = login(daemon)
    pid = int(session.value(PID))
    start_in(session, extended)
    session.send(ROW * 100)
    postgres.terminate(pid)
    time.sleep(0.2)
    session.send(ROW * 100, COPY_DONE, SYNC if extended else b"")
    reply = session.reply()
    assert reply.sqlstate in ("40001", "40003") and reply.status == "I", reply
    assert count(postgres) == 0
    assert session.value("SELECT 1") == "1" and int(session.value(PID)) != pid


@both
def test_copy_in_a_transaction_whose_backend_is_killed(daemon, postgres, extended):
    session = login(daemon)
    pid = int(session.value(PID))
    session.ok("BEGIN")
    start_in(session, extended)
    session.send(ROW * 100)
    postgres.terminate(pid)
    time.sleep(0.2)
    session.send(ROW * 100, COPY_DONE, SYNC if extended else b"")
    reply = session.reply()
    assert reply.sqlstate == "40001" and reply.status == "E", reply
    assert session.query("SELECT 1").sqlstate == "25P02"
    session.ok("ROLLBACK")
    assert session.value("SELECT 1") == "1"


@both
def test_a_copy_that_cannot_begin_is_told_and_what_was_sent_behind_it_dropped(daemon, postgres, extended):
    session, other = login(daemon), login(daemon)
    sql = "COPY nowhere FROM STDIN"
    start = [parse("", sql), bind(), execute()] if extended else [query(sql)]
    session.send(*start, ROW * 10, COPY_DONE, SYNC if extended else b"")
    reply = session.reply()
    assert reply.sqlstate == "42P01" and reply.status == "I"
    session.send(ROW * 10, COPY_DONE, copy_fail("late"))
    assert other.value("SELECT 1") == "1" and session.value("SELECT 1") == "1"


def test_copy_messages_outside_of_a_copy_are_ignored_as_by_a_server(daemon):
    session, other = login(daemon), login(daemon)
    session.send(ROW, COPY_DONE, copy_fail("nothing to fail"), query("SELECT 1"))
    assert session.reply().value() == "1"
    session.ok("BEGIN")
    session.send(ROW, COPY_DONE, query("SELECT 2"))
    assert session.reply().value() == "2"
    session.ok("COMMIT")
    assert other.value("SELECT 3") == "3"


def test_anything_but_copy_data_breaks_a_copy_off(daemon, postgres):
    session = login(daemon)
    start_in(session, False)
    session.send(ROW, query("SELECT 1"))
    reply = session.reply()
    assert reply.sqlstate == "08P01" and reply.status == "I"
    assert session.value("SELECT 1") == "1" and count(postgres) == 0


def test_sync_and_flush_inside_a_copy_are_ignored(daemon, postgres):
    session = login(daemon)
    start_in(session, True)
    session.send(ROW, SYNC, FLUSH, ROW, COPY_DONE, SYNC)
    reply = session.reply()
    assert reply.tags == ["COPY 2"] and reply.status == "I"
    assert session.silent() and count(postgres) == 2


def test_two_copies_in_one_string(daemon, postgres):
    session = login(daemon)
    session.send(query("COPY copied FROM STDIN; COPY copied FROM STDIN; SELECT 7"))
    assert session.read()[0] == "G"
    session.send(ROW, COPY_DONE)
    assert session.read()[0] == "C" and session.read()[0] == "G"
    session.send(ROW, ROW, COPY_DONE)
    reply = session.reply()
    assert reply.tags == ["COPY 2", "SELECT 1"] and reply.value() == "7" and count(postgres) == 3


def test_a_cancel_ends_a_copy_in(daemon, postgres):
    session = login(daemon)
    start_in(session, False)
    session.send(ROW)
    time.sleep(0.1)
    pgwire.cancel(daemon.port, session.key)
    session.send(ROW * 1000, COPY_DONE)  # the server looks when it reads on
    assert session.reply().sqlstate == "57014"
    assert session.value("SELECT 1") == "1" and count(postgres) == 0


# --- COPY OUT -----------------------------------------------------------------------------------------------------

BIG = "COPY (SELECT i, repeat('x', 1000) FROM generate_series(1, 200000) i) TO STDOUT"


@both
@pytest.mark.parametrize("ending", ["terminate", "drop", "reset"])
def test_a_reader_that_vanishes_in_a_copy_out_frees_its_backend(daemon, postgres, extended, ending):
    session, other = login(daemon), login(daemon)
    session.send(*([parse("", BIG), bind(), execute(), SYNC] if extended else [query(BIG)]))
    session.read_exactly(100000)
    getattr(session, ending)()
    assert other.value("SELECT 1") == "1"
    no_backend_runs(postgres)


def test_a_reader_that_stops_in_a_copy_out_can_be_cancelled(daemon, postgres):
    session, other = login(daemon), login(daemon)
    session.send(query(BIG))
    session.read_exactly(1000)
    time.sleep(0.5)
    pgwire.cancel(daemon.port, session.key)
    reply = _rest(session)
    assert reply.sqlstate == "57014" and reply.status == "I"
    assert other.value("SELECT 1") == "1" and session.value("SELECT 1") == "1"


def _rest(session):
    """What is left of a reply of which 1000 bytes were read: rows are passed over."""
    buffered = session.inbox
    del session.inbox[:]
    stream = buffered[:]
    while not stream.endswith(b"Z\0\0\0\5I"):
        chunk = session.socket.recv(1 << 20)
        assert chunk, "the connection ended"
        stream = (stream + chunk)[-4096:]
    reply = pgwire.Reply()
    at = stream.index(b"ESERROR") if b"ESERROR" in stream else stream.rindex(b"SERROR") - 5
    size = struct.unpack("!i", stream[at + 1:at + 5])[0]
    reply.add("E", bytes(stream[at + 5:at + 1 + size]))
    reply.add("Z", b"I")
    return reply


def test_an_error_in_the_middle_of_a_copy_out_reaches_the_client(daemon, postgres):
    session, other = login(daemon), login(daemon)
    first = session.value(PID)
    session.send(query("COPY (SELECT 1 / (5000 - i) FROM generate_series(1, 10000) i) TO STDOUT"))
    reply = session.reply()
    assert reply.kinds.startswith("Hd") and reply.sqlstate == "22012" and reply.status == "I"
    assert other.value(PID) == first == session.value(PID)


@both
def test_a_backend_that_is_killed_in_a_copy_out_is_no_silent_end(daemon, postgres, extended):
    session = login(daemon)
    pid = int(session.value(PID))
    slow = "COPY (SELECT i, pg_sleep(0.01) FROM generate_series(1, 1000) i) TO STDOUT"
    session.send(*([parse("", slow), bind(), execute(), SYNC] if extended else [query(slow)]))
    time.sleep(0.3)
    postgres.terminate(pid)
    reply = session.reply()
    assert reply.errors and reply.sqlstate in ("40001", "40003", "57P01"), reply
    if reply.status is not None:
        assert session.value("SELECT 1") == "1"
    with login(daemon) as other:
        assert other.value("SELECT 1") == "1"


# --- function calls -----------------------------------------------------------------------------------------------

def call(oid, *values):
    body = struct.pack("!Ihhh", oid, 1, 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"F", body + struct.pack("!h", 0))


def test_a_function_call_is_answered_and_ends_its_lease(daemon, postgres):
    oid = postgres.value("SELECT 'pg_catalog.reverse(text)'::regprocedure::oid::bigint")
    session, other = login(daemon), login(daemon)
    for _ in range(3):
        session.send(call(oid, b"hello"))
        assert session.read() == ("V", struct.pack("!i", 5) + b"olleh")
        assert session.read() == ("Z", b"I")
        assert other.value("SELECT 1") == "1"
    session.send(call(oid, None))
    assert session.read() == ("V", struct.pack("!i", -1)) and session.read()[0] == "Z"
    session.send(call(oid), call(oid, b"a" * MB), call(1, b"x"))
    replies = [session.reply() for _ in range(3)]
    assert replies[0].sqlstate == "08P01" and replies[1].kinds == "VZ" and replies[2].errors
    session.ok("BEGIN")
    session.send(call(oid, b"x"))
    assert session.reply().status == "T"
    session.ok("ROLLBACK")


def test_a_function_call_whose_backend_dies_is_an_unknown_outcome(daemon, postgres):
    oid = postgres.value("SELECT 'pg_catalog.pg_sleep(float8)'::regprocedure::oid::bigint")
    session = login(daemon)
    pid = int(session.value(PID))
    session.send(call(oid, b"20"))
    time.sleep(0.2)
    postgres.terminate(pid)
    reply = session.reply()
    assert reply.sqlstate == "40003" and reply.status == "I"
    assert session.value("SELECT 1") == "1"


# --- pipelines and Flush ------------------------------------------------------------------------------------------

def test_a_pipeline_of_5000_messages_is_answered_in_order(daemon):
    session, other = login(daemon), login(daemon)
    session.send(*[parse("", "SELECT $1::int") + bind(values=[n]) + describe("P") + execute() + SYNC
                   for n in range(1000)])
    for n in range(1000):
        assert session.reply().value() == str(n)
    one = b"".join(parse("", "SELECT $1::int") + bind(values=[n]) + execute() + close("S") for n in range(1250))
    session.send(one, SYNC)
    assert [row[0] for row in session.reply().rows] == [str(n) for n in range(1250)]
    assert other.value("SELECT 1") == "1"


def test_flush_brings_replies_without_ending_the_lease(daemon):
    session = login(daemon)
    session.send(FLUSH, parse("s", "SELECT 1"), describe("S", "s"), FLUSH)
    assert [session.read()[0] for _ in range(3)] == ["1", "t", "T"]
    session.send(bind("s"), execute(), FLUSH, FLUSH)
    assert [session.read()[0] for _ in range(3)] == ["2", "D", "C"]
    session.send(FLUSH, SYNC, FLUSH)
    assert session.read() == ("Z", b"I")
    with login(daemon) as other:
        assert other.value("SELECT 1") == "1"
