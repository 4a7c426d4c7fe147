# SPDX-License-Identifier: Apache-2.0
"""The ledger test on MariaDB, and in long runs on MySQL too. Nothing is CALLed: what that may leave behind
could end a session whose backend dies before it has been asked."""
import contextlib
import os
import time

import pymysql
import ledger_clients
import pytest
from conftest import PASSWORD, USER
from ledger import ACCOUNTS, BALANCE, LONG, SEEDS, STUCK, Ledger, run
from servers import MariaDB
from sid import MySQL97, for_tests

# What it has told to be committed survives its own process; who waits for a lock gives up before leasehold does.
SETTINGS = {"innodb-flush-log-at-trx-commit": 2, "innodb-lock-wait-timeout": 2}


class MysqlLedger(Ledger):
    NAME, DATABASE, QUERY, GONE = "mysql", "shop", {}, (pymysql.err.Error,)
    CLIENT = ledger_clients.Mysql
    KINDS = {"cut": 12, "terminate": 4, "reset": 2, "half": 1, "blackhole": 1, "stop_all": 0.7, "kill_all": 0.1, "restart": 0.1}

    def port(self):
        return self.daemon.mysql_port

    def rows(self, sql):
        return self.server.query(sql, database="shop")

    def create(self):
        moved = ("UPDATE accounts SET balance = balance + CASE id WHEN NEW.s THEN -NEW.a ELSE NEW.a END"
                 " WHERE id IN (NEW.s, NEW.t); INSERT INTO transfers VALUES (NEW.n, NEW.s, NEW.t, NEW.a);")
        for sql in ("DROP TABLE IF EXISTS accounts, transfers, moves",
                    "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint) ENGINE=InnoDB",
                    "CREATE TABLE transfers (id bigint, source int, target int, amount int) ENGINE=InnoDB",
                    "CREATE TABLE moves (n bigint, s int, t int, a int) ENGINE=InnoDB",
                    f"CREATE TRIGGER moved AFTER INSERT ON moves FOR EACH ROW BEGIN {moved} END",
                    "INSERT INTO accounts VALUES " + ", ".join(f"({n}, {BALANCE})" for n in range(ACCOUNTS))):
            self.rows(sql)

    def victims(self):
        with contextlib.suppress(pymysql.err.Error):
            return self.connections()
        return []

    def connections(self):
        return sorted(row["id"] for row in self.server.processes("app") if row["db"] == "shop")

    def transactions(self):
        ours = set(self.connections())
        return [number for number in self.server.transactions() if number in ours]

    def locks(self):
        """Every transaction has ended, and with it its locks; those on tables are no transaction's."""
        return [row for row in self.server.processes("app") if "lock" in (row["state"] or "").lower()]

    def stop_all(self):
        self.server.pause()
        time.sleep(self.dice.uniform(0, STUCK))
        self.server.resume()

    def kill_all(self):
        self.server.kill()
        time.sleep(self.dice.uniform(0, 0.5))
        self.server.start()


def made(server):
    server.create_user(USER, PASSWORD)
    server.create_database("shop", owner=USER)
    return server


@pytest.fixture(scope="module", params=["MariaDB", "MySQL 9.7"] if LONG or os.environ.get("LEASEHOLD_REQUIRE_SID") else ["MariaDB"])
def server(request):
    if request.param == "MariaDB":
        with MariaDB(settings=SETTINGS) as one:
            yield made(one)
    else:
        with for_tests("MySQL 9.7", lambda: MySQL97(settings=SETTINGS)) as one:
            yield made(one)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_transfer_is_what_its_client_was_told(leasehold, server, behind, seed):
    run(MysqlLedger(leasehold, server, behind(server), seed))
