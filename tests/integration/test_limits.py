# SPDX-License-Identifier: Apache-2.0
"""Limits on clients: in all, of a user, from an address; and the way to the console that stays open behind them."""
import collections
import contextlib
import os
import re
import resource
import socket
import subprocess
import threading

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import temp_dir
from servers import Postgres, wait_until


class Over(Exception):
    """What a refused client was told: its code, and the words."""


class Side:
    """One database's way to log in, and what it says when there are too many."""

    def __init__(self, daemon, mysql):
        self.daemon, self.mysql = daemon, mysql
        self.full = 1040 if mysql else "53300"
        self.full_for_user = 1226 if mysql else "53300"

    def login(self, user=USER, password=PASSWORD, source=None):
        connection = None
        try:
            if self.mysql:
                connection = mywire.Connection(self.daemon.mysql_port, source=source, timeout=30)
                return connection.login(user, password, "shop")
            connection = pgwire.Connection(self.daemon.port, source=source, timeout=30)
            return connection.login(user, "orders", password)
        except (mywire.ServerError, pgwire.ServerError) as error:
            connection.drop()
            raise Over(error.code if self.mysql else error.sqlstate, str(error)) from error

    def refused(self, code, words, **login):
        with pytest.raises(Over) as over:
            self.login(**login)
        assert over.value.args[0] == code and words in over.value.args[1], over.value
        return over.value.args[1]

    def works(self, connection):
        return connection.value("SELECT 1") == "1"

    def login_soon(self, **login):
        """A place is free when the daemon has seen its last client's end."""
        def attempt():
            with contextlib.suppress(Over):
                return self.login(**login)
        return wait_until(attempt, 10, "a free place", 0.05)


@pytest.fixture(params=["postgresql", "mariadb", "mysql97"])
def side(request, leasehold, postgres):
    mysql = request.getfixturevalue("mysql97" if request.param == "mysql97" else "mariadb")

    def start(limits, users=(), **sections):
        pools = {"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 3, "max_overflow": 0},
                 "shop": {"url": mysql.url("shop", USER, PASSWORD), "pool_size": 3, "max_overflow": 0}}
        daemon = leasehold(pools=pools, limits=limits, users=list(users), **sections)
        return Side(daemon, request.param != "postgresql")
    return start


def refusals(daemon):
    """Lines of the log about clients that were refused: reason → how often, repeats included."""
    found = collections.Counter()
    for line in daemon.log_text().splitlines():
        reason = re.search(r"event=client_refused.* reason=(\S+)|event=client_refused reason=(\S+)", line)
        if reason:
            more = re.search(r"repeated=(\d+)", line)
            found[reason[1] or reason[2]] += int(more[1]) if more else 1
    return found


# --- in all -----------------------------------------------------------------------------------------------------------

def test_at_max_clients_one_more_is_refused_until_one_has_left(side):
    it = side({"max_clients": 3})
    inside = [it.login() for _ in range(3)]
    it.refused(it.full, "Too many connections" if it.mysql else "too many clients")
    assert all(it.works(session) for session in inside)
    inside[0].drop()
    inside[0] = it.login_soon()
    it.refused(it.full, "max_clients")
    assert all(it.works(session) for session in inside)


def test_a_refused_client_learns_nothing_about_users(side):
    it = side({"max_clients": 1})
    inside = it.login()
    told = {re.sub(r"session \d+", "", it.refused(it.full, "max_clients", user=user, password=password))
            for user, password in ((USER, PASSWORD), (USER, "wrong"), ("nobody", "wrong"))}
    assert len(told) == 1, told
    assert it.works(inside)


