# SPDX-License-Identifier: Apache-2.0
"""TLS on the way to servers, by libpq's words: which connections are encrypted, who is believed, what a reload changes."""
import os
import re
import shutil
import subprocess
import time

import psycopg2
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from leasehold import program
from processes import LOOPBACK, temp_dir, wait_until
from servers import Postgres
from tlsservers import (CANCEL_REQUEST, SSL_REQUEST, Recorder, authority, cancels_at_once, connected,  # noqa: F401
                        encrypted, refusal, secure, through)

# --- sslmode ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode, on, off", [
    ("disable", False, False), ("allow", False, False), ("prefer", True, False), (None, True, False), ("require", True, None),
    ("verify-ca", True, None), ("verify-full", True, None)])
def test_sslmode_means_what_it_means_to_libpq(through, secure, postgres, authority, mode, on, off):
    query = {"sslmode": mode} if mode else {}
    if mode and mode.startswith("verify"):
        query["sslrootcert"] = authority.ca
    host = "localhost" if mode == "verify-full" else LOOPBACK
    assert encrypted(through(secure, host=host, **query)) is on
    without = through(postgres, host=host, **query)
    if off is None:
        text = refusal(without)
        assert "the server does not offer TLS" in text and f"{host}:{postgres.port}" in text
    else:
        assert encrypted(without) is off


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full", "require"])
def test_a_certificate_of_another_authority_is_refused_at_once(through, secure, authority, mode):
    daemon = through(secure, host="localhost", sslmode=mode, sslrootcert=authority.authority().ca)
    began = time.monotonic()
    text = refusal(daemon)
    assert "certificate" in text and "localhost" in text
    assert time.monotonic() - began < 2.5, "nobody waits for what will not get better"


def test_a_certificate_for_another_host_is_refused_by_verify_full_alone(through, secure, authority):
    assert encrypted(through(secure, sslmode="verify-ca", sslrootcert=authority.ca)) is True
    text = refusal(through(secure, sslmode="verify-full", sslrootcert=authority.ca))
    assert LOOPBACK in text


def test_prefer_falls_back_to_plain_where_the_handshake_fails(through, secure, authority):
    assert encrypted(through(secure, sslmode="prefer", sslrootcert=authority.authority().ca)) is False


@pytest.mark.parametrize("user, mode, expected", [
    ("only_tls", "allow", True), ("only_tls", "prefer", True), ("only_tls", "disable", None),
    ("only_plain", "allow", False), ("only_plain", "prefer", False), ("only_plain", "require", None)])
def test_a_login_refused_one_way_is_tried_the_other_way(through, secure, user, mode, expected):
    daemon = through(secure, user, sslmode=mode)
    if expected is None:
        assert "pg_hba.conf" in refusal(daemon)
    else:
        assert encrypted(daemon) is expected


def test_a_wrong_password_is_said_as_it_was_said_over_tls(leasehold, secure):
    url = secure.url("orders", "only_tls", "wrong-one", sslmode="prefer")
    daemon = leasehold(pools={"orders": {"url": url, "pool_timeout": 3}})
    with pytest.raises(psycopg2.OperationalError) as failed:
        daemon.connect("orders", "only_tls", "wrong-one")
    text = str(failed.value)
    assert 'password authentication failed for user "only_tls"' in text
    assert "wrong-one" not in text + daemon.log_text()


def test_a_client_certificate_logs_in(through, secure, authority):
    cert, key = authority.issue("certified")
    query = {"sslmode": "require", "sslcert": cert, "sslkey": key}
    assert encrypted(through(secure, "certified", **query)) is True
    assert "certificate" in refusal(through(secure, "certified", sslmode="require"))
    stranger = authority.issue("somebody else")
    text = refusal(through(secure, "certified", sslmode="require", sslcert=stranger[0], sslkey=stranger[1]))
    assert "certificate authentication failed" in text
    forged = authority.authority().issue("certified")
    text = refusal(through(secure, "certified", sslmode="require", sslcert=forged[0], sslkey=forged[1]))
    assert f"{LOOPBACK}:{secure.port}: " in text
    assert "unknown ca" in text or "perhaps it does not accept our certificate" in text, "its alert may be lost on the way"


def test_unix_sockets_are_never_encrypted(leasehold, secure, authority):
    url = (f"postgresql://{USER}:pw@/orders?host={secure.folder}&port={secure.port}"
           f"&sslmode=verify-full&sslrootcert={authority.ca}")
    daemon = leasehold(pools={"orders": {"url": url}})
    daemon.login = USER, "pw"
    assert encrypted(daemon) is False
    cancels_at_once(daemon)


