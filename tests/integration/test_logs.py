# SPDX-License-Identifier: Apache-2.0
"""What an operator reads: one line for each thing that happens to a session, slow and echoed statements without their
values, repeats folded; and never a secret."""
import contextlib
import os
import re
import socket
import struct
import threading
import time

import mywire
import pgwire
import psycopg2
import pymysql
import pytest
from conftest import PASSWORD, USER
from loglines import all_lines, last, line, lines
from servers import wait_until

SECRET = "topf-secret-4711"


@pytest.fixture(params=["postgres", "mariadb", "mysql97"])
def db(request, leasehold):
    """One database and how to use it: db.start(pool keys, log keys), db.connect(**), db.pool, db.sleep(seconds)."""
    server = request.getfixturevalue(request.param)
    mysql = request.param != "postgres"

    class Database:
        pool = "shop" if mysql else "orders"
        is_mysql = mysql
        database = server

        def start(self, pool=None, log=None, **sections):
            keys = {"url": server.url(self.pool, USER, PASSWORD), "pool_size": 5, "max_overflow": 0, **(pool or {})}
            self.daemon = leasehold(pools={self.pool: keys}, log={"format": "json", **(log or {})}, **sections)
            return self.daemon

        def connect(self, password=PASSWORD, **options):
            connect = self.daemon.connect_mysql if mysql else self.daemon.connect
            if not mysql:
                options = {"autocommit": True, **options}
            return connect(self.pool, USER, password, **options)

        def run(self, connection, sql):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []

        def sleep(self, seconds):
            return f"SELECT SLEEP({seconds})" if mysql else f"SELECT pg_sleep({seconds})"

    return Database()


# --- the life of a session --------------------------------------------------------------------------------------------

def test_a_session_is_a_line_when_it_comes_and_one_when_it_goes(db):
    daemon = db.start()
    connection = db.connect()
    login = line(daemon, "login", pool=db.pool)
    assert (login["level"], login["user"], login["database"]) == ("info", USER, db.pool)
    assert login["client"].startswith("127.0.0.1:") and login["ms"] >= 0
    for _ in range(3):
        db.run(connection, "SELECT 1")
    connection.close()
    logout = line(daemon, "logout", session=login["session"])
    assert (logout["reason"], logout["user"], logout["pool"]) == ("closed", USER, db.pool)
    assert logout["transactions"] >= 3 and logout["ms"] >= 0
    assert all(item["address"] and item["pool"] == db.pool for item in last(daemon, "connect", 1))


def test_each_end_has_its_reason(db):
    daemon = db.start(workers=1)
    vanishing = db.connect()
    session = line(daemon, "login")["session"]
    raw = socket.socket(fileno=os.dup(vanishing.fileno() if not db.is_mysql else vanishing._sock.fileno()))
    raw.shutdown(socket.SHUT_RDWR)
    raw.close()
    assert line(daemon, "logout", session=session)["reason"] == "client_gone"
    staying = db.connect()
    last(daemon, "login", 2)
    assert daemon.stop() == 0
    staying.close()
    stopped = lines(daemon, "logout")[-1]
    assert (stopped["reason"], stopped["message"]) == ("stopped", "leasehold is shutting down")
    assert all_lines(daemon)[-1]["event"] == "stopped"


def test_a_failed_login_is_one_line_with_its_reason_and_a_probe_of_the_port_is_none(db):
    daemon = db.start()
    for number in range(60):  # a load balancer's, which closes or resets at once or a little later
        with socket.create_connection((daemon.host, daemon.mysql_port if db.is_mysql else daemon.port)) as probe:
            if number % 3 == 0:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 2 == 0:
                time.sleep(0.002)
    with contextlib.suppress(psycopg2.OperationalError, pymysql.err.OperationalError):
        db.connect(password="wrong-guess")
    failed = line(daemon, "login_failed")
    assert failed["user"] == USER and failed["message"] and failed["sqlstate"] == ("28000" if db.is_mysql else "28P01")
    assert not lines(daemon, "login") and not lines(daemon, "logout")
    assert "wrong-guess" not in daemon.log_text()


