# SPDX-License-Identifier: Apache-2.0
"""Logins on both legs of MySQL's protocol: every authentication plugin, over TCP, TLS and unix sockets, by passwords and by
the hashes that servers keep of them."""
import contextlib
import hashlib
import os
import pwd
import secrets
import ssl
import struct
import subprocess
import time

import mywire
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from processes import LOOPBACK, wait_until


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


# --- from the clients ---------------------------------------------------------------------------------------------

PLUGINS = ["mysql_native_password", "caching_sha2_password"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.server = made.issue("localhost", sans=["localhost"], ips=[LOOPBACK])
    return made


def native_hash(password):
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


@pytest.fixture
def listening(leasehold, certificates, mysql_server):
    """A factory: a daemon whose pool `shop` is also open to `users` who share its backends; keys of the TCP listener. It
    listens on the unix socket `daemon.socket` as well."""
    def start(users=(), local=None, tls=None, **listener):
        daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 2}}, start=False,
                           users=[{"as": "pool", **user} for user in users])
        os.chmod(daemon.folder, 0o755)
        if tls:
            cert, key = certificates.server
            listener["tls"] = {"mode": tls, "cert": cert, "key": key, "client_ca": certificates.ca}
        daemon.socket = f"{daemon.folder}/mysql.sock"
        daemon.config["listen"][-1].update(listener)
        daemon.config["listen"].insert(0, {"dialect": "mysql", "address": f"unix:{daemon.socket}", **(local or {})})
        daemon.write_config()
        return daemon.start()
    return start


def denied(daemon, user, password, host=None, **options):
    with pytest.raises(mywire.ServerError) as refused:
        with mywire.Connection(daemon.mysql_port, host or LOOPBACK) as connection:
            connection.login(user, password, "shop", **options)
    assert (refused.value.code, refused.value.sqlstate) == (1045, "28000"), refused.value
    words = f"Access denied for user '{user}'@'{'localhost' if host else LOOPBACK}' (using password: {'YES' if password else 'NO'})"
    assert refused.value.message.startswith(words)
    return True


def test_clients_log_in_by_each_plugin_over_each_transport(listening, mysql_server):
    daemon = listening(tls="prefer")
    expected = "mysql_native_password" if "Maria" in mysql_server.version else "caching_sha2_password"
    for plugin in [None, *PLUGINS]:
        for host, tls in ((LOOPBACK, None), (LOOPBACK, True), (daemon.socket, None)):
            with mywire.Connection(daemon.mysql_port, host) as session:
                session.login(USER, PASSWORD, "shop", plugin=plugin, tls=tls)
                assert session.greeting["plugin"] == expected
                assert session.plugin == plugin or expected
                assert not session.full, "leasehold knows the password"
                assert session.value("SELECT 1") == "1"
            assert denied(daemon, USER, "wrong", host if host != LOOPBACK else None, plugin=plugin, tls=tls)
            assert denied(daemon, USER, "", host if host != LOOPBACK else None, plugin=plugin, tls=tls)


def test_tls_is_offered_where_it_can_be_had_and_required_where_it_must_be(listening):
    plain, offering, requiring = listening(), listening(tls="prefer"), listening(tls="require")
    with mywire.Connection(plain.mysql_port) as session:
        assert not session.greet()["capabilities"] & mywire.SSL
    for daemon in (offering, requiring):
        with mywire.Connection(daemon.mysql_port) as session:
            session.login(USER, PASSWORD, "shop", tls=True)
            assert session.socket.version() == "TLSv1.3"
    with pytest.raises(mywire.ServerError) as refused:
        login(requiring)
    assert refused.value.code == 3159 and "insecure transport" in refused.value.message
    with mywire.Connection(0, requiring.socket) as session:
        assert session.login(USER, PASSWORD, "shop").value("SELECT 1") == "1", "a unix socket needs none"


