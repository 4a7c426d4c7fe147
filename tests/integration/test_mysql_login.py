# SPDX-License-Identifier: Apache-2.0
"""Logins on both legs of MySQL's protocol: every authentication plugin, over TCP, TLS and unix sockets, by passwords and by
the hashes that servers keep of them."""
import os
import secrets

import mywire
import pytest
from conftest import PASSWORD, USER
from servers import wait_until


def login(daemon, user=USER, password=PASSWORD, database="shop", **options):
    return mywire.connect(daemon.mysql_port, user, password, database, **options)


@pytest.fixture(scope="module")
def plugins(mariadb):
    """MariaDB with its optional plugins and a user of each: native, ed25519, one without a password."""
    mariadb.query("INSTALL SONAME 'auth_ed25519'")
    mariadb.create_user("signer", PASSWORD, "ed25519")
    mariadb.create_user("bare", "", "mysql_native_password")
    mariadb.query("GRANT ALL ON shop.* TO signer, bare")
    return mariadb


@pytest.fixture(scope="module")
def sha2(mysql97):
    mysql97.create_user("bare", "")
    mysql97.query("GRANT ALL ON shop.* TO bare")
    return mysql97


@pytest.fixture
def pooled(leasehold, tmp_path):
    """A factory: a daemon with a pool `shop` of the server's user, over TCP or the server's unix socket."""
    def start(server, user=USER, password=PASSWORD, local=False, **keys):
        url = server.url("shop", user, password)
        if local:
            os.symlink(server.socket, tmp_path / "mysqld.sock") if not (tmp_path / "mysqld.sock").is_symlink() else None
            url = f"mysql://{url.split('://')[1].split('@')[0]}@/shop?host={tmp_path}"
        pool = {"url": url, "pool_size": 1, "max_overflow": 0, "pool_timeout": "10s"}
        return leasehold(pools={"shop": {**pool, **keys}})
    return start


def whoami(daemon, user=USER, password=PASSWORD):
    with login(daemon, user, password) as session:
        return session.value("SELECT current_user()").split("@")[0]


# --- to the servers -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("local", [False, True], ids=["tcp", "unix"])
def test_a_backend_logs_in_to_mysql_whether_the_server_knows_the_password_already_or_not(pooled, sha2, local):
    sha2.query("FLUSH PRIVILEGES")  # the full exchange: by RSA over TCP, in clear text over the socket
    assert whoami(pooled(sha2, local=local)) == USER
    assert whoami(pooled(sha2, local=local)) == USER, "by the fast exchange now"
    assert whoami(pooled(sha2, "bare", "", local=local), "bare", "") == "bare"


def test_a_wrong_password_for_a_backend_is_told_as_the_servers_refusal(pooled, sha2):
    daemon = pooled(sha2, password="wrong")
    sha2.query("FLUSH PRIVILEGES")
    with pytest.raises(mywire.ServerError):
        login(daemon, password="wrong").query("SELECT 1")
    wait_until(lambda: "Access denied" in daemon.log_text(), 10)
    assert "wrong@" not in daemon.log_text()


@pytest.mark.parametrize("user, password", [("signer", PASSWORD), ("bare", ""), (USER, PASSWORD)])
def test_a_backend_logs_in_to_mariadb_by_every_plugin(pooled, plugins, user, password):
    assert whoami(pooled(plugins, user, password), user, password) == user


@pytest.mark.parametrize("password", ["x", "a" * 32, secrets.token_hex(60), "pass word'\"\\ä"])
def test_ed25519_takes_any_password(pooled, plugins, password):
    plugins.query("ALTER USER signer IDENTIFIED VIA ed25519 USING PASSWORD(%s)", [password])
    try:
        assert whoami(pooled(plugins, "signer", password), "signer", password) == "signer"
    finally:
        plugins.query("ALTER USER signer IDENTIFIED VIA ed25519 USING PASSWORD(%s)", [PASSWORD])


def test_a_session_begun_anew_on_a_backend_proves_itself_again(pooled, sha2):
    """MySQL's backends are cleaned by COM_CHANGE_USER, which draws a new challenge; after FLUSH PRIVILEGES the full one."""
    daemon = pooled(sha2)
    with login(daemon) as first, login(daemon) as second:
        for _ in range(3):
            first.query("SET SESSION sort_buffer_size = 40000")
            number = first.value("SELECT 0 + connection_id()")
            sha2.query("FLUSH PRIVILEGES")
            first.command(0x1F)
            first.result()
            assert second.value("SELECT 0 + connection_id()") == number
