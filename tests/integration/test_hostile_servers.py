# SPDX-License-Identifier: Apache-2.0
"""Servers in an attacker's hands, at each step of a connection: garbage, nothing, or too much. The client gets an error
that says what happened or the end of its connection, nobody waits for ever, memory is bounded, and clients of other pools
notice nothing."""
import contextlib
import re
import struct
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from hostile import AUTHENTICATED, KEY, READY, Bystander, FakeServer, Unharmed, error, status
from leasehold import Leasehold
from pgwire import cstr, message, query
from processes import wait_until

SECRET = "fake"


def says(*parts, then="wait"):
    """Behaviour: reads the startup packet, says this whatever comes, and then waits or leaves."""
    def behave(peer):
        peer.startup().send(*parts)
        if then == "wait":
            peer.wait()
    return behave


def floods(chunk, *before):
    def behave(peer):
        peer.startup().send(*before)
        peer.flood(chunk)
        peer.wait()
    return behave


def sasl(server_first):
    """Behaviour: asks for SCRAM and continues with this, {nonce} standing for the client's."""
    def behave(peer):
        peer.startup().send(message(b"R", struct.pack("!i", 10) + cstr("SCRAM-SHA-256") + b"\0"))
        nonce = peer.read()[1].rpartition(b"r=")[2]
        peer.send(message(b"R", struct.pack("!i", 11) + server_first.replace(b"{nonce}", nonce)))
        peer.wait()
    return behave


def lying(kind, length):
    return kind + struct.pack("!I", length) + b"x" * 100


# At login: name → (behaviour, what the client's error or the log says of it).
LOGINS = {
    "nothing": (says(), "within|in time|timed out"),
    "an immediate end": (says(then="leave"), "closed"),
    "garbage": (says(b"\x16\x03\x01\x02\x00" * 100), "protocol|no message"),
    "http": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol|no message"),
    "half a message": (says(AUTHENTICATED[:6]), "within|in time|timed out"),
    "a length of 0": (says(lying(b"R", 0)), "protocol|no message"),
    "a length of 3": (says(lying(b"S", 3)), "protocol|no message"),
    "a negative length": (says(lying(b"R", 0xFFFFFFF0)), "too large|no message"),
    "a length of 2 GB": (says(lying(b"E", 0x7FFFFFFF)), "too large|no message"),
    "an unknown method": (says(message(b"R", struct.pack("!i", 99))), "unknown method"),
    "GSSAPI": (says(message(b"R", struct.pack("!i", 7))), "GSSAPI"),
    "an MD5 request without salt": (says(message(b"R", struct.pack("!i", 5))), "malformed"),
    "SASL without mechanisms": (says(message(b"R", struct.pack("!i", 10) + b"\0")), "SASL"),
    "SASL, 2^31 iterations": (sasl(b"r={nonce}x,s=c2FsdA==,i=2147483648"), "iterations"),
    "SASL, no iterations": (sasl(b"r={nonce}x,s=c2FsdA==,i=0"), "iterations"),
    "SASL, another nonce": (sasl(b"r=other,s=c2FsdA==,i=4096"), "nonce"),
    "SASL, garbage": (sasl(b"\xff" * 60000), "malformed"),
    "SASL broken off": (lambda peer: (peer.startup().send(message(b"R", struct.pack("!i", 10) + cstr("SCRAM-SHA-256") + b"\0")),
                                      peer.read(), peer.send(AUTHENTICATED + KEY + READY), peer.wait()), "broke SCRAM"),
    "endless ParameterStatus": (floods(status("x", "y" * 1000), AUTHENTICATED), "end of its login|protocol"),
    "endless other ParameterStatus": (lambda peer: (peer.startup().send(AUTHENTICATED), peer.flood(b"".join(
        status(f"p{n}", "y") for n in range(10000))), peer.wait()), "end of its login|protocol"),
    "endless NOTICE": (floods(error("00000", "n" * 1000, "NOTICE", b"N")), "end of its login"),
    "NOTICE for ever, slowly": (lambda peer: (peer.startup(), [(peer.send(error("00000", "n", "NOTICE", b"N")),
                                                                time.sleep(0.2)) for _ in range(100)]), "within|in time|timed out"),
    "ReadyForQuery at once": (says(READY), "protocol"),
    "ReadyForQuery in a transaction": (says(AUTHENTICATED + KEY + message(b"Z", b"T")), "protocol"),
    "a huge BackendKeyData": (says(AUTHENTICATED + message(b"K", b"k" * 60000) + READY), "protocol"),
    "rows": (says(AUTHENTICATED + message(b"D", b"\0\0")), "protocol|no message"),
    # PgBouncer, CVE-2026-6666: the missing SQLSTATE was read all the same.
    "an error without SQLSTATE": (says(error(None, "odd")), "odd|malformed"),
    "an error without fields": (says(message(b"E", b"\0")), "malformed|error"),
    "an error without an end": (says(message(b"E", b"SFATAL\0Mcut")), "malformed|cut"),
    "an error of 60 KB": (says(error("XX000", "e" * 60000)), "eee"),
}


