# SPDX-License-Identifier: Apache-2.0
"""LISTEN when something goes wrong: on a standby, while the daemon drains, is reloaded or ends sessions, when the server or
the connection that listens is lost, and when a client does not read."""
import contextlib
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from console import id_of, pool, tell
from draining import ends, terminate
from listening import conversed, ears, heard, listeners, said, unpinned  # noqa: F401: a fixture
from servers import LOOPBACK, Postgres, wait_until
from test_hosts import primary_and_standby


@pytest.fixture
def start(leasehold, postgres):
    def one(server=postgres, sections=None, **keys):
        keys = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), **keys}}, **(sections or {}))
    return one


def words(reply):
    return [{key: error.fields.get(key) for key in "SVCMDHP"} for error in reply.errors], reply.tags, reply.status


def execute(session, sql):
    session.send(pgwire.parse("", sql) + pgwire.bind() + pgwire.execute("") + pgwire.SYNC)
    return session.reply()


def missed(session):
    kind, body = session.read()
    assert kind == "N" and pgwire.fields_of(body)["C"] == "01000", (kind, body)


def dedicated(server):
    return pgwire.Connection(server.port, timeout=30).login(USER, "orders", PASSWORD)


def test_a_standby_refuses_as_it_does_itself(start, ears):
    with primary_and_standby() as (primary, standby):
        daemon = start(standby)
        with dedicated(standby) as direct:
            through = ears(daemon).login()
            began = time.monotonic()
            for sql in ("LISTEN news", 'LISTEN "other"', "SELECT 1; LISTEN news", "UNLISTEN news", "UNLISTEN *",
                        "BEGIN", "LISTEN news", "SELECT 1", "ROLLBACK", "NOTIFY news", "DISCARD ALL",
                        "SELECT pg_listening_channels()"):
                assert words(through.query(sql)) == words(direct.query(sql)), sql
                assert words(execute(through, sql.split("; ")[-1])) == words(execute(direct, sql.split("; ")[-1])), sql
            assert time.monotonic() - began < 10  # nobody waits for a connection that cannot listen
        wait_until(lambda: unpinned(daemon), 10)
        standby.promote()

        def listens_without_a_backend():
            through.ok("UNLISTEN *")
            return through.query("LISTEN news").tags == ["LISTEN"] and unpinned(daemon)
        wait_until(listens_without_a_backend, 30)
        assert conversed(through, "NOTIFY news, 'promoted'") == ("CAZ", [("news", "promoted")])


def test_a_daemon_that_drains(start, ears):
    daemon = start()
    idle, works, speaks = (ears(daemon).login() for _ in range(3))
    idle.ok("LISTEN news")
    works.ok("LISTEN news")
    works.ok("BEGIN")
    speaks.ok("NOTIFY news, 'of before'")
    assert heard(idle, 1) == [("news", "of before")]
    terminate(daemon)
    for session in (idle, speaks):
        reply = session.reply()
        assert reply.sqlstate == "57P01" and reply.status is None
    works.ok("NOTIFY news, 'its own'")
    works.send(pgwire.query("COMMIT"))
    kinds, news = "", []
    with contextlib.suppress(pgwire.Closed):
        while True:
            kind, body = works.read()
            kinds += kind
            if kind == "A":
                news.append(said(body))
    assert (kinds, news) == ("CAAZE", [("news", "of before"), ("news", "its own")])
    assert ends(daemon) == 0


