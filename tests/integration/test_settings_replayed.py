# SPDX-License-Identifier: Apache-2.0
"""What a session has set comes to its next backend in front of its first statement, in one write with it, and the statement
is not executed where that fails. What decides what a statement may see is confirmed before."""
import pgwire
import pytest
from conftest import PASSWORD, USER, login
from flights import Flights
from servers import wait_until


@pytest.fixture
def flights(postgres):
    with Flights(postgres.port) as counted:
        yield counted


@pytest.fixture
def single(leasehold, postgres, flights):
    """A daemon with one backend, behind what counts."""
    url = postgres.url("orders", USER, PASSWORD).replace(f":{postgres.port}/", f":{flights.port}/")
    return leasehold(pools={"orders": {"url": url + "?sslmode=disable", "pool_size": 1, "max_overflow": 0,
                                       "pool_timeout": "10s", "pool_pre_ping": False}})


def simple(session, sql):
    return session.query(sql)


def extended(session, sql):
    return session.extended(sql)


@pytest.mark.parametrize("ask", [simple, extended])
def test_a_move_costs_no_round_trip(single, flights, ask):
    one, other = login(single), login(single)
    one.ok("SET work_mem = '7MB'; SET TimeZone = 'Asia/Tokyo'; SET app.tenant = 'it''s'")
    other.ok("SET statement_timeout = '70s'")
    for _ in range(3):
        before = flights.count
        assert ask(one, "SELECT current_setting('work_mem') || current_setting('TimeZone') || "
                        "current_setting('app.tenant') || current_setting('statement_timeout')").rows == [
                            ("7MBAsia/Tokyoit's0",)]
        assert flights.count == before + 1
        assert ask(other, "SELECT current_setting('work_mem') || coalesce(current_setting('app.tenant', true), '') || "
                          "current_setting('statement_timeout')").rows == [("4MB70s",)]
        assert flights.count == before + 2


def test_what_decides_what_a_statement_sees_is_confirmed_first(single, flights):
    one, other = login(single), login(single)
    one.ok("SET search_path = elsewhere, public; SET work_mem = '7MB'")
    other.ok("SELECT 1")
    before = flights.count
    assert one.query("SELECT current_setting('search_path') || current_setting('work_mem')").rows == [
        ("elsewhere, public7MB",)]
    assert flights.count == before + 2


def test_a_statement_of_its_own_transaction_stays_one(single):
    one, other = login(single), login(single)
    one.ok("SET work_mem = '7MB'")
    for statement in ("VACUUM", "BEGIN ISOLATION LEVEL SERIALIZABLE; ROLLBACK", "SELECT 1/0"):
        other.ok("SELECT 1")
        one.query(statement)
        other.ok("SELECT 1")
        one.extended(statement)
        assert one.query("SHOW work_mem").rows == [("7MB",)], statement
    other.ok("SELECT 1")
    assert one.query("SAVEPOINT a").sqlstate == "25P01"
    other.ok("SELECT 1")
    assert one.extended("SET LOCAL work_mem = '9MB'").sqlstate is None
    assert one.query("SHOW work_mem").rows == [("7MB",)]


def test_what_the_first_statement_sets_back_is_known(single):
    one, other = login(single), login(single)
    usual = one.parameters["TimeZone"]
    for ask in (simple, extended):
        one.ok("SET TimeZone = 'Asia/Tokyo'")
        other.ok("SELECT 1")
        assert ask(one, f"SET TimeZone = '{usual}'").parameters == {"TimeZone": usual}
        other.ok("SELECT 1")
        assert one.query("SHOW TimeZone").rows == [(usual,)]


def attempts(table):
    insert = f"INSERT INTO {table} VALUES (1)"
    yield [pgwire.query(insert)]
    yield [pgwire.query(insert) + pgwire.query(insert)]
    yield [pgwire.run(insert) + pgwire.SYNC]
    yield [pgwire.run(insert) + pgwire.SYNC + pgwire.run(insert) + pgwire.SYNC + pgwire.query(insert)]
    yield [pgwire.query(f"COPY {table} FROM STDIN"), pgwire.copy_data(b"1\n"), pgwire.COPY_DONE]
    yield [pgwire.run(f"COPY {table} FROM STDIN") + pgwire.SYNC, pgwire.copy_data(b"1\n"), pgwire.COPY_DONE, pgwire.SYNC]
    yield [pgwire.query(insert + "; COMMIT; " + insert)]
    yield [pgwire.query(insert + " -- " + "x" * 300_000)]


def test_nothing_is_executed_where_a_setting_is_refused(single, postgres):
    def run(sql):
        postgres.query(sql, database="orders")
    run("CREATE TABLE refused (id int)")
    run(f"GRANT ALL ON refused TO {USER}")
    other = login(single)
    for messages in attempts("refused"):
        run("CREATE TEXT SEARCH CONFIGURATION gone (COPY = simple)")
        one = login(single)
        one.ok("SET default_text_search_config = 'public.gone'")
        assert other.ok("SELECT count(*) FROM refused") == [("0",)]  # and has the backend now
        run("DROP TEXT SEARCH CONFIGURATION gone")
        one.send(*messages)
        reply = one.reply()
        assert (reply.sqlstate, reply.tags, reply.status) == ("22023", [], "I"), messages
        one.drop()
        assert other.ok("SELECT count(*) FROM refused") == [("0",)], messages
    wait_until(lambda: "event=request_refused" in single.log_text(), 10)
    run("DROP TABLE refused")
