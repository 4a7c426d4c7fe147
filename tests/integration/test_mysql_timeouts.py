# SPDX-License-Identifier: Apache-2.0
"""What ends by time or by leasehold's end, on MySQL's protocol: nothing is ever written to a client that waits for
nothing; the next command hears it, with the session's number and what to do."""
import threading
import time

import mywire
import pytest
from conftest import PASSWORD, USER
from processes import wait_until


@pytest.fixture
def daemon(leasehold, mysql_server):
    mysql_server.query("DROP TABLE IF EXISTS shop.t")
    mysql_server.query("CREATE TABLE shop.t (id int PRIMARY KEY, v int) ENGINE=InnoDB")
    mysql_server.query("INSERT INTO shop.t VALUES (1, 0)")

    def start(size=1, sections=None, **keys):
        pool = {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": size, "max_overflow": 0, **keys}
        return leasehold(pools={"shop": pool}, **(sections or {}))
    return start


def login(here):
    return mywire.connect(here.mysql_port, USER, PASSWORD, "shop", timeout=30)


def refused(call, *arguments):
    with pytest.raises(mywire.ServerError) as error:
        call(*arguments)
    return error.value


def at_rest(server):
    """InnoDB renews its list for nobody who asks often."""
    wait_until(lambda: not server.transactions(), 20, "rolled back", 0.25)


def silent(session, seconds=0.3):
    """Nothing was written to it."""
    session.socket.settimeout(seconds)
    try:
        return session.socket.recv(100) is None
    except TimeoutError:
        return True
    finally:
        session.socket.settimeout(30)


# --- limits of time -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("limit", ["transaction_idle_timeout", "transaction_timeout"])
def test_a_transaction_out_of_time_is_rolled_back_and_heard_of_once(daemon, mysql_server, limit):
    here = daemon(**{limit: "300ms"})
    session, other = login(here), login(here)
    session.query("BEGIN")
    session.query("UPDATE t SET v = 7")
    assert other.value("SELECT v FROM t") == "0"  # it waits for the one backend until the time is over
    assert silent(session)
    error = refused(session.query, "SELECT v FROM t")
    assert (error.code, error.sqlstate) == (1213, "40001")
    assert limit in error.message and "leasehold session" in error.message and "run the transaction again" in error.message
    assert session.value("SELECT v FROM t") == "0" and not session.ping().in_transaction
    at_rest(mysql_server)


def test_after_it_a_rollback_or_a_reset_needs_no_error(daemon):
    here = daemon(transaction_idle_timeout="200ms")
    for end in (lambda s: s.query("ROLLBACK"), lambda s: s.reset_connection()):
        session, other = login(here), login(here)
        session.query("BEGIN")
        session.query("UPDATE t SET v = 7")
        assert other.value("SELECT v FROM t") == "0"
        end(session)
        assert session.value("SELECT v FROM t") == "0"


def test_a_pin_without_activity_ends_its_session_at_the_next_command(daemon):
    here = daemon(pin_idle_timeout="300ms")
    session, other = login(here), login(here)
    session.query("SELECT GET_LOCK('mine', 0)")
    assert other.value("SELECT IS_FREE_LOCK('mine')") == "1"
    assert silent(session)
    error = refused(session.query, "SELECT 1")
    assert error.code == 1927 and "GET_LOCK" in error.message and "pin_idle_timeout" in error.message
    assert session.closed_by_peer()


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_statement_out_of_time_is_cancelled_and_the_session_lives(daemon, in_transaction):
    here = daemon(query_timeout="300ms")
    session = login(here)
    if in_transaction:
        session.query("BEGIN")
        session.query("UPDATE t SET v = 7")
    began = time.monotonic()
    try:
        assert session.query("SELECT SLEEP(30) FROM t").rows == [("1",)]  # MySQL's SLEEP() says that it was interrupted
    except mywire.ServerError as error:
        assert error.code == 1317
    assert time.monotonic() - began < 15
    assert session.value("SELECT 5") == "5"
    assert session.ping().in_transaction == in_transaction


def test_a_wait_out_of_time_says_who_to_ask(daemon):
    here = daemon(pool_timeout="200ms")
    holder, waiting = login(here), login(here)
    holder.query("BEGIN")
    error = refused(waiting.query, "SELECT 1")
    assert (error.code, error.sqlstate) == (1203, "42000")
    assert "leasehold session" in error.message and "SHOW CLIENTS" in error.message
    holder.query("ROLLBACK")
    assert waiting.value("SELECT 1") == "1"


# --- leasehold's end ----------------------------------------------------------------------------------------------

def test_at_shutdown_an_idle_client_gets_a_plain_end(daemon):
    here = daemon()
    session = login(here)
    session.query("SELECT 1")
    here.process.terminate()
    session.socket.settimeout(20)
    assert session.socket.recv(100) == b""


def test_a_transaction_may_end_and_then_its_client_gets_a_plain_end(daemon):
    here = daemon(sections={"drain_timeout": "20s"})
    session = login(here)
    session.query("BEGIN")
    session.query("UPDATE t SET v = 3")
    here.process.terminate()
    wait_until(lambda: "event=drain" in here.log_text() or "draining" in here.log_text(), 10, "the drain")
    session.query("COMMIT")
    session.socket.settimeout(20)
    assert session.socket.recv(100) == b""


def test_who_runs_something_when_the_time_is_over_is_told_so(daemon):
    here = daemon(sections={"drain_timeout": "300ms"})
    session = login(here)
    outcome = []

    def run():
        try:
            outcome.append(session.query("SELECT SLEEP(30)").rows)
        except mywire.ServerError as error:
            outcome.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: any(row.get("state") == "active" for row in here.console("SHOW CLIENTS")), 10, "it runs")
    here.process.terminate()
    thread.join(30)
    assert outcome == [1053]
    assert session.closed_by_peer()