def test_what_stands_in_clear_text_behind_a_request_for_tls_is_never_a_command(listening):
    """The attacker's packet is taken for the handshake, and nothing comes of it."""
    daemon = listening(tls="prefer")
    with mywire.Connection(daemon.mysql_port) as session:
        session.greet()
        flags = mywire.PROTOCOL_41 | mywire.SECURE_CONNECTION | mywire.SSL | mywire.PLUGIN_AUTH
        head = struct.pack("<IIB23x", flags, 1 << 24, 45)
        body = head + USER.encode() + b"\0\0mysql_native_password\0"
        session.socket.sendall(len(head).to_bytes(3, "little") + b"\1" + head + len(body).to_bytes(3, "little") + b"\2" + body)
        assert session.closed_by_peer()
    assert login(daemon).value("SELECT 1") == "1"


def test_a_client_with_its_handshake_right_behind_the_request_is_served(listening):
    """MySQL's servers answer nothing to the request, so clients need not wait."""
    daemon = listening(tls="require")
    with mywire.Connection(daemon.mysql_port) as session:
        session.greet()
        flags = mywire.PROTOCOL_41 | mywire.SECURE_CONNECTION | mywire.SSL | mywire.PLUGIN_AUTH | mywire.CONNECT_WITH_DB
        head = struct.pack("<IIB23x", flags, 1 << 24, 45)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        session.socket.sendall(len(head).to_bytes(3, "little") + b"\1" + head + outgoing.read())
        while True:
            incoming.write(session.socket.recv(1 << 16))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                session.socket.sendall(outgoing.read())
        answer = mywire.native_password(PASSWORD, session.greeting["scramble"])
        body = head + USER.encode() + b"\0" + bytes([len(answer)]) + answer + b"shop\0mysql_native_password\0"
        tls.write(len(body).to_bytes(3, "little") + b"\2" + body)
        session.socket.sendall(outgoing.read())
        while True:
            try:
                reply = tls.read(1 << 16)
                break
            except ssl.SSLWantReadError:
                incoming.write(session.socket.recv(1 << 16))
        assert reply[3] == 3, "the sequence goes on over the encrypted half"


def test_hashes_admit_their_users(listening, mysql97):
    """As `SELECT authentication_string` has them, and as SHOW CREATE USER prints them in hexadecimal."""
    mysql97.query("CREATE USER IF NOT EXISTS `stored` IDENTIFIED BY 'stored-secret'")
    stored = mysql97.value("SELECT authentication_string FROM mysql.user WHERE user = 'stored'")
    stored = stored if isinstance(stored, bytes) else stored.encode()
    daemon = listening(tls="prefer", users=[
        {"name": "native", "password": native_hash("native-secret")},
        {"name": "stored", "password": "0x" + stored.hex().upper()}])
    for host, tls in ((LOOPBACK, None), (LOOPBACK, True), (daemon.socket, None)):
        assert denied(daemon, "native", "stored-secret", host if host != LOOPBACK else None, tls=tls)
        with mywire.Connection(daemon.mysql_port, host) as session:
            session.login("native", "native-secret", "shop", tls=tls)
            assert session.plugin == "mysql_native_password" and session.value("SELECT 1") == "1"
    for wrong in ("native-secret", "Stored-secret"):
        assert denied(daemon, "stored", wrong), "in full, by RSA"
        assert denied(daemon, "stored", wrong, tls=True)
    with login(daemon, "stored", "stored-secret") as first, login(daemon, "stored", "stored-secret", tls=True) as second:
        assert (first.plugin, first.full) == ("caching_sha2_password", True)
        assert (second.plugin, second.full) == ("caching_sha2_password", False), "known by now"
    assert denied(daemon, "stored", "Stored-secret", tls=True)


def test_unknown_users_are_asked_as_known_ones_are(listening):
    """Of users with hashes and without, a stranger is asked as one of them, the same at every attempt."""
    sha2_hash = "0x" + (b"$A$005$" + b"s" * 20 + b"d" * 43).hex()
    daemon = listening(users=[{"name": "native", "password": native_hash("x")}, {"name": "sha2", "password": sha2_hash},
                              {"name": "clear", "password": "x"}])

    def asked(user):
        with mywire.Connection(daemon.mysql_port) as session, pytest.raises(mywire.ServerError) as refused:
            session.login(user, "no", "shop", plugin="caching_sha2_password")
        assert refused.value.code == 1045
        return session.sequence, session.full

    known = {asked(user) for user in ("native", "sha2", "clear", USER)}
    strangers = [asked(f"stranger{n}") for n in range(60)]
    assert set(strangers) == known
    assert strangers == [asked(f"stranger{n}") for n in range(60)]


