# SPDX-License-Identifier: Apache-2.0
"""Binary prepared statements of MySQL and MariaDB in transaction mode: a statement is the session's, on whichever backend
it is executed."""
import concurrent.futures
import contextlib
import os
import random
import threading
import zlib

import mywire
import pytest
from conftest import PASSWORD, USER
from mybinary import CURSOR_READ_ONLY, LAST_PREPARED, LongData, Statement
from servers import wait_until


@pytest.fixture
def server(mysql_server):
    mysql_server.query("CREATE DATABASE IF NOT EXISTS annex")
    mysql_server.query(f"GRANT ALL ON annex.* TO `{USER}`@`%`")
    for database in ("shop", "annex"):
        mysql_server.query(f"DROP TABLE IF EXISTS {database}.goods")
        mysql_server.query(f"CREATE TABLE {database}.goods (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40)) "
                           "ENGINE=InnoDB")
        mysql_server.query(f"INSERT INTO {database}.goods VALUES (1, '{database}')")
    return mysql_server


@pytest.fixture
def pooled(leasehold, server):
    """A factory of daemons with the pool `shop`; keys of the pool can be given."""
    def start(size=3, **keys):
        pool = {"url": server.url("shop", USER, PASSWORD), "pool_size": size, "max_overflow": 0, "pool_timeout": "5s"}
        return leasehold(pools={"shop": {**pool, **keys}})
    return start


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", **options)


