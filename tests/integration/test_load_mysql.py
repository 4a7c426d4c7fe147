# SPDX-License-Identifier: Apache-2.0
"""Many clients on few backends, in front of MariaDB and MySQL: sysbench's 500 on 10, as texts and as binary prepared
statements, reading and writing, without an error and never over the limit."""
import os
import re
import shutil
import subprocess
import threading

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import MEMORY_FACTOR
from prometheus import scrape
from sides import Side
from skips import skip_loudly

CLIENTS, BACKENDS, EVENTS = 500, 10, 100000 if os.environ.get("LEASEHOLD_LONG") else 10000


class Sampler:
    """Counts, all the time, the connections of the daemon's user; those that ask the server for its limits are none. One
    that was closed is in the server's list for a moment still: what two looks in a row have seen counts."""

    def __init__(self, side):
        self.side, self.done, self.most, self.samples = side, threading.Event(), 0, 0
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        before = 0
        while not self.done.wait(0.02):
            now = len(self.side.connections())
            self.most, self.samples, before = max(self.most, min(before, now)), self.samples + 1, now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def sysbench(port, script, verb, *more):
    done = subprocess.run(
        ["sysbench", script, "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={port}", f"--mysql-user={USER}",
         f"--mysql-password={PASSWORD}", "--mysql-db=shop", "--tables=1", "--table-size=2000", "--rand-type=uniform", *more,
         verb], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return {name: int(value) for name, value in re.findall(r"^ +([\w ]+): +(\d+) ", done.stdout, re.MULTILINE)}


@pytest.fixture
def ten(leasehold, mysql_server):
    if not shutil.which("sysbench"):
        skip_loudly("500 clients of sysbench", "sysbench is not installed")
    side = Side.of(mysql_server)
    side.query("DROP TABLE IF EXISTS sbtest1")
    daemon = leasehold(pools=side.pool(pool_size=BACKENDS, pool_timeout="60s"), http=True)
    sysbench(daemon.mysql_port, "oltp_read_write", "prepare")  # through the pool, DDL and all
    yield daemon, side
    assert scrape(daemon.http_port).series("leasehold_pool_pins_total") == [], "nothing of sysbench's pins"
    side.query("DROP TABLE sbtest1")


@pytest.mark.parametrize("mode", ["disable", "auto"])
def test_500_clients_share_10_backends_without_an_error(ten, mode):
    daemon, side = ten
    with Sampler(side) as sampler:
        told = sysbench(daemon.mysql_port, "oltp_point_select", "run", f"--threads={CLIENTS}", f"--events={EVENTS}", "--time=0",
                        f"--db-ps-mode={mode}")
    assert told["transactions"] == EVENTS and told["ignored errors"] == told["reconnects"] == 0, told
    assert sampler.samples > 5
    assert 2 <= sampler.most <= BACKENDS


@pytest.mark.parametrize("mode", ["disable", "auto"])
def test_transactions_of_50_clients_read_and_write(ten, mode):
    daemon, side = ten
    before = side.rows("sbtest1")
    with Sampler(side) as sampler:
        told = sysbench(daemon.mysql_port, "oltp_read_write", "run", "--threads=50", "--events=500", "--time=0",
                        f"--db-ps-mode={mode}", "--mysql-ignore-errors=1213")
    assert told["transactions"] == 500 and told["reconnects"] == 0, told
    assert sampler.most <= BACKENDS
    assert side.rows("sbtest1") == before, "each transaction deletes a row and puts it back"


def test_500_idle_clients_cost_the_daemon_little_and_the_server_nothing(ten):
    daemon, side = ten
    with mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop") as first:
        first.query("SELECT 1")
        held, before = len(side.connections()), daemon.rss()
        crowd = [mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop") for _ in range(CLIENTS)]
        for session in crowd:
            session.query("SELECT 1")
        per_client = (daemon.rss() - before) / CLIENTS
        now = len(side.connections())
        for session in crowd:
            session.quit()
    assert now == held
    assert per_client < 16 * 1024 * MEMORY_FACTOR, f"{per_client:.0f} bytes for an idle client"