def test_certificates_and_the_kernel_vouch_for_clients(listening, certificates):
    me = pwd.getpwuid(os.geteuid()).pw_name
    daemon = listening(tls="verify-full", auth="cert", local={"auth": "peer", "map": {me: USER}}, map={"client.example": USER})
    context = ssl.create_default_context(cafile=certificates.ca)
    context.load_cert_chain(*certificates.issue("client.example"))
    for plugin in PLUGINS:
        assert login(daemon, USER, "", plugin=plugin, tls=context).value("SELECT 1") == "1"
        with mywire.Connection(0, daemon.socket) as session:
            assert session.login(USER, "", "shop", plugin=plugin).value("SELECT 1") == "1"
    other = ssl.create_default_context(cafile=certificates.ca)
    other.load_cert_chain(*certificates.issue("other.example"))
    assert denied(daemon, USER, PASSWORD, tls=other)
    assert denied(daemon, "nobody", "", daemon.socket)


def test_a_password_in_clear_text_is_asked_for_over_tls_where_the_listener_says_so(listening):
    daemon = listening(tls="require", auth="cleartext")
    with mywire.Connection(daemon.mysql_port) as session:
        session.greet()
        flags = mywire.PROTOCOL_41 | mywire.SECURE_CONNECTION | mywire.SSL | mywire.PLUGIN_AUTH | mywire.CONNECT_WITH_DB
        head = struct.pack("<IIB23x", flags, 1 << 24, 45)
        session.start_tls(head, True)
        session.send(head + USER.encode() + b"\0\0shop\0mysql_native_password\0")
        assert session.read().startswith(b"\xfemysql_clear_password\0")
        session.send(PASSWORD.encode() + b"\0")
        assert session.read()[0] == 0


# --- hashes that dial ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [None, True], ids=["rsa", "tls"])
def test_a_client_of_mysql_whose_hash_is_known_brings_what_dials_its_server(leasehold, mysql97, certificates, tls):
    """The first login shows the password; later ones dial as well, whether the server knows the password by then or not."""
    mysql97.query("CREATE USER IF NOT EXISTS `carrier` IDENTIFIED BY 'carried-secret'")
    mysql97.query("GRANT ALL ON shop.* TO carrier")
    stored = mysql97.value("SELECT authentication_string FROM mysql.user WHERE user = 'carrier'")
    stored = "0x" + (stored if isinstance(stored, bytes) else stored.encode()).hex()
    url = mysql97.url("shop", "carrier", stored)
    cert, key = certificates.server
    daemon = leasehold(pools={"shop": {"url": url, "pool_size": 2, "max_overflow": 0}}, start=False)
    daemon.config["listen"][-1]["tls"] = {"mode": "prefer", "cert": cert, "key": key}
    daemon.write_config()
    daemon.start()
    mysql97.query("FLUSH PRIVILEGES")
    assert denied(daemon, "carrier", "wrong-secret", tls=tls)
    with login(daemon, "carrier", "carried-secret", tls=tls) as first, login(daemon, "carrier", "carried-secret", tls=tls) as second:
        assert first.full and not second.full
        assert first.value("SELECT current_user()").startswith("carrier@")
        first.query("BEGIN")
        mysql97.query("FLUSH PRIVILEGES")
        assert second.value("SELECT 1") == "1", "a second backend, by the whole exchange"
    assert "carried-secret" not in daemon.log_text() and stored not in daemon.log_text()


def test_a_client_of_mariadb_whose_hash_is_known_brings_what_dials_its_server(leasehold, mariadb):
    url = mariadb.url("shop", USER, native_hash(PASSWORD))
    daemon = leasehold(pools={"shop": {"url": url, "pool_size": 2, "max_overflow": 0}})
    assert denied(daemon, USER, "wrong")
    for plugin in PLUGINS:
        with login(daemon, plugin=plugin) as first, login(daemon, plugin=plugin) as second:
            assert first.query("SELECT current_user()").rows[0][0].startswith(USER)
            first.query("BEGIN")
            assert second.value("SELECT 1") == "1"