def test_the_console_is_in_the_log_too(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, log={"format": "json"})
    daemon.console("SHOW VERSION")
    assert line(daemon, "login", pool="leasehold")["user"] == "operator"
    assert line(daemon, "logout", pool="leasehold")["reason"] == "closed"


def test_every_line_is_json_whatever_a_client_calls_itself(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, log={"format": "json"})
    hostile = b'a"b\\c\n{"event":"forged"}\xff\xc3\x28\x1b[2J\xe2\x80\xa8'
    for user in (hostile, USER.encode()):
        with pgwire.Connection(daemon.port) as client:
            body = b"user\0" + user + b"\0database\0orders\0application_name\0" + hostile + b"\0\0"
            client.send(pgwire.startup_packet(body=body))
            client.read()  # and goes without a proof
    wait_until(lambda: len(lines(daemon, "login_failed")) == 2)
    for item in all_lines(daemon):
        assert item["event"] and item["level"] and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item["time"])
        assert item["event"] != "forged"


# --- statements -------------------------------------------------------------------------------------------------------

def own_statements(daemon, number):
    """Without what a driver sends by itself; None: there are not that many yet."""
    own = [item for item in lines(daemon, "statement") if not item["statement"].startswith("SET ")]
    return own if len(own) == number else None


def test_echo_shows_statements_and_never_their_values(db):
    daemon = db.start(pool={"echo": True})
    with contextlib.closing(db.connect()) as connection:
        db.run(connection, f"SELECT 1,\n   '{SECRET}'  -- it's {SECRET}\n")
        with contextlib.suppress(psycopg2.Error, pymysql.Error):
            db.run(connection, f"SELECT '{SECRET}' FROM nowhere")
    done, failed = wait_until(lambda: own_statements(daemon, 2), 10, "two statements")
    assert (done["statement"], done["outcome"], done["level"]) == ("SELECT ?, ?", "done", "info")
    assert done["session"] and done["user"] == USER and done["pool"] == db.pool and done["client"]
    assert 0 < done["ms"] < 10000
    assert (failed["statement"], failed["outcome"]) == ("SELECT ? FROM nowhere", "failed")
    assert failed["error"] == ("1146" if db.is_mysql else "42P01")
    assert SECRET not in daemon.log_text()


def test_echo_is_off_unless_it_is_asked_for(db):
    daemon = db.start()
    with contextlib.closing(db.connect()) as connection:
        db.run(connection, "SELECT 1")
    line(daemon, "logout")
    assert not lines(daemon, "statement") and "SELECT" not in daemon.log_text()


def test_echo_shows_prepared_statements_of_postgresql_by_their_text(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "echo": True}},
                       log={"format": "json"})
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as client:
        client.extended("SELECT $1::text", [SECRET])
        client.send(pgwire.parse("named", "SELECT $1::text || 'x'"), pgwire.message(b"S"))
        client.reply()
        for _ in range(2):
            client.send(pgwire.bind("named", values=[SECRET]), pgwire.execute(), pgwire.message(b"S"))
            assert client.reply().value() == SECRET + "x"
    wait_until(lambda: len(lines(daemon, "statement")) == 4, 10, "four statements")
    assert [(item["kind"], item["statement"]) for item in lines(daemon, "statement")] == [
        ("execute", "SELECT $1::text"), ("prepare", "SELECT $1::text || ?"),
        ("execute", "SELECT $1::text || ?"), ("execute", "SELECT $1::text || ?")]
    assert SECRET not in daemon.log_text()


def read_result(client, count):
    """Packets of a reply up to its n-th EOF."""
    while count:
        count -= client.read()[:1] == b"\xfe"


