# SPDX-License-Identifier: Apache-2.0
"""TLS to MariaDB and MySQL servers by their clients' words: what is encrypted, what is verified, what is refused; and
certificates that change while the daemon runs."""
import contextlib
import os
import shutil
import subprocess
import threading
import time

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import check
from mysqltls import authority, cipher, enter, refusal, secure, through  # noqa: F401 pylint: disable=unused-import
from processes import LOOPBACK, wait_until


def log_has(daemon, *texts):
    wait_until(lambda: all(text in daemon.log_text() for text in texts), 10, f"{texts} in the log")


# --- to servers -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("query", [{}, {"ssl_mode": "PREFERRED"}, {"sslMode": "required"}, {"ssl": "true"},
                                   {"ssl-mode": "trust"}])
def test_a_server_that_offers_tls_is_spoken_to_in_tls(through, query):
    assert cipher(through(**query))


@pytest.mark.parametrize("query", [{"ssl_mode": "DISABLED"}, {"ssl_disabled": "true"}, {"ssl": "false"}])
def test_tls_can_be_switched_off(through, query):
    assert cipher(through(**query)) == ""


def test_a_server_without_tls_is_used_in_plain_unless_tls_is_demanded(through, mariadb):
    assert cipher(through(server=mariadb)) == ""
    daemon = through(server=mariadb, ssl_mode="REQUIRED")
    refusal(daemon)
    log_has(daemon, "the server does not offer TLS")


def test_the_authority_and_the_name_are_verified_when_they_are_to_be(through, authority):
    assert cipher(through(ssl_mode="VERIFY_CA", ssl_ca=authority.ca)), "the name does not count"
    assert cipher(through(ssl_ca=authority.ca)), "a CA alone means VERIFY_CA"
    assert cipher(through(host="localhost", ssl_mode="VERIFY_IDENTITY", ssl_ca=authority.ca))
    daemon = through(ssl_mode="VERIFY_IDENTITY", ssl_ca=authority.ca)
    refusal(daemon)
    log_has(daemon, "127.0.0.1", "certificate")


def test_a_certificate_of_another_authority_is_refused(through, authority):
    daemon = through(ssl_mode="VERIFY_CA", ssl_ca=authority.authority().ca)
    began = time.monotonic()
    refusal(daemon)
    assert time.monotonic() - began < 10
    log_has(daemon, "certificate verify failed")


def test_a_folder_of_authorities_vouches_as_well(through, authority, tmp_path):
    shutil.copy(authority.ca, tmp_path / "ca.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    assert cipher(through(ssl_mode="VERIFY_CA", ssl_capath=str(tmp_path)))


def test_accounts_that_demand_tls_or_a_certificate_are_served(through, authority):
    assert cipher(through(user="only_tls"))
    cert, key = authority.issue("certified")
    assert cipher(through(user="certified", ssl_cert=cert, ssl_key=key))
    refused = refusal(through(user="certified"))
    assert refused.code in (1045, 1429), refused


def test_a_statement_is_cancelled_over_tls_as_well(through):
    daemon = through(user="only_tls", pool={"query_timeout": "500ms"})
    with enter(daemon) as session:
        began = time.monotonic()
        with contextlib.suppress(mywire.ServerError):
            session.query("SELECT SLEEP(20)")
        assert time.monotonic() - began < 10
        assert session.value("SELECT 1") == "1"


def test_a_reload_reads_the_certificates_anew(through, authority, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copy(authority.authority().ca, ca)
    daemon = through(ssl_mode="VERIFY_CA", ssl_ca=str(ca))
    refusal(daemon)
    part = tmp_path / "new.pem"
    shutil.copy(authority.ca, part)
    os.replace(part, ca)
    daemon.reload()
    assert cipher(daemon)
    ca.write_text("no certificate")
    daemon.reload()
    log_has(daemon, "event=reload_failed", "no usable CA certificate")
    assert cipher(daemon), "what was right stays"


def test_many_at_once_are_encrypted_each(through):
    daemon = through(ssl_mode="REQUIRED", pool={"pool_size": 8, "pool_timeout": 20, "dial_timeout": 10})
    ciphers, failures = [], []

    def one():
        try:
            with enter(daemon) as session:
                session.query("BEGIN")
                ciphers.append(session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'").rows[0][1])
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(ciphers) == 16 and all(ciphers)




# --- what check says --------------------------------------------------------------------------------------------------

def checked(secure, host=LOOPBACK, user=USER, **query):
    url = secure.url("shop", user, PASSWORD, **query).replace(f"@{LOOPBACK}:", f"@{host}:")
    return check({"listen": [{"dialect": "mysql", "address": f"{LOOPBACK}:6033"}], "pools": {"shop": {"url": url}}}, "--connect")


def test_check_shows_the_servers_family_limits_and_tls(secure, authority):
    done = checked(secure)
    assert done.returncode == 0, done
    family = "MariaDB" if "MariaDB" in secure.version else "MySQL"
    assert f"version {family} {secure.version.split('-')[0]}" in done.stdout
    assert "TLS TLSv1" in done.stdout and "ssl_mode PREFERRED (the default): may be readable on its way" in done.stdout
    assert "max_connections 151, idle connections are closed after 8h" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert "TLS off" in checked(secure, ssl_mode="DISABLED").stdout
    assert "ssl_mode REQUIRED: encrypted, the server is not verified" in checked(secure, ssl_mode="REQUIRED").stdout
    verified = checked(secure, host="localhost", ssl_mode="VERIFY_IDENTITY", ssl_ca=authority.ca)
    assert verified.returncode == 0, verified
    foreign = checked(secure, ssl_mode="VERIFY_CA", ssl_ca=authority.authority().ca)
    assert foreign.returncode != 0 and "unreachable" in foreign.stdout
