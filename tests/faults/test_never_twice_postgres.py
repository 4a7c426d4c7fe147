# SPDX-License-Identifier: Apache-2.0
"""pg_terminate_backend() at random microseconds against INSERTs outside of transactions: never two rows for one request."""
import pgwire
import pytest
from conftest import PASSWORD, USER, login
from never_twice import KILLS, Duel
from pgwire import SYNC, bind, execute, query, run
from servers import Postgres


class PostgresDuel(Duel):
    LOST, UNKNOWN = "40001", "40003"

    def __init__(self, server, daemon, seed):
        super().__init__(seed)
        self.session = login(daemon, timeout=30)
        # Of a session that has settings these go in front of its first request on each backend.
        self.other = login(daemon, timeout=30)
        self.other.ok("SET work_mem = '5MB'")
        for session in (self.session, self.other):
            session.send(pgwire.parse("one", "INSERT INTO t VALUES ($1::int)"), SYNC)
            assert not session.reply().errors
        self.killer = pgwire.connect(server.port, "killer", "orders", timeout=30, application_name="killer")
        self.ways = [way for session in (self.session, self.other) for way in (
            self.of(session, lambda number: query(f"INSERT INTO t VALUES ({number})")),
            self.of(session, lambda number: run(f"INSERT INTO t VALUES ({number})") + SYNC),
            self.of(session, lambda number: bind("one", values=[number]) + execute() + SYNC))]

    @staticmethod
    def of(session, request):
        def read():
            reply = session.reply()
            assert reply.status == "I", reply
            assert len(reply.errors) + len(reply.tags) == 1 or reply.sqlstate == PostgresDuel.UNKNOWN, reply
            return reply.sqlstate
        return lambda number: session.send(request(number)), read

    def aim(self):
        while self.session.query("SELECT 1").errors:  # until there is a backend; the last one may be dying still
            pass
        return lambda: self.killer.send(query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                              " WHERE application_name = 'leasehold orders'"))

    def missed(self):
        assert not self.killer.reply().errors


@pytest.fixture(scope="module")
def world():
    with Postgres(auth="trust") as server:  # dials cost least
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        server.query("CREATE USER killer SUPERUSER")
        server.query("CREATE TABLE t (id int); GRANT ALL ON t TO app", database="orders")
        yield server


def test_no_request_is_carried_out_twice_and_each_claim_is_true(leasehold, world):
    daemon = leasehold(pools={"orders": {"url": world.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    duel = PostgresDuel(world, daemon, 1)
    duel.fight(KILLS)
    wrong = duel.wrong(dict(world.query("SELECT id, count(*) FROM t GROUP BY id", database="orders")))
    assert not wrong, "\n".join(wrong[:40])
    assert duel.counted["done"] > KILLS / 20 and duel.counted[duel.UNKNOWN] > KILLS / 100, duel.counted