def test_echo_shows_prepared_statements_of_mysql_by_their_text(leasehold, mysql_server):
    daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "echo": True}}, log={"format": "json"})
    with mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop") as client:
        client.command(0x16, b"SELECT ?, 'x'")
        number = struct.unpack_from("<I", client.read(), 1)[0]
        read_result(client, 2)
        secret = SECRET.encode()
        values = b"\0" + b"\1" + struct.pack("<H", 0xFD) + bytes([len(secret)]) + secret
        client.command(0x17, struct.pack("<IBI", number, 0, 1) + values)
        read_result(client, 2)
        client.query("SELECT 2")
    wait_until(lambda: len(lines(daemon, "statement")) == 3, 10, "three statements")
    assert [(item["kind"], item["statement"]) for item in lines(daemon, "statement")] == [
        ("prepare", "SELECT ?, ?"), ("execute", "SELECT ?, ?"), ("query", "SELECT ?")]
    assert SECRET not in daemon.log_text()


def test_a_very_long_statement_is_cut_and_its_length_named(db):
    daemon = db.start(pool={"echo": True})
    columns = ", ".join(f"{n} AS column_{n}" for n in range(400))
    with contextlib.closing(db.connect()) as connection:
        db.run(connection, f"SELECT {columns}")
        db.run(connection, f"SELECT '{'x' * 200000}'")
    names, value = wait_until(lambda: own_statements(daemon, 2), 10, "two statements")
    assert names["statement"].startswith("SELECT ? AS column_0, ? AS column_1,") and names["statement"].endswith(" ...")
    assert names["length"] == len(columns) + 7 and len(names["statement"]) < 2100
    assert (value["statement"], value["length"]) == ("SELECT ? ...", 200009)


def test_a_slow_statement_is_a_warning_and_a_quick_one_is_nothing(db):
    daemon = db.start(log={"slow_statement": "200ms"})
    with contextlib.closing(db.connect()) as connection:
        db.run(connection, f"SELECT '{SECRET}'")
        db.run(connection, db.sleep(0.3))
    slow = line(daemon, "slow_statement")
    assert slow["level"] == "warn" and slow["statement"] == db.sleep(0).replace("0", "?")
    assert 300 <= slow["ms"] < 20000 and slow["session"] and slow["user"] == USER and slow["pool"] == db.pool
    assert not lines(daemon, "statement") and SECRET not in daemon.log_text()


def test_in_a_pipeline_each_statement_is_charged_with_its_own_time(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "echo": True}},
                       log={"format": "json", "slow_statement": "600ms"})
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as client:
        sync = pgwire.message(b"S")
        client.send(pgwire.run("SELECT 1"), pgwire.run("SELECT pg_sleep(0.9)"), pgwire.run("SELECT 2"), sync,
                    pgwire.query("SELECT pg_sleep(0.1)"))
        client.reply()
        client.reply()
    wait_until(lambda: len(lines(daemon, "statement")) == 4, 10, "four statements")
    slow = lines(daemon, "slow_statement")
    # The server sends the replies of a segment when it is done with all of it.
    assert sum(item["ms"] for item in slow) >= 900 and all("?" in item["statement"] for item in slow)
    assert lines(daemon, "statement")[-1]["ms"] < 800


# --- waits ------------------------------------------------------------------------------------------------------------

def test_a_slow_wait_says_where_it_stands_and_who_holds_the_backends(db):
    daemon = db.start(pool={"pool_size": 1}, log={"slow_wait": "100ms"}, workers=1)
    with contextlib.closing(db.connect()) as holder, contextlib.closing(db.connect()) as second:
        db.run(holder, "BEGIN")
        holding = last(daemon, "login", 2)[0]["session"]
        thread = threading.Thread(target=db.run, args=(second, "SELECT 2"))
        thread.start()
        # A slow machine may have waited for its first backend as well.
        told = wait_until(lambda: [item for item in lines(daemon, "slow_wait")
                                   if f" by session {holding} " in item.get("holders", "")], 10, "the wait")[0]
        db.run(holder, "COMMIT")
        thread.join()
    assert told["level"] == "warn" and told["pool"] == db.pool and told["user"] == USER
    assert (told["position"], told["waiting"]) == (1, 1) and told["ms"] >= 100
    assert re.match(rf"1 of 1 backends leased; for [\d.]+ s by session {holding} {USER}@127.0.0.1:\d+", told["holders"])
    over = last(daemon, "slow_wait_end", len(lines(daemon, "slow_wait")))[-1]
    assert over["session"] == told["session"]
    assert over["reason"] == "leased" and over["ms"] >= told["ms"]


