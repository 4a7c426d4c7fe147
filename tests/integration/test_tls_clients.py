# SPDX-License-Identifier: Apache-2.0
"""Clients of PostgreSQL inside TLS: each of libpq's modes against each of a listener's, and certificates that change while
sessions live."""
import contextlib
import glob
import io
import os
import pathlib
import shutil
import ssl
import subprocess

import pgwire
import pytest
import sid
from certificates import Certificates
from conftest import PASSWORD, USER
from leasehold import Leasehold, run_program
from processes import LOOPBACK, Port

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.server = made.issue("localhost", sans=["localhost"], ips=[LOOPBACK])
    made.client = made.issue(USER)
    return made


def tls(certificates, mode, **more):
    cert, key = certificates.server
    verifies = {"client_ca": certificates.ca} if mode.startswith("verify") else {}
    return {"mode": mode, "cert": cert, "key": key, **verifies, **more}


@pytest.fixture(scope="module")
def every_mode(postgres, certificates):
    """One daemon with a listener of each mode: daemon.ports[mode]."""
    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False)
    reserved = {mode: Port() for mode in MODES[1:]}
    daemon.ports = {"disable": daemon.port, **{mode: port.number for mode, port in reserved.items()}}
    daemon.config["listen"] = [
        {"dialect": "postgresql", "address": f"{LOOPBACK}:{port}", "tls": tls(certificates, mode)}
        for mode, port in daemon.ports.items()]
    daemon.write_config()
    yield daemon.start()
    print(daemon.log_text()[-4000:])
    daemon.close()
    for port in reserved.values():
        port.close()
    assert not daemon.complaint


@pytest.fixture
def listening(leasehold, postgres, certificates):
    """A factory of daemons whose listener has the keys given."""
    def start(mode="prefer", pool=None, limits=None, tls_keys=None, workers=None, **listener):
        sections = {"limits": limits} if limits else {}
        if workers:
            sections["workers"] = workers
        daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), **(pool or {})}}, start=False,
                           **sections)
        daemon.config["listen"][0].update({"tls": tls(certificates, mode, **(tls_keys or {})), **listener})
        daemon.write_config()
        return daemon.start()
    return start


