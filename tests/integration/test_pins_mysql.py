# SPDX-License-Identifier: Apache-2.0
"""Pins of MariaDB's and MySQL's sessions: each begins with the state that makes it and ends with it; who is pinned, why and
since when. What both databases have in common is in test_pins.py."""
import contextlib

import mywire
import pytest
from conftest import PASSWORD, USER
from console import pool
from prometheus import scrape
from servers import wait_until

BACKEND = "SELECT 0 + CONNECTION_ID()"
BY_USER = f"DEFINER=`{USER}`@`%`"  # who may read the definition


@pytest.fixture
def start(leasehold, mysql_server):
    for sql in ("DROP TABLE IF EXISTS shop.own", "CREATE TABLE shop.own (id INT PRIMARY KEY)",
                "INSERT INTO shop.own VALUES (1), (2)",
                "DROP PROCEDURE IF EXISTS shop.harmless", f"CREATE {BY_USER} PROCEDURE shop.harmless() SELECT COUNT(*) FROM own",
                "DROP PROCEDURE IF EXISTS shop.hides", f"CREATE {BY_USER} PROCEDURE shop.hides(n INT) SELECT n INTO @hidden",
                "DROP PROCEDURE IF EXISTS shop.locks", f"CREATE {BY_USER} PROCEDURE shop.locks() DO GET_LOCK('of locks', 0)",
                "DROP PROCEDURE IF EXISTS shop.makes",
                f"CREATE {BY_USER} PROCEDURE shop.makes() CREATE TEMPORARY TABLE made (id INT)",
                "DROP FUNCTION IF EXISTS shop.hiding",
                f"CREATE {BY_USER} FUNCTION shop.hiding(n INT) RETURNS INT READS SQL DATA BEGIN SELECT n INTO @hidden; RETURN n; END",
                f"GRANT ALL ON shop.* TO `{USER}`@`%`"):
        mysql_server.query(sql)

    def one(**keys):
        keys = {"pool_size": 1, "max_overflow": 0, "pool_timeout": "30s", **keys}
        return leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), **keys}}, http=True)
    return one


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=30, **options)


def pins(daemon):
    return daemon.console("SHOW PINS")


def run(session, sql):
    """All results of one text."""
    result = session.query(sql)
    while result.status & mywire.STATUS_MORE_RESULTS:
        result = session.result()
    return result


def shared(daemon, session):
    """The session keeps nothing: another one is served by the only backend."""
    wait_until(lambda: not pins(daemon) and pool(daemon, "shop")["sv_active"] == 0, 10)
    with login(daemon) as other:
        assert other.value("SELECT 1") == "1"