def test_kill(start, ears):
    daemon = start()
    sessions = [ears(daemon).login() for _ in range(4)]
    victim, speaks = sessions[0], ears(daemon).login()
    for session in sessions:
        session.ok("LISTEN news")
    victim.ok("SET application_name = 'victim'")
    victim.ok("LISTEN alone")
    assert tell(daemon, f"KILL_CLIENT {id_of(daemon, 'victim')}").tags == ["KILL_CLIENT"]
    assert victim.reply().sqlstate == "57P01"
    wait_until(lambda: (listeners(daemon)[0]["sessions"], listeners(daemon)[0]["channels"]) == (3, 1), 10)
    speaks.ok("NOTIFY news, 'to three'")
    for session in sessions[1:]:
        assert heard(session, 1) == [("news", "to three")]
    assert tell(daemon, "KILL orders").tags == ["KILL"]
    for session in sessions[1:]:
        assert session.reply().sqlstate == "57P01"
    wait_until(lambda: listeners(daemon)[0]["sessions"] == 0, 10)
    tell(daemon, "RESUME orders")
    again = ears(daemon).login()
    again.ok("LISTEN news")
    assert conversed(again, "NOTIFY news, 'once'") == ("CAZ", [("news", "once")])


def test_pause_and_reload(start, ears, postgres):
    """Who is idle hears on, and so does the one connection: neither is a reason to end it."""
    daemon = start()
    session = ears(daemon).login()
    session.ok("LISTEN news")
    pid = listeners(daemon)[0]["remote_pid"]
    with dedicated(postgres) as direct:
        assert tell(daemon, "PAUSE orders").tags == ["PAUSE"]
        direct.ok("NOTIFY news, 'paused'")
        assert heard(session, 1) == [("news", "paused")]
        assert tell(daemon, "RESUME orders").tags == ["RESUME"]
        daemon.set_pool("orders", pool_size=3)
        assert daemon.reload() == []
        assert tell(daemon, "RECONNECT orders").tags == ["RECONNECT"]
        direct.ok("NOTIFY news, 'reloaded'")
        assert heard(session, 1) == [("news", "reloaded")]
    assert listeners(daemon)[0]["remote_pid"] == pid
    assert conversed(session, "NOTIFY news, 'both'") == ("CAZ", [("news", "both")])


def test_a_server_restarts_while_hundreds_listen(leasehold, ears):
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        daemon = leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), "pool_size": 2,
                                             "pool_timeout": "60s"}}, workers=2)
        of = ears(daemon)
        sessions = [of.login() for _ in range(300)]
        for number, session in enumerate(sessions):
            session.ok(f"LISTEN only_{number}")
            session.ok("LISTEN all_of_them")
        server.restart()
        speaks = of.login()
        for session in sessions:
            missed(session)
        wait_until(lambda: not speaks.query("NOTIFY all_of_them, 'after'").errors, 30)
        for number in range(300):
            speaks.ok(f"NOTIFY only_{number}")
        for number, session in enumerate(sessions):
            assert heard(session, 2) == [("all_of_them", "after"), (f"only_{number}", "")]
        assert unpinned(daemon)


def test_the_connection_is_lost_again_and_again(start, ears, postgres):
    """Whatever is under way then: each session is told once that it may have missed something, and hears on."""
    daemon = start(sections={"workers": 2})
    sessions = [ears(daemon).login() for _ in range(6)]
    speaks = sessions[0]
    for session in sessions:
        session.ok("LISTEN news")
    for round_ in range(8):
        wait_until(lambda: listeners(daemon)[0]["state"] == "listening", 10)
        speaks.ok("BEGIN")
        postgres.terminate(int(listeners(daemon)[0]["remote_pid"]))
        for number, session in enumerate(sessions[1:], 1):
            session.send(pgwire.query(f"LISTEN late_{round_}_{number}"))
        speaks.ok(f"LISTEN late_{round_}_0")
        speaks.ok("COMMIT")
        for number, session in enumerate(sessions):
            if number > 0:
                kinds = ""
                while "Z" not in kinds or "N" not in kinds:  # the warning may come before, or with the answer
                    kinds += session.read()[0]
                assert sorted(kinds) == ["C", "N", "Z"], kinds
        wait_until(lambda: listeners(daemon)[0]["state"] == "listening", 10)
        assert "E" not in conversed(speaks, "NOTIFY news, 'again'")[0]
        for number, session in enumerate(sessions):
            speaks.ok(f"NOTIFY late_{round_}_{number}")
            if number > 0:
                assert heard(session, 2) == [("news", "again"), (f"late_{round_}_{number}", "")]
    wait_until(lambda: unpinned(daemon), 10)


