# SPDX-License-Identifier: Apache-2.0
"""What a client asks for when it connects: tried on a backend before it is let in, refused in the server's own words,
carried to every backend afterwards; what the server says of itself reaches the client."""
import os
import shutil
import threading
import time

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER
from leasehold import MEMORY_FACTOR, Leasehold
from processes import wait_until
from servers import Postgres

PID = "SELECT pg_backend_pid()"


@pytest.fixture(scope="module")
def server():
    """A server of this file's own: its configuration is changed."""
    with Postgres(hba=["local replication all trust"]) as postgres:
        postgres.create_user(USER, PASSWORD)
        postgres.create_user("admin", "admin-secret", options="LOGIN SUPERUSER")
        postgres.create_database("orders", owner=USER)
        yield postgres


@pytest.fixture
def pooled(leasehold, server):
    def start(user=USER, password=PASSWORD, sections=None, **pool):
        keys = {"pool_size": 2, "max_overflow": 0, "pool_timeout": "5s", **pool}
        return leasehold(pools={"orders": {"url": server.url("orders", user, password), **keys}}, **(sections or {}))
    return start


def login(daemon, user=USER, password=PASSWORD, **parameters):
    return pgwire.connect(daemon.port, user, "orders", password, **parameters)


def backends(server):
    return [row["pid"] for row in server.backends("%") if row["usename"] != "postgres"]


# --- startup parameters -------------------------------------------------------------------------------------------

ACCEPTED = [
    {"client_encoding": "utf-8"}, {"client_encoding": "latin1"}, {"DateStyle": "iso"}, {"DateStyle": "german"},
    {"datestyle": ""}, {"TimeZone": "europe/berlin"}, {"IntervalStyle": "ISO_8601"},
    {"standard_conforming_strings": "off"}, {"search_path": "a, b"}, {"extra_float_digits": "3"},
    {"statement_timeout": "5s"}, {"application_name": "orders-api"}, {"application_name": "caf\u00e9" + "x" * 80},
    {"foo.bar": "1"}, {"role": USER}, {"session_authorization": USER}, {"work_mem": "1MB", "TimeZone": "utc"},
    {"options": "-c geqo=off --statement-timeout=7s -ctimezone=CET"}, {"options": "-c search_path=a\\ ,b"},
    {"options": "-e"}, {"options": "-fs -f i"}, {"options": "-S 2048"}, {"options": "-n -T -v 3 -b -E"},
    {"options": "-c TimeZone=CET", "TimeZone": "EET"}, {"options": "--"}, {"options": ""},
    {"options": "-P"}, {"options": "-W 0"}, {"post_auth_delay": "0", "geqo": "off"},
    {"default_transaction_read_only": "on"}, {"default_transaction_isolation": "serializable"},
]
REFUSED = [
    {"client_encoding": "nope"}, {"TimeZone": "Mars/Phobos"}, {"DateStyle": "foo"}, {"foo": "1"}, {"bad name": "1"},
    {"statement_timeout": "x"}, {"work_mem": "-5"}, {"shared_buffers": "16"}, {"log_min_messages": "debug1"},
    {"server_version": "3"}, {"role": "nobody"}, {"search_path": "a b"}, {"options": "-B 16"}, {"options": "-F"},
    {"options": "-ts"}, {"options": "-t pl"}, {"options": "-O"}, {"options": "-s"}, {"options": "-d 2"},
    {"options": "-N 5"}, {"options": "-x"}, {"options": "-i"}, {"options": "-p 1"}, {"options": "--work_mem"},
    {"options": "-c work_mem"}, {"options": "foo"}, {"options": "-- foo"}, {"options": "-c"},
    {"log_connections": "on"}, {"session_preload_libraries": "x"}, {"local_preload_libraries": "nowhere"},
    {"jit_debugging_support": "on"}, {"is_superuser": "on"}, {"client_encoding": "utf8", "TimeZone": "nowhere"},
]
SETTINGS = "SELECT name, setting FROM pg_settings WHERE name NOT IN ('transaction_read_only', 'server_encoding')" \
           " AND name = ANY ('{client_encoding,DateStyle,TimeZone,IntervalStyle,standard_conforming_strings," \
           "search_path,extra_float_digits,statement_timeout,work_mem,geqo,enable_seqscan,enable_indexscan," \
           "post_auth_delay,ignore_system_indexes,default_transaction_read_only,default_transaction_isolation}')"