@pytest.mark.parametrize("end", ["reset", "killed", "inside a transaction"])
def test_a_client_that_crashes_gives_its_place_back(side, end):
    it = side({"max_clients": 1, "max_clients_per_user": 1, "max_clients_per_address": 1})
    if end == "killed":
        script = ("import sys; sys.path.insert(0, sys.argv[1]); import pgwire, mywire, time\n"
                  "m = sys.argv[2] == 'True'\n"
                  "c = (mywire.connect(int(sys.argv[3]), sys.argv[4], sys.argv[5], 'shop') if m else\n"
                  "     pgwire.connect(int(sys.argv[3]), sys.argv[4], 'orders', sys.argv[5]))\n"
                  "print('in', flush=True); time.sleep(60)")
        port = it.daemon.mysql_port if it.mysql else it.daemon.port
        support = os.path.join(os.path.dirname(__file__), "..", "support")
        child = subprocess.Popen(["/usr/bin/python3", "-c", script, support, str(it.mysql), str(port), USER, PASSWORD],
                                 stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "in\n"
    else:
        session = it.login()
        if end != "reset":
            session.query("BEGIN")
    it.refused(it.full, "max_clients")
    if end == "killed":
        child.kill()
        child.wait()
        child.stdout.close()
    else:
        session.reset()
    assert it.works(it.login_soon())


def test_of_300_at_once_as_many_get_in_as_there_are_places(side):
    it = side({"max_clients": 50})
    inside, outside, gate = [], [], threading.Barrier(300)

    def come():
        gate.wait()
        try:
            inside.append(it.login())
        except Over as over:
            outside.append(over.args[0])

    threads = [threading.Thread(target=come) for _ in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(inside), len(outside), set(outside)) == (50, 250, {it.full})
    assert all(it.works(session) for session in inside)
    for session in inside:
        session.drop()
    again = [it.login_soon() for _ in range(50)]
    assert all(it.works(session) for session in again)
    assert wait_until(lambda: refusals(it.daemon)["max_clients"] >= 250, 5)
    lines = [line for line in it.daemon.log_text().splitlines() if "event=client_refused" in line]
    assert len(lines) <= 60, f"{len(lines)} lines for 250 refusals"


# --- of a user, from an address ---------------------------------------------------------------------------------------

def test_users_are_counted_by_the_name_they_log_in_with(side):
    users = [{"name": name, "password": "secret", "as": "pool"} for name in ("one", "two")]
    it = side({"max_clients_per_user": 2}, users=users)
    inside = [it.login(user="one", password="secret") for _ in range(2)]
    it.refused(it.full_for_user, "one", user="one", password="secret")
    inside += [it.login(user="two", password="secret") for _ in range(2)] + [it.login() for _ in range(2)]
    it.refused(it.full_for_user, USER)
    assert all(it.works(session) for session in inside)
    inside[0].drop()
    assert it.works(it.login_soon(user="one", password="secret"))
    # Without the password nobody learns whether the user has clients, or is one.
    for user in ("two", "nobody"):
        with pytest.raises(Over) as over:
            it.login(user=user, password="wrong")
        assert over.value.args[0] == (1045 if it.mysql else "28P01")


def test_addresses_are_counted_each_by_itself(side):
    it = side({"max_clients_per_address": 2})
    inside = [it.login(source="127.0.0.2") for _ in range(2)]
    told = it.refused(it.full, "this address", source="127.0.0.2")
    assert "max_clients_per_address" in told
    it.refused(it.full, "this address", source="127.0.0.2", user="nobody")
    inside += [it.login(source="127.0.0.3") for _ in range(2)]
    assert all(it.works(session) for session in inside)
    inside[0].drop()
    assert it.works(it.login_soon(source="127.0.0.2"))
    wait_until(lambda: refusals(it.daemon).keys() == {"max_clients_per_address"}, 10, "the refusals in the log")
    wait_until(lambda: "who=127.0.0.2" in it.daemon.log_text(), 10, "the address in the log")


def test_a_login_that_fails_keeps_no_place(side):
    it = side({"max_clients": 1, "max_clients_per_user": 1, "max_clients_per_address": 1})
    for _ in range(5):
        with pytest.raises(Over) as over:
            it.login(password="wrong")
        if over.value.args[0] == it.full:  # the one before is not quite gone
            continue
        assert over.value.args[0] == (1045 if it.mysql else "28P01")
    assert it.works(it.login_soon())


def test_clients_of_a_unix_socket_are_counted_by_their_system_user(leasehold, postgres):
    folder = temp_dir("lh-unix-")
    path = os.path.join(folder, ".s.PGSQL.6432")
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, listen=[
        {"dialect": "postgresql", "address": "unix:" + path, "auth": "scram"}],
        limits={"max_clients_per_address": 2}, start=False)
    daemon.port = None  # it does not listen there
    daemon.start()
    wait_until(lambda: "event=started" in daemon.log_text(), 20)

    def login():
        import psycopg2
        return psycopg2.connect(host=folder, port=6432, dbname="orders", user=USER, password=PASSWORD)

    inside = [login() for _ in range(2)]
    with pytest.raises(Exception, match="this address"):
        login()
    wait_until(lambda: f"who=unix:{os.geteuid()}" in daemon.log_text(), 10, "the system user in the log")
    for connection in inside:
        connection.close()


def test_replication_sessions_count(leasehold):
    with Postgres(settings={"max_wal_senders": 5, "wal_level": "logical"}) as server:
        server.create_user(USER, PASSWORD, options="LOGIN REPLICATION")
        server.create_database("orders", owner=USER)
        daemon = leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), "max_replication": 3}},
                           limits={"max_clients": 2})
        inside = [pgwire.connect(daemon.port, USER, "orders", PASSWORD, replication="database") for _ in range(2)]
        with pytest.raises(pgwire.ServerError, match="max_clients") as refused:
            pgwire.connect(daemon.port, USER, "orders", PASSWORD)
        assert refused.value.sqlstate == "53300"
        inside[0].drop()
        wait_until(lambda: reaches(daemon), 10, "a free place")
        inside[1].drop()


def reaches(daemon):
    with contextlib.suppress(pgwire.ServerError), pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
        return session.value("SELECT 1") == "1"
    return False


# --- the console ------------------------------------------------------------------------------------------------------

