# SPDX-License-Identifier: Apache-2.0
"""Not bought by pinning: many sessions with state of every kind that is carried share few backends, each has its own, and
no pin is left."""
import contextlib

import pytest
from conftest import PASSWORD, USER, login
from prometheus import scrape
from servers import wait_until

SESSIONS = 200
PREPARE_IS_CARRIED = True  # by SQL, that is; else a session gives it up before it is looked at
LISTEN_IS_CARRIED = True


@pytest.fixture
def daemon(leasehold, postgres):
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 0,
                                       "pool_timeout": "30s"}}, http=True)


def use_everything(session, number):
    session.ok(f"SET work_mem = '{3100 + number}kB'")
    session.ok("CREATE TEMP TABLE dropped (id int)")
    session.ok("DROP TABLE dropped")
    session.ok(f"PREPARE mine AS SELECT {number}")
    session.ok("LISTEN news")
    if not PREPARE_IS_CARRIED:
        session.ok("DEALLOCATE mine")
    if not LISTEN_IS_CARRIED:
        session.ok("UNLISTEN news")


def test_200_sessions_with_state_of_every_kind_share_2_backends(daemon, postgres):
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon, timeout=30)) for _ in range(SESSIONS)]
        for number, session in enumerate(sessions):
            use_everything(session, number)
        wait_until(lambda: not daemon.console("SHOW PINS"), 10, "the last pin has ended")
        # Two that are in transactions take both backends in turn: every session works on each of them.
        served = set()
        for number, session in enumerate(sessions):
            session.ok("BEGIN")
            with login(daemon, timeout=30) if number == 0 else contextlib.nullcontext(sessions[number - 1]) as other:
                served |= {session.value("SELECT pg_backend_pid()"), other.value("SELECT pg_backend_pid()")}
            session.ok("COMMIT")
        assert len(served) == 2
        for number, session in enumerate(sessions):
            assert session.value("SHOW work_mem") == f"{3100 + number}kB"
            if PREPARE_IS_CARRIED:
                assert session.value("EXECUTE mine") == str(number)
        assert not daemon.console("SHOW PINS")
        mine = [each for each in postgres.backends("%") if each["usename"] == USER
                and each["application_name"] not in ("leasehold control", "leasehold listen")]
        assert len(mine) <= 2, mine
        if LISTEN_IS_CARRIED:
            postgres.query("NOTIFY news, 'for everybody'", database="orders")
            for session in sessions:
                heard = wait_until(lambda s=session: s.query("SELECT 1").notifications, 20)
                assert heard == ["news"]
    counted = {labels["reason"] for labels, _ in scrape(daemon.http_port).series("leasehold_pool_pins_total")}
    may = {"temporary object"} | (set() if PREPARE_IS_CARRIED else {"PREPARE"}) | (set() if LISTEN_IS_CARRIED else {"LISTEN"})
    assert counted <= may, counted
    assert scrape(daemon.http_port).total("leasehold_pool_pinned") == 0