def name_of(parameters):
    return " ".join(f"{key}={value[:20]}" for key, value in parameters.items())


@pytest.fixture(scope="module")
def shared(server):
    with Leasehold(pools={"orders": {"url": server.url("orders", USER, PASSWORD), "pool_size": 2}}) as daemon:
        yield daemon
    assert not daemon.complaint


@pytest.mark.parametrize("parameters", ACCEPTED, ids=name_of)
def test_a_client_is_told_and_given_what_a_direct_one_is(server, shared, parameters):
    with pgwire.connect(server.port, USER, "orders", PASSWORD, **parameters) as direct:
        told, held = dict(direct.parameters), direct.ok(SETTINGS)
    for again in range(2):  # tried on a backend, then from memory
        with login(shared, **parameters) as session:
            if "application_name" not in parameters:
                assert session.parameters.pop("application_name") == "leasehold orders"
                told.pop("application_name", None)
            assert session.parameters == told, again
            assert session.ok(SETTINGS) == held
            if "application_name" in parameters:
                assert session.value("SHOW application_name") == told["application_name"]
    with login(shared) as plain:  # and nobody else is
        assert plain.parameters["client_encoding"] == "UTF8"
        assert plain.value("SHOW work_mem") == "4MB" and plain.value("SHOW TimeZone") == "UTC"


@pytest.mark.parametrize("parameters", REFUSED, ids=name_of)
def test_a_wrong_parameter_is_refused_in_the_servers_words(server, shared, parameters):
    with pytest.raises(pgwire.ServerError) as direct:
        pgwire.connect(server.port, USER, "orders", PASSWORD, **parameters)
    with pytest.raises(pgwire.ServerError) as refused:
        login(shared, **parameters)
    for field in "SVCM":
        assert refused.value.fields.get(field) == direct.value.fields.get(field), field
    with login(shared) as session:
        assert session.value("SELECT 1") == "1"


def test_a_refused_parameter_costs_no_backend(pooled, server):
    daemon = pooled(pool_size=1)
    with login(daemon) as session:
        first = session.value(PID)
        for _ in range(20):
            with pytest.raises(pgwire.ServerError):
                login(daemon, TimeZone="nowhere")
        assert session.value(PID) == first


def test_known_parameters_need_no_backend_to_log_in(pooled):
    daemon = pooled(pool_size=1, pool_timeout="300ms")
    login(daemon, TimeZone="CET", application_name="first").terminate()
    holder = login(daemon)
    holder.ok("BEGIN")
    for name in ("second", "third"):
        with login(daemon, TimeZone="CET", application_name=name) as session:
            assert session.parameters["application_name"] == name
    with pytest.raises(pgwire.ServerError) as refused:
        login(daemon, TimeZone="EET")
    assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "53300")
    holder.ok("COMMIT")
    with login(daemon, TimeZone="EET") as session:
        assert session.value("SHOW TimeZone") == "EET"


def test_many_clients_with_the_same_new_parameters_are_all_let_in(pooled):
    daemon = pooled(pool_size=1)
    told, failures = [], []

    def one(number):
        try:
            with login(daemon, TimeZone="Asia/Tokyo", application_name=f"client {number}") as session:
                told.append((session.parameters["TimeZone"], session.value("SHOW application_name"), number))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(told, key=lambda one: one[2]) == [("Asia/Tokyo", f"client {n}", n) for n in range(30)]


def test_a_thousand_different_sets_do_not_fill_the_memory(pooled):
    daemon = pooled()
    login(daemon).terminate()
    before = daemon.rss()
    for number in range(1000):
        login(daemon, **{f"x.y{number}": "z" * 2000}).terminate()
    assert daemon.rss() - before < (16 if MEMORY_FACTOR == 1 else 256) * (1 << 20)  # sanitizers keep what is freed


def test_a_client_that_goes_away_while_it_waits_to_be_let_in_leaves_the_queue(pooled):
    daemon = pooled(pool_size=1, pool_timeout="20s")
    holder = login(daemon)
    holder.ok("BEGIN")
    waiting = pgwire.Connection(daemon.port)
    thread = threading.Thread(target=lambda: pytest.raises(Exception, waiting.login, USER, "orders", PASSWORD,
                                                           TimeZone="CET"))
    thread.start()
    wait_until(lambda: daemon.console("SHOW POOLS")[0]["cl_waiting"], 3, "one waits")
    waiting.socket.shutdown(2)
    thread.join()
    wait_until(lambda: not daemon.console("SHOW POOLS")[0]["cl_waiting"], 3, "nobody waits any more")
    holder.ok("COMMIT")
    assert holder.value("SELECT 1") == "1"


