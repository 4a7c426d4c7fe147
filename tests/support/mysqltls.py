# SPDX-License-Identifier: Apache-2.0
"""MariaDB and MySQL with certificates of a test's own authority, and daemons in front of them. Fixtures to be imported:

    from mysqltls import authority, secure, through   # pylint: disable=unused-import

    def test_something(through, secure):              # once for each server
        assert cipher(through(ssl_mode="REQUIRED"))
"""
import shutil

import mywire
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from processes import LOOPBACK, temp_dir
from servers import MariaDB
from sid import MySQL97, for_tests


@pytest.fixture(scope="module")
def authority():
    folder = temp_dir("lh-ca-")
    yield Certificates(folder)
    shutil.rmtree(folder, ignore_errors=True)


def prepared(server):
    """With the users app, only_tls (REQUIRE SSL) and certified (REQUIRE X509)."""
    server.create_user(USER, PASSWORD)
    server.create_database("shop", owner=USER)
    for name, demand in (("only_tls", "SSL"), ("certified", "X509")):
        server.create_user(name, PASSWORD)
        server.query(f"ALTER USER `{name}`@`%` REQUIRE {demand}")
        server.query(f"GRANT ALL ON shop.* TO `{name}`@`%`")
    return server


@pytest.fixture(scope="module", params=["mariadb", "mysql97"])
def secure(request, authority):
    """A server with a certificate for localhost, not for 127.0.0.1; both families, one after the other."""
    cert, key = authority.issue("localhost", sans=["localhost"], owner="mysql")
    settings = {"ssl-ca": authority.ca, "ssl-cert": cert, "ssl-key": key}
    if request.param == "mariadb":
        with MariaDB(settings=settings) as server:
            yield prepared(server)
    else:
        with for_tests("MySQL 9.7", lambda: MySQL97(settings=settings)) as server:
            yield prepared(server)


@pytest.fixture
def through(leasehold, secure):
    """A factory: through(user=..., host=..., **options of the URL) is a daemon with the pool shop."""
    def start(user=USER, host=LOOPBACK, pool=None, server=secure, **query):
        url = server.url("shop", user, PASSWORD, **query).replace(f"@{LOOPBACK}:{server.port}", f"@{host}:{server.port}")
        daemon = leasehold(pools={"shop": {"url": url, "pool_size": 2, "pool_timeout": 3, "dial_timeout": 2, **(pool or {})}})
        daemon.login = user, PASSWORD
        return daemon
    return start


def enter(daemon, **options):
    return mywire.connect(daemon.mysql_port, *daemon.login, "shop", **options)


def cipher(daemon):
    """Of the daemon's connection to its server; empty without TLS."""
    with enter(daemon) as session:
        return session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'").rows[0][1]


def refusal(daemon):
    """What a client is told, and what the log says, when no server can be had."""
    with pytest.raises(mywire.ServerError) as failed:
        enter(daemon)
    assert PASSWORD not in failed.value.message and PASSWORD not in daemon.log_text()
    return failed.value
