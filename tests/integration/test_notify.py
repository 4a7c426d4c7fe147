# SPDX-License-Identifier: Apache-2.0
"""What a service manager sees: readiness, status, watchdog, the end, and the sockets that it hands over."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import mywire
import pgwire
import pytest
from conftest import PASSWORD, USER
from leasehold import Leasehold, program
from processes import Port, temp_dir
from servers import wait_until


class ServiceManager:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self):
        self.path = os.path.join(temp_dir("lh-n-"), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def listen(self, seconds=0.0):
        """Takes what has come, and for so long what still comes."""
        until = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                self.heard.append(self.socket.recv(65536).decode())
            except TimeoutError:
                if time.monotonic() >= until:
                    return self.heard

    def lines(self, name):
        return [line.partition("=")[2] for message in self.listen() for line in message.split("\n")
                if line.startswith(name + "=")]

    def hears(self, name, value=".*", timeout=15):
        return wait_until(lambda: [v for v in self.lines(name) if re.search(value, v)], timeout, f"{name}={value}")[0]

    def forget(self):
        self.listen()
        self.heard.clear()


@pytest.fixture
def manager():
    made = ServiceManager()
    yield made
    made.socket.close()


@pytest.fixture
def supervised(leasehold, postgres, manager):
    def start(environment=None, sections=None, **keys):
        pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 1, **keys}
        return leasehold(pools={"orders": pool}, environment={"NOTIFY_SOCKET": manager.path, **(environment or {})},
                         **(sections or {}))
    return start


# --- readiness, status ------------------------------------------------------------------------------------------------

def test_ready_is_said_once_and_only_when_it_listens(manager, postgres):
    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False,
                       environment={"NOTIFY_SOCKET": manager.path})
    environment = {**os.environ, "NOTIFY_SOCKET": manager.path}
    with open(daemon.log, "wb") as log:
        daemon.process = subprocess.Popen([program(), "run", "--allow-root", "--config", daemon.config_file],
                                          env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        manager.socket.settimeout(30)
        first = manager.socket.recv(65536).decode()
        with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
            assert session.value("SELECT 1") == "1"
        assert first.startswith("READY=1\nSTATUS=")
        assert manager.lines("READY") == []
    finally:
        daemon.close()
    assert not daemon.complaint


def test_a_daemon_that_cannot_listen_is_never_ready(manager, postgres):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = [{"dialect": "postgresql", "address": f"127.0.0.1:{taken.getsockname()[1]}"}]
        daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, listen=listen, start=False)
        done = subprocess.run([program(), "run", "--allow-root", "--config", daemon.config_file], timeout=30, check=False,
                              env={**os.environ, "NOTIFY_SOCKET": manager.path}, capture_output=True)
    daemon.close()
    assert done.returncode == 69
    assert manager.lines("READY") == []


def test_the_status_has_the_pools_figures_and_is_told_when_it_changes(supervised, manager):
    daemon = supervised()
    manager.hears("STATUS", r"^1 pool; clients 0; servers 0 of 3$|^2 pools; clients 0; servers 0 of 6$")
    sessions = [pgwire.connect(daemon.port, USER, "orders", PASSWORD) for _ in range(4)]
    for session in sessions[:3]:
        session.ok("BEGIN")
    sessions[3].send(pgwire.query("SELECT 1"))
    manager.hears("STATUS", r"clients 4 \(1 waiting\); servers 3 of")
    manager.forget()
    manager.listen(3)
    assert manager.lines("STATUS") == []


# --- the watchdog -----------------------------------------------------------------------------------------------------

def test_the_watchdog_is_fed_while_the_daemon_runs_and_not_while_it_hangs(supervised, manager):
    daemon = supervised({"WATCHDOG_USEC": "2000000"})
    wait_until(lambda: len(manager.lines("WATCHDOG")) >= 3, 10)
    os.kill(daemon.pid, signal.SIGSTOP)
    time.sleep(0.3)
    manager.forget()
    manager.listen(1.5)
    assert manager.lines("WATCHDOG") == []
    os.kill(daemon.pid, signal.SIGCONT)
    manager.hears("WATCHDOG")
    assert daemon.stop() == 0


def test_a_watchdog_meant_for_another_process_is_not_fed(supervised, manager):
    supervised({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
    manager.listen(1.5)
    assert manager.lines("WATCHDOG") == []


# --- the end ----------------------------------------------------------------------------------------------------------

def test_an_end_says_what_it_waits_for_and_asks_for_time(supervised, manager):
    daemon = supervised({"WATCHDOG_USEC": "2000000"}, {"drain_timeout": "60s"})
    session = pgwire.connect(daemon.port, USER, "orders", PASSWORD)
    session.ok("BEGIN")
    os.kill(daemon.pid, signal.SIGTERM)
    manager.hears("STOPPING", "^1$")
    manager.hears("STATUS", r"draining for \d+ s, [56]\d s left: 1 client holds a lease")
    assert int(manager.hears("EXTEND_TIMEOUT_USEC")) >= 60_000_000
    manager.forget()
    manager.hears("EXTEND_TIMEOUT_USEC")  # again and again
    manager.hears("WATCHDOG")
    session.ok("COMMIT")
    assert daemon.process.wait(15) == 0


# --- sockets that were opened for it ----------------------------------------------------------------------------------

# Opens listening sockets as a service manager does, the first as descriptor 3, and becomes the daemon.
ACTIVATE = """
import os, socket, sys, time
pause, specs = float(sys.argv[1]), sys.argv[2].split(",")
made = []
for spec in specs:
    kind, _, address = spec.partition("=")
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.bind(address)
    else:
        host, _, port = address.rpartition(":")
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, int(port)))
    if kind != "udp":
        one.listen(50)
    made.append(one)