def test_a_backend_that_dies_during_the_trial_is_replaced(pooled, server):
    daemon = pooled(pool_size=1)
    with login(daemon) as session:
        pid = int(session.value(PID))
        os.kill(pid, 19)  # SIGSTOP: the trial hangs on it
        result = []
        thread = threading.Thread(target=lambda: result.append(login(daemon, TimeZone="Europe/Paris")))
        thread.start()
        time.sleep(0.3)
        server.query("SELECT pg_terminate_backend(%s)", [pid])
        os.kill(pid, 18)
        thread.join()
        assert result and result[0].value("SHOW TimeZone") == "Europe/Paris"
        assert int(result[0].value(PID)) != pid


def test_role_and_database_defaults_are_not_shadowed(pooled, server):
    server.query(f"ALTER ROLE {USER} SET work_mem = '3MB'")
    server.query("ALTER DATABASE orders SET TimeZone = 'Asia/Kolkata'")
    try:
        daemon = pooled()
        with login(daemon, application_name="x", DateStyle="ISO") as session:
            assert session.parameters["TimeZone"] == "Asia/Kolkata"
            assert session.value("SHOW work_mem") == "3MB"
        with login(daemon, TimeZone="CET") as session:
            assert session.value("SHOW TimeZone") == "CET"
        with login(daemon) as session:
            assert session.value("SHOW TimeZone") == "Asia/Kolkata"
    finally:
        server.query(f"ALTER ROLE {USER} RESET ALL")
        server.query("ALTER DATABASE orders RESET ALL")


# --- parameters that only a connection's start can set ------------------------------------------------------------

def test_start_only_parameters_have_backends_of_their_own(pooled, server):
    daemon = pooled()
    plain, other = login(daemon), login(daemon, ignore_system_indexes="on")
    assert other.value("SHOW ignore_system_indexes") == "on"
    assert plain.value("SHOW ignore_system_indexes") == "off"
    assert plain.value(PID) != other.value(PID)
    again = login(daemon, options="-P")
    assert again.value(PID) == other.value(PID)
    # Capacity counts over all: with both places taken by one kind the other kind gets one when it is idle.
    third = login(daemon, post_auth_delay="0")
    assert third.value("SHOW post_auth_delay") == "0"
    assert plain.value("SELECT 1") == "1"
    assert len(daemon.console("SHOW SERVERS")) <= 2


def test_a_refused_start_stops_nobody_else(pooled):
    daemon = pooled(pool_size=1)
    session = login(daemon)
    for _ in range(3):
        with pytest.raises(pgwire.ServerError) as refused:
            login(daemon, local_preload_libraries="nowhere")
        assert refused.value.sqlstate == "58P01"
        assert refused.value.message.startswith('could not access file "$libdir/plugins/nowhere"')
        began = time.monotonic()
        assert session.value("SELECT 1") == "1"
        assert time.monotonic() - began < 1


def test_a_superusers_start_parameters_are_granted(leasehold, server):
    daemon = leasehold(pools={"orders": {"url": server.url("orders", "admin", "admin-secret"), "pool_size": 2}})
    with login(daemon, "admin", "admin-secret", options="-c log_connections=on -c log_disconnections=on") as session:
        assert session.value("SHOW log_connections") == "on" and session.value("SHOW log_disconnections") == "on"
    with login(daemon, "admin", "admin-secret") as session:
        assert session.value("SHOW log_connections") == "off"


# --- ParameterStatus of live clients ------------------------------------------------------------------------------