def test_ten_thousand_in_order_of_the_longest_payload(start, ears):
    daemon = start()
    session, speaks = ears(daemon).login(), ears(daemon).login()
    session.ok("LISTEN news")
    for begin in range(0, 10000, 1000):
        speaks.ok(f"DO $$ BEGIN FOR i IN {begin}..{begin + 999} LOOP "
                  "PERFORM pg_notify('news', CASE WHEN i % 10 = 0 THEN rpad(i::text, 7999, '.') ELSE i::text END); "
                  "END LOOP; END $$")
    news = heard(session, 10000)
    assert [int(payload.rstrip(".")) for _, payload in news] == list(range(10000))
    assert {len(payload) for _, payload in news[::10]} == {7999}
    assert speaks.query(f"NOTIFY news, '{'x' * 8000}'").sqlstate == "22023"


def test_a_client_that_does_not_read_costs_so_much_at_most(start, ears):
    daemon = start()
    stuck, listens, speaks = ears(daemon).login(receive_buffer=4096), ears(daemon).login(), ears(daemon).login()
    for session in (stuck, listens):
        session.ok("LISTEN news")
    speaks.ok("SELECT 1")
    before, most, sent = daemon.rss(), 0, 0
    while "event=logout" not in daemon.log_text() and sent < 10000:
        speaks.ok("DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM pg_notify('news', i || repeat('x', 7900)); END LOOP; END $$")
        sent += 200
        heard(listens, 200)
        most = max(most, daemon.rss())
    wait_until(lambda: "does not take the notifications" in daemon.log_text(), 10)
    assert sent < 10000 and most - before < 64 << 20
    # What was on its way is told, and then why it ends.
    kinds = ""
    with contextlib.suppress(pgwire.Closed):
        while True:
            kinds += stuck.read()[0]
    assert set(kinds) <= {"A", "E"} and "A" in kinds, set(kinds)
    assert listeners(daemon)[0]["sessions"] == 1


def test_two_databases_have_a_connection_each(leasehold, ears, postgres):
    postgres.create_database("second", owner=USER)
    try:
        daemon = leasehold(pools={name: {"url": postgres.url(name, USER, PASSWORD), "pool_size": 2}
                                  for name in ("orders", "second")})
        with pgwire.Connection(daemon.port, timeout=30).login(USER, "second", PASSWORD) as there:
            here = ears(daemon).login()
            for session in (here, there):
                session.ok("LISTEN news")
            assert conversed(here, "NOTIFY news, 'here'") == ("CAZ", [("news", "here")])
            assert conversed(there, "NOTIFY news, 'there'") == ("CAZ", [("news", "there")])
            assert sorted(row["database"] for row in listeners(daemon)) == ["orders", "second"]
            assert len(postgres.backends("leasehold listen")) == 2
            assert conversed(here, "SELECT 1") == ("TDCZ", [])
            assert conversed(there, "SELECT 1") == ("TDCZ", [])
    finally:
        daemon.stop()
        postgres.query('DROP DATABASE "second" WITH (FORCE)')


def test_it_counts_at_the_server_and_in_no_pool(start, ears, postgres):
    daemon = start(sections={"servers": {f"{LOOPBACK}:{postgres.port}": {"max_connections": 3}}}, pool_size=3,
                   pool_timeout="500ms")
    session, *holders = [ears(daemon).login() for _ in range(4)]
    session.ok("LISTEN news")
    for holder in holders[:2]:
        holder.ok("BEGIN")
    assert holders[2].query("BEGIN").sqlstate == "53300"
    assert len(postgres.backends("leasehold orders")) == 2
    assert (pool(daemon)["checkedout"], listeners(daemon)[0]["state"]) == (2, "listening")
    holders[0].ok("ROLLBACK")
    holders[2].ok("BEGIN")
