# SPDX-License-Identifier: Apache-2.0
"""Session mode: a client has one backend from its login to its end, and is told that backend's own id."""
import time

import pgwire
import pytest
from conftest import PASSWORD, USER, login

PID = "SELECT pg_backend_pid()"


@pytest.fixture
def server(postgres):
    return postgres


@pytest.fixture
def pooled(leasehold, postgres):
    def start(**pool):
        keys = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "5s", **pool}
        return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **keys}})
    return start


def backends(server):
    return [row["pid"] for row in server.backends("%") if row["usename"] != "postgres"]


def test_session_mode_tells_the_client_its_backends_own_id(pooled, server):
    daemon = pooled(mode="session")
    with login(daemon, application_name="mine") as session:
        assert session.key[0] == int(session.value(PID)) and session.key[0] in backends(server)
        with login(daemon) as other:
            assert other.key[0] == int(other.value(PID)) != session.key[0]
    driver = daemon.connect("orders", USER, PASSWORD, autocommit=True)
    assert driver.info.backend_pid in backends(server)
    driver.close()


def test_session_mode_leases_at_login_and_its_queue_is_the_pools(pooled):
    daemon = pooled(mode="session", pool_size=1, pool_timeout="300ms")
    with login(daemon) as session:
        began = time.monotonic()
        with pytest.raises(pgwire.ServerError) as refused:
            login(daemon)
        assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "53300")
        assert 0.2 < time.monotonic() - began < 2
        session.terminate()
    with login(daemon, TimeZone="CET") as session:
        assert session.value("SHOW TimeZone") == "CET"


def test_session_modes_cancel_needs_the_secret_that_leasehold_gave(pooled, server):
    daemon = pooled(mode="session")
    with login(daemon) as session:
        session.send(pgwire.query("SELECT pg_sleep(20)"))
        time.sleep(0.2)
        pgwire.cancel(daemon.port, (session.key[0], session.key[1] ^ 1))
        assert session.silent(0.5)
        pgwire.cancel(daemon.port, session.key)
        assert session.reply().sqlstate == "57014"
        assert session.value("SELECT 1") == "1"
        session.drop()
        time.sleep(0.1)
        pgwire.cancel(daemon.port, session.key)  # void from now on


def test_a_session_mode_backend_that_is_terminated_takes_state_with_it_or_nothing(pooled, server):
    daemon = pooled(mode="session")
    with login(daemon) as clean:
        server.terminate(clean.key[0])
        daemon.lost(clean.key[0])
        assert clean.value("SELECT 1") == "1"  # nothing was lost
        assert int(clean.value(PID)) != clean.key[0]
    with login(daemon) as stateful:
        stateful.ok("CREATE TEMP TABLE mine (a int)")
        server.terminate(stateful.key[0])
        reply = stateful.reply()
        assert reply.sqlstate == "57P01" and reply.status is None
    with login(daemon) as session:
        session.ok("BEGIN")
        server.terminate(session.key[0])
        time.sleep(0.3)
        assert session.query("SELECT 1").sqlstate == "40001"
        session.ok("ROLLBACK")
        pgwire.cancel(daemon.port, session.key)
        assert session.value("SELECT 1") == "1"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_other_modes_keep_ids_of_their_own(pooled, server, mode):
    daemon = pooled(mode=mode)
    with login(daemon) as session:
        session.ok("SELECT 1")
        assert session.key[0] < 1000 or session.key[0] not in backends(server)
        session.send(pgwire.query("SELECT pg_sleep(20)"))
        time.sleep(0.2)
        pgwire.cancel(daemon.port, session.key)
        assert session.reply().sqlstate == "57014"