# (what begins it, what does not end it, what ends it, the reason)
STATES = {
    "temporary table": ("CREATE TEMPORARY TABLE t (id INT)", "DROP TEMPORARY TABLE IF EXISTS u", "DROP TEMPORARY TABLE t",
                        "temporary table"),
    "two tables": ("CREATE TEMPORARY TABLE t SELECT 1", "CREATE TEMPORARY TABLE shop.u LIKE own",
                   "DROP TABLE u, t", "temporary table"),
    "lock": ("SELECT GET_LOCK('l', 0)", "SELECT RELEASE_LOCK('other')", "SELECT RELEASE_LOCK('l')", "GET_LOCK"),
    "lock taken twice": ("SELECT GET_LOCK('l', 0), GET_LOCK('l', 0)", "DO RELEASE_LOCK('l')", "DO RELEASE_LOCK('l')",
                         "GET_LOCK"),
    "some lock": ("SELECT GET_LOCK(CONCAT('l', 1), 0)", "DO RELEASE_LOCK('l')", "SELECT RELEASE_ALL_LOCKS()", "GET_LOCK"),
    "lock of a procedure": ("CALL locks()", "SELECT 1", "DO RELEASE_LOCK('of locks')", "GET_LOCK"),
    "table of a procedure": ("CALL makes()", "SELECT * FROM made", "DROP TEMPORARY TABLE made", "temporary table"),
    "tables": ("LOCK TABLES own READ", "SELECT 1", "UNLOCK TABLES", "LOCK TABLES"),
    "handler": ("HANDLER own OPEN AS h", "HANDLER h READ FIRST", "HANDLER h CLOSE", "HANDLER"),
    "prepared in SQL": (r"PREPARE p FROM 'SELECT ''\\\\'''", "SELECT 1", "DEALLOCATE PREPARE p", "SQL PREPARE"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_pin_begins_and_ends_with_its_state(start, name):
    begins, keeps, ends, reason = STATES[name]
    daemon = start()
    with login(daemon) as session:
        run(session, begins)
        row = wait_until(lambda: pins(daemon), 10)[0]
        assert (row["pin"], row["database"], row["user"]) == (reason, "shop", USER) and row["pin_seconds"] >= 0
        assert row["statement"] and "'l'" not in row["statement"]
        with login(daemon) as other:
            other.command(mywire.COM_QUERY, b"SELECT 2")
            wait_until(lambda: pool(daemon, "shop")["waiting"] == 1, 10)
            run(session, keeps)
            assert [row["pin"] for row in pins(daemon)] == [reason]
            run(session, ends)
            assert other.result().rows == [("2",)]
        shared(daemon, session)
    assert scrape(daemon.http_port).total("leasehold_pool_pins_total", pool="shop") == 1


@pytest.mark.parametrize("sql", [
    "CREATE TEMPORARY TABLE t (id INT); DROP TEMPORARY TABLE t", "SELECT GET_LOCK('l', 0), RELEASE_LOCK('l')",
    "SET @a = 1", "SELECT @a", "SELECT 5 INTO @a", "SET @a = CONCAT('x', 1)", "SELECT 1; SET time_zone = '+01:00'",
    "SET NAMES latin1; SELECT 1", "USE shop; SELECT DATABASE()", "CALL harmless()", "CALL hides(7)",
    "SELECT hiding(8)",
])
def test_what_leaves_nothing_behind_or_is_carried_pins_nothing(start, sql):
    daemon = start()
    with login(daemon, capabilities=1 << 16) as session:
        run(session, sql)
        shared(daemon, session)
        metrics = scrape(daemon.http_port)
        assert metrics.series("leasehold_pool_pinned") == [] and metrics.series("leasehold_pool_pins_total") == []


@pytest.mark.parametrize("sql", [
    "CREATE TEMPORARY TABLE t (id nonsense)", "HANDLER nothing OPEN", "PREPARE p FROM 'nonsense'", "CALL nothing()",
    "SET time_zone = '+01:00', no_such_variable = 1", "SET @a = 1, time_zone = 'nowhere'",
])
def test_what_fails_pins_nothing(start, sql):
    daemon = start()
    with login(daemon) as session:
        with pytest.raises(mywire.ServerError):
            session.query(sql)
        shared(daemon, session)


def test_user_variables_go_with_their_session(start):
    """With their types, and nobody else's."""
    daemon = start(pool_size=2)
    made = ("SET @n = 7, @t = 'text', @`odd name` = -1.50", "SELECT 3 INTO @selected", "SET @n = @n + 1",
            "SET @u = _utf8mb4 X'C3A4' COLLATE utf8mb4_bin", "SET NAMES latin1", "CALL hides(9)")
    look = ("SELECT @n, @t, @`odd name`, @selected, HEX(@u), COLLATION(@u), COLLATION(@t), @hidden, @n / 3, @nothing")
    with mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=30) as session, login(daemon) as other:
        for sql in made:
            run(session, sql)
            assert other.value("SELECT CONCAT_WS('', @n, @t, @selected, @u, @hidden)") == ""
        seen = session.query(look).rows
        assert [value for value in seen[0][:6]] == ["8", "text", "-1.50", "3", "C3A4", "utf8mb4_bin"]
        assert seen[0][7] == "9" and seen[0][9] is None
        with login(daemon) as holder:  # the session moves
            holder.query("BEGIN")
            holder.query("INSERT INTO own VALUES (77)")
            assert session.query(look).rows == seen
            holder.query("ROLLBACK")
        assert session.query(look).rows == seen
        session.reset_connection()
        assert session.value("SELECT CONCAT_WS('', @n, @t, @selected, @u, @hidden)") == ""


def test_many_sessions_share_two_backends_once_their_state_is_gone(start):
    daemon = start(pool_size=2)
    rounds = ("SET time_zone = '+0{h}:00'", "SET @mine = {n}", "SELECT @mine + 1 INTO @more", "CREATE TEMPORARY TABLE t (id INT)",
              "DROP TEMPORARY TABLE t", "SELECT GET_LOCK('lock {n}', 0)", "DO RELEASE_LOCK('lock {n}')", "PREPARE p FROM 'SELECT @mine, ''{n}'''",
              "EXECUTE p")
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon)) for _ in range(200)]
        for n, session in enumerate(sessions):
            for sql in rounds:
                run(session, sql.format(n=n, h=n % 9))
        assert not pins(daemon)
        backends = set()
        for n, session in enumerate(sessions):
            assert session.query("SELECT @mine, @more, @@time_zone").rows == [(str(n), str(n + 1), f"+0{n % 9}:00")]
            assert session.query("EXECUTE p").rows == [(str(n), str(n))]
            backends.add(session.value(BACKEND))
        assert len(backends) <= 2
    counted = {labels["reason"]: value for labels, value in scrape(daemon.http_port).series("leasehold_pool_pins_total")}
    assert counted == dict.fromkeys(("temporary table", "GET_LOCK"), 200)


def test_a_pin_without_activity_ends_its_session(start):
    daemon = start(pin_idle_timeout="300ms")
    with login(daemon) as session, login(daemon) as other:
        session.query("CREATE TEMPORARY TABLE t (id INT)")
        assert other.value("SELECT 1") == "1"
        with pytest.raises(mywire.ServerError, match="temporary table") as ended:
            session.query("SELECT 1")
        assert ended.value.code == 1927