def answers(*parts, then="wait", times=1):
    """Behaviour: logs in, answers the first query with this and then waits, leaves or serves."""
    def behave(peer):
        peer.login().read()
        for _ in range(times):
            peer.send(*parts)
        if then == "serve":
            peer.serve()
        elif then == "wait":
            peer.wait()
    return behave


def streams(chunk, *before):
    def behave(peer):
        peer.login().read()
        peer.send(*before)
        peer.flood(chunk)
        peer.wait()
    return behave


def numbered_parameters(peer):
    peer.login().read()
    for start in range(0, 1_000_000, 1000):
        peer.send(b"".join(status(f"hostile_{n}", "y" * 100) for n in range(start, start + 1000)))
    peer.wait()


FIELDS = message(b"T", b"\0\1" + cstr("x") + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
ROW = message(b"D", b"\0\1" + struct.pack("!i", 1000) + b"r" * 1000)

# In a session, in answer to a query. What the client sees: SQLSTATEs, "end" (closed without one), "stream" (it goes on).
SESSIONS = {
    "garbage": (answers(b"\x16\x03\x01\x02\x00" * 100), {"08P01", "40003"}),
    "nothing": (answers(), {"stream"}),
    "an end": (answers(then="leave"), {"40003"}),
    "a length of 0": (answers(lying(b"D", 0)), {"08P01", "40003"}),
    "a length of 3": (answers(lying(b"C", 3)), {"08P01", "40003"}),
    "a negative length": (answers(lying(b"Z", 0xFFFFFFF0)), {"08P01", "40003"}),
    "a row of 2 GB": (answers(FIELDS, lying(b"D", 0x7FFFFFFF), then="leave"), {"08P01", "40003"}),
    "half a row of 1 GB": (answers(FIELDS, lying(b"D", 0x3FFFFFFF), then="leave"), {"end"}),
    "an error without SQLSTATE": (answers(error(None, "odd") + READY, then="serve"), {None}),
    "an error without fields": (answers(message(b"E", b"\0") + READY, then="serve"), {None}),
    "an error without an end": (answers(message(b"E", b"SERROR\0Mcut") + READY, then="serve"), {None}),
    "an error without a body": (answers(message(b"E") + READY, then="serve"), {None}),
    "an endless error": (streams(b"M" * 1000, b"E" + struct.pack("!I", 0x3FFFFFFF)), {"stream", "end", "08P01"}),
    "a RowDescription without end": (streams(b"f" * 1000, b"T" + struct.pack("!I", 0x3FFFFFFF)), {"stream", "end"}),
    "a ReadyForQuery without end": (streams(b"I" * 1000, b"Z" + struct.pack("!I", 10000)), {"08P01"}),
    "a ReadyForQuery of no state": (answers(message(b"Z", b"?")), {"08P01"}),
    "endless rows": (streams(ROW, FIELDS), {"stream"}),
    "endless NOTICE": (streams(error("00000", "n" * 1000, "NOTICE", b"N")), {"stream"}),
    "endless notifications": (streams(message(b"A", struct.pack("!i", 1) + cstr("c") + cstr("p" * 500))), {"stream"}),
    "endless ParameterStatus": (streams(status("TimeZone", "UTC")), {"stream", "08P01"}),
    "endless other ParameterStatus": (numbered_parameters, {"stream", "08P01"}),
    "endless CommandComplete": (streams(message(b"C", cstr("SELECT 1"))), {"stream", "08P01"}),
    "an answer to another message": (answers(message(b"1") + message(b"2")), {"08P01"}),
    "a COPY that nobody asked for, both ways": (answers(message(b"W", b"\0\0\0")), {"stream", "08P01"}),
    "a COPY that the client does not feed": (answers(message(b"G", b"\0\0\0")), {"stream"}),
    "authentication": (answers(AUTHENTICATED), {"08P01"}),
    "the answer twice": (answers(message(b"I") + READY, times=2, then="serve"), {None, "08P01", "end"}),
    "bytes behind the answer": (answers(message(b"I") + READY + b"\0\1\2", then="serve"), {None, "08P01", "end"}),
}


def idle_noise(noise):
    """Behaviour: answers one query as it should, and speaks a little later, when the backend is idle in its pool."""
    def behave(peer):
        peer.login().read()
        peer.send(message(b"I") + READY)
        time.sleep(0.3)
        peer.send(noise)
        peer.serve()
    return behave


IDLE = {
    "garbage": idle_noise(b"\xff" * 1000),
    "ReadyForQuery": idle_noise(READY),
    "an answer in advance": idle_noise(FIELDS + ROW + message(b"C", cstr("SELECT 1")) + READY),
    "half a message": idle_noise(b"S\0"),
}


@pytest.fixture(scope="module")
def started(postgres):
    """One daemon with a pool in front of each attacker, and one in front of an honest server."""
    fakes = {f"{kind}: {name}": FakeServer(behave) for kind, behaviours in
             (("login", {name: b for name, (b, _) in LOGINS.items()}), ("session", {name: b for name, (b, _) in SESSIONS.items()}),
              ("idle", IDLE)) for name, behave in behaviours.items()}
    names = {name: f"fake{n}" for n, name in enumerate(fakes)}
    common = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "800ms", "dial_timeout": "600ms", "quarantine_timeout": "500ms"}
    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2},
                              **{names[name]: {"url": fake.url("d", "app", SECRET), **common} for name, fake in fakes.items()}})
    bystander = Bystander(daemon.port, USER, "orders", PASSWORD)
    time.sleep(1)
    yield daemon, bystander, names
    bystander.close()
    print(f"--- log of leasehold on port {daemon.port}\n{daemon.log_text()[-12000:]}")
    daemon.close()
    for fake in fakes.values():
        fake.close()
    assert not daemon.complaint


