# SPDX-License-Identifier: Apache-2.0
"""Debian's prometheus-pgbouncer-exporter in front of leasehold's console, as it comes: what people run already goes on
working, and its gauges bear leasehold's figures."""
import os
import re
import shutil
import urllib.request

import pgwire
import pytest
from conftest import PASSWORD, USER
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import LOOPBACK, end_process, free_port, spawn, tail, temp_dir, wait_until
from skips import skip_loudly

PROGRAM = "/usr/bin/prometheus-pgbouncer-exporter"


class Exporter:
    def __init__(self, daemon):
        self.port = free_port()
        self.log = os.path.join(temp_dir("lh-exporter-"), "log")
        environment = {"PATH": "/usr/bin:/bin", "PGPASSWORD": CONSOLE_PASSWORD}
        self.process = spawn([PROGRAM, "--host", LOOPBACK, "--port", str(self.port), "--pgbouncer-host", LOOPBACK,
                              "--pgbouncer-port", str(daemon.port), "--pgbouncer-user", CONSOLE_USER], self.log,
                             env=environment)
        wait_until(self.answers, 20, "the exporter answering")

    def answers(self):
        assert self.process.poll() is None, tail(self.log, 40)
        try:
            return self.scrape()
        except OSError:
            return None

    def scrape(self):
        """{(name, labels...): value}"""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=10) as answer:
            assert answer.status == 200
            lines = answer.read().decode().splitlines()
        found = {}
        for line in lines:
            match = re.fullmatch(r"(pgbouncer_\w+)(?:\{(.*)\})? (\S+)", line)
            if match:
                labels = tuple(re.findall(r'="([^"]*)"', match[2] or ""))
                found[(match[1], *labels)] = float(match[3])
        return found


@pytest.fixture
def exporter(leasehold, postgres):
    if not shutil.which(PROGRAM):
        skip_loudly("prometheus-pgbouncer-exporter", "not installed: tests/support/install clients",
                    required="LEASEHOLD_CLIENTS_REQUIRED")
    pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 1}
    daemon = leasehold(pools={"orders": pool})
    started = Exporter(daemon)
    started.daemon = daemon
    yield started
    end_process(started.process)


def test_the_exporter_bears_leaseholds_figures(exporter):
    daemon = exporter.daemon
    sessions = [pgwire.connect(daemon.port, USER, "orders", PASSWORD) for _ in range(5)]
    before = exporter.scrape()
    for session in sessions[:3]:
        session.ok("BEGIN")
    sessions[3].send(pgwire.query("SELECT 1"))
    wait_until(lambda: exporter.scrape()[("pgbouncer_waiting_clients", "orders", USER)] == 1, 5, "a waiting client")
    now = exporter.scrape()
    assert now[("pgbouncer_active_clients", "orders", USER)] == 4
    assert now[("pgbouncer_pool_size", "orders")] == 2
    assert now[("pgbouncer_reserve_pool", "orders")] == 1
    assert now[("pgbouncer_databases",)] == 1
    assert now[("pgbouncer_pools",)] == len(daemon.console("SHOW POOLS"))
    assert now[("pgbouncer_users",)] == len(daemon.console("SHOW USERS"))
    assert now[("pgbouncer_used_clients",)] == 6, "five sessions and the exporter's own"
    assert now[("pgbouncer_used_servers",)] == 3
    assert now[("pgbouncer_login_clients",)] == 0
    assert now[("pgbouncer_requests_total", "orders")] - before[("pgbouncer_requests_total", "orders")] == 3

    for session in sessions[:3]:
        session.ok("COMMIT")
    assert sessions[3].reply().value() == "1"
    sessions[3].ok("SELECT pg_sleep(0.2), repeat('x', 100000)")
    after = exporter.scrape()
    stats = daemon.console("SHOW STATS")[0]
    for name, column in (("requests_total", "total_query_count"), ("received_bytes_total", "total_received"),
                         ("sent_bytes_total", "total_sent"), ("query_microseconds_total", "total_query_time")):
        assert after[(f"pgbouncer_{name}", "orders")] == stats[column], name
    assert after[("pgbouncer_sent_bytes_total", "orders")] - now[("pgbouncer_sent_bytes_total", "orders")] > 100000
    took = after[("pgbouncer_query_microseconds_total", "orders")] - now[("pgbouncer_query_microseconds_total", "orders")]
    assert took >= 200000
    for session in sessions:
        session.terminate()


def test_the_exporter_goes_on_when_the_database_is_away(exporter, postgres):
    assert exporter.scrape()[("pgbouncer_databases",)] == 1
    postgres.stop()
    try:
        assert exporter.scrape()[("pgbouncer_databases",)] == 1
    finally:
        postgres.start()
