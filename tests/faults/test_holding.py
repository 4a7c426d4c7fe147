# SPDX-License-Identifier: Apache-2.0
"""While a server restarts, or another one takes its place, those outside a transaction wait, and are served in their order."""
import contextlib
import time

import mywire
import pytest
import standby
from conftest import PASSWORD, USER, login, made, two
from processes import wait_until
from servers import MariaDB, Postgres

WAITERS = 12


class PostgresSide:
    name, database, driver = "PostgreSQL", "orders", "postgresql+psycopg2"
    LOST = "40001"
    # Numbers in the order of their statements.
    table = "CREATE TABLE IF NOT EXISTS served (turn serial, who int); GRANT ALL ON served, served_turn_seq TO app"

    def __init__(self, server):
        self.server = server
        server.query(self.table, database=self.database)

    def login(self, daemon):
        return login(daemon, timeout=40)

    def send(self, session, sql):
        from pgwire import query
        session.send(query(sql))

    def code(self, session):
        return session.reply().sqlstate

    def rows(self, sql):
        return self.server.query(sql, database=self.database)


class MariadbSide(PostgresSide):
    name, database, driver = "MariaDB", "shop", "mysql+pymysql"
    LOST = 1213
    table = "CREATE TABLE IF NOT EXISTS served (turn int AUTO_INCREMENT PRIMARY KEY, who int) ENGINE=InnoDB"

    def login(self, daemon):
        return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=40)

    def send(self, session, sql):
        session.command(mywire.COM_QUERY, sql.encode())

    def code(self, session):
        try:
            session.result()
            return None
        except mywire.ServerError as error:
            return error.code


@pytest.fixture(scope="module", params=[PostgresSide, MariadbSide], ids=lambda side: side.name)
def side(request):
    """A server of this file's own, which is stopped and started."""
    kind = Postgres if request.param is PostgresSide else MariaDB
    with kind() as server:
        yield request.param(made(server, request.param.database))


@pytest.fixture
def pooled(leasehold, side):
    def start(**pool):
        return leasehold(pools={side.database: {"url": side.server.url(side.database, USER, PASSWORD), "pool_timeout": "30s",
                                                **pool}})
    return start


def waiting(daemon, database):
    return sum(int(row["waiting"]) for row in daemon.console("SHOW POOLS") if row["database"] == database)


def test_who_asks_while_the_server_restarts_is_served_in_order(pooled, side):
    daemon = pooled(pool_size=1, max_overflow=0)
    idle, inside = side.login(daemon), side.login(daemon)
    for sql in ("BEGIN", "SELECT 1"):
        side.send(inside, sql)
        assert side.code(inside) is None
    sessions = [side.login(daemon) for _ in range(WAITERS // 2)]
    before = len(side.rows("SELECT who FROM served"))
    side.server.stop()
    # A new client is let in although no server is there, and waits like those who were there before.
    sessions += [side.login(daemon) for _ in range(WAITERS - len(sessions))]
    for number, session in enumerate(sessions):
        side.send(session, f"INSERT INTO served (who) VALUES ({number})")
        wait_until(lambda number=number: waiting(daemon, side.database) == number + 1, 10, "the waiter")
    side.server.start()
    assert [side.code(session) for session in sessions] == [None] * WAITERS
    served = [row[0] for row in side.rows("SELECT who FROM served ORDER BY turn")][before:]
    assert served == list(range(WAITERS))
    side.send(idle, "SELECT 1")
    assert side.code(idle) is None, "an idle client notices nothing"
    side.send(inside, "SELECT 1")
    assert side.code(inside) == side.LOST
    side.send(inside, "ROLLBACK")
    assert side.code(inside) is None
    assert "session_lives=false" not in daemon.log_text()


def test_a_server_that_stays_away_is_dialled_less_and_less(pooled, side):
    daemon = pooled(pool_size=5, max_overflow=0)
    sessions = [side.login(daemon) for _ in range(5)]
    side.server.stop()
    try:
        for session in sessions:
            side.send(session, "SELECT 1")
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 3, 10)
        failures = sum(int(row["connect_failures"]) for row in daemon.console("SHOW STATS"))
        assert 0 < failures <= 12, "five wait, and the server is dialled for all of them together"
    finally:
        side.server.start()
    assert [side.code(session) for session in sessions] == [None] * 5


def test_sqlalchemys_pool_goes_through_a_restart(pooled, side):
    import sqlalchemy
    from sqlalchemy import event
    daemon = pooled(pool_size=5, max_overflow=0)
    url = daemon.url(side.database, USER, PASSWORD, scheme=side.driver)
    engine = sqlalchemy.create_engine(url, pool_size=4, max_overflow=0)
    counted = {"connect": 0, "invalidate": 0}
    event.listen(engine, "connect", lambda *_: counted.__setitem__("connect", counted["connect"] + 1))
    event.listen(engine, "invalidate", lambda *_: counted.__setitem__("invalidate", counted["invalidate"] + 1))
    add = sqlalchemy.text("INSERT INTO served (who) VALUES (:who)")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(engine.connect()) for _ in range(4)]
        for connection in held:
            connection.execute(sqlalchemy.text("SELECT 1"))
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(add, {"who": 1000})
        side.server.restart()
        with pytest.raises(sqlalchemy.exc.DBAPIError) as told:
            connection.execute(add, {"who": 1001})
        assert not told.value.connection_invalidated
        transaction.rollback()
        with connection.begin():
            connection.execute(add, {"who": 1002})
    for number in range(8):
        with engine.begin() as connection:
            connection.execute(add, {"who": 2000 + number})
    engine.dispose()
    assert counted == {"connect": 4, "invalidate": 0}
    assert [row[0] for row in side.rows("SELECT who FROM served WHERE who >= 1000 ORDER BY turn")] == [1002, *range(2000, 2008)]


# --- another server takes its place ---------------------------------------------------------------------------------------

def test_waiters_are_served_by_a_standby_that_is_promoted(leasehold):
    with standby.primary_and_standby(USER, PASSWORD) as (primary, second):
        side = PostgresSide(primary)
        daemon = two(leasehold, "orders", primary, second, "target_session_attrs=primary")
        idle, inside = login(daemon, timeout=40), login(daemon, timeout=40)
        assert idle.value("SELECT current_setting('port')") == str(primary.port)
        inside.ok("BEGIN")
        inside.ok("INSERT INTO served (who) VALUES (0)")
        wait_until(lambda: second.query("SELECT to_regclass('served') IS NOT NULL", database="orders")[0][0], 20, "the replica")
        primary.stop()
        sessions = [login(daemon, timeout=40) for _ in range(6)]
        for number, session in enumerate(sessions):
            side.send(session, f"INSERT INTO served (who) VALUES ({number})")
            wait_until(lambda number=number: waiting(daemon, "orders") == number + 1, 10, "the waiter")
        second.promote()
        assert [side.code(session) for session in sessions] == [None] * 6
        assert idle.value("SELECT current_setting('port')") == str(second.port)
        assert inside.query("COMMIT").sqlstate == "40001"
        assert second.query("SELECT count(*), count(DISTINCT who) FROM served", database="orders") == [(6, 6)]