def test_the_console_answers_while_max_clients_is_reached(side):
    it = side({"max_clients": 1, "max_clients_per_user": 1, "max_clients_per_address": 1})
    inside = it.login()
    it.refused(it.full, "max_clients")
    consoles = [pgwire.connect(it.daemon.port, CONSOLE_USER, "leasehold", CONSOLE_PASSWORD) for _ in range(16)]
    assert all(console.query("SHOW POOLS").tags == ["SHOW"] for console in consoles)
    # Its own places are limited too, and only those who may use it can take them.
    with pytest.raises(pgwire.ServerError, match="console") as refused:
        pgwire.connect(it.daemon.port, CONSOLE_USER, "leasehold", CONSOLE_PASSWORD)
    assert refused.value.sqlstate == "53300"
    assert it.works(inside)
    consoles.pop().drop()
    wait_until(lambda: reaches_console(it.daemon), 10, "a free place at the console")


def reaches_console(daemon):
    with contextlib.suppress(Exception):
        return bool(daemon.console("SHOW POOLS"))
    return False


def test_nobody_without_a_password_takes_the_consoles_places(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}})
    halfway = []
    for _ in range(40):
        connection = pgwire.Connection(daemon.port)
        connection.send(pgwire.startup_packet(pgwire.PROTOCOL_3, pgwire.cstr("user") + pgwire.cstr(CONSOLE_USER) +
                                              pgwire.cstr("database") + pgwire.cstr("leasehold") + b"\0"))
        halfway.append(connection)
    assert daemon.console("SHOW POOLS")
    for connection in halfway:
        connection.drop()


def test_connections_on_which_nobody_speaks_lock_nobody_out(leasehold, postgres):
    """So many that the lobby is full: the oldest make room, those who speak get in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 6000:
        pytest.skip(f"needs 6000 open files, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, workers=1,
                       limits={"max_clients": 5})
    silent = []
    try:
        for _ in range(4400):
            silent.append(socket.create_connection(("127.0.0.1", daemon.port), 10))
        assert daemon.console("SHOW POOLS")
        with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
            assert session.value("SELECT 1") == "1"
        wait_until(lambda: refusals(daemon)["unfinished_login"] > 250, 10)
        assert daemon.descriptors() < 4300
    finally:
        for connection in silent:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- open files -------------------------------------------------------------------------------------------------------

def daemon_with_few_files(leasehold, postgres, soft, hard, **sections):
    pools = {"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 3, "max_overflow": 0}}
    return leasehold(pools=pools, prefix=["prlimit", f"--nofile={soft}:{hard}"], **sections)


def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(leasehold, postgres):
    daemon = daemon_with_few_files(leasehold, postgres, 100, 600, limits={"max_clients": 50})
    with open(f"/proc/{daemon.pid}/limits") as file:
        assert re.search(r"Max open files\s+600\s+600", file.read())
    assert "LimitNOFILE" not in daemon.log_text()


# UBSan looks whether an object's memory can be read by opening a pipe, and reports the object when there is none left.
@pytest.mark.skipif("LEASEHOLD_SANITIZED" in os.environ, reason="without a free descriptor UBSan's vptr check is wrong")
def test_where_too_few_files_may_be_open_clients_are_refused_in_words_and_the_console_answers(leasehold, postgres):
    daemon = daemon_with_few_files(leasehold, postgres, 100, 160, limits={"max_clients": 1000})
    wait_until(lambda: "LimitNOFILE" in daemon.log_text(), 10)
    inside, refused = [], 0
    for _ in range(150):
        try:
            inside.append(pgwire.connect(daemon.port, USER, "orders", PASSWORD))
        except pgwire.ServerError as error:
            assert error.sqlstate == "53300", error
            refused += 1
    assert len(inside) >= 40 and refused
    assert [session.value("SELECT 1") for session in inside] == ["1"] * len(inside)  # backends find a descriptor too
    assert daemon.console("SHOW POOLS")
    # Connections that say nothing use up the last descriptors; whoever speaks gets in all the same.
    silent = [socket.create_connection(("127.0.0.1", daemon.port), 10) for _ in range(150)]
    assert daemon.console("SHOW POOLS")
    assert inside[0].value("SELECT 1") == "1"
    inside.pop().drop()
    wait_until(lambda: reaches(daemon), 10, "a free place")
    for connection in silent:
        connection.close()
    assert "event=internal_error" not in daemon.log_text()


# --- changed while it runs --------------------------------------------------------------------------------------------

def test_a_reload_changes_the_limits_for_those_who_come_after_it(side):
    it = side({"max_clients": 5})
    inside = [it.login() for _ in range(3)]
    for limits, code, words in (({"max_clients": 2}, it.full, "max_clients"),
                                ({"max_clients_per_user": 3}, it.full_for_user, USER),
                                ({"max_clients_per_address": 3}, it.full, "this address")):
        it.daemon.config["limits"] = limits
        it.daemon.write_config()
        before = it.daemon.log_text().count("event=reloaded")
        it.daemon.reload()
        wait_until(lambda before=before: it.daemon.log_text().count("event=reloaded") > before, 20, "the reload")
        it.refused(code, words)
        assert all(it.works(session) for session in inside)
    it.daemon.config["limits"] = {"max_clients": 4}
    it.daemon.write_config()
    it.daemon.reload()
    assert it.works(it.login_soon())
