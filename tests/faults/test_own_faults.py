# SPDX-License-Identifier: Apache-2.0
"""What fails in leasehold itself, or in the machine it runs on: what its clients see, what the log says, and that service is
back within five seconds. The README's table has a row for each."""
import contextlib
import os
import subprocess
import time

import pytest
from conftest import PASSWORD, USER
from processes import temp_dir, wait_until
from sides import Side

BACK_WITHIN = 5
SANITIZED = bool(os.environ.get("LEASEHOLD_SANITIZED"))


@pytest.fixture(scope="module", params=["postgres", "mariadb"] + (["mysql97"] if os.environ.get("LEASEHOLD_LONG") else []))
def side(request):
    side = Side.of(request.getfixturevalue(request.param))
    side.table("t", "id int, note varchar(100)")
    return side


@pytest.fixture(scope="session")
def shim():
    """A library that is preloaded; the path of it."""
    if SANITIZED:
        pytest.skip("sanitizers want to be loaded first")
    library = os.path.join(temp_dir("lh-shim-"), "shim.so")
    source = os.path.join(os.path.dirname(__file__), "shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


class Machine:
    """What it does at the moment: on(name), off(name)."""

    def __init__(self, shim):
        self.folder = temp_dir("lh-machine-")
        self.environment = {"LD_PRELOAD": shim, "LEASEHOLD_SHIM": self.folder}

    def on(self, name, text=""):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def off(self, name):
        os.unlink(os.path.join(self.folder, name))

    def is_on(self, name):
        return os.path.exists(os.path.join(self.folder, name))


@pytest.fixture
def machine(shim):
    return Machine(shim)


def back(side, daemon, seconds=BACK_WITHIN):
    """A new client is served within that time."""
    def served():
        with side.login(daemon, timeout=seconds) as session:
            return session.ask("SELECT 1").code is None
    until = time.monotonic() + seconds
    while True:
        try:
            assert served()
            return
        except Exception:  # whatever it was told, as long as it is over in time
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


# --- kill -9 ------------------------------------------------------------------------------------------------------

def test_kill_9_ends_an_idle_transaction_at_once(side, leasehold):
    daemon = leasehold(pools=side.pool(pool_size=2))
    session = side.login(daemon)
    session.ok(side.BEGIN)
    session.ok("INSERT INTO t VALUES (1, 'lost')")
    daemon.kill()
    wait_until(side.nothing_left, 2, "the transaction's end", side.GLANCE)
    assert side.rows("t") == 0
    daemon.start()
    back(side, daemon)


def test_after_kill_9_the_next_start_ends_its_own_orphans_and_nobody_elses(side, leasehold):
    mine, other = leasehold(pools=side.pool(pool_size=2)), leasehold(pools=side.pool(pool_size=2))
    theirs = side.login(other, application="theirs")
    theirs.ok(side.BEGIN)
    theirs.send(side.sleep(6))
    orphan = side.login(mine, application="orphan")
    orphan.ok(side.BEGIN)
    orphan.ok("INSERT INTO t VALUES (1, 'lost')")
    orphan.send(side.sleep(77))
    wait_until(lambda: side.running("sleep(77") and side.running("sleep(6)"), 10, "the statements running", 0.05)
    mine.kill()
    assert side.running("sleep(77"), "a server does not notice by itself"
    mine.start()
    wait_until(lambda: not side.running("sleep(77"), BACK_WITHIN, "the orphan's end", 0.05)
    back(side, mine)
    line = f"event=orphans_ended server=127.0.0.1:{side.server.port} pool={side.database} open="
    wait_until(lambda: line in mine.log_text(), 10, "the line")
    assert theirs.read().code is None, "another leasehold's statement goes on"
    theirs.ok("COMMIT")
    wait_until(side.nothing_left, 5, "the rollback's end", side.GLANCE)
    assert side.rows("t") == 0


def test_postgresql_ends_statements_of_clients_that_are_gone_by_itself(leasehold, postgres):
    side = Side.of(postgres)
    daemon = leasehold(pools=side.pool(pool_size=1))
    with side.login(daemon) as session:
        assert session.value("SHOW client_connection_check_interval") == "10s"
        session.ok("SET client_connection_check_interval = '1s'")
        assert session.value("SHOW client_connection_check_interval") == "1s"
    asked = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD, options="-c client_connection_check_interval=3s")}})
    with side.login(asked) as session:
        assert session.value("SHOW client_connection_check_interval") == "3s"


# --- its machine --------------------------------------------------------------------------------------------------

