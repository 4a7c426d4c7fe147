# SPDX-License-Identifier: Apache-2.0
"""LISTEN in transaction mode: one connection listens for all sessions of a database, no session keeps a backend for it, and
each hears what a dedicated connection would: from its commit on, in order, between its transactions."""
import asyncio
import select
import subprocess

import pgwire
import pytest
from conftest import PASSWORD, USER
from listening import conversed, ears, heard, listeners, unpinned  # noqa: F401: a fixture
from prometheus import scrape
from servers import Postgres, postgres_bin, wait_until

PID = "SELECT pg_backend_pid()"


@pytest.fixture
def start(leasehold, postgres):
    def one(server=postgres, sections=None, **keys):
        keys = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), **keys}}, http=True,
                         **(sections or {}))
    return one


def test_hears_without_a_backend(start, ears):
    daemon = start()
    listens, speaks = ears(daemon).login(), ears(daemon).login()
    assert listens.query("LISTEN news").tags == ["LISTEN"]
    assert unpinned(daemon)
    speaks.ok("NOTIFY news, 'first'")
    speaks.ok("SELECT pg_notify('news', 'second')")
    assert heard(listens, 2) == [("news", "first"), ("news", "second")]
    row, = listeners(daemon)
    assert (row["state"], row["channels"], row["sessions"]) == ("listening", 1, 1)
    wait_until(lambda: listeners(daemon)[0]["notifications"] == 2, 10)
    assert listens.query("UNLISTEN news").tags == ["UNLISTEN"]
    speaks.ok("NOTIFY news, 'third'")
    assert conversed(listens, "SELECT 1") == ("TDCZ", [])
    wait_until(lambda: listeners(daemon)[0]["channels"] == 0, 10)
    assert unpinned(daemon)
    assert scrape(daemon.http_port).value("leasehold_notifications_total") == 2


def test_its_own_come_before_its_command_ends(start, ears):
    session = ears(start()).login()
    session.ok("LISTEN news")
    assert conversed(session, "NOTIFY news, 'mine'") == ("CAZ", [("news", "mine")])
    session.ok("BEGIN")
    assert conversed(session, "NOTIFY news, 'later'") == ("CZ", [])
    assert conversed(session, "COMMIT") == ("CAZ", [("news", "later")])
    # As PostgreSQL has it: whatever stands first, and not what it listens to no more.
    for begin in ("LISTEN other", "NOTIFY other, 'both'"):
        session.ok("UNLISTEN *")
        session.ok("BEGIN")
        session.ok(begin)
        session.ok("LISTEN other" if begin.startswith("NOTIFY") else "NOTIFY other, 'both'")
        assert conversed(session, "COMMIT") == ("CAZ", [("other", "both")])
    session.ok("BEGIN")
    session.ok("NOTIFY other, 'not heard'")
    session.ok("UNLISTEN other")
    assert conversed(session, "COMMIT") == ("CZ", [])


