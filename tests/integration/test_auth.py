# SPDX-License-Identifier: Apache-2.0
"""Who a client is: by password, by its certificate, by the system user that runs it, or by trust; and that nobody who is
turned away learns more than that."""
import contextlib
import os
import pwd
import re
import socket
import subprocess

import pgwire
import pymysql
import pytest
from certificates import Certificates
from conftest import PASSWORD, USER
from processes import LOOPBACK, wait_until

ME = pwd.getpwuid(os.geteuid()).pw_name
LOCAL_PORT = 6432  # of the unix sockets' names: they are in folders of their own


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.server = made.issue("localhost", sans=["localhost"], ips=[LOOPBACK])
    return made


@pytest.fixture
def listening(leasehold, postgres, certificates):
    """A factory: a daemon with one listener of the keys given, over TCP or (local=True) on a unix socket. Its users beside
    app: the one who runs the tests, a second one, and one without a password, all on app's backends."""
    def start(local=False, tls=None, **listener):
        daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False,
                           users=[{"name": ME, "password": "mine", "as": "pool"},
                                  {"name": "reports", "password": "reporting", "as": "pool"},
                                  {"name": "keyless", "as": "pool"}], admin={"users": [ME, "operator"]})
        os.chmod(daemon.folder, 0o755)
        if tls:
            cert, key = certificates.server
            listener["tls"] = {"mode": tls, "cert": cert, "key": key, "client_ca": certificates.ca}
        if local:
            other = {"dialect": "postgresql", "address": f"unix:{daemon.folder}/.s.PGSQL.{LOCAL_PORT}", **listener}
            daemon.config["listen"].insert(0, other)  # open before the one that is waited for
        else:
            daemon.config["listen"][0].update(listener)
        daemon.write_config()
        return daemon.start()
    return start


def psql(daemon, user, password=None, database="orders", local=False, as_system_user=None, sql="SELECT current_user", **libpq):
    """psql to its end; `as_system_user` runs it (we are root then)."""
    environment = {"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "20", "LC_ALL": "C",
                   "PGHOST": daemon.folder if local else LOOPBACK, "PGPORT": str(LOCAL_PORT if local else daemon.port),
                   **{f"PG{key.upper()}": str(value) for key, value in libpq.items()}}
    if password is not None:
        environment["PGPASSWORD"] = password
    command = ["psql", "-X", "-w", "-At", "-U", user, "-d", database, "-c", sql]
    if as_system_user:
        account = pwd.getpwnam(as_system_user)
        command = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *command]
    return subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)