@pytest.fixture
def attack(started):
    """attack(name): a client of that attacker's pool, not yet logged in, and its pool's name."""
    daemon, bystander, names = started
    sessions = []

    def begin(name):
        sessions.append(pgwire.Connection(daemon.port, timeout=6))
        return sessions[-1], names[name]

    time.sleep(0.1)
    with Unharmed(daemon, bystander):
        yield begin
        for session in sessions:
            session.drop()


def seen(session, text="SELECT 1", seconds=6):
    """What comes of a query: the SQLSTATE of the last error; None: an answer; "end": neither; "stream": it does not end."""
    until = time.monotonic() + seconds
    session.send(query(text))
    sqlstate = "end"
    session.socket.settimeout(0.6)
    with contextlib.suppress(pgwire.Closed, OSError):
        while time.monotonic() < until:
            try:
                kind, body = session.read()
            except TimeoutError:
                return "stream"
            if kind == "E":
                sqlstate = pgwire.fields_of(body).get("C")
            elif kind == "Z":
                return sqlstate if sqlstate != "end" else None
        return "stream"
    return sqlstate


@pytest.mark.parametrize("behaviour", LOGINS)
def test_a_server_that_spoils_the_login_costs_its_clients_a_clear_error(started, attack, behaviour):
    session, pool = attack(f"login: {behaviour}")
    began = time.monotonic()
    with pytest.raises(pgwire.ServerError) as refused:
        session.login("app", pool, SECRET)
    assert time.monotonic() - began < 5
    assert refused.value.severity == "FATAL" and refused.value.sqlstate, refused.value

    def told():
        lines = [line for line in started[0].log_text().splitlines() if f"pool={pool}" in line.split()]
        return re.search(LOGINS[behaviour][1], "\n".join([str(refused.value), *lines]))
    wait_until(told, 5, f"{LOGINS[behaviour][1]} in {refused.value} or the log")
    assert SECRET not in str(refused.value).replace(pool, "")


@pytest.mark.parametrize("behaviour", SESSIONS)
def test_a_server_that_answers_wrongly_costs_its_client_an_error_at_most(attack, behaviour):
    session, pool = attack(f"session: {behaviour}")
    session.login("app", pool, SECRET)
    outcome = seen(session, seconds=1.2)
    assert outcome in SESSIONS[behaviour][1]


@pytest.mark.parametrize("behaviour", IDLE)
def test_what_a_server_says_unasked_reaches_no_client(attack, behaviour):
    session, pool = attack(f"idle: {behaviour}")
    session.login("app", pool, SECRET)
    assert seen(session) is None
    time.sleep(0.6)
    # A new backend answers, or none; never the words that were there before.
    session.send(query("SELECT 2"))
    reply = session.reply()
    assert not reply.rows and reply.kinds in ("IZ", "EZ", "E"), reply
