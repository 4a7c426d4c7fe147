# SPDX-License-Identifier: Apache-2.0
"""What the tests of LISTEN share: sessions that listen, and what they are told."""
import contextlib

import pgwire
import pytest
from conftest import PASSWORD, USER
from console import pool


class Ears(contextlib.ExitStack):
    """Sessions that are closed with the test."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon = daemon

    def login(self, receive_buffer=None):
        session = pgwire.Connection(self.daemon.port, timeout=30, receive_buffer=receive_buffer)
        return self.enter_context(session.login(USER, "orders", PASSWORD))


@pytest.fixture
def ears():
    with contextlib.ExitStack() as stack:
        yield lambda daemon: stack.enter_context(Ears(daemon))


def said(body):
    channel, payload = body[4:].split(b"\0")[:2]
    return channel.decode(), payload.decode()


def heard(session, count):
    """So many notifications, and nothing else, without asking."""
    all_said = []
    while len(all_said) < count:
        kind, body = session.read()
        assert kind == "A", (kind, body, all_said)
        all_said.append(said(body))
    return all_said


def conversed(session, sql):
    """The kinds of a query's messages in order, and what was heard among them."""
    session.send(pgwire.query(sql))
    return replies(session)


def replies(session):
    kinds, news = "", []
    while not kinds.endswith("Z"):
        kind, body = session.read()
        if kind in "SN":
            continue
        kinds += kind
        if kind == "A":
            news.append(said(body))
    return kinds, news


def unpinned(daemon):
    return not daemon.console("SHOW PINS") and pool(daemon)["pinned"] == 0


def listeners(daemon):
    return daemon.console("SHOW LISTENERS")
