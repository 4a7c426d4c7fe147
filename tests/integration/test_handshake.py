# SPDX-License-Identifier: Apache-2.0
"""The first bytes of a PostgreSQL client, as it may send them: the version it speaks and the key it may cancel by, TLS asked
for and TLS at once, and SCRAM bound to the certificate that it sees."""
import base64
import contextlib
import hashlib
import hmac
import ssl
import struct
import subprocess
import threading
import time

import pgwire
import psycopg2
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from pgwire import PROTOCOL_3, ServerError, cstr, startup_packet
from processes import wait_until


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("tls"))
    made.server = made.issue("localhost", sans=["localhost"], ips=["127.0.0.1"])
    return made


@pytest.fixture
def listening(leasehold, postgres, certificates):
    """A factory of daemons whose listener has the keys given; tls="require" stands for such a mode with a certificate."""
    def start(tls=None, users=(), **listener):
        daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False, users=list(users))
        if tls:
            cert, key = certificates.server
            listener["tls"] = {"mode": tls, "cert": cert, "key": key}
        daemon.config["listen"][0].update(listener)
        daemon.write_config()
        return daemon.start()
    return start


class Client(pgwire.Connection):
    """A client that says what it is told to, and notes what it was told."""

    negotiated = None  # (version, options) of NegotiateProtocolVersion

    def ask(self, code):
        self.send(startup_packet(code))
        return self.read_exactly(1)

    def secure(self, alpn=None, resuming=None):
        """`resuming`: the client whose TLS session is taken up again."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if resuming is None else resuming.socket.context
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        session = resuming.socket.session if resuming else None
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost", session=session)
        return self

    def start(self, version=PROTOCOL_3, user=USER, database="orders", **options):
        self.send(startup_packet(version, b"".join(cstr(k) + cstr(v) for k, v in
                                                   {"user": user, "database": database, **options}.items()) + b"\0"))
        return self

    def expect(self, kind):
        got, body = self.read()
        if got == "E":
            raise ServerError(pgwire.fields_of(body))
        assert got == kind, (got, body)
        return body

    def trusted(self, version=PROTOCOL_3, **options):
        """Logs in where nothing is asked; `key` is then what cancels."""
        self.start(version, **options)
        while True:
            got, body = self.read()
            if got == "E":
                raise ServerError(pgwire.fields_of(body))
            if got == "v":
                newest, count = struct.unpack_from("!ii", body)
                self.negotiated = newest, [name.decode() for name in body[8:].split(b"\0")[:-1]]
                assert len(self.negotiated[1]) == count
            if got == "K":
                self.key = body[:4], body[4:]
            if got == "Z":
                return self


@pytest.fixture
def client():
    made = []

    def connect(daemon):
        made.append(Client(daemon.port))
        return made[-1]

    yield connect
    for connection in made:
        connection.drop()


def cancel(daemon, pid, secret):
    with Client(daemon.port) as connection:
        connection.send(startup_packet(pgwire.CANCEL_REQUEST, pid + secret))
        assert connection.closed_by_peer()


# --- versions -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("minor, length", [(0, 4), (2, 32)])
def test_a_client_gets_the_cancel_key_of_its_version_and_it_cancels(listening, client, minor, length):
    daemon = listening(auth="trust")
    session = client(daemon).trusted(PROTOCOL_3 + minor)
    pid, secret = session.key
    assert len(secret) == length and session.negotiated is None
    session.send(pgwire.query("SELECT pg_sleep(20)"))
    time.sleep(0.3)
    # What is only nearly the key cancels nothing.
    for wrong in {secret[:4] + bytes(length - 4) if length > 4 else secret[:3] + b"!", secret + b"x",
                  secret[:-1] + bytes([secret[-1] ^ 1])}:
        cancel(daemon, pid, wrong)
    assert session.silent(0.3)
    started = time.monotonic()
    cancel(daemon, pid, secret)
    assert session.reply().sqlstate == "57014"
    assert time.monotonic() - started < 5
    assert session.value("SELECT 7") == "7"


@pytest.mark.parametrize("minor, spoken", [(1, 0), (3, 2), (9999, 2)])
def test_another_version_is_negotiated_down(listening, client, minor, spoken):
    session = client(listening(auth="trust")).trusted(PROTOCOL_3 + minor, **{"_pq_.not_yet": "1"})
    assert session.negotiated == (PROTOCOL_3 + spoken, ["_pq_.not_yet"])
    assert len(session.key[1]) == (32 if spoken == 2 else 4)
    assert session.value("SELECT 1") == "1"


def test_an_option_of_the_protocol_that_is_not_known_is_said_to_be_so(listening, client):
    session = client(listening(auth="trust")).trusted(**{"_pq_.a": "1", "_pq_.b": ""})
    assert session.negotiated == (PROTOCOL_3, ["_pq_.a", "_pq_.b"])


@pytest.mark.parametrize("major", [1, 2, 4])
def test_another_protocol_is_refused_by_name(orders, client, major):
    with pytest.raises(ServerError) as refused:
        client(orders).start(major << 16).expect("R")
    assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "0A000")
    assert f"{major}.0" in refused.value.message and "3.0 to 3.2" in refused.value.message


# --- TLS ----------------------------------------------------------------------------------------------------------

def test_tls_is_declined_where_there_is_none_and_refused_where_it_comes_unasked(orders, client):
    session = client(orders)
    assert session.ask(pgwire.GSSENC_REQUEST) == b"N"
    assert session.ask(pgwire.SSL_REQUEST) == b"N"
    assert session.login(USER, "orders", PASSWORD).value("SELECT 1") == "1"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client(orders).secure(["postgresql"])
    wait_until(lambda: "offers no TLS" in orders.log_text(), 5, "the reason in the log")


def test_tls_is_begun_by_a_request(listening, client):
    daemon = listening(tls="require")
    session = client(daemon)
    assert session.ask(pgwire.GSSENC_REQUEST) == b"N"
    assert session.ask(pgwire.SSL_REQUEST) == b"S"
    session.secure().login(USER, "orders", PASSWORD)
    assert session.value("SELECT 1") == "1"


def test_tls_is_begun_at_once_by_clients_that_name_the_protocol(listening, client):
    daemon = listening(tls="require")
    session = client(daemon).secure(["postgresql"])
    assert session.socket.selected_alpn_protocol() == "postgresql"
    assert session.login(USER, "orders", PASSWORD).value("SELECT 1") == "1"
    # Whoever speaks to another server must not be answered by this one.
    unnamed = client(daemon).secure()
    unnamed.start()
    with pytest.raises(ServerError) as refused:
        unnamed.expect("R")
    assert refused.value.sqlstate == "08P01" and "sslnegotiation" in refused.value.message
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        other = client(daemon).secure(["http/1.1"])
        other.start()
        assert other.closed_by_peer()


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("code", [pgwire.SSL_REQUEST, pgwire.GSSENC_REQUEST])
def test_no_second_encryption_is_begun_inside(listening, client, direct, code):
    session = client(listening(tls="require"))
    if not direct:
        session.ask(pgwire.SSL_REQUEST)
    session.secure(["postgresql"]).send(startup_packet(code))
    with pytest.raises(ServerError) as refused:
        session.expect("R")
    assert refused.value.sqlstate == "08P01"


def test_where_tls_is_required_a_plain_client_is_told_what_to_do(listening, client):
    daemon = listening(tls="require")
    with pytest.raises(psycopg2.OperationalError, match="sslmode=require"):
        daemon.connect("orders", USER, PASSWORD, sslmode="disable")
    with pytest.raises(ServerError) as refused:
        client(daemon).start().expect("R")
    assert refused.value.sqlstate == "28000"
    assert daemon.connect("orders", USER, PASSWORD, sslmode="require").info.ssl_in_use


def test_a_cancel_request_needs_no_tls(listening, client):
    daemon = listening(tls="require")
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, sslmode="require", autocommit=True)) as connection:
        threading.Timer(0.5, connection.cancel).start()  # libpq's own: in plain text
        with connection.cursor() as cursor, pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(20)")


@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_that_came_in_plain_text_is_taken_for_encrypted(listening, client, at_once):
    """The man in the middle who puts a statement in front of the handshake (CVE-2021-23214)."""
    daemon = listening(tls="require", auth="trust")
    session = client(daemon)
    injected = startup_packet(PROTOCOL_3, cstr("user") + cstr(USER) + cstr("database") + cstr("orders") + b"\0")
    injected += pgwire.query("SELECT 1 / 0")
    session.send(startup_packet(pgwire.SSL_REQUEST), injected if at_once else b"")
    if not at_once:
        assert session.read_exactly(1) == b"S"
        session.send(injected)
    assert session.closed_by_peer()
    assert "event=connect" not in daemon.log_text()  # nothing was asked of the server


def test_a_client_that_stops_in_the_middle_of_the_handshake_is_holding_nobody_up(listening, client):
    daemon = listening(tls="require")
    half = client(daemon)
    assert half.ask(pgwire.SSL_REQUEST) == b"S"
    half.send(b"\x16\x03\x01")
    # Others are not kept waiting by it.
    started = time.monotonic()
    assert daemon.connect("orders", USER, PASSWORD, sslmode="require").info.ssl_in_use
    assert time.monotonic() - started < 5


# --- SCRAM and the channel ----------------------------------------------------------------------------------------

class BoundScram(pgwire.Scram):
    def __init__(self, password, header, data=b"", mechanism="SCRAM-SHA-256-PLUS"):
        super().__init__(password)
        self.header, self.data, self.mechanism = header.encode(), data, mechanism

    def first(self):
        data = self.header + self.bare.encode()
        return cstr(self.mechanism) + struct.pack("!i", len(data)) + data

    def final(self, server_first):
        parts = dict(p.split("=", 1) for p in server_first.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts["s"]), int(parts["i"]))
        without_proof = f"c={base64.b64encode(self.header + self.data).decode()},r={parts['r']}"
        auth = f"{self.bare},{server_first.decode()},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), auth, "sha256")
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()


def bound_login(session, scram, resuming=None):
    """The mechanisms offered; raises what the server answers."""
    session.ask(pgwire.SSL_REQUEST)
    session.secure(resuming=resuming).start()
    offered = session.expect("R")
    scram.data = scram.data or hashlib.sha256(session.socket.getpeercert(binary_form=True)).digest()
    session.send(pgwire.message(b"p", scram.first()))
    session.send(pgwire.message(b"p", scram.final(session.expect("R")[4:])))
    scram.verify(session.expect("R")[4:])
    assert session.expect("R") == bytes(4)
    assert session.reply().status == "I"
    return offered[4:].split(b"\0")[:-2]


BOUND = "p=tls-server-end-point,,"


def test_scram_is_bound_to_the_certificate(listening, client):
    daemon = listening(tls="require")
    session = client(daemon)
    assert bound_login(session, BoundScram(PASSWORD, BOUND)) == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
    assert session.value("SELECT current_user") == USER
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, sslmode="require", channel_binding="require")) as libpq:
        assert libpq.info.ssl_in_use


def test_a_resumed_tls_session_is_bound_to_the_same_certificate(listening, client):
    daemon = listening(tls="require")
    first, second = client(daemon), client(daemon)
    bound_login(first, BoundScram(PASSWORD, BOUND))
    certificate = hashlib.sha256(first.socket.getpeercert(binary_form=True)).digest()
    assert bound_login(second, BoundScram(PASSWORD, BOUND, certificate), resuming=first)[0] == b"SCRAM-SHA-256-PLUS"
    assert second.socket.session_reused
    assert second.value("SELECT 1") == "1"


@pytest.mark.parametrize("header, data, mechanism, sqlstate", [
    (BOUND, b"x" * 32, "SCRAM-SHA-256-PLUS", "28000"),        # somebody else's certificate
    ("y,,", b"", "SCRAM-SHA-256", "28000"),                   # the offer was taken away on its way
    ("n,,", b"", "SCRAM-SHA-256-PLUS", "08P01"),
    (BOUND, b"", "SCRAM-SHA-256", "08P01"),
    ("p=tls-unique,,", b"", "SCRAM-SHA-256-PLUS", "08P01"),
])
def test_whoever_stands_in_between_is_noticed(listening, client, header, data, mechanism, sqlstate):
    daemon = listening(tls="require")
    with pytest.raises(ServerError) as refused:
        bound_login(client(daemon), BoundScram(PASSWORD, header, data, mechanism))
    assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", sqlstate)
    assert daemon.connect("orders", USER, PASSWORD, sslmode="require").info.ssl_in_use


@pytest.mark.parametrize("user, password", [(USER, "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_user_look_the_same_when_bound(listening, client, user, password):
    daemon = listening(tls="require")
    with pytest.raises(psycopg2.OperationalError, match=f'password authentication failed for user "{user}"'):
        daemon.connect("orders", user, password, sslmode="require", channel_binding="require")


def test_channel_binding_is_not_offered_in_plain_text(orders):
    with pytest.raises(psycopg2.OperationalError):
        orders.connect("orders", USER, PASSWORD, channel_binding="require")


# --- clear text and verifiers -------------------------------------------------------------------------------------

def verifier_of(postgres, user):
    return postgres.value("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (user,))


@pytest.mark.parametrize("known_as", ["clear text", "verifier"])
def test_clear_text_is_taken_inside_tls(listening, postgres, known_as):
    users = [{"name": "reader", "password": "r3ader" if known_as == "clear text" else None, "pools": ["orders"], "as": "pool"}]
    postgres.query("DROP ROLE IF EXISTS reader")
    postgres.create_user("reader", "r3ader")
    if known_as == "verifier":
        users[0]["password"] = verifier_of(postgres, "reader")
    daemon = listening(tls="require", auth="cleartext", users=users)
    with contextlib.closing(daemon.connect("orders", "reader", "r3ader", sslmode="require")) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == (USER,)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        daemon.connect("orders", "reader", "wrong", sslmode="require")


@pytest.mark.parametrize("auth", ["scram", "cleartext"])
def test_a_verifier_admits_and_what_it_learns_at_the_login_dials_the_backend(listening, postgres, auth):
    postgres.query("DROP ROLE IF EXISTS teller")
    postgres.create_user("teller", "t3ller")
    users = [{"name": "teller", "password": verifier_of(postgres, "teller"), "pools": ["orders"]}]
    daemon = listening(tls="require", auth=auth, users=users)
    with contextlib.closing(daemon.connect("orders", "teller", "t3ller", sslmode="require")) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("teller",)
    assert "SCRAM-KEYS" not in daemon.log_text() and "t3ller" not in daemon.log_text()


# --- what real clients make of it ---------------------------------------------------------------------------------

def test_psql_says_what_protects_it(listening, postgres):
    daemon = listening(tls="require")
    shown = subprocess.run(
        [postgres.program("psql"), "-X", "-At", "-c", r"\conninfo", "-c", "SELECT 1",
         daemon.url("orders", USER, PASSWORD, sslmode="require", channel_binding="require")],
        capture_output=True, text=True, timeout=60, check=True).stdout
    assert "SSL" in shown and shown.strip().endswith("1")
