# SPDX-License-Identifier: Apache-2.0
"""Many clients on few backends: 500 on 10, in pgbench's three protocols, without an error and never over the limit."""
import os
import subprocess
import threading

import pgwire
import pytest
from conftest import PASSWORD, USER
from leasehold import MEMORY_FACTOR
from servers import postgres_bin

CLIENTS, BACKENDS, TRANSACTIONS = 500, 10, 200 if os.environ.get("LEASEHOLD_LONG") else 20


class Sampler:
    """Counts, all the time, the backends of the daemon's user, whatever they call themselves; the one connection that
    asks the server for its limits is none of them."""

    def __init__(self, postgres):
        self.postgres, self.done = postgres, threading.Event()
        self.most, self.samples, self.names = 0, 0, set()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        connection = self.postgres.connect()
        with connection.cursor() as cursor:
            while not self.done.wait(0.01):
                cursor.execute("SELECT application_name FROM pg_stat_activity WHERE backend_type = 'client backend'"
                               " AND usename = %s AND application_name <> 'leasehold control'", [USER])
                names = [row[0] for row in cursor.fetchall()]
                self.most, self.samples = max(self.most, len(names)), self.samples + 1
                self.names.update(names)
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


@pytest.fixture
def ten(leasehold, postgres):
    target = ["-h", "127.0.0.1", "-p", str(postgres.port), "-U", USER, "orders"]
    subprocess.run([postgres_bin("pgbench"), "-i", "-q", "-s", "1", *target], check=True, capture_output=True,
                   env={**os.environ, "PGPASSWORD": PASSWORD})
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": BACKENDS,
                                       "max_overflow": 0, "pool_timeout": "60s"}})


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_500_clients_share_10_backends_without_an_error(ten, postgres, mode):
    with Sampler(postgres) as sampler:
        done = subprocess.run([postgres_bin("pgbench"), "-n", "-S", "-M", mode, "-c", str(CLIENTS), "-j", "2", "-t",
                               str(TRANSACTIONS), "-h", "127.0.0.1", "-p", str(ten.port), "-U", USER, "orders"],
                              env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, timeout=300,
                              check=False)
    total = CLIENTS * TRANSACTIONS
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"actually processed: {total}/{total}" in done.stdout, done.stdout
    assert sampler.samples > 5
    assert 2 <= sampler.most <= BACKENDS, (sampler.most, sampler.names)


def test_transactions_of_200_clients_add_up(ten, postgres):
    """Whole transactions (pgbench's TPC-B): no statement of one landed in another's transaction."""
    script = ["-b", "tpcb-like", "-M", "simple", "-c", "200", "-j", "2", "-t", "5"]
    done = subprocess.run([postgres_bin("pgbench"), "-n", *script, "-h", "127.0.0.1", "-p", str(ten.port), "-U", USER,
                           "orders"], env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0 and "actually processed: 1000/1000" in done.stdout, done.stderr[-2000:]
    sums = postgres.query("SELECT (SELECT sum(delta) FROM pgbench_history),"
                          " (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),"
                          " (SELECT sum(bbalance) FROM pgbench_branches)", database="orders")[0]
    assert len(set(sums)) == 1, sums


def test_500_idle_clients_cost_the_daemon_little_and_the_server_nothing(ten, postgres):
    with pgwire.connect(ten.port, USER, "orders", PASSWORD) as first:
        first.ok("SELECT 1")
        before = ten.rss()
        crowd = [pgwire.connect(ten.port, USER, "orders", PASSWORD) for _ in range(CLIENTS)]
        for session in crowd:
            session.ok("SELECT 1")
        per_client = (ten.rss() - before) / CLIENTS
        held = [b for b in postgres.backends("%") if b["usename"] == USER
                and b["application_name"] != "leasehold control"]
        for session in crowd:
            session.terminate()
    assert len(held) == 1
    assert per_client < 16 * 1024 * MEMORY_FACTOR, f"{per_client:.0f} bytes for an idle client"