high = [os.dup(one.fileno()) for one in made]
high = [fd if fd >= 3 + len(made) else __import__("fcntl").fcntl(fd, __import__("fcntl").F_DUPFD, 50) for fd in high]
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n, inheritable=True)
time.sleep(pause)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(made)))
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(leasehold, postgres, specs, listen=None, pause=0.0, mysql=None, start=True, **sections):
    """`specs`: "tcp=127.0.0.1:{port}" and the like."""
    pools = {"orders": {"url": postgres.url("orders", USER, PASSWORD)}}
    if mysql:
        pools["shop"] = {"url": mysql.url("shop", USER, PASSWORD)}
    daemon = leasehold(pools=pools, listen=listen, start=False, **sections)
    words = ",".join(specs).format(port=daemon.port, mysql_port=daemon.mysql_port)
    daemon.prefix = [sys.executable, "-c", ACTIVATE, str(pause), words]
    if start:
        daemon.start()
    return daemon


def test_a_listener_uses_the_socket_that_was_passed_and_opens_the_others(leasehold, postgres, mysql_server):
    daemon = activated(leasehold, postgres, ["tcp=127.0.0.1:{port}"], mysql=mysql_server)
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
        assert session.value("SELECT 1") == "1"
    with mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop") as session:
        assert session.value("SELECT 1") == "1"
    wait_until(lambda: "event=started" in daemon.log_text(), 10)
    assert "passed_socket_unused" not in daemon.log_text()
    with open(f"/proc/{daemon.pid}/fdinfo/3") as file:
        flags = int(re.search(r"flags:\s+(\d+)", file.read())[1], 8)
    assert flags & os.O_CLOEXEC and flags & os.O_NONBLOCK


def test_whoever_connects_before_the_daemon_is_there_is_served_by_it(leasehold, postgres):
    daemon = activated(leasehold, postgres, ["tcp=127.0.0.1:{port}"], pause=1.0, start=False)
    import threading
    starting = threading.Thread(target=daemon.start)
    starting.start()
    early = None

    def connects():
        with contextlib.suppress(OSError):
            return pgwire.Connection(daemon.port, timeout=20)
    early = wait_until(connects, 10)
    assert early.login(USER, "orders", PASSWORD).value("SELECT 1") == "1"
    starting.join()
    early.drop()


def test_a_passed_unix_socket_is_found_by_its_path(leasehold, postgres):
    import psycopg2
    folder = temp_dir("lh-a-")
    path = os.path.join(folder, ".s.PGSQL.6432")
    listen = [{"dialect": "postgresql", "address": "unix:" + path, "auth": "scram"}]
    daemon = activated(leasehold, postgres, ["unix=" + path], listen=listen, start=False)
    daemon.port = None
    inode = None
    daemon.start()
    wait_until(lambda: os.path.exists(path), 10)
    inode = os.stat(path).st_ino
    wait_until(lambda: "event=started" in daemon.log_text(), 10)
    with contextlib.closing(psycopg2.connect(host=folder, port=6432, dbname="orders", user=USER, password=PASSWORD)) as c:
        with c.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    assert os.stat(path).st_ino == inode
    # A listener that is taken out leaves the file of the socket: it is the service manager's, who may need it again.
    daemon.config["listen"] = [{"dialect": "postgresql", "address": f"127.0.0.1:{Port().number}"}]
    daemon.write_config()
    assert daemon.reload() == []
    assert os.stat(path).st_ino == inode


def test_passed_sockets_that_no_listener_names_are_closed_and_named_in_the_log(leasehold, postgres):
    other, datagrams = Port(), Port()
    daemon = activated(leasehold, postgres, [f"tcp=127.0.0.1:{other.number}", "tcp=127.0.0.1:{port}",
                                             f"udp=127.0.0.1:{datagrams.number}"])
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
        assert session.value("SELECT 1") == "1"
    wait_until(lambda: daemon.log_text().count("event=passed_socket_unused") == 2, 10)
    warned = [line for line in daemon.log_text().splitlines() if "event=passed_socket_unused" in line]
    assert len(warned) == 2 and f"127.0.0.1:{other.number}" in warned[0] and "no listener" in warned[0]
    assert f"127.0.0.1:{datagrams.number}" in warned[1] and "ListenStream" in warned[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", other.number), 5)
    other.close()
    datagrams.close()


def test_while_it_drains_clients_of_a_passed_socket_wait_for_its_successor(leasehold, postgres):
    daemon = activated(leasehold, postgres, ["tcp=127.0.0.1:{port}"])
    holder = pgwire.connect(daemon.port, USER, "orders", PASSWORD)
    holder.ok("BEGIN")
    os.kill(daemon.pid, signal.SIGTERM)
    wait_until(lambda: "event=draining" in daemon.log_text(), 10)
    time.sleep(0.3)
    waiting = pgwire.Connection(daemon.port)
    waiting.send(pgwire.startup_packet(pgwire.PROTOCOL_3, pgwire.cstr("user") + pgwire.cstr(USER) + b"\0"))
    assert waiting.silent(0.5)
    holder.ok("COMMIT")
    assert daemon.process.wait(15) == 0
    waiting.drop()


def test_descriptors_meant_for_another_process_are_left_alone(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}},
                       environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
        assert session.value("SELECT 1") == "1"
    wait_until(lambda: "event=started" in daemon.log_text(), 10)
    assert "passed_socket_unused" not in daemon.log_text()