def test_counts_from_the_commit(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    session.ok("BEGIN")
    session.ok("LISTEN news")
    other.ok("NOTIFY news, 'too early'")
    session.ok("COMMIT")
    other.ok("NOTIFY news, 'heard'")
    assert heard(session, 1) == [("news", "heard")]
    session.ok("UNLISTEN *")
    for end in ("ROLLBACK", "ROLLBACK TO s; COMMIT"):
        session.ok("BEGIN")
        session.ok("SAVEPOINT s")
        session.ok("LISTEN news")
        session.ok(end)
        other.ok("NOTIFY news, 'not heard'")
        assert conversed(session, "SELECT 1") == ("TDCZ", [])
    session.ok("LISTEN news")
    session.ok("BEGIN")
    session.ok("UNLISTEN news")
    session.ok("ROLLBACK")
    other.ok("NOTIFY news, 'still'")
    assert heard(session, 1) == [("news", "still")]
    wait_until(lambda: unpinned(daemon), 10)


def test_not_in_a_transaction(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    session.ok("LISTEN news")
    session.ok("BEGIN")
    other.ok("NOTIFY news, 'one'")
    other.ok("NOTIFY news, 'two'")
    wait_until(lambda: listeners(daemon)[0]["notifications"] == 2, 10)
    assert conversed(session, "SELECT 1") == ("TDCZ", [])
    assert conversed(session, "ROLLBACK") == ("CAAZ", [("news", "one"), ("news", "two")])


def test_by_the_extended_protocol(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()

    def runs(sql, name="", results=()):
        session.send(pgwire.parse(name, sql) + pgwire.describe("S", name) + pgwire.bind(name, results=results) +
                     pgwire.execute("") + pgwire.SYNC)
        return session.reply()

    assert runs("LISTEN news").kinds == "1tn2CZ"
    assert runs("LISTEN other", "named").tags == ["LISTEN"]
    assert runs("SELECT pg_listening_channels() ORDER BY 1", "shows", (1,)).rows == [("news",), ("other",)]
    other.ok("NOTIFY news, 'a'")
    other.ok("NOTIFY other, 'b'")
    assert heard(session, 2) == [("news", "a"), ("other", "b")]
    assert runs("UNLISTEN *").tags == ["UNLISTEN"]
    session.send(pgwire.bind("named") + pgwire.execute("") + pgwire.SYNC)
    assert session.reply().kinds == "2CZ"
    assert session.query("SELECT pg_listening_channels()").rows == [("other",)]
    session.send(pgwire.parse("", "LISTEN late") + pgwire.bind() + pgwire.execute("") +
                 pgwire.parse("", "SELECT 1/0") + pgwire.bind() + pgwire.execute("") + pgwire.SYNC)
    assert session.reply().sqlstate == "22012"
    assert session.query("SELECT pg_listening_channels()").rows == [("other",)]
    wait_until(lambda: unpinned(daemon), 10)


def test_a_string_that_resets_the_session(start, ears):
    """What asyncpg's pool says to a connection that is given back."""
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    session.ok("LISTEN news")
    session.ok("SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL")
    other.ok("NOTIFY news")
    assert conversed(session, "SELECT 1") == ("TDCZ", [])
    wait_until(lambda: listeners(daemon)[0]["channels"] == 0 and unpinned(daemon), 10)


def test_names_and_payloads(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    names = ["plain", "With Capitals", 'a "quoted" one', "it's", "x" * 63, "semi;colon"]
    for name in names:
        session.ok('LISTEN "{}"'.format(name.replace('"', '""')))
    payload = "p" * 7900
    for name in names:
        other.ok("SELECT pg_notify('{}', '{}')".format(name.replace("'", "''"), payload))
    assert heard(session, len(names)) == [(name, payload) for name in names]
    assert sorted(row[0] for row in session.query("SELECT pg_listening_channels()").rows) == sorted(names)
    assert unpinned(daemon)


def test_many_channels_in_order(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    for number in range(300):
        session.ok(f"LISTEN c{number}")
    other.ok("DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM pg_notify('c' || i % 300, i::text); END LOOP; END $$")
    assert heard(session, 1000) == [(f"c{i % 300}", str(i)) for i in range(1, 1001)]
    assert listeners(daemon)[0]["channels"] == 300
    session.ok("DISCARD ALL")
    other.ok("NOTIFY c1")
    assert conversed(session, "SELECT 1") == ("TDCZ", [])
    wait_until(lambda: listeners(daemon)[0]["channels"] == 0, 10)


def test_two_hundred_sessions_over_two_backends(start, ears, postgres):
    daemon = start(sections={"workers": 2})
    of = ears(daemon)
    sessions = [of.login() for _ in range(200)]
    for number, session in enumerate(sessions):
        session.ok("LISTEN all_of_them")
        session.ok(f"LISTEN only_{number}")
    speaks = of.login()
    speaks.ok("NOTIFY all_of_them, 'hello'")
    for number in range(200):
        speaks.ok(f"NOTIFY only_{number}")
    for number, session in enumerate(sessions):
        assert heard(session, 2) == [("all_of_them", "hello"), (f"only_{number}", "")]
    assert unpinned(daemon) and len(postgres.backends("leasehold orders")) <= 2
    assert len(postgres.backends("leasehold listen")) == 1
    for session in sessions:
        session.drop()
    wait_until(lambda: listeners(daemon)[0]["sessions"] == 0, 10)


def test_the_connection_is_lost(start, ears, postgres):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    session.ok("LISTEN news")
    for _ in range(2):
        pid = listeners(daemon)[0]["remote_pid"]
        postgres.terminate(int(pid))
        kind, body = session.read()
        assert kind == "N" and pgwire.fields_of(body)["C"] == "01000" and "missed" in pgwire.fields_of(body)["M"]
        other.ok("NOTIFY news, 'again'")
        assert heard(session, 1) == [("news", "again")]
    assert listeners(daemon)[0]["lost_connections"] == "2" or listeners(daemon)[0]["lost_connections"] == 2
    assert unpinned(daemon)


def test_the_server_is_restarted(leasehold, ears):
    with Postgres() as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        daemon = leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), "pool_size": 2,
                                             "pool_timeout": "60s"}})
        session, other = ears(daemon).login(), ears(daemon).login()
        session.ok("LISTEN news")
        server.restart()
        assert session.read()[0] == "N"
        wait_until(lambda: not other.query("NOTIFY news, 'after'").errors, 30)
        assert heard(session, 1) == [("news", "after")]


def test_what_stands_beside_others_pins(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    for begin in ("LISTEN news; LISTEN U&\"ol\\00e9\"", "DO $$ BEGIN EXECUTE 'LISTEN news'; END $$"):
        session.ok(begin)
        wait_until(lambda: [row["pin"] for row in daemon.console("SHOW PINS")] == ["LISTEN"], 10)  # once it was asked
        other.ok("NOTIFY news, 'heard'")
        assert heard(session, 1) == [("news", "heard")]
        session.ok("UNLISTEN *")
        wait_until(lambda: unpinned(daemon), 10)


def test_among_other_statements(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    assert session.query("SELECT 1; LISTEN news; LISTEN other; SELECT 2").tags == ["SELECT 1", "LISTEN", "LISTEN", "SELECT 1"]
    assert unpinned(daemon)
    reply = session.query("UNLISTEN other; SELECT nothing")
    assert (reply.sqlstate, reply.error.fields["P"]) == ("42703", "24")
    reply = session.query("LISTEN late; SELECT 1; SELECT )")
    assert (reply.sqlstate, reply.error.fields["P"]) == ("42601", "31")
    other.ok("NOTIFY other, '1'")
    other.ok("NOTIFY late, '2'")
    other.ok("NOTIFY news, '3'")
    assert heard(session, 2) == [("other", "1"), ("news", "3")]


def test_errors_are_the_server_s(start, ears):
    session = ears(start()).login()
    session.ok("BEGIN")
    assert session.query("SELECT 1/0").sqlstate == "22012"
    assert session.query("LISTEN news").sqlstate == "25P02"
    session.ok("ROLLBACK")
    assert session.query("LISTEN").sqlstate == "42601"
    assert session.query("SELECT pg_listening_channels()").rows == []


def test_a_client_that_does_not_read(start, ears):
    daemon = start()
    stuck, listens, speaks = ears(daemon).login(receive_buffer=4096), ears(daemon).login(), ears(daemon).login()
    for session in (stuck, listens):
        session.ok("LISTEN news")
    sent = 0
    while len(daemon.console("SHOW CLIENTS")) > 3 and sent < 10000:  # the console's is one of them
        speaks.ok("DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM pg_notify('news', i || repeat('x', 7900)); END LOOP; END $$")
        sent += 200
        heard(listens, 200)
    assert 2000 < sent < 10000  # 16 MiB and what the kernel keeps
    speaks.ok("NOTIFY news, 'last'")
    assert heard(listens, 1) == [("news", "last")]


def test_psql_and_psycopg2(start):
    daemon = start()
    psql = subprocess.run(
        [postgres_bin("psql"), "-X", "-q", daemon.url("orders", USER, PASSWORD), "-c", "LISTEN news", "-c",
         "NOTIFY news, 'of psql'"], capture_output=True, text=True, timeout=60, check=True)
    assert 'Asynchronous notification "news" with payload "of psql" received' in psql.stdout
    listens, speaks = (daemon.connect("orders", USER, PASSWORD) for _ in range(2))
    for connection in (listens, speaks):
        connection.autocommit = True
    listens.cursor().execute("LISTEN news")
    speaks.cursor().execute("NOTIFY news, 'of psycopg2'")
    assert select.select([listens], [], [], 10)[0]
    listens.poll()
    assert [note.payload for note in listens.notifies] == ["of psycopg2"]
    assert unpinned(daemon)


def test_asyncpg(start):
    asyncpg = pytest.importorskip("asyncpg")
    daemon = start()

    async def run():
        news = asyncio.Queue()
        listens, speaks = [await asyncpg.connect(daemon.url("orders", USER, PASSWORD)) for _ in range(2)]
        await listens.add_listener("my channel", lambda _, pid, channel, payload: news.put_nowait((channel, payload)))
        await speaks.execute("SELECT pg_notify($1, $2)", "my channel", "of asyncpg")
        first = await asyncio.wait_for(news.get(), 10)
        await listens.close()
        await speaks.close()
        return first

    assert asyncio.run(run()) == ("my channel", "of asyncpg")
    wait_until(lambda: unpinned(daemon), 10)


def test_the_pool_is_pointed_elsewhere(leasehold, ears, postgres):
    with Postgres() as other:
        other.create_user(USER, PASSWORD)
        other.create_database("orders", owner=USER)
        daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2}})
        session, speaks = ears(daemon).login(), ears(daemon).login()
        session.ok("LISTEN news")
        daemon.set_pool("orders", url=other.url("orders", USER, PASSWORD))
        assert daemon.reload() == []
        assert session.read()[0] == "N"
        speaks.ok("NOTIFY news, 'of the other'")
        assert heard(session, 1) == [("news", "of the other")]
        wait_until(lambda: not postgres.backends("leasehold listen"), 10)


