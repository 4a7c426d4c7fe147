# SPDX-License-Identifier: Apache-2.0
"""The ledger test on PostgreSQL."""
import contextlib
import os
import signal
import time

import psycopg2
import ledger_clients
import pytest
from conftest import PASSWORD, USER
from ledger import ACCOUNTS, BALANCE, SEEDS, STUCK, Ledger, run
from processes import wait_until
from servers import Postgres

OURS = "application_name LIKE 'leasehold%%' AND application_name NOT LIKE '%%control%%' AND backend_type = 'client backend'"


class PostgresLedger(Ledger):
    NAME, DATABASE, QUERY, GONE = "postgres", "orders", {"sslmode": "disable"}, (psycopg2.Error,)
    CLIENT = ledger_clients.Postgres
    KINDS = {"cut": 12, "terminate": 4, "reset": 2, "half": 1, "blackhole": 1, "stop_one": 1, "kill_one": 0.2, "restart": 0.2}

    def port(self):
        return self.daemon.port

    def rows(self, sql):
        return self.server.query(sql, database="orders")

    def create(self):
        self.rows("DROP TABLE IF EXISTS accounts, transfers CASCADE;"
                  "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint);"
                  "CREATE TABLE transfers (id bigint, source int, target int, amount int);"
                  f"INSERT INTO accounts SELECT n, {BALANCE} FROM generate_series(0, {ACCOUNTS - 1}) n;"
                  "GRANT ALL ON accounts, transfers TO app")

    def victims(self):
        with contextlib.suppress(psycopg2.Error):
            return self.connections()
        return []

    def connections(self):
        return [row[0] for row in self.server.query(f"SELECT pid FROM pg_stat_activity WHERE {OURS} ORDER BY pid", [])]

    def transactions(self):
        return self.server.query(f"SELECT pid, state, query FROM pg_stat_activity WHERE {OURS} AND xact_start IS NOT NULL", [])

    def locks(self):
        return self.server.query("SELECT pid, locktype, mode FROM pg_locks WHERE pid <> pg_backend_pid() AND"
                                 f" pid IN (SELECT pid FROM pg_stat_activity WHERE {OURS})", [])

    def stop_one(self):
        victims = self.victims()
        if not victims:
            return False
        victim = self.dice.choice(victims)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGSTOP)
            time.sleep(self.dice.uniform(0, STUCK))
            os.kill(victim, signal.SIGCONT)
        return True

    def kill_one(self):
        """The server ends all its other processes then, and recovers."""
        victims = self.victims()
        if not victims:
            return False
        os.kill(self.dice.choice(victims), signal.SIGKILL)
        return wait_until(self.server._answers, 60, "the server's recovery", 0.05)


@pytest.fixture(scope="module")
def server():
    # What it has told to be committed survives its own processes.
    with Postgres(settings={"synchronous_commit": "on"}) as one:
        one.create_user(USER, PASSWORD)
        one.create_database("orders", owner=USER)
        yield one


@pytest.mark.parametrize("seed", SEEDS)
def test_every_transfer_is_what_its_client_was_told(leasehold, server, behind, seed):
    run(PostgresLedger(leasehold, server, behind(server), seed))