def test_a_full_disk_for_the_log_disturbs_nobody(side, leasehold):
    mount = temp_dir("lh-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "lh", mount], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        path = os.path.join(mount, "log")
        daemon = leasehold(pools=side.pool(pool_size=2), log={"target": path, "level": "debug"})
        with open(os.path.join(mount, "rest"), "wb", buffering=0) as rest:
            try:
                while True:
                    rest.write(b"x" * 4096)
            except OSError:
                pass
            for _ in range(30):
                with side.login(daemon) as session:
                    session.ok(side.BEGIN)
                    session.ok("SELECT 1")
            os.truncate(rest.name, 0)
        size = os.path.getsize(path)
        back(side, daemon)
        wait_until(lambda: os.path.getsize(path) > size, BACK_WITHIN, "the log going on")
        wait_until(lambda: "event=log_lost" in open(path).read(), BACK_WITHIN, "the count of what was lost")
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", mount], check=False)


def test_without_descriptors_those_who_are_served_are_served_on(side, leasehold):
    daemon = leasehold(pools=side.pool(pool_size=2), prefix=["prlimit", "--nofile=96:96"], workers=1)
    session = side.login(daemon)
    assert session.value("SELECT 1") == "1"
    crowd = []
    for _ in range(200):
        try:
            crowd.append(daemon.raw(mysql=side.name == "mysql", timeout=0.5))
        except OSError:
            break
    for _ in range(20):
        assert session.value("SELECT 1") == "1"
    for one in crowd:
        one.close()
    back(side, daemon)
    assert session.value("SELECT 1") == "1"


def test_without_memory_for_buffers_service_is_back_when_there_is_some(side, leasehold, machine):
    daemon = leasehold(pools=side.pool(pool_size=4), environment=machine.environment)
    bystander, reader, writer, breaker = sessions = [side.login(daemon, timeout=3) for _ in range(4)]
    for session in sessions:
        session.ok(side.BEGIN)
        session.ok("INSERT INTO t VALUES (1, 'lost')")
    for session in sessions[:3]:
        session.ok("ROLLBACK")  # each has a backend to go on with
    machine.on("no_memory")
    reader.send("SELECT repeat('x', 10000000)")     # it does not read
    half = side.Session.bytes_of(f"SELECT length('{'y' * 300_000}')")
    writer.send_bytes(half[:200_000])               # a request that has to be kept until its end
    breaker.send("SELECT repeat('z', 2000000)")
    for _ in range(3):
        with contextlib.suppress(Exception), side.login(daemon, timeout=2) as other:
            other.ask("SELECT repeat('x', 1000000)")
    with contextlib.suppress(Exception):            # whatever they are told, as long as it is not somebody else's
        writer.send_bytes(half[200_000:])
        assert writer.read().rows in ([], [("300000",)])
    machine.off("no_memory")
    assert bystander.value("SELECT 2") == "2"
    back(side, daemon)
    for session in (reader, writer, breaker):
        session.drop()
    assert daemon.running(), "the process lives"
    wait_until(side.nothing_left, 10, "the transaction's end", side.GLANCE)
    wait_until(lambda: not daemon.console("SHOW LEASES"), 10, "all leases' end")
    assert side.rows("t") == 0


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_ends_nothing(side, leasehold, machine, jump):
    daemon = leasehold(pools=side.pool(pool_size=2, transaction_idle_timeout="20s", pool_recycle="10m"), environment=machine.environment)
    session = side.login(daemon)
    backend = session.backend()
    session.ok(side.BEGIN)
    machine.on("clock", str(jump))
    time.sleep(0.5)  # several ticks
    session.ok("SELECT 1")
    session.ok("COMMIT")
    assert session.backend() == backend
    back(side, daemon, 2)


def test_a_resolver_that_hangs_costs_those_who_need_it_only(side, leasehold, machine):
    (name, pool), = side.pool(pool_size=2, pool_timeout="2s", dial_timeout="1s").items()
    named = {**pool, "url": pool["url"].replace("127.0.0.1", "localhost")}
    daemon = leasehold(pools={name: pool, "named": named}, environment=machine.environment, workers=1)
    with side.login(daemon) as session:
        assert session.value("SELECT 1") == "1"
        machine.on("no_names")
        asking = side.Session(daemon, "named", None, 20) if side.name == "mysql" else None
        for _ in range(20):
            assert session.value("SELECT 1") == "1"
        machine.off("no_names")
        if asking:
            asking.drop()
    deadline = time.monotonic() + BACK_WITHIN
    while True:
        try:
            with side.Session(daemon, "named", None, 5) as other:
                assert other.value("SELECT 1") == "1"
                break
        except Exception:
            if time.monotonic() > deadline:
                raise


def test_a_worker_that_stands_still_holds_up_its_own_sessions_only(side, leasehold, machine):
    daemon = leasehold(pools=side.pool(pool_size=2), environment=machine.environment, workers=2)
    sessions = [side.login(daemon) for _ in range(4)]
    for session in sessions:
        assert session.value("SELECT 1") == "1"
    machine.on("busy")
    for session in sessions:
        session.send("SELECT 1")
    for session in sessions:
        assert session.read().code is None, "late, and no error"
    assert not machine.is_on("busy")
    back(side, daemon)