@contextlib.contextmanager
def busy(daemon, count=1):
    """As many backends as that are in somebody else's transactions meanwhile."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            other = stack.enter_context(login(daemon))
            other.query("BEGIN")
            other.query("SELECT 1")
        yield


def backend(connection):
    return connection.value("SELECT 0 + connection_id()")


def opened(server):
    """Statements that the server holds open, of all connections."""
    return int(server.query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[0][1])


def test_a_statement_is_executed_on_whichever_backend_is_free(pooled):
    daemon = pooled(size=3)
    with login(daemon) as session:
        plus, where = Statement(session, "SELECT ? + 1"), Statement(session, "SELECT 0 + connection_id()")
        seen = {where.value()}
        assert plus.value(1) == 2
        for count in (1, 2):
            with busy(daemon, count):
                assert plus.value(40 + count) == 41 + count
                seen.add(where.value())
        assert len(seen) == 3
        assert plus.value(7) == 8


def test_what_a_statement_does_is_the_sessions(pooled):
    daemon = pooled(size=3)
    with login(daemon) as session:
        add = Statement(session, "INSERT INTO goods (name) VALUES (?)")
        assert add.execute("a").insert_id == 2
        with busy(daemon):
            assert add.execute("b").insert_id == 3
            assert session.value("SELECT LAST_INSERT_ID()") == "3"
        names = Statement(session, "SELECT name FROM goods WHERE id > ? ORDER BY id")
        session.query("BEGIN")
        add.execute("c")
        assert names.execute(1).rows == [("a",), ("b",), ("c",)]
        Statement(session, "ROLLBACK").execute()
        with busy(daemon, 2):
            assert names.execute(1).rows == [("a",), ("b",)]


def test_a_text_means_what_it_meant_when_it_was_prepared(pooled):
    daemon = pooled(size=3)
    with login(daemon) as session:
        text, table = Statement(session, 'SELECT "name"'), Statement(session, "SELECT name FROM goods")
        session.query("SET sql_mode='ANSI_QUOTES'")
        session.init_db("annex")
        quoted = Statement(session, 'SELECT "name" FROM goods')
        session.query("SET sql_mode=''")
        for count in (0, 1, 2):
            with busy(daemon, count):
                assert text.value() == "name"
                assert table.value() == "shop"
                assert quoted.value() == "annex"
                assert session.value("SELECT database()") == "annex"
                assert session.value("SELECT @@sql_mode") == ""


def test_a_transactions_own_statements_may_be_prepared(pooled, server):
    daemon = pooled(size=2)
    with login(daemon) as session:
        add = Statement(session, "INSERT INTO goods (name) VALUES (?)")
        ends = {text: Statement(session, text) for text in ("COMMIT", "ROLLBACK")}
        off = Statement(session, "SET autocommit=0")
        for end, left in (("ROLLBACK", 1), ("COMMIT", 2)):
            session.query("BEGIN")
            assert add.execute("x").in_transaction
            assert not ends[end].execute().in_transaction
            with busy(daemon):
                assert session.value("SELECT count(*) FROM goods") == str(left)
        if server.__class__.__name__ == "MariaDB":  # MySQL does not prepare it
            begin = Statement(session, "BEGIN")
            with busy(daemon):
                assert begin.execute().in_transaction
                add.execute("y")
                assert not ends["ROLLBACK"].execute().in_transaction
        assert not off.execute().autocommit
        with busy(daemon):
            add.execute("z")
            assert not session.query("SELECT 1").autocommit
        ends["ROLLBACK"].execute()
        assert session.value("SELECT count(*) FROM goods") == "2"


def test_types_are_sent_by_the_client_once_and_reach_each_backend(pooled):
    daemon = pooled(size=3)
    with login(daemon) as one, login(daemon) as two:
        number, text = Statement(one, "SELECT CONCAT(?, '')"), Statement(two, "SELECT CONCAT(?, '')")
        with pytest.raises(mywire.ServerError) as refused:
            number.execute(5, types=False)
        assert refused.value.code == 1210
        number.execute(5)
        text.execute("a")
        for count in (0, 1, 2):
            with busy(daemon, count):
                assert number.value(6, types=False) in ("6", b"6")
                assert text.value("b", types=False) in ("b", b"b")
                assert number.value(None, types=False) is None
                with pytest.raises(mywire.ServerError):
                    Statement(one, "SELECT CONCAT(?, '')").execute("c", types=False)


def test_parameters_of_16_megabytes_with_and_without_types(pooled, server):
    server.query("SET GLOBAL max_allowed_packet = 1 << 27")
    daemon = pooled(size=2)
    with login(daemon, timeout=60) as session:
        length = Statement(session, "SELECT LENGTH(?), CRC32(?)")
        length.execute("a", "b")
        # EXECUTE's head is 12 bytes, two types 4, each length 4: around the greatest packet, and far beyond.
        for size in (1000, 0xFFFFFF - 30, 0xFFFFFF - 26, 0xFFFFFF - 24, 0xFFFFFF + 5, 40_000_000):
            value = "v" * size
            with busy(daemon):
                expected = zlib.crc32(value.encode())
                of_short, checksum = length.execute("x" * 5, value, types=False).rows[0]
                assert (of_short, checksum & 0xFFFFFFFF) == (5, expected)
                assert length.execute(value, "x", types=False).rows[0][0] == size
            assert length.execute(value, "x", types=False).rows[0][0] == size


def test_long_data_holds_the_backend_until_it_is_used_up(pooled):
    daemon = pooled(size=2)
    with login(daemon) as session:
        length = Statement(session, "SELECT LENGTH(?)")
        other = Statement(session, "SELECT LENGTH(?)")
        for end in ("execute", "reset", "close"):
            with busy(daemon):
                for _ in range(3):
                    length.long_data(0, b"d" * 1_000_000)
            mine = backend(session)
            with busy(daemon):
                assert backend(session) == mine
                assert other.value("abc") == 3  # the same text, and none of the long data
                if end == "execute":
                    assert length.value(LongData()) == 3_000_000
                elif end == "reset":
                    length.reset()
                else:
                    length.close()
            with busy(daemon, 2 - 1):
                assert session.value("SELECT 1") == "1"
        with pytest.raises(mywire.ServerError) as unknown:
            length.execute("a")
        assert unknown.value.code == 1243


def test_a_cursor_holds_the_backend_until_its_last_row(pooled, leasehold):
    daemon = pooled(size=2)
    with login(daemon) as session:
        rows = Statement(session, "SELECT 1 UNION SELECT 2 UNION SELECT 3")
        for way in ("to the end", "reset", "close"):
            rows.execute(cursor=CURSOR_READ_ONLY)
            assert rows.fetch(2).rows == [(1,), (2,)]
            assert [pin["pin"] for pin in daemon.console("SHOW PINS")] == ["cursor"]
            assert session.value("SELECT 5") == "5"
            if way == "to the end":
                assert rows.fetch(2).rows == [(3,)]
                with pytest.raises(mywire.ServerError) as ended:
                    rows.fetch(1)
                assert ended.value.code == 1421
            elif way == "reset":
                rows.reset()
            else:
                rows.close()
            wait_until(lambda: not daemon.console("SHOW PINS"), 10, "the pin ends")


def test_few_statements_are_open_on_a_backend(pooled, server):
    before = opened(server)
    daemon = pooled(size=2, prepared_per_backend=1)
    with login(daemon) as session, login(daemon) as other:
        statements = [Statement(session, f"SELECT {n} + ?") for n in range(10)]
        same = [Statement(other, f"SELECT {n} + ?") for n in range(10)]
        for round_ in range(3):
            with busy(daemon, round_ % 2):
                for n, (mine, others) in enumerate(zip(statements, same)):
                    assert mine.value(round_) == n + round_
                    assert others.value(round_) == n + round_
        assert opened(server) - before <= 4  # one each, and one that the next command closes


def test_sessions_share_the_backends_copies(pooled, server):
    before = opened(server)
    daemon = pooled(size=2)
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(login(daemon)) for _ in range(10)]
        for session in sessions:
            assert Statement(session, "SELECT 1 + ?").value(1) == 2
        assert opened(server) - before <= 4


def test_ddl_between_prepare_and_execute(pooled, server):
    daemon = pooled(size=3)
    with login(daemon) as session:
        everything = Statement(session, "SELECT * FROM goods")
        assert everything.execute().rows == [(1, "shop")]
        for count, column in enumerate(("a", "b", "c")):
            server.query(f"ALTER TABLE shop.goods ADD {column} int DEFAULT {count}")
            with busy(daemon, count):
                assert everything.execute().rows == [(1, "shop", *range(count + 1))]
                assert len(everything.columns) == 3 + count
        server.query("DROP TABLE shop.goods")
        for count in (0, 1, 2):
            with busy(daemon, count), pytest.raises(mywire.ServerError) as missing:
                everything.execute()
            assert missing.value.code == 1146
        server.query("CREATE TABLE shop.goods (name varchar(20))")
        server.query("INSERT INTO shop.goods VALUES ('new')")
        for count in (0, 1, 2):
            with busy(daemon, count):
                assert everything.execute().rows == [("new",)]


def test_a_backends_death_costs_no_statement(pooled, server):
    daemon = pooled(size=2)
    with login(daemon) as session:
        statement = Statement(session, "SELECT ? + 1")
        assert statement.value(1) == 2
        backends = [connection["id"] for connection in server.processes(USER)]
        for number in backends:
            server.terminate(number)
        daemon.lost(*backends)
        assert statement.value(2, types=False) == 3
        session.query("BEGIN")
        statement.value(3)
        server.terminate(backend(session))
        with pytest.raises(mywire.ServerError) as lost:
            statement.execute(4)
        assert lost.value.code in (1213, 1180)
        assert statement.value(5) == 6
        session.query("BEGIN")
        server.terminate(backend(session))
        with pytest.raises(mywire.ServerError):
            statement.execute(6)
        assert statement.value(7) == 8


def test_the_sessions_end_its_reset_and_its_limit(pooled):
    daemon = pooled(size=2, prepared_per_client=3)
    with login(daemon) as session:
        kept = [Statement(session, "SELECT 1") for _ in range(3)]
        with pytest.raises(mywire.ServerError) as full:
            Statement(session, "SELECT 2")
        assert full.value.code == 1461
        kept[0].close()
        kept[0] = Statement(session, "SELECT 2")
        assert len({statement.id for statement in kept}) == 3
        session.command(0x1F)  # COM_RESET_CONNECTION
        session.result()
        for statement in kept:
            with pytest.raises(mywire.ServerError) as unknown:
                statement.execute()
            assert unknown.value.code == 1243
        assert Statement(session, "SELECT 3").value() == 3


def test_the_statement_prepared_last_has_a_number_of_its_own_in_mariadb(leasehold, mariadb):
    daemon = leasehold(pools={"shop": {"url": mariadb.url("shop", USER, PASSWORD), "pool_size": 2, "max_overflow": 0}})
    with login(daemon) as session:
        ahead = Statement(session, "SELECT 1 + ?", check=False)
        ahead.send(4, number=LAST_PREPARED)  # in one breath with its preparation
        ahead.prepared()
        assert ahead.result().rows == [(5,)]
        failing = Statement(session, "SELEC", check=False)
        failing.send(4, number=LAST_PREPARED)
        for code, read in ((1064, failing.prepared), (1243, failing.result)):
            with pytest.raises(mywire.ServerError) as error:
                read()
            assert error.value.code == code
        assert ahead.value(5) == 6


def test_many_sessions_with_many_statements_over_few_backends_that_die(pooled, server):
    """50 sessions (of 200 statements each under LEASEHOLD_LONG) on 5 backends, of which one is killed now and then, and a
    table that changes under them: every answer is the statement's own, and no error but that an outcome is unknown."""
    many = 200 if os.environ.get("LEASEHOLD_LONG") else 20
    daemon = pooled(size=5, prepared_per_backend=30, pool_timeout="30s")
    over = threading.Event()

    def retried(request):
        for _ in range(5):
            with contextlib.suppress(Unknown):
                return known(request)
        raise AssertionError("five times unknown")

    def drive(number):
        chance = random.Random(number)
        with contextlib.ExitStack() as stack:
            sessions = [stack.enter_context(login(daemon, timeout=60)) for _ in range(5)]
            opened_by = {session: [] for session in sessions}
            for n in range(many):
                for session in sessions:
                    text = f"SELECT {n % 50} + ?" if n % 4 else f"SELECT {n}, g.* FROM goods g WHERE id = ?"
                    opened_by[session].append(retried(lambda: Statement(session, text)))  # noqa: B023
                    at = chance.randrange(len(opened_by[session]))
                    statement = opened_by[session][at]
                    row = retried(lambda: statement.execute(1).rows[0])  # noqa: B023
                    assert row[0] == (at % 50 + 1 if at % 4 else at)
                    if not at % 4:
                        assert row[1:3] == (1, "shop")
        return True

    def disturb():
        columns = 0
        while not over.wait(0.2):
            columns += 1
            server.query(f"ALTER TABLE shop.goods ADD more{columns} int")
            for process in server.processes(USER)[:1]:
                with contextlib.suppress(Exception):
                    server.terminate(process["id"])

    with concurrent.futures.ThreadPoolExecutor(11) as threads:
        disturber = threads.submit(disturb)
        try:
            assert all(threads.map(drive, range(10)))
        finally:
            over.set()
        disturber.result()


class Unknown(Exception):
    """The backend died under a request."""


def known(request):
    try:
        return request()
    except mywire.ServerError as error:
        if error.code != 1180:
            raise
        raise Unknown from error