def test_a_reconfigured_server_is_announced_to_live_clients(pooled, server):
    daemon = pooled()
    idle, busy = login(daemon), login(daemon)
    busy.ok("BEGIN")
    server.query("ALTER SYSTEM SET IntervalStyle = 'iso_8601'")
    server.reload()
    try:
        wait_until(lambda: server.value("SHOW IntervalStyle") == "iso_8601", 5, "the server has read its file")
        time.sleep(0.3)
        seen = {}
        for _ in range(3):  # a backend reads its file between two statements, and says so at the end of the next
            seen.update(busy.query("SELECT 1").parameters)
        assert seen["IntervalStyle"] == "iso_8601"
        busy.ok("COMMIT")
        seen = {}
        for _ in range(3):
            reply = idle.query("SELECT interval '1 day'")
            seen.update(reply.parameters)
        assert seen["IntervalStyle"] == "iso_8601" and reply.value() == "P1D"
    finally:
        server.query("ALTER SYSTEM RESET IntervalStyle")
        server.reload()
        time.sleep(0.3)


def test_what_a_restarted_server_says_differently_reaches_idle_clients_before_their_next_reply(pooled, server):
    daemon = pooled()
    idle, known = login(daemon), login(daemon, TimeZone="CET")
    assert idle.value("SELECT 1") == "1" and known.parameters["DateStyle"] == "ISO, MDY"
    server.stop()
    with open(os.path.join(server.data, "postgresql.auto.conf"), "a") as file:
        file.write("datestyle = 'German'\n")
    server.start()
    try:
        reply = idle.query("SELECT date '2024-03-01'")
        assert reply.parameters["DateStyle"] == "German, DMY" and reply.value() == "01.03.2024"
        assert reply.kinds.index("S") < reply.kinds.index("D")
        assert "DateStyle" not in idle.query("SELECT 1").parameters
        reply = known.query("SELECT date '2024-03-01'")
        assert reply.parameters["DateStyle"] == "German, DMY" and reply.value() == "01.03.2024"
        with login(daemon, TimeZone="CET") as session:  # what was remembered is forgotten
            assert session.parameters["DateStyle"] == "German, DMY"
    finally:
        server.query("ALTER SYSTEM RESET DateStyle")
        server.restart()


def test_a_promoted_standby_says_so_to_its_clients(leasehold, server):
    class Standby(Postgres):
        def __init__(self):
            super().__init__(start=False)
            shutil.rmtree(self.data)
            self._run([self.program("pg_basebackup"), "-h", server.folder, "-p", str(server.port), "-U", "postgres",
                       "-D", self.data, "-R", "-c", "fast", "--no-sync"], "pg_basebackup")
            with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
                file.write(f"port = {self.port}\nunix_socket_directories = '{self.folder}'\n")
            self.start()
    with Standby() as standby:
        daemon = leasehold(pools={"orders": {"url": standby.url("orders", USER, PASSWORD), "pool_size": 2}})
        idle, busy = login(daemon), login(daemon)
        assert idle.parameters["in_hot_standby"] == "on"
        assert busy.query("CREATE TABLE t (a int)").sqlstate == "25006"
        standby.query("SELECT pg_promote()")
        seen = {}
        for _ in range(2):
            seen.update(busy.query("SELECT 1").parameters)
        assert seen["in_hot_standby"] == "off"
        assert idle.query("SELECT 1").parameters["in_hot_standby"] == "off"
        busy.ok("CREATE TABLE promoted (a int)")
        busy.ok("DROP TABLE promoted")


# --- endings ------------------------------------------------------------------------------------------------------

def test_a_drained_daemon_lets_a_client_that_waits_to_be_let_in_know(pooled):
    daemon = pooled(pool_size=1, pool_timeout="20s", sections={"drain_timeout": "2s"})
    holder = login(daemon)
    holder.ok("BEGIN")
    refused = []

    def wait():
        try:
            login(daemon, TimeZone="CET")
        except pgwire.ServerError as error:
            refused.append(error)
    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: daemon.console("SHOW POOLS")[0]["cl_waiting"], 3, "one waits")
    daemon.stop()
    thread.join()
    assert refused and refused[0].severity == "FATAL" and refused[0].sqlstate in ("57P01", "57P03")


def test_drivers_connect_with_their_usual_parameters(pooled):
    daemon = pooled()
    connection = daemon.connect("orders", USER, PASSWORD, options="-c statement_timeout=60s -c search_path=public",
                                client_encoding="latin1", application_name="psycopg2 test")
    assert connection.encoding == "LATIN1"
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("1min",)
    connection.close()
    with pytest.raises(psycopg2.OperationalError, match="unrecognized configuration parameter"):
        daemon.connect("orders", USER, PASSWORD, options="-c nonsense=1")