# --- what a file or an option can do wrong ------------------------------------------------------------------------------

@pytest.mark.parametrize("query, words", [
    ("sslmode=verify-full", "needs sslrootcert"), ("sslnegotiation=direct", "begins with TLS"),
    ("sslmode=verify-ca&sslrootcert=system", "system"), ("sslmode=disable&channel_binding=require", "needs TLS"),
    ("sslmode=verify-ca&sslrootcert=/nowhere/ca.crt", "/nowhere/ca.crt"),
    ("sslmode=verify-ca&sslrootcert={bad}", "{bad}"), ("sslcert={ca}&sslkey={bad}", "{bad}")])
def test_check_names_what_cannot_be_kept(tmp_path, authority, query, words):
    bad = tmp_path / "bad.crt"
    bad.write_text("no certificate\n")
    names = {"bad": bad, "ca": authority.ca}
    file = tmp_path / "leasehold.yaml"
    file.write_text("listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n  orders:\n"
                    f"    url: postgresql://a:b@db/orders?{query.format(**names)}\n")
    done = subprocess.run([program(), "check", "--config", file], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert re.search(r"leasehold.yaml:4: pools\.orders\.url: ", done.stderr) and words.format(**names) in done.stderr


def test_check_connects_as_the_daemon_would(tmp_path, secure, authority):
    file = tmp_path / "leasehold.yaml"
    url = secure.url("orders", USER, PASSWORD, sslmode="verify-full", sslrootcert=authority.ca)
    for host, code in (("localhost", 0), (LOOPBACK, 69)):
        file.write_text("listen: [{dialect: postgresql, address: 127.0.0.1:6432}]\npools:\n  orders:\n"
                        f"    url: {url.replace('@' + LOOPBACK, '@' + host)}\n")
        done = subprocess.run([program(), "check", "--connect", "--config", file], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "sslmode verify-full" in done.stdout
        assert ("TLSv1.3" in done.stdout) is (code == 0)


# --- certificates that are renewed --------------------------------------------------------------------------------------

def test_a_reload_reads_certificates_anew(leasehold, authority, tmp_path_factory):
    folder = temp_dir("lh-renew-")
    old, new = Certificates(os.path.join(folder, "old")), Certificates(os.path.join(folder, "new"))
    cert, key = (os.path.join(folder, name) for name in ("server.crt", "server.key"))
    trusted = os.path.join(folder, "trusted.crt")

    def install(issuer):
        for source, target in zip(issuer.issue("localhost", sans=["localhost"]), (cert, key)):
            shutil.copy(source, target)
            os.chmod(target, 0o600)
            if os.geteuid() == 0:
                shutil.chown(target, "postgres")

    install(old)
    shutil.copy(old.ca, trusted)
    try:
        with Postgres(settings={"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key}) as server:
            server.create_user(USER, PASSWORD)
            server.create_database("orders", owner=USER)
            url = server.url("orders", USER, PASSWORD, sslmode="verify-full", sslrootcert=trusted)
            daemon = leasehold(pools={"orders": {"url": url.replace(f"@{LOOPBACK}", "@localhost"), "pool_size": 2,
                                                 "pool_timeout": 3}})
            daemon.login = USER, PASSWORD
            first = connected(daemon)
            cursor = first.cursor()
            cursor.execute("BEGIN; SELECT pg_backend_pid()")
            install(new)
            server.reload()
            wait_until(lambda: "SSL" not in refusal(daemon) and True, 5, "the new certificate")
            # A file that is broken changes nothing; the right one makes new connections possible.
            open(trusted, "w").write("rubbish\n")
            assert any(trusted in problem for problem in daemon.reload()), "a word about the broken file"
            shutil.copy(new.ca, trusted)
            assert daemon.reload() == []
            assert encrypted(daemon) is True
            cursor.execute("SELECT 1")  # what was connected before goes on
            cursor.execute("COMMIT")
            first.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- cancel -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["require", "disable"])
def test_a_cancel_request_is_encrypted_as_its_session_is(through, secure, mode):
    with Recorder(secure) as recorder:
        daemon = through(secure, port=recorder.port, sslmode=mode)
        cancels_at_once(daemon)
        assert len(recorder.sent) >= 2
        for sent in recorder.sent:
            assert (sent[4:8] == SSL_REQUEST) is (mode == "require")
            if mode == "require":
                assert CANCEL_REQUEST not in sent and USER.encode() + b"\0" not in sent
        if mode == "disable":
            assert any(sent[4:8] == CANCEL_REQUEST for sent in recorder.sent)


