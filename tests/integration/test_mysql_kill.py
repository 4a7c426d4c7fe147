# SPDX-License-Identifier: Apache-2.0
"""KILL, COM_PROCESS_KILL and CONNECTION_ID() behind leasehold: numbers are leasehold's, the right statement is hit, and
nobody else ever is."""
import os
import shutil
import signal
import struct
import subprocess
import threading
import time

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import wait_until

COM_PROCESS_KILL, COM_STMT_PREPARE, COM_STMT_EXECUTE = 0x0C, 0x16, 0x17
SLOW = "SELECT SLEEP(30)"


@pytest.fixture(scope="module")
def others(mysql_server):
    """Two more users of the server: one named in admin.users, and one of nothing."""
    for name in ("chief", "somebody"):
        mysql_server.query(f"DROP USER IF EXISTS `{name}`@`%`")
        mysql_server.create_user(name, PASSWORD)
        mysql_server.query(f"GRANT ALL ON shop.* TO `{name}`@`%`")
    return "chief", "somebody"


@pytest.fixture
def daemon(leasehold, mysql_server, others):
    mysql_server.query("DROP TABLE IF EXISTS shop.t")
    mysql_server.query("CREATE TABLE shop.t (id int PRIMARY KEY, v int) ENGINE=InnoDB")
    mysql_server.query("INSERT INTO shop.t VALUES (1, 0)")

    def start(size=2, **keys):
        pool = {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": size, "max_overflow": 0,
                "pool_timeout": "10s", **keys}
        return leasehold(pools={"shop": pool}, workers=2, users=[{"name": name, "password": PASSWORD} for name in others],
                         admin={"users": ["operator", "chief"], "http": "off"})
    return start


def login(daemon, user=USER, **options):
    return mywire.connect(daemon.mysql_port, user, PASSWORD, "shop", **options)


def running(server, text="SLEEP"):
    return [p for p in server.processes() if p["command"] in ("Query", "Execute") and text in (p["info"] or "")]


def at_rest(server):
    """Waits until nothing runs and no transaction is open. InnoDB renews its list of them for nobody who asks often."""
    wait_until(lambda: not server.transactions() and not running(server), 20, "rolled back", 0.25)


class Running:
    """A statement under way on a session of its own; what came of it is asked later."""

    def __init__(self, session, sql=SLOW):
        self.session = session
        session.command(mywire.COM_QUERY, sql.encode())

    def outcome(self):
        """The rows, or the number of the error."""
        try:
            return self.session.result().rows
        except mywire.ServerError as error:
            return error.code


def refused(call, *arguments):
    with pytest.raises(mywire.ServerError) as error:
        call(*arguments)
    return error.value


# --- numbers ------------------------------------------------------------------------------------------------------

def test_connection_id_is_the_number_of_the_greeting_on_whichever_backend(daemon):
    here = daemon()
    sessions = [login(here) for _ in range(4)]
    for session in sessions * 2:
        number = str(session.greeting["id"])
        assert session.value("SELECT CONNECTION_ID()") == number
        assert session.query("select 1, connection_id() as id, 'x' from dual").rows == [("1", number, "x")]
    assert len({session.greeting["id"] for session in sessions}) == 4


def test_the_console_calls_a_session_by_the_same_number(daemon):
    here = daemon()
    session = login(here)
    console = mywire.connect(here.mysql_port, CONSOLE_USER, CONSOLE_PASSWORD, "leasehold")
    assert str(session.greeting["id"]) in {row[0] for row in console.query("SHOW CLIENTS").rows} | {
        cell for row in console.query("SHOW CLIENTS").rows for cell in row}


def test_connection_id_in_a_prepared_statement(daemon):
    session = login(daemon())
    session.command(COM_STMT_PREPARE, b"SELECT CONNECTION_ID()")
    head = session.read()
    assert head[0] == 0, head
    statement, = struct.unpack_from("<I", head, 1)
    for _ in range(2):
        session.read()  # the column's definition, and what ends it
    session.command(COM_STMT_EXECUTE, struct.pack("<IBI", statement, 0, 1))
    for _ in range(3):
        session.read()
    row = session.read()
    assert int.from_bytes(row[2:6], "little") == session.greeting["id"]


# --- KILL QUERY ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("in_transaction", [False, True])
def test_kill_query_ends_the_statement_and_nothing_more(daemon, mysql_server, in_transaction):
    here = daemon()
    victim, killer = login(here), login(here)
    if in_transaction:
        victim.query("BEGIN")
        victim.query("UPDATE t SET v = v + 1")
    slow = Running(victim, "SELECT SLEEP(30) FROM t")
    wait_until(lambda: running(mysql_server), 10, "the statement running")
    began = time.monotonic()
    killer.query(f"KILL QUERY {victim.greeting['id']}")
    assert slow.outcome() in (1317, [("1",)])  # MySQL's SLEEP() says that it was interrupted
    assert time.monotonic() - began < 8
    assert victim.ping().in_transaction == in_transaction
    assert victim.value("SELECT 5") == "5"
    if in_transaction:
        assert victim.value("SELECT v FROM t") == "1"


def test_kill_query_of_a_session_in_the_queue_takes_it_out_at_once(daemon):
    here = daemon(size=1)
    holder, waiting, killer = login(here), login(here), login(here)
    holder.query("BEGIN")
    slow = Running(waiting, "SELECT 1")
    wait_until(lambda: any(row.get("state") == "waiting" for row in here.console("SHOW CLIENTS")), 10, "it waits")
    killer.query(f"KILL QUERY {waiting.greeting['id']}")
    assert slow.outcome() == 1317
    holder.query("ROLLBACK")
    assert waiting.value("SELECT 2") == "2"