def test_a_hash_is_never_tried_as_a_password(leasehold, mariadb):
    """leasehold asks servers for their limits as the URL's user: with a hash each question would be a failed login, and
    a server may lock the account for those."""
    def failed():
        return mariadb.query("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'")

    clear = leasehold(pools={"shop": {"url": mariadb.url("shop", USER, PASSWORD)}})
    hashed = leasehold(pools={"shop": {"url": mariadb.url("shop", USER, native_hash(PASSWORD))}})
    before = failed()
    for daemon in (hashed, clear):
        with login(daemon) as client:
            assert client.value("SELECT 1") == "1"
    wait_until(lambda: "event=server_capacity" in clear.log_text(), 20, "the question with a password, which came later")
    time.sleep(1.5)
    assert failed() == before and "event=server_capacity" not in hashed.log_text()


# --- real clients -------------------------------------------------------------------------------------------------

def command_line(program, daemon, local, *options, password=PASSWORD):
    where = [f"--socket={daemon.socket}"] if local else [f"--host={LOOPBACK}", f"--port={daemon.mysql_port}", "--protocol=TCP"]
    return subprocess.run([*program, *where, f"--user={USER}", "--batch", "--skip-column-names", *options,
                           "--execute=SELECT current_user()", "shop"], env={"PATH": os.environ["PATH"], "MYSQL_PWD": password},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def test_the_servers_own_command_lines_log_in_over_each_transport(listening, mysql97, certificates):
    daemon = listening(tls="prefer")
    oracle = [*mysql97.program("mysql"), "--no-defaults"]
    share = mysql97.root / "usr/share/mysql/charsets"
    attempts = {
        "mariadb plain": (["mariadb", "--no-defaults"], False, "--skip-ssl"),
        "mariadb tls": (["mariadb", "--no-defaults"], False, f"--ssl-ca={certificates.ca}", "--ssl-verify-server-cert"),
        "mariadb unix": (["mariadb", "--no-defaults"], True),
        "mysql plain": (oracle, False, f"--character-sets-dir={share}", "--ssl-mode=DISABLED"),
        "mysql tls": (oracle, False, f"--character-sets-dir={share}", "--ssl-mode=VERIFY_CA", f"--ssl-ca={certificates.ca}"),
        "mysql unix": (oracle, True, f"--character-sets-dir={share}")}
    said = {}
    for name, (program, local, *options) in attempts.items():
        done = command_line(program, daemon, local, *options)
        said[name] = done.stdout.strip() or done.stderr
        refused = command_line(program, daemon, local, *options, password="wrong")
        assert refused.returncode == 1 and "ERROR 1045 (28000)" in refused.stderr, (name, refused)
    assert said == dict.fromkeys(attempts, f"{USER}@%")


def test_pymysql_logs_in_by_password_and_by_hash_over_each_transport(listening, mysql97):
    import pymysql
    mysql97.query("CREATE USER IF NOT EXISTS py IDENTIFIED BY 'py-secret'")
    sha2_hash = "0x" + (mysql97.value("SELECT authentication_string FROM mysql.user WHERE user = 'py'").encode()).hex()
    daemon = listening(tls="prefer", users=[{"name": "py", "password": sha2_hash}])
    insecure = {"ssl": {"check_hostname": False, "verify_mode": None}}
    for user, password in ((USER, PASSWORD), ("py", "py-secret")):
        for where in ({"host": LOOPBACK, "port": daemon.mysql_port}, {"host": LOOPBACK, "port": daemon.mysql_port, **insecure},
                      {"unix_socket": daemon.socket}):
            connection = pymysql.connect(user=user, password=password, database="shop", **where)
            with contextlib.closing(connection), connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)
            with pytest.raises(pymysql.err.OperationalError) as refused:
                pymysql.connect(user=user, password="wrong", database="shop", **where)
            assert refused.value.args[0] == 1045
