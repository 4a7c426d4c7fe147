# SPDX-License-Identifier: Apache-2.0
"""LISTEN to another channel in a transaction, of a session that listens already: it hears there what was said since the
transaction began, as on a dedicated connection."""
import itertools

import pgwire
import pytest
from conftest import PASSWORD, USER
from listening import conversed, ears, heard, replies, unpinned  # noqa: F401: a fixture
from servers import wait_until

NUMBERS = itertools.count()


@pytest.fixture
def start(leasehold, postgres):
    def one(server=postgres, **keys):
        keys = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), **keys}})
    return one


def simple(session, sql):
    return conversed(session, sql)


def extended(session, sql):
    session.send(pgwire.parse("", sql) + pgwire.bind() + pgwire.execute("") + pgwire.SYNC)
    return replies(session)


def parted(session, sql):
    """With a boundary between Parse and Bind."""
    session.send(pgwire.parse("", sql) + pgwire.describe("S", "") + pgwire.SYNC)
    replies(session)
    session.send(pgwire.bind() + pgwire.execute("") + pgwire.SYNC)
    return replies(session)


def piped(session, sql):
    """Likewise, but in one pipeline."""
    session.send(pgwire.parse("", sql) + pgwire.describe("S", "") + pgwire.SYNC + pgwire.bind() + pgwire.execute("") +
                 pgwire.SYNC)
    replies(session)
    return replies(session)


def named(session, sql):
    name = f"{next(NUMBERS)} {sql}"
    session.send(pgwire.parse(name, sql) + pgwire.SYNC)
    replies(session)
    session.send(pgwire.bind(name) + pgwire.execute("") + pgwire.SYNC)
    return replies(session)


@pytest.mark.parametrize("way", [simple, extended, parted, piped, named])
def test_what_was_said_in_its_transaction_before_it_listened(start, ears, way, postgres):
    """Who listens already keeps its place in the server's queue while it is in a transaction."""
    direct = pgwire.Connection(postgres.port, timeout=30).login(USER, "orders", PASSWORD)
    daemon = start()
    with direct as dedicated:
        said_by = [run_with_late_listens(session, ears(daemon).login(), way)
                   for session in (dedicated, ears(daemon).login())]
    assert said_by[0] == said_by[1]
    assert said_by[0][0] == [("news", "1"), ("other", "2"), ("news", "3"), ("other", "4"), ("other", "mine"), ("news", "5")]
    wait_until(lambda: unpinned(daemon), 10)


def run_with_late_listens(session, other, way):
    """What it was told at the end of each of its transactions."""
    told = []
    way(session, "LISTEN news")
    other.ok("NOTIFY other, 'before it began'")
    way(session, "BEGIN")
    for number, channel in enumerate(["news", "other", "news"], 1):
        other.ok(f"NOTIFY {channel}, '{number}'")
    way(session, "LISTEN other")
    other.ok("NOTIFY other, '4'")
    way(session, "NOTIFY other, 'mine'")
    told.append(way(session, "COMMIT")[1])
    other.ok("NOTIFY news, '5'")
    told[-1] += heard(session, 1)
    # Rolled back; among others; of a channel that it gives up in the same transaction; to a savepoint.
    for begin, ends in (("BEGIN", ["LISTEN third", "ROLLBACK"]), ("START TRANSACTION", ["UNLISTEN news", "LISTEN third", "COMMIT"]),
                        ("BEGIN", ["UNLISTEN *", "LISTEN fourth", "END"]),
                        ("BEGIN", ["SAVEPOINT s", "LISTEN fifth", "ROLLBACK TO s", "LISTEN sixth", "COMMIT"]),
                        ("BEGIN", ["LISTEN seventh", "COMMIT AND CHAIN", "LISTEN eighth", "COMMIT"])):
        way(session, begin)
        for step in ends:
            for channel in ("news", "third", "fourth", "fifth", "sixth", "seventh", "eighth"):
                other.ok(f"NOTIFY {channel}, '{step}'")
            news = way(session, step)[1]
        told.append(news)
    return told


def test_what_its_backend_hears_along_is_not_its_own(start, ears):
    session = ears(start()).login()
    session.ok("SET standard_conforming_strings = on")  # keeps its backend,
    session.ok("LISTEN news")
    session.send(pgwire.parse("", "BEGIN") + pgwire.SYNC)  # which listens from here on
    session.reply()
    session.ok("UNLISTEN *")
    for ask in (session.query, session.extended):
        assert ask("SELECT pg_listening_channels()").rows == []
    assert [row[0] for row in session.query("SELECT 1; SELECT pg_listening_channels()").rows] == ["1"]
