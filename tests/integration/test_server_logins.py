# SPDX-License-Identifier: Apache-2.0
"""Logging in to servers: channel binding, keys recovered from clients' logins, protocol 3.2, and servers that are none."""
import contextlib
import os
import shutil
import socket
import struct
import threading
import time

import psycopg2
import pytest
from conftest import PASSWORD, USER
from processes import LOOPBACK, Port, end_process, spawn, temp_dir, wait_until
from sid import PostgreSQL18, for_tests
from tlsservers import (CANCEL_REQUEST, SSL_REQUEST, Listening, Recorder, authority, cancels_at_once,  # noqa: F401
                        encrypted, pump, refusal, secure, through)

# --- channel binding and recovered keys ---------------------------------------------------------------------------------

@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
def test_scram_binds_to_the_channel(through, secure, binding):
    assert encrypted(through(secure, sslmode="require", channel_binding=binding)) is True


@pytest.mark.parametrize("user, mode, why", [
    ("trusted", "require", "without channel binding"), ("hashed", "require", "knows no channel binding"),
    (USER, "allow", "the connection has no TLS")])
def test_required_channel_binding_refuses_every_other_login(through, secure, user, mode, why):
    assert why in refusal(through(secure, user, sslmode=mode, channel_binding="require"))


def test_the_verifier_of_a_user_becomes_the_key_to_the_server(leasehold, secure):
    secure.query("DROP ROLE IF EXISTS keyed")
    secure.create_user("keyed", "of-keyed")
    verifier = secure.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'keyed'")
    daemon = leasehold(pools={"orders": {"url": secure.url("orders", USER, PASSWORD, sslmode="require"), "min_idle": 1,
                                         "pool_timeout": 5}},
                       users=[{"name": "keyed", "password": verifier}])
    time.sleep(2.5)  # the pool's min_idle has been refused several times by now
    lines = wait_until(lambda: [line for line in daemon.log_text().splitlines() if "nobody has logged in" in line], 20,
                       "the line")
    assert len(lines) == 1 and "keyed" in lines[0]
    with contextlib.closing(daemon.connect("orders", "keyed", "of-keyed", autocommit=True)) as session:
        with session.cursor() as cursor:
            cursor.execute("SELECT session_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert cursor.fetchone() == ("keyed", True)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        daemon.connect("orders", "keyed", "wrong")
    assert verifier not in daemon.log_text()


def test_a_verifier_that_the_server_has_no_more_is_said_clearly(leasehold, secure):
    secure.query("DROP ROLE IF EXISTS renewed")
    secure.create_user("renewed", "old-password")
    verifier = secure.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'renewed'")
    secure.query("ALTER ROLE renewed PASSWORD 'new-password'")
    daemon = leasehold(pools={"orders": {"url": secure.url("orders", USER, PASSWORD)}},
                       users=[{"name": "renewed", "password": verifier}])
    with pytest.raises(psycopg2.OperationalError, match="another than the configured one"):
        daemon.connect("orders", "renewed", "old-password")


# --- servers that are none ----------------------------------------------------------------------------------------------

def answering(*answers):
    """Answers SSLRequest with these bytes; whoever speaks plain on another connection gets an error."""
    def serve(peer):
        first = peer.recv(8)
        if first[4:8] == SSL_REQUEST:
            for answer in answers:
                peer.sendall(answer)
            with contextlib.suppress(OSError):
                while peer.recv(4096):
                    pass
            return
        words = b"SFATAL\0VFATAL\0C53300\0Msorry, nobody today\0\0"
        peer.sendall(b"E" + struct.pack("!I", len(words) + 4) + words)
    return Listening(serve)


ERROR = b"SFATAL\0C28000\0Mtrust me, I am an error\0\0"
ERROR = b"E" + struct.pack("!I", len(ERROR) + 4) + ERROR


@pytest.mark.parametrize("answer, words", [
    (b"S" + b"R\0\0\0\x08\0\0\0\0", "received unencrypted data"), (b"N" + b"x", "received unencrypted data"),
    (ERROR, "answers a request for TLS with an error"), (b"X", "answers a request for TLS with an error"),
    (b"N", "the server does not offer TLS")])
def test_what_an_attacker_says_before_tls_is_neither_believed_nor_shown(through, secure, answer, words):
    with answering(answer) as fake:
        text = refusal(through(secure, port=fake.port, sslmode="require"))
        assert words in text and "trust me" not in text and "sorry" not in text


def test_a_server_too_full_to_encrypt_is_asked_again_in_plain_where_that_is_allowed(through, secure):
    with answering(ERROR) as fake:
        text = refusal(through(secure, port=fake.port, sslmode="prefer"))
        assert "sorry, nobody today" in text and "trust me" not in text


def test_a_server_that_never_answers_costs_no_more_than_the_dial(through, secure):
    with Listening(lambda peer: peer.recv(1) and time.sleep(8)) as fake:
        daemon = through(secure, port=fake.port, sslmode="require", pool={"dial_timeout": 1, "pool_timeout": 2})
        began = time.monotonic()
        assert "timed out" in refusal(daemon)
        assert time.monotonic() - began < 6


# --- protocol 3.2 -------------------------------------------------------------------------------------------------------

def test_protocol_3_2_is_asked_for_and_3_0_taken(through, secure):
    with Recorder(secure) as recorder:
        daemon = through(secure, port=recorder.port, sslmode="disable")
        cancels_at_once(daemon)
        logins = [sent for sent in recorder.sent if sent[4:8] != CANCEL_REQUEST]
        assert logins and all(sent[4:8] == struct.pack("!HH", 3, 2) for sent in logins)


@pytest.mark.parametrize("closes", [False, True])
def test_a_server_that_knows_no_3_2_is_asked_again_once(through, secure, closes):
    versions = []

    def old(peer):
        first = peer.recv(8, socket.MSG_WAITALL)
        versions.append(first[4:8])
        if first[4:8] == struct.pack("!HH", 3, 2):
            if closes:
                return
            words = b"SFATAL\0C0A000\0Munsupported frontend protocol 3.2: server supports 2.0 to 3.0\0\0"
            peer.sendall(b"E" + struct.pack("!I", len(words) + 4) + words)
            return
        with socket.create_connection((LOOPBACK, secure.port)) as server:
            server.sendall(first)
            threading.Thread(target=pump, args=(server, peer, None), daemon=True).start()
            pump(peer, server, None)

    with Listening(old) as fake:
        daemon = through(secure, port=fake.port, sslmode="disable", pool={"pool_recycle": "50ms"})
        for _ in range(4):
            assert encrypted(daemon) is False
            time.sleep(0.1)
        new, known = struct.pack("!HH", 3, 2), struct.pack("!HH", 3, 0)
        logins = [version for version in versions if version in (new, known)]
        assert logins[:2] == [new, known] and logins.count(new) == 1 and logins.count(known) >= 2


@pytest.mark.skipif(not shutil.which("pgbouncer") and not os.path.exists("/usr/sbin/pgbouncer"), reason="no pgbouncer")
def test_a_pooler_of_before_3_2_is_a_server_like_others(leasehold, secure):
    folder = temp_dir("lh-pb-")
    reserved = Port()
    try:
        config = os.path.join(folder, "pgbouncer.ini")
        with open(config, "w") as file:
            file.write(f"[databases]\norders = host={LOOPBACK} port={secure.port} dbname=orders user={USER}"
                       f" password='{PASSWORD}'\n[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {reserved.number}\n"
                       f"auth_type = any\npool_mode = session\nunix_socket_dir =\nlogfile = {folder}/log\n"
                       "server_tls_sslmode = prefer\nignore_startup_parameters = extra_float_digits\n")
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        bouncer = spawn([shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", config], os.path.join(folder, "out"),
                        user="postgres", cwd=folder)

        def listens():
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, reserved.number), 1):
                return True
        wait_until(listens, 10, "pgbouncer listening")
        daemon = leasehold(pools={"orders": {"url": f"postgresql://{USER}:pw@{LOOPBACK}:{reserved.number}/orders",
                                             "pool_timeout": 5}})
        with contextlib.closing(daemon.connect("orders", USER, "pw", autocommit=True)) as session:
            with session.cursor() as cursor:
                cursor.execute("SELECT current_user")
                assert cursor.fetchone() == (USER,)
        end_process(bouncer)
    finally:
        reserved.close()
        shutil.rmtree(folder, ignore_errors=True)


