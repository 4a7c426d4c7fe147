# SPDX-License-Identifier: Apache-2.0
"""currval() and lastval() tell a session its own numbers or none, never another's: also where an INSERT has drawn them."""
import pgwire
import pytest
from conftest import PASSWORD, USER
from servers import wait_until

UNDEFINED = "55000"


@pytest.fixture
def daemon(leasehold, postgres):
    postgres.query("DROP TABLE IF EXISTS bills; DROP SEQUENCE IF EXISTS numbers", database="orders")
    postgres.query("CREATE TABLE bills (id serial PRIMARY KEY, word text)", database="orders")
    postgres.query(f"DROP TABLE IF EXISTS plain; CREATE TABLE plain (id int); GRANT ALL ON plain TO {USER}", database="orders")
    postgres.query(f"CREATE SEQUENCE numbers; GRANT ALL ON bills, bills_id_seq, numbers TO {USER}", database="orders")
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0,
                                       "pool_timeout": "20s"}})


def login(daemon):
    return pgwire.connect(daemon.port, USER, "orders", PASSWORD, timeout=30)


def extended(session, sql):
    session.send(pgwire.run(sql), pgwire.SYNC)
    return session.reply()


def simple(session, sql):
    return session.query(sql)


def pins(daemon):
    return [row["pin"] for row in daemon.console("SHOW PINS")]


@pytest.mark.parametrize("ask", [simple, extended])
def test_nobody_is_told_another_sessions_number(daemon, ask):
    with login(daemon) as first, login(daemon) as second:
        for sql in ("INSERT INTO bills DEFAULT VALUES", "SELECT nextval('numbers'); DISCARD SEQUENCES", "INSERT INTO bills DEFAULT VALUES"):
            first.ok(sql)
        assert ask(second, "SELECT lastval()").sqlstate == UNDEFINED
        assert ask(second, "SELECT currval('bills_id_seq')").sqlstate == UNDEFINED
        assert pins(daemon) == ["currval() or lastval()"]
        assert ask(second, "SELECT nextval('numbers')").rows == [("2",)]
        assert ask(second, "SELECT lastval(), currval('numbers')").rows == [("2", "2")]
        assert ask(second, "INSERT INTO bills DEFAULT VALUES RETURNING id").rows == [("3",)]
        assert ask(second, "SELECT lastval(), currval('numbers')").rows == [("3", "2")]
        ask(second, "DISCARD SEQUENCES")
        wait_until(lambda: not pins(daemon), 10)
        assert first.value("SELECT 1") == "1"


@pytest.mark.parametrize("ask", [simple, extended])
@pytest.mark.parametrize("asked", ["lastval()", "currval('bills_id_seq')"])
def test_nor_by_a_statement_that_is_executed_by_its_name(daemon, ask, asked):
    with login(daemon) as first, login(daemon) as second:
        second.ok(f"PREPARE q AS SELECT {asked}")
        first.ok("INSERT INTO bills DEFAULT VALUES")
        assert ask(second, "EXECUTE q").sqlstate == UNDEFINED
        assert pins(daemon) == ["currval() or lastval()"]


@pytest.mark.parametrize("ask", [simple, extended])
def test_an_insert_and_what_it_drew_are_one_transaction(daemon, ask):
    with login(daemon) as first, login(daemon) as second:
        first.ok("INSERT INTO bills DEFAULT VALUES")
        for session, number in ((second, "2"), (first, "3"), (second, "4"), (first, "5")):
            session.ok("BEGIN")
            ask(session, "INSERT INTO bills DEFAULT VALUES")
            assert ask(session, "SELECT lastval(), currval('bills_id_seq')").rows == [(number, number)]
            session.ok("COMMIT")
            ask(session, "DISCARD SEQUENCES")
        assert not pins(daemon)


@pytest.mark.parametrize("ask", [simple, extended])
def test_who_asks_after_long_without_is_refused_once_in_a_transaction(daemon, ask):
    with login(daemon) as first, login(daemon) as second:
        for _ in range(501):
            for session in (first, second):
                session.ok("BEGIN; INSERT INTO plain VALUES (1); COMMIT")
        first.ok("INSERT INTO bills DEFAULT VALUES")
        second.ok("BEGIN")
        ask(second, "INSERT INTO bills DEFAULT VALUES")
        refused = ask(second, "SELECT lastval()")
        assert refused.sqlstate == "40001" and refused.status == "E", refused
        assert "another session's numbers" in refused.errors[0].fields["M"]
        assert "Repeat the transaction" in refused.errors[0].fields["H"]
        second.ok("ROLLBACK")
        assert not pins(daemon)
        second.ok("BEGIN")
        ask(second, "INSERT INTO bills DEFAULT VALUES")
        assert ask(second, "SELECT lastval()").rows == [("3",)]
        second.ok("COMMIT")


def test_a_pipelined_transaction_is_told_its_own_number(daemon):
    with login(daemon) as first, login(daemon) as second:
        first.ok("INSERT INTO bills DEFAULT VALUES")
        second.send(*[pgwire.run(sql) for sql in ("BEGIN", "INSERT INTO bills DEFAULT VALUES", "SELECT lastval()", "COMMIT")],
                    pgwire.SYNC)
        reply = second.reply()
        assert reply.rows == [("2",)] and reply.tags == ["BEGIN", "INSERT 0 1", "SELECT 1", "COMMIT"], reply


def test_a_seed_is_the_sessions_own_and_not_left_to_the_next(daemon):
    with login(daemon) as first:
        first.ok("SELECT setseed(0.25)")
        own = [first.value("SELECT random()") for _ in range(3)]
        first.ok("SET SEED TO 0.25")
        assert [first.value("SELECT random()") for _ in range(3)] == own
        assert pins(daemon) == ["seed of random()"]
        first.ok("SELECT setseed(0.25)")
    with login(daemon) as second:
        assert second.value("SELECT random()") not in own