def test_kill_query_of_an_idle_session_does_nothing(daemon):
    here = daemon()
    idle, killer = login(here), login(here)
    killer.query(f"KILL QUERY {idle.greeting['id']}")
    assert idle.value("SELECT 1") == "1"
    idle.query("BEGIN")
    killer.query(f"KILL QUERY {idle.greeting['id']}")
    assert idle.value("SELECT 2") == "2" and idle.ping().in_transaction


# --- KILL CONNECTION ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("by_command", [False, True])
def test_kill_of_a_running_session_ends_it_and_its_transaction(daemon, mysql_server, by_command):
    here = daemon()
    victim, killer = login(here), login(here)
    victim.query("BEGIN")
    victim.query("UPDATE t SET v = 7")
    slow = Running(victim)
    wait_until(lambda: running(mysql_server), 10, "the statement running")
    if by_command:
        killer.command(COM_PROCESS_KILL, struct.pack("<I", victim.greeting["id"]))
        killer.result()
    else:
        killer.query(f"KILL {victim.greeting['id']}")
    assert slow.outcome() in (1317, 1927)
    assert victim.closed_by_peer()
    at_rest(mysql_server)
    assert killer.value("SELECT v FROM t") == "0"


def test_kill_of_an_idle_session_is_a_plain_end(daemon, mysql_server):
    here = daemon()
    idle, transacting, killer = login(here), login(here), login(here)
    transacting.query("BEGIN")
    transacting.query("UPDATE t SET v = 7")
    for victim in (idle, transacting):
        killer.query(f"KILL CONNECTION {victim.greeting['id']}")
        victim.socket.settimeout(10)
        assert victim.socket.recv(100) == b""
    at_rest(mysql_server)
    idle.drop()
    error = refused(killer.query, f"KILL {idle.greeting['id']}")
    assert (error.code, error.sqlstate) == (1094, "HY000")


def test_one_may_kill_oneself(daemon):
    session = login(daemon())
    assert refused(session.query, f"KILL QUERY {session.greeting['id']}").code == 1317
    assert session.value("SELECT 1") == "1"
    assert refused(session.query, "KILL CONNECTION_ID()").code == 1927
    assert session.closed_by_peer()


# --- permission ---------------------------------------------------------------------------------------------------

def test_only_ones_own_sessions_unless_one_administers(daemon):
    here = daemon()
    victim, stranger, chief = login(here), login(here, "somebody"), login(here, "chief")
    for text in ("KILL QUERY", "KILL"):
        error = refused(stranger.query, f"{text} {victim.greeting['id']}")
        assert (error.code, error.sqlstate) == (1095, "HY000") and str(victim.greeting["id"]) in error.message
    error = refused(victim.query, f"KILL {chief.greeting['id']}")
    assert error.code == 1095
    assert refused(stranger.query, "KILL 2000000000").code == 1094
    assert victim.value("SELECT 1") == "1"
    chief.query(f"KILL {victim.greeting['id']}")
    assert victim.closed_by_peer()


# --- the command lines --------------------------------------------------------------------------------------------

def test_ctrl_c_in_the_command_line(daemon, mysql_server):
    here = daemon()
    command = [shutil.which("mariadb"), "--no-defaults", "-h127.0.0.1", f"-P{here.mysql_port}", f"-u{USER}", "--skip-ssl",
               "-e", SLOW, "shop"]
    process = subprocess.Popen(command, env={**os.environ, "MYSQL_PWD": PASSWORD}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        wait_until(lambda: running(mysql_server) or process.poll() is not None, 20, "the statement running")
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=20)[0]
    finally:
        process.kill()
    assert "query killed" in output, output
    wait_until(lambda: not running(mysql_server), 10, "the statement's end")


def test_mysqladmin_kill(daemon):
    here = daemon()
    victim = login(here)
    subprocess.run([shutil.which("mariadb-admin"), "--no-defaults", "-h127.0.0.1", f"-P{here.mysql_port}", f"-u{USER}",
                    "--skip-ssl", "kill", str(victim.greeting["id"])], env={**os.environ, "MYSQL_PWD": PASSWORD},
                   check=True, timeout=30)
    assert victim.closed_by_peer()


# --- races --------------------------------------------------------------------------------------------------------

def test_200_kills_at_the_end_of_statements_hit_nobody_else(daemon):
    """Statements that end just when they are killed, and other sessions that get their backends next: only the victims
    ever see 1317."""
    here = daemon(size=3)
    over = threading.Event()
    hit, served = [], [0] * 4

    def bystander(index):
        with login(here) as session:
            while not over.is_set():
                try:
                    assert session.value(f"SELECT {index}, SLEEP(0.001)") == str(index)
                    served[index] += 1
                except Exception as error:  # whatever it is, it is wrong
                    hit.append(error)
                    return

    threads = [threading.Thread(target=bystander, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    victim, killer = login(here), login(here)
    outcomes = []
    try:
        for round_number in range(200):
            slow = Running(victim, "SELECT SLEEP(0.004)")
            time.sleep(0.0002 * (round_number % 40))
            killer.query(f"KILL QUERY {victim.greeting['id']}")
            outcomes.append(slow.outcome())
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not hit and all(count > 0 for count in served), hit
    assert set(map(str, outcomes)) <= {"1317", "[('0',)]", "[('1',)]"}
    assert any(outcome in (1317, [("1",)]) for outcome in outcomes)
    assert victim.value("SELECT 1") == "1"