# --- PostgreSQL 18 ------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def newer(authority):
    cert, key = authority.issue("localhost", sans=["localhost"], owner="postgres")
    with for_tests("PostgreSQL 18", lambda: PostgreSQL18(settings={
            "ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key})) as server:
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        yield server


def test_direct_tls_saves_the_question(through, newer, authority):
    assert encrypted(through(newer, host="localhost", sslmode="verify-full", sslrootcert=authority.ca,
                             sslnegotiation="direct", channel_binding="require")) is True
    with Recorder(newer) as recorder:
        cancels_at_once(through(newer, port=recorder.port, sslmode="require", sslnegotiation="direct"))
        assert len(recorder.sent) >= 2
        assert all(sent[0] == 0x16 for sent in recorder.sent), "each begins with a ClientHello"


def test_direct_tls_to_a_server_that_does_not_know_it_fails_with_its_name(through, secure):
    text = refusal(through(secure, sslmode="require", sslnegotiation="direct", pool={"pool_timeout": 1}))
    assert f"{LOOPBACK}:{secure.port}: " in text


def test_cancel_keys_of_protocol_3_2_are_long_and_work(through, newer):
    with Recorder(newer) as recorder:
        cancels_at_once(through(newer, port=recorder.port, sslmode="disable"))
        cancels = [sent for sent in recorder.sent if sent[4:8] == CANCEL_REQUEST]
        assert cancels and all(struct.unpack("!I", sent[:4])[0] == 12 + 32 for sent in cancels)


@pytest.mark.parametrize("mode, expected", [("allow", False), ("prefer", True), ("require", True)])
def test_the_words_mean_the_same_to_a_newer_server(through, newer, mode, expected):
    assert encrypted(through(newer, sslmode=mode)) is expected
