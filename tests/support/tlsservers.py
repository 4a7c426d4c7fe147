# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server with TLS, daemons in front of it, and peers that stand in for a server. Fixtures to be imported:

    from tlsservers import authority, connected, encrypted, refusal, secure, through   # pylint: disable=unused-import

    def test_something(through, secure):
        daemon = through(secure, sslmode="require")      # options of the URL; host=, port=, user=, pool={...}
        assert encrypted(daemon)
"""
import contextlib
import shutil
import socket
import struct
import threading
import time

import pgwire
import psycopg2
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from processes import LOOPBACK, temp_dir
from servers import Postgres

SSL_REQUEST, CANCEL_REQUEST = struct.pack("!I", 80877103), struct.pack("!I", 80877102)
HBA = ["hostssl all certified 127.0.0.1/32 cert",
       "hostssl all only_tls 127.0.0.1/32 scram-sha-256", "host all only_tls 127.0.0.1/32 reject",
       "hostnossl all only_plain 127.0.0.1/32 scram-sha-256", "host all only_plain 127.0.0.1/32 reject",
       "host all trusted 127.0.0.1/32 trust", "host all hashed 127.0.0.1/32 md5"]


@pytest.fixture(scope="module")
def authority():
    folder = temp_dir("lh-ca-")
    yield Certificates(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def secure(authority):
    """PostgreSQL with ssl=on and a certificate for localhost, not for 127.0.0.1."""
    cert, key = authority.issue("localhost", sans=["localhost"], owner="postgres")
    with Postgres(hba=HBA, settings={"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key,
                                     "ssl_ca_file": authority.ca}) as server:
        for user in (USER, "certified", "only_tls", "only_plain", "trusted"):
            server.create_user(user, PASSWORD)
        server.create_user("hashed", PASSWORD, encryption="md5")
        server.create_database("orders", owner=USER)
        server.certificate = cert, key
        yield server


@pytest.fixture
def through(leasehold):
    """A factory: through(server, user, host=..., **options of the URL) is a daemon with the pool orders."""
    def start(server, user=USER, host=LOOPBACK, port=None, pool=None, password=PASSWORD, **query):
        url = server.url("orders", user, password, **query).replace(f"@{LOOPBACK}:{server.port}",
                                                                    f"@{host}:{port or server.port}")
        daemon = leasehold(pools={"orders": {"url": url, "pool_size": 2, "pool_timeout": 3, "dial_timeout": 2,
                                             **(pool or {})}})
        daemon.login = user, password
        return daemon
    return start


def connected(daemon):
    return daemon.connect("orders", *daemon.login, autocommit=True)


def encrypted(daemon):
    """Whether the daemon's connection to its server is."""
    with contextlib.closing(connected(daemon)) as session, session.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        return cursor.fetchone()[0]


def refusal(daemon):
    with pytest.raises(psycopg2.OperationalError) as failed:
        encrypted(daemon)
    text = str(failed.value)
    assert PASSWORD not in text and PASSWORD not in daemon.log_text()
    return text


def cancels_at_once(daemon):
    """Over the wire: libpq's own cancel request would stop this program, and a stand-in for a server with it."""
    with pgwire.connect(daemon.port, daemon.login[0], "orders", daemon.login[1]) as session:
        began = time.monotonic()
        timer = threading.Timer(0.5, pgwire.cancel, [daemon.port, session.key])
        timer.start()
        reply = session.query("SELECT pg_sleep(20)")
        timer.join()
        assert [error.sqlstate for error in reply.errors] == ["57014"]
        assert time.monotonic() - began < 5
        assert session.value("SELECT 1") == "1"


class Listening:
    """A TCP listener whose connections are given to `serve(socket)` on threads of their own."""

    def __init__(self, serve):
        self.listener = socket.create_server((LOOPBACK, 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._one, args=self.listener.accept()[:1], daemon=True).start()

    def _one(self, peer):
        with contextlib.suppress(OSError), peer:
            self.serve(peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Recorder(Listening):
    """Passes bytes on to a server and keeps what clients send, one entry a connection."""

    def __init__(self, server):
        self.sent = []
        self.server = server
        super().__init__(self._relay)

    def _relay(self, peer):
        record = bytearray()
        self.sent.append(record)
        with socket.create_connection((LOOPBACK, self.server.port)) as server:
            threading.Thread(target=pump, args=(server, peer, None), daemon=True).start()
            pump(peer, server, record)


def pump(source, target, record):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if record is not None:
                record += data
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
