# SPDX-License-Identifier: Apache-2.0
"""KILL CONNECTION at random microseconds against INSERTs outside of transactions: never two rows for one request."""
import contextlib

import mybinary
import mywire
import pytest
from conftest import PASSWORD, USER
from never_twice import KILLS, Duel

OURS = f"SELECT id FROM information_schema.processlist WHERE user = '{USER}' AND db = 'shop'"


class MysqlDuel(Duel):
    LOST, UNKNOWN = 1213, 1180

    def __init__(self, server, daemon, seed):
        super().__init__(seed)
        self.session = mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=30)
        self.other = mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=30)
        self.other.query("SET sql_mode = 'ANSI'")  # which each new backend is told first
        self.killer = mywire.connect(0, "root", "", host=server.socket, timeout=30)
        self.ways = [way for session in (self.session, self.other) for way in (self.simple(session), self.prepared(session))]

    @staticmethod
    def reading(session):
        def read():
            try:
                session.result()
                return None
            except mywire.ServerError as error:
                return error.code
        return read

    def simple(self, session):
        return lambda number: session.command(mywire.COM_QUERY, f"INSERT INTO t VALUES ({number})".encode()), self.reading(session)

    def prepared(self, session):
        one = mybinary.Statement(session, "INSERT INTO t VALUES (?)")
        return lambda number: session.send(one.packet([number]), sequence=0), self.reading(session)

    def aim(self):
        victims = ()
        while len(victims) != 1:  # until there is a backend, and the last one is gone
            with contextlib.suppress(mywire.ServerError):
                self.session.query("SELECT 1")
                victims = self.killer.query(OURS).rows
        self.victim = victims[0][0]
        return lambda: self.killer.command(mywire.COM_QUERY, f"KILL CONNECTION {self.victim}".encode())

    def missed(self):
        try:
            self.killer.result()
        except mywire.ServerError as error:
            assert error.code == 1094, error  # there is no such connection any more


@pytest.fixture(scope="module")
def world(mysql_server):
    mysql_server.query("CREATE TABLE t (id int) ENGINE=InnoDB", database="shop")
    return mysql_server


def test_no_request_is_carried_out_twice_and_each_claim_is_true(leasehold, world):
    daemon = leasehold(pools={"shop": {"url": world.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    duel = MysqlDuel(world, daemon, 1)
    duel.fight(KILLS)
    wrong = duel.wrong(dict(world.query("SELECT id, count(*) FROM t GROUP BY id", database="shop")))
    assert not wrong, "\n".join(wrong[:40])
    assert duel.counted["done"] > KILLS / 20 and duel.counted[duel.UNKNOWN] > KILLS / 100, duel.counted