def admitted(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(done):
    """What psql was told, without where it happened."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    return re.search(r"FATAL:  (.*)", done.stderr).group(1)


def failed_logins(daemon):
    return [line for line in daemon.log_text().splitlines() if "event=login_failed" in line]


# --- peer -----------------------------------------------------------------------------------------------------------

def test_a_unix_socket_admits_the_system_user_of_that_name_and_nobody_else(listening):
    daemon = listening(local=True)
    assert admitted(psql(daemon, ME, local=True)) == USER, "whose backends are shared"
    told = {user: refused(psql(daemon, user, PASSWORD, local=True)) for user in (USER, "keyless", "nobody-at-all")}
    assert told == {user: f'peer authentication failed for user "{user}"' for user in told}, "known or not"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to run a client as somebody else")
def test_another_system_user_is_another_person(listening):
    daemon = listening(local=True)
    assert "peer authentication failed" in refused(psql(daemon, ME, "mine", local=True, as_system_user="postgres"))
    mapped = listening(local=True, map={"postgres": USER})
    assert admitted(psql(mapped, USER, local=True, as_system_user="postgres")) == USER


def test_the_log_says_who_was_turned_away_and_the_client_is_not_told(listening):
    daemon = listening(local=True)
    done = psql(daemon, USER, PASSWORD, local=True)
    refused(done)
    assert f'system user "{ME}"' not in done.stderr.replace(daemon.folder, "")
    line, = wait_until(lambda: failed_logins(daemon), 5)
    assert ME in line.partition("hint=")[2] and "sqlstate=28000" in line and PASSWORD not in line


def test_a_map_says_which_system_user_is_which_user(listening):
    daemon = listening(local=True, map={ME: USER})
    assert admitted(psql(daemon, USER, local=True)) == USER
    assert refused(psql(daemon, ME, local=True)) == f'peer authentication failed for user "{ME}"', "a map is the whole list"
    assert refused(psql(daemon, "reports", local=True)) == 'peer authentication failed for user "reports"'


def test_the_console_asks_the_kernel_too(listening):
    daemon = listening(local=True)
    assert "orders" in admitted(psql(daemon, ME, database="leasehold", local=True, sql="SHOW POOLS"))
    assert refused(psql(daemon, "operator", "console-secret", database="leasehold", local=True)) == \
        'peer authentication failed for user "operator"'


def test_a_unix_socket_can_ask_for_a_password(listening):
    for method in ("scram", "md5", "cleartext"):
        daemon = listening(local=True, auth=method)
        assert admitted(psql(daemon, USER, PASSWORD, local=True)) == USER, method
        assert refused(psql(daemon, USER, "wrong", local=True)) == f'password authentication failed for user "{USER}"'


def test_a_unix_socket_is_never_encrypted(listening):
    """As PostgreSQL does: TLS is declined, and a client that may go on in plain text does."""
    daemon = listening(local=True, tls="require", auth="trust")
    assert admitted(psql(daemon, USER, local=True, sslmode="require")) == USER, "libpq asks for none on a unix socket"
    with pgwire.Connection(daemon.port) as connection:
        connection.socket.close()
        connection.socket = socket.socket(socket.AF_UNIX)
        connection.socket.settimeout(10)
        connection.socket.connect(f"{daemon.folder}/.s.PGSQL.{LOCAL_PORT}")
        connection.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
        assert connection.read_exactly(1) == b"N"
        assert connection.login(USER, "orders").value("SELECT 1") == "1"


def test_mysql_asks_the_kernel_where_it_is_told_to(leasehold, mysql_server):
    daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD)}}, start=False,
                       users=[{"name": ME, "as": "pool"}])
    path = f"{daemon.folder}/mysql.sock"
    daemon.config["listen"].insert(0, {"dialect": "mysql", "address": f"unix:{path}", "auth": "peer"})
    daemon.write_config()
    daemon.start()
    with contextlib.closing(daemon.connect_mysql("shop", ME, unix_socket=path)) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    told = []
    for user in (USER, "nobody-at-all"):
        with pytest.raises(pymysql.err.OperationalError) as refusal:
            daemon.connect_mysql("shop", user, PASSWORD, unix_socket=path)
        told.append((refusal.value.args[0], re.sub(r" session \d+", "", refusal.value.args[1].replace(user, "?"))))
    assert told[0] == told[1] and told[0][0] == 1045, "known or not"


# --- trust ----------------------------------------------------------------------------------------------------------

def test_trust_admits_whom_it_knows_and_refuses_others_as_a_wrong_password_would(listening):
    daemon = listening(auth="trust")
    for user in (USER, ME, "keyless"):
        assert admitted(psql(daemon, user)) == USER
    with pytest.raises(pgwire.ServerError) as unknown:
        pgwire.connect(daemon.port, "nobody-at-all", "orders")
    with pytest.raises(pgwire.ServerError) as by_password:
        pgwire.connect(listening().port, "nobody-at-all", "orders", "wrong")
    assert unknown.value.sqlstate == by_password.value.sqlstate == "28P01"
    assert unknown.value.message == by_password.value.message


def test_trust_opens_the_console_to_its_users_only(listening):
    daemon = listening(auth="trust")
    assert "orders" in admitted(psql(daemon, "operator", database="leasehold", sql="SHOW POOLS"))
    assert "authentication failed" in refused(psql(daemon, USER, database="leasehold", sql="SHOW POOLS"))


# --- passwords ------------------------------------------------------------------------------------------------------

def test_a_user_without_a_password_is_not_let_in_by_an_empty_one(listening):
    for method in ("scram", "md5"):
        daemon = listening(auth=method)
        for given in ("", "x"):
            with pytest.raises(pgwire.ServerError) as told:
                pgwire.connect(daemon.port, "keyless", "orders", given)
            assert told.value.sqlstate == "28P01"


def test_clear_text_is_asked_for_inside_tls_only(listening):
    daemon = listening(auth="cleartext", tls="require")
    assert admitted(psql(daemon, USER, PASSWORD, sslmode="require")) == USER
    assert "password authentication failed" in refused(psql(daemon, USER, "wrong", sslmode="require"))
    plain = pgwire.Connection(daemon.port)
    with pytest.raises(pgwire.ServerError) as told:
        plain.login(USER, "orders", PASSWORD)
    assert told.value.sqlstate == "28000" and plain.auth_methods == [], "nothing was asked for"


def test_each_failed_login_is_in_the_log_once_and_without_a_credential(listening):
    daemon = listening()
    with pytest.raises(pgwire.ServerError):
        pgwire.connect(daemon.port, USER, "orders", "a guess")
    line, = wait_until(lambda: failed_logins(daemon), 5)
    for word in (f"user={USER}", "database=orders", "sqlstate=28P01", "password authentication failed"):
        assert word in line, line
    assert "a guess" not in daemon.log_text() and PASSWORD not in daemon.log_text()
    with pytest.raises(pgwire.ServerError):
        pgwire.connect(daemon.port, "nobody-at-all", "orders", "a guess")
    _, line = wait_until(lambda: len(lines := failed_logins(daemon)) > 1 and lines, 5)
    assert "no such user" in line, "the log may say what the client must not learn"


# --- certificates ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def clients(certificates):
    """(cert, key) by what it is."""
    return {"good": certificates.issue(USER), "other": certificates.issue("reports"), "expired": certificates.issue(USER, expired=True),
            "stranger": certificates.issue(USER, ca=certificates.authority()), "nameless": certificates.issue(""),
            "host": certificates.issue("batch.example"), "unknown": certificates.issue("nobody-at-all"), "none": None}


def by_certificate(daemon, certificates, clients, which, user=USER, password=None, **options):
    cert, key = clients[which] or ("/nonexistent", "/nonexistent")
    return psql(daemon, user, password, sslmode="verify-full", sslrootcert=certificates.ca, sslcert=cert, sslkey=key, **options)


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_certificate_admits_the_user_of_its_name(listening, certificates, clients, mode):
    daemon = listening(auth="cert", tls=mode)
    assert admitted(by_certificate(daemon, certificates, clients, "good")) == USER
    told = {user: refused(by_certificate(daemon, certificates, clients, "good", user)) for user in ("reports", "nobody-at-all")}
    assert told == {user: f'certificate authentication failed for user "{user}"' for user in told}, "known or not"
    assert refused(by_certificate(daemon, certificates, clients, "unknown", "nobody-at-all")) == \
        'certificate authentication failed for user "nobody-at-all"'


@pytest.mark.parametrize("which", ["none", "stranger", "expired"])
def test_a_certificate_that_is_no_good_ends_the_handshake(listening, certificates, clients, which):
    daemon = listening(auth="trust", tls="verify-ca")
    done = by_certificate(daemon, certificates, clients, which)
    assert done.returncode == 2 and "FATAL" not in done.stderr, done.stderr
    line, = wait_until(lambda: failed_logins(daemon), 5)
    assert "certificate" in line, line
    assert admitted(by_certificate(daemon, certificates, clients, "good")) == USER


def test_a_certificate_without_a_name_is_nobodys(listening, certificates, clients):
    daemon = listening(auth="cert", tls="verify-ca")
    assert refused(by_certificate(daemon, certificates, clients, "nameless")) == \
        "connection requires a valid client certificate"


def test_a_map_says_which_certificate_is_which_user(listening, certificates, clients):
    daemon = listening(auth="cert", tls="verify-full", map={"batch.example": USER, "reports": "reports"})
    assert admitted(by_certificate(daemon, certificates, clients, "host")) == USER
    assert admitted(by_certificate(daemon, certificates, clients, "other", "reports")) == USER
    assert "certificate authentication failed" in refused(by_certificate(daemon, certificates, clients, "good"))


def test_verify_full_demands_the_users_own_certificate_beside_the_password(listening, certificates, clients):
    full, signed = listening(tls="verify-full"), listening(tls="verify-ca")
    assert admitted(by_certificate(full, certificates, clients, "good", password=PASSWORD)) == USER
    assert refused(by_certificate(full, certificates, clients, "other", password=PASSWORD)) == \
        f'certificate authentication failed for user "{USER}"'
    assert "password authentication failed" in refused(by_certificate(full, certificates, clients, "good", password="wrong"))
    assert admitted(by_certificate(signed, certificates, clients, "other", password=PASSWORD)) == USER


def test_a_certificate_opens_the_console_to_its_users_only(listening, certificates, clients):
    daemon = listening(auth="cert", tls="verify-ca", map={"batch.example": "operator", USER: USER})
    assert "orders" in admitted(by_certificate(daemon, certificates, clients, "host", "operator", database="leasehold",
                                               sql="SHOW POOLS"))
    assert "certificate authentication failed" in refused(
        by_certificate(daemon, certificates, clients, "good", USER, database="leasehold"))


def test_a_client_ca_without_a_demand_verifies_what_is_shown(listening, certificates, clients):
    daemon = listening(tls="require")
    assert admitted(by_certificate(daemon, certificates, clients, "none", password=PASSWORD)) == USER
    assert admitted(by_certificate(daemon, certificates, clients, "good", password=PASSWORD)) == USER
    assert by_certificate(daemon, certificates, clients, "stranger", password=PASSWORD).returncode == 2


# --- SCRAM verifiers ------------------------------------------------------------------------------------------------

def test_a_verifier_is_as_good_as_the_password_and_dials_the_backend(leasehold, postgres):
    """The file then holds nothing that logs in by itself; what the client's login tells is kept in memory."""
    verifier = postgres.value("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [USER])
    assert verifier.startswith("SCRAM-SHA-256$")
    daemon = leasehold(pools={"orders": {"url": f"postgresql://{LOOPBACK}:{postgres.port}/orders"}},
                       users=[{"name": USER, "password": verifier}])
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        assert cursor.fetchone() == (USER,)
    with pytest.raises(pgwire.ServerError) as told:
        pgwire.connect(daemon.port, USER, "orders", "wrong")
    assert told.value.sqlstate == "28P01"
    assert PASSWORD not in daemon.config_text()