def test_beside_names_of_prepared_statements(start, ears):
    daemon = start()
    session, other = ears(daemon).login(), ears(daemon).login()
    reply = session.query("PREPARE p AS SELECT 1; LISTEN news; EXECUTE p; SELECT pg_listening_channels()")
    assert reply.tags == ["PREPARE", "LISTEN", "SELECT 1", "SELECT 0"] and reply.rows == [("1",)]
    assert unpinned(daemon)
    other.ok("NOTIFY news, 'heard'")
    assert heard(session, 1) == [("news", "heard")]
    reply = session.query("EXECUTE p; UNLISTEN news; SELECT nothing")
    assert (reply.sqlstate, reply.error.fields["P"]) == ("42703", "34")
    reply = session.query("LISTEN other; DEALLOCATE p; UNLISTEN news; EXECUTE p")
    assert (reply.sqlstate, reply.error.message) == ("26000", 'prepared statement "p" does not exist')
    assert session.query("PREPARE p AS SELECT 1; EXECUTE p; UNLISTEN news").tags == ["PREPARE", "SELECT 1", "UNLISTEN"]
    assert session.query("SELECT pg_listening_channels()").rows == []


def test_a_question_for_channels_among_others(start, ears):
    session = ears(start()).login()
    session.ok("LISTEN news")
    reply = session.query("SELECT 1; SELECT pg_listening_channels(); LISTEN other; SELECT count(*) FROM pg_listening_channels()")
    assert reply.rows == [("1",), ("news",), ("1",)] and reply.tags == ["SELECT 1", "SELECT 1", "LISTEN", "SELECT 1"]


def test_beside_what_is_reset(start, ears):
    """A statement of our own behind the RESET is none of the client's."""
    daemon = start()
    session = pgwire.Connection(daemon.port, timeout=30).login(USER, "orders", PASSWORD, TimeZone="Asia/Tokyo")
    session.ok("LISTEN news")
    reply = session.query("RESET TimeZone; LISTEN other; UNLISTEN news; SELECT 1")
    assert reply.tags == ["RESET", "LISTEN", "UNLISTEN", "SELECT 1"]
    assert conversed(session, "NOTIFY other, 'heard'") == ("CAZ", [("other", "heard")])
    wait_until(lambda: unpinned(daemon), 10)
    session.drop()
