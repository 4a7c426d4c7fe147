# SPDX-License-Identifier: Apache-2.0
"""Clients of MySQL inside TLS: each of a listener's modes, certificates of clients, and what must not come before the
handshake."""
import ssl
import struct
import subprocess

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import Leasehold
from mysqltls import authority  # noqa: F401 pylint: disable=unused-import
from processes import LOOPBACK, Port

MODES = ["allow", "prefer", "require", "verify-ca", "verify-full"]


@pytest.fixture(scope="module")
def every_mode(mysql_server, authority):
    """One daemon with a MySQL listener of each mode, and one that asks for nothing but a certificate: daemon.ports[mode]."""
    cert, key = authority.issue("localhost", sans=["localhost"], ips=[LOOPBACK])
    daemon = Leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD)}}, start=False)
    reserved = {mode: Port() for mode in [*MODES, "cert"]}
    daemon.ports = {mode: port.number for mode, port in reserved.items()}
    for mode, port in daemon.ports.items():
        tls = {"mode": "verify-full" if mode == "cert" else mode, "cert": cert, "key": key}
        if mode.startswith(("verify", "cert")):
            tls["client_ca"] = authority.ca
        listen = {"dialect": "mysql", "address": f"{LOOPBACK}:{port}", "tls": tls}
        daemon.config["listen"].append({**listen, **({"auth": "cert"} if mode == "cert" else {})})
    daemon.write_config()
    yield daemon.start()
    print(daemon.log_text()[-4000:])
    daemon.close()
    for port in reserved.values():
        port.close()
    assert not daemon.complaint


def context(certificate=None, ca=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if ca:
        made.load_verify_locations(ca)
        made.check_hostname, made.verify_mode = True, ssl.CERT_REQUIRED
    if certificate:
        made.load_cert_chain(*certificate)
    return made


def log_in(port, tls=None, user=USER, password=PASSWORD):
    with mywire.Connection(port) as client:
        client.login(user, password, "shop", tls=tls)
        assert client.value("SELECT 'served'") == "served"
        return client.socket.version() if tls else "plain"


@pytest.mark.parametrize("mode", ["allow", "prefer", "require"])
def test_clients_are_served_in_tls_and_in_plain_where_that_is_allowed(every_mode, authority, mode):
    port = every_mode.ports[mode]
    assert log_in(port, context(ca=authority.ca)).startswith("TLS")
    if mode == "require":
        with pytest.raises(mywire.ServerError) as refused:
            log_in(port)
        assert (refused.value.code, refused.value.sqlstate) == (3159, "HY000")
    else:
        assert log_in(port) == "plain"
    with pytest.raises(mywire.ServerError) as wrong:
        log_in(port, context(), password="wrong")
    assert wrong.value.code == 1045


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full", "cert"])
def test_certificates_of_clients_are_verified(every_mode, authority, mode):
    port = every_mode.ports[mode]
    own, foreign = authority.issue(USER), authority.issue("somebody")
    assert log_in(port, context(own)).startswith("TLS")
    for certificate in (None, authority.authority().issue(USER)):
        with pytest.raises((mywire.ServerError, mywire.Closed, OSError)):
            log_in(port, context(certificate))
    if mode == "verify-ca":
        assert log_in(port, context(foreign)).startswith("TLS")
    else:
        with pytest.raises(mywire.ServerError) as refused:
            log_in(port, context(foreign))
        assert refused.value.sqlstate == "28000"
    if mode == "cert":
        assert log_in(port, context(own), password="").startswith("TLS"), "nobody is asked for a password"
    else:
        with pytest.raises(mywire.ServerError) as refused:
            log_in(port, context(own), password="wrong")
        assert refused.value.code == 1045


def test_the_mariadb_client_chooses_by_its_own_words(every_mode, authority):
    def outcome(mode, *words):
        done = subprocess.run(["mariadb", "--no-defaults", f"-h{LOOPBACK}", f"-P{every_mode.ports[mode]}", f"-u{USER}",
                               f"-p{PASSWORD}", "-N", "-B", *words, "-e", "SELECT 'served'", "shop"], check=False,
                              capture_output=True, text=True, timeout=60)
        return done.stdout.strip() or done.stderr
    assert outcome("require", "--ssl") == "served"
    assert outcome("require", f"--ssl-ca={authority.ca}", "--ssl-verify-server-cert") == "served"
    assert outcome("prefer", "--skip-ssl") == "served"
    assert "3159" in outcome("require", "--skip-ssl")


def test_what_comes_before_the_handshake_is_no_part_of_the_session(every_mode):
    """Plain text behind the request for TLS would be read as if it had come inside."""
    with mywire.Connection(every_mode.ports["require"]) as client:
        client.greet()
        flags = mywire.PROTOCOL_41 | mywire.SECURE_CONNECTION | mywire.PLUGIN_AUTH | mywire.SSL
        head = struct.pack("<IIB23x", flags, 1 << 24, 45)
        packet = len(head).to_bytes(3, "little") + b"\1" + head
        client.socket.sendall(packet + b"\5\0\0\2injected")
        assert client.closed_by_peer()
    assert log_in(every_mode.ports["require"], context()).startswith("TLS")