# --- storms -----------------------------------------------------------------------------------------------------------

def test_a_storm_of_failed_logins_is_counted_instead_of_written(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, log={"format": "json"})
    number = 1500
    begun = time.monotonic()
    for i in range(number):
        with daemon.raw() as client:
            client.sendall(pgwire.startup_packet(body=b"user\0nobody%d\0database\0orders\0\0" % i))
            client.recv(1)
    took = time.monotonic() - begun

    def counted():
        failed = lines(daemon, "login_failed")
        return sum(item.get("repeated", 1) for item in failed) == number and failed
    failed = wait_until(counted, 70, "every failed login in the count")
    # Twenty, and then one more line after 1, 2, 4 ... seconds.
    assert len(failed) <= 20 + 21 * (1 + took / 2), (len(failed), took)


# --- secrets ----------------------------------------------------------------------------------------------------------

def test_no_secret_is_in_the_log_at_any_level(leasehold, postgres, mysql_server):
    """Every kind of login and error with everything switched on; then the whole log is searched."""
    secrets = {name: f"{name}-7Xq-secret" for name in ("scram", "stored", "sql", "guess", "value", "mysql")}
    for user in ("scram", "stored"):
        postgres.query(f"DROP ROLE IF EXISTS {user}_app")
        postgres.create_user(f"{user}_app", secrets[user])
    verifier = postgres.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'stored_app'")
    mysql_server.create_user("my_app", secrets["mysql"])
    mysql_server.query("GRANT ALL ON shop.* TO my_app")
    users = [{"name": "scram_app", "password": secrets["scram"]}, {"name": "stored_app", "password": verifier},
             {"name": "my_app", "password": secrets["mysql"]}]
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "echo": True},
                              "shop": {"url": mysql_server.url("shop", USER, PASSWORD), "echo": True},
                              "wrong": {"url": postgres.url("orders", USER, secrets["guess"]), "pool_timeout": 1}},
                       users=users, log={"level": "trace", "slow_statement": "1ms", "slow_wait": "1ms"})
    for user, password in (("scram_app", secrets["scram"]), ("stored_app", secrets["stored"])):
        connection = daemon.connect("orders", user, password, autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT '{secrets['value']}', $$ {secrets['value']} $$ -- {secrets['value']}")
            for failing in (f"SELECT '{secrets['value']}'::int", f"ALTER ROLE nobody PASSWORD '{secrets['sql']}'",
                            f"SELECT 'C:\\', '{secrets['value']}' FROM nowhere"):
                with pytest.raises(psycopg2.Error):
                    cursor.execute(failing)
        connection.close()
        with pytest.raises(psycopg2.OperationalError):
            daemon.connect("orders", user, secrets["guess"])
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as client:
        client.extended("SELECT $1::text", [secrets["value"]])
        client.extended("SELECT $1::int", [secrets["value"]])
    with pytest.raises(psycopg2.OperationalError):
        daemon.connect("wrong", USER, secrets["guess"])
    with contextlib.closing(daemon.connect_mysql("shop", "my_app", secrets["mysql"])) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT \"{secrets['value']}\", 'it\\'s {secrets['value']}' # don't {secrets['value']}")
            with pytest.raises(pymysql.Error):
                cursor.execute(f"ALTER USER nobody IDENTIFIED BY '{secrets['sql']}'")
    with pytest.raises(pymysql.Error):
        daemon.connect_mysql("shop", "my_app", secrets["guess"])
    wait_until(lambda: daemon.log_text().count("reason=closed") >= 3, 10, "the sessions' ends")
    daemon.stop()
    text = daemon.log_text()
    assert text.count("event=statement") >= 10 and text.count("event=login_failed") >= 4
    for secret in (*secrets.values(), PASSWORD, verifier, *verifier.split("$")[2:], *verifier.split("$")[2].split(":")):
        assert secret not in text, secret
    assert not re.search(r"SCRAM-SHA-256\$|[\s,\"=]p=|,r=|[\s,]v=|md5[0-9a-f]{32}|\*[0-9A-F]{40}", text)