def psql(port, program=("psql",), password=PASSWORD, sql="SELECT current_user", **libpq):
    """psql to its end. What it prints begins with what protects it."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/nonexistent", "PGPASSWORD": password}
    target = " ".join(f"{key}='{value}'" for key, value in {
        "host": LOOPBACK, "port": port, "user": USER, "dbname": "orders", "connect_timeout": 20, **libpq}.items())
    return subprocess.run([*program, "-X", "-w", "-At", "-d", target, "-c", r"\conninfo", "-c", sql],
                          env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)


def outcome(done):
    """"tls", "plain", or what was said."""
    if done.returncode:
        return done.stderr.strip()
    assert done.stdout.strip().endswith(USER), done
    return "tls" if "SSL connection (protocol: TLS" in done.stdout else "plain"


def context(**options):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    for key, value in options.items():
        setattr(made, key, value)
    return made


def secured(port, made=None):
    """A raw connection inside TLS, nothing said yet."""
    connection = pgwire.Connection(port)
    connection.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
    assert connection.read_exactly(1) == b"S"
    connection.socket = (made or context()).wrap_socket(connection.socket)
    return connection


# --- the modes ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("listener", MODES)
@pytest.mark.parametrize("client", MODES)
def test_libpqs_modes_against_the_listeners(every_mode, certificates, client, listener):
    cert, key = certificates.client
    got = outcome(psql(every_mode.ports[listener], sslmode=client, sslrootcert=certificates.ca, sslcert=cert, sslkey=key))
    if listener == "disable":
        expected = "plain" if client in ("disable", "allow", "prefer") else "server does not support SSL"
    elif listener in ("allow", "prefer"):
        expected = "plain" if client in ("disable", "allow") else "tls"
    else:  # libpq's allow asks again, encrypted, after it was refused
        expected = "requires TLS: connect with sslmode=require" if client == "disable" else "tls"
    assert expected in got, got


@pytest.mark.parametrize("which, sslmode, expected", [
    ("another name", "verify-full", "does not match host name"), ("another name", "verify-ca", "tls"),
    ("stranger", "verify-ca", "certificate verify failed"), ("stranger", "require", "tls"),
    ("expired", "verify-ca", "certificate verify failed")])
def test_a_client_verifies_whom_it_talks_to(listening, certificates, which, sslmode, expected):
    cert, key = {"another name": lambda: certificates.issue("elsewhere", sans=["elsewhere"]),
                 "stranger": lambda: certificates.issue("localhost", ips=[LOOPBACK], ca=certificates.authority()),
                 "expired": lambda: certificates.issue("localhost", ips=[LOOPBACK], expired=True)}[which]()
    daemon = listening("require", tls_keys={"cert": cert, "key": key})
    # libpq takes a root certificate that it finds for a wish to verify, even with sslmode=require.
    root = certificates.ca if sslmode.startswith("verify") else "/nonexistent"
    assert expected in outcome(psql(daemon.port, sslmode=sslmode, sslrootcert=root))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken_and_older_ones_are_not(listening, version):
    daemon = listening("require")
    with secured(daemon.port, context(minimum_version=version, maximum_version=version)) as connection:
        assert connection.socket.version() == version.name.replace("_", ".", 2).replace("TLSv1.", "TLSv1.")
        assert connection.login(USER, "orders", PASSWORD).value("SELECT 1") == "1"
    old = context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError, pgwire.Closed)):
        secured(daemon.port, old)


@pytest.mark.parametrize("sslmode", ["prefer", "require"])
def test_scram_is_bound_to_the_channel_for_psql(listening, sslmode):
    daemon = listening("prefer")
    assert outcome(psql(daemon.port, sslmode=sslmode, channel_binding="require")) == "tls"
    refused = outcome(psql(daemon.port, sslmode="disable", channel_binding="require"))
    assert "channel binding" in refused


def test_psql_18_begins_with_tls_at_once(listening, certificates):
    root = sid.for_tests("psql 18", lambda: sid.tree("postgresql") / "root")
    loader = glob.glob(f"{root}/usr/lib*/ld-linux*") + glob.glob(f"{root}/usr/lib/*-linux-gnu/ld-linux*")
    libraries = glob.glob(f"{root}/usr/lib/*-linux-gnu")
    program = (loader[0], "--library-path", ":".join(libraries), f"{root}/usr/lib/postgresql/18/bin/psql")
    daemon = listening("require")
    for options in ({"sslnegotiation": "direct", "sslmode": "verify-full"}, {"sslnegotiation": "postgres", "sslmode": "require"},
                    {"sslnegotiation": "direct", "sslmode": "require", "min_protocol_version": "3.2",
                     "max_protocol_version": "latest", "channel_binding": "require"}):
        done = psql(daemon.port, program, sslrootcert=certificates.ca, **options)
        assert done.returncode == 0 and done.stdout.strip().endswith(USER), done
    done = psql(listening("disable").port, program, sslnegotiation="direct", sslmode="require", sslrootcert=certificates.ca)
    assert done.returncode == 2


# --- what goes through ------------------------------------------------------------------------------------------------

def test_everything_that_goes_through_in_plain_text_goes_through_encrypted(listening, postgres):
    postgres.query("DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int, note text); ALTER TABLE copied OWNER TO app",
                   database="orders")
    daemon = listening("require")
    big = "x" * 3_000_000
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, sslmode="require")) as connection:
        assert connection.info.ssl_in_use
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT %s || %s", [big, "!"])
            assert cursor.fetchone() == (big + "!",)
            cursor.copy_expert("COPY copied FROM STDIN", io.StringIO("".join(f"{n}\tnote {n}\n" for n in range(50_000))))
            out = io.StringIO()
            cursor.copy_expert("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT", out)
            assert out.getvalue().count("\n") == 50_000
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*), sum(length(note)) FROM copied")
            assert cursor.fetchone() == (50_000, sum(len(f"note {n}") for n in range(50_000)))


def test_a_session_moves_to_its_pools_worker_with_its_encryption(leasehold, postgres, certificates):
    """Several workers accept, and each pool lives on one of them."""
    names = [f"orders{n}" for n in range(4)]
    daemon = leasehold(pools={name: {"url": postgres.url("orders", USER, PASSWORD)} for name in names}, start=False, workers=4)
    daemon.config["listen"][0]["tls"] = tls(certificates, "require")
    daemon.write_config()
    daemon.start()
    for name in names * 5:
        with secured(daemon.port) as connection:
            connection.login(USER, name, PASSWORD)
            assert connection.value("SELECT repeat('x', 100000)") == "x" * 100_000
            assert connection.value(f"SELECT '{name}'") == name


def test_a_request_that_comes_in_small_records_is_put_together(listening):
    daemon = listening("require")
    with secured(daemon.port).login(USER, "orders", PASSWORD) as connection:
        for byte in pgwire.query("SELECT 'a byte at a time'"):
            connection.socket.send(bytes([byte]))
        assert connection.reply().value() == "a byte at a time"


def test_several_requests_in_one_record_are_all_answered(listening):
    """What lies decrypted in memory wakes no socket."""
    daemon = listening("require")
    with secured(daemon.port).login(USER, "orders", PASSWORD) as connection:
        for _ in range(20):
            connection.send(*[pgwire.query(f"SELECT {n}") for n in range(30)])
            assert [connection.reply().value() for _ in range(30)] == [str(n) for n in range(30)]


def test_a_session_is_resumed_by_its_ticket(listening):
    daemon = listening("require")
    made = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with secured(daemon.port, made).login(USER, "orders", PASSWORD) as first:
        ticket = first.socket.session
    connection = pgwire.Connection(daemon.port)
    connection.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
    assert connection.read_exactly(1) == b"S"
    connection.socket = made.wrap_socket(connection.socket, session=ticket)
    with connection.login(USER, "orders", PASSWORD):
        assert connection.socket.session_reused
        assert connection.value("SELECT 1") == "1"


# --- certificates are read at the start, and anew ----------------------------------------------------------------------

def shown_certificate(port):
    with secured(port) as connection:
        return connection.socket.getpeercert(binary_form=True)


@pytest.fixture
def renewable(listening, certificates, tmp_path):
    """A daemon whose certificate is in files that the test may change: daemon.put(cert, key)."""
    cert, key = str(tmp_path / "server.crt"), str(tmp_path / "server.key")

    def put(made):
        shutil.copy(made[0], cert)
        shutil.copy(made[1], key)

    put(certificates.server)
    daemon = listening("require", tls_keys={"cert": cert, "key": key})
    daemon.put, daemon.cert = put, cert
    return daemon


def test_certificates_are_read_anew_and_living_sessions_go_on(renewable, certificates):
    session = secured(renewable.port).login(USER, "orders", PASSWORD)
    before = shown_certificate(renewable.port)
    assert before == ssl.PEM_cert_to_DER_cert(pathlib.Path(certificates.server[0]).read_text())
    fresh = certificates.issue("localhost", sans=["localhost"], ips=[LOOPBACK])
    renewable.put(fresh)
    assert shown_certificate(renewable.port) == before, "only a reload reads them"
    assert renewable.reload() == []
    assert shown_certificate(renewable.port) == ssl.PEM_cert_to_DER_cert(pathlib.Path(fresh[0]).read_text())
    assert session.value("SELECT 'still here'") == "still here"


@pytest.mark.parametrize("spoilt", ["garbage", "gone", "another key"])
def test_unusable_new_certificates_leave_the_old_ones(renewable, certificates, spoilt):
    before = shown_certificate(renewable.port)
    if spoilt == "garbage":
        pathlib.Path(renewable.cert).write_text("-----BEGIN CERTIFICATE-----\nhalf")
    elif spoilt == "gone":
        os.unlink(renewable.cert)
    else:
        shutil.copy(certificates.issue("localhost")[0], renewable.cert)
    problems = renewable.reload()
    assert len(problems) == 1 and (renewable.cert in problems[0] or spoilt == "another key")
    assert shown_certificate(renewable.port) == before
    assert outcome(psql(renewable.port, sslmode="require")) == "tls"
    renewable.put(certificates.server)
    assert renewable.reload() == []


@pytest.mark.parametrize("spoilt, key", [("no such file", "cert"), ("no such file", "key"), ("no such file", "client_ca"),
                                         ("garbage", "cert"), ("garbage", "key"), ("garbage", "client_ca"),
                                         ("another key", "key"), ("a folder", "cert")])
def test_a_daemon_with_unusable_certificates_does_not_start_and_says_where(postgres, certificates, tmp_path, spoilt, key):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no PEM at all\n")
    bad = {"no such file": str(tmp_path / "missing.pem"), "garbage": str(garbage), "a folder": str(tmp_path),
           "another key": certificates.client[1]}[spoilt]
    keys = {**tls(certificates, "verify-ca"), key: bad}
    lines = ["listen:", "  - dialect: postgresql", "    address: 127.0.0.1:{port}", "    tls:",
             *[f"      {name}: {value}" for name, value in keys.items()],
             "pools:", "  orders:", f"    url: {postgres.url('orders', USER, PASSWORD)}"]
    place = f"leasehold.yaml:{lines.index(f'      {key}: {bad}') + 1}: listen[0].tls.{key}: "
    with Leasehold(text="\n".join(lines) + "\nadmin: {http: off}\n", start=False) as daemon:
        for command in (["check"], ["run", "--allow-root"]):
            done = run_program(*command, "--config", daemon.config_file)
            assert done.returncode == 78, done
            assert place in done.stderr and bad in done.stderr, done.stderr
