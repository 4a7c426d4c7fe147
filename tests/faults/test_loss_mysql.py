# SPDX-License-Identifier: Apache-2.0
"""The loss table of MySQL's dialect, as test_loss_postgres.py: each request cut before, in and behind each of its packets
and of the reply's."""
import contextlib

import mybinary
import mywire
import pytest
from conftest import PASSWORD, USER, both_in_long_runs, url_through
from fault_proxy import TO_SERVER
from loss import NEVER, UNKNOWN, Part, Scenario, Table, Told
from processes import wait_until

mysql_server = both_in_long_runs("mariadb")

BEGIN = ("BEGIN",)
INSERT = "INSERT INTO t VALUES ({0})"
COMMITS = (Part(UNKNOWN, 1),)


def packet(payload):
    return len(payload).to_bytes(3, "little") + b"\0" + payload


def text(sql):
    return lambda number, _: packet(bytes([mywire.COM_QUERY]) + sql.format(number).encode())


def prepared(sql, values=True):
    """COM_STMT_EXECUTE of a statement that was prepared before."""
    def request(number, session):
        statement = mybinary.Statement(session, sql)
        return packet(statement.packet([number] if values else []))
    return request


def preparing(sql):
    return lambda number, _: packet(bytes([mybinary.PREPARE]) + sql.format(number).encode())


def in_transaction():
    """What cannot end its transaction: 1213 in its place."""
    for name, sql in {"select": "SELECT n FROM digits ORDER BY n LIMIT 3", "insert": INSERT, "error": "SELECT nowhere()",
                      "savepoint": "SAVEPOINT a", "set": "SET NAMES utf8mb4"}.items():
        yield Scenario(f"{name} in a transaction", text(sql), before=BEGIN)
    yield Scenario("executing in a transaction", prepared("INSERT INTO t VALUES (?)"), before=BEGIN)
    yield Scenario("rows, prepared, in a transaction", prepared("SELECT n FROM digits LIMIT 3", False), before=BEGIN)
    yield Scenario("savepoint rolled back", text("ROLLBACK TO a"), before=("BEGIN", "SAVEPOINT a", "SELECT 1"))


def ends():
    """What may have ended its transaction, or is one by itself: 1180."""
    written = (*BEGIN, INSERT)
    for name, sql in {"commit": "COMMIT", "a table": "CREATE TABLE IF NOT EXISTS another (a int)", "begin again": "BEGIN",
                      "commit in a comment's company": "/* now */ COMMIT", "autocommit": "SET autocommit = 1"}.items():
        before = ("SET autocommit = 0", INSERT) if name == "autocommit" else written
        yield Scenario(name, text(sql), COMMITS, before=before)
    for name, sql in {"insert": INSERT, "call": "CALL writes({0})", "function": "SELECT writes_too({0})"}.items():
        yield Scenario(f"{name} alone", text(sql), COMMITS)
    yield Scenario("executing alone", prepared("INSERT INTO t VALUES (?)"), COMMITS)
    yield Scenario("select alone", text("SELECT n FROM digits ORDER BY n LIMIT 3"), (Part(UNKNOWN),))


def rolls_back():
    """It has done what it was to do, whoever did it."""
    yield Scenario("rollback", text("ROLLBACK"), (Part(NEVER),), before=(*BEGIN, INSERT))


SCENARIOS = [*in_transaction(), *ends(), *rolls_back()]


def packets(stream):
    """Sizes of a stream's packets."""
    at = 0
    while at < len(stream):
        size = 4 + int.from_bytes(stream[at:at + 3], "little")
        yield size
        at += size


class MysqlTable(Table):
    LOST, UNKNOWN, FAILED_STAYS, LOSS_IS_HEARD_LATER = 1213, 1180, False, True
    ERRORS = (mywire.Closed, mywire.ServerError)
    BACKEND = "SELECT 0 + connection_id()"
    split = staticmethod(packets)

    def __init__(self, leasehold, server, proxy, **pool):
        self.proxy = proxy
        self.admin = server.connect("shop")
        self.admin.autocommit(True)
        self.daemon = leasehold(pools={"shop": {"url": url_through(proxy, server, "shop"), "pool_size": 1, "max_overflow": 0,
                                                **pool}})
        self.session = self.login()

    def login(self):
        return mywire.connect(self.daemon.mysql_port, USER, PASSWORD, "shop", timeout=5, capabilities=mywire.MULTI_RESULTS)

    def value(self, sql):
        return self.results(sql)[0].rows[0][0]

    def results(self, sql):
        self.session.command(mywire.COM_QUERY, sql.encode())
        found = [self.session.result()]
        while found[-1].status & mywire.STATUS_MORE_RESULTS:
            found.append(self.session.result())
        return found

    def run(self, sql):
        with contextlib.suppress(mywire.ServerError):
            self.results(sql)

    def send(self, request):
        self.session.socket.sendall(request)

    def told(self):
        try:
            result = self.session.result()
            while result.status & mywire.STATUS_MORE_RESULTS:
                result = self.session.result()
            return Told(None, result.in_transaction)
        except mywire.ServerError as error:
            return Told(error.code, self.in_transaction())
        except mywire.Closed:
            return Told(None, None)

    def in_transaction(self):
        """An error has no status; and the question for it may be what is cut."""
        try:
            return self.session.ping().in_transaction
        except mywire.ServerError as error:
            assert error.code == self.LOST, error
            return False

    def ask(self, sql, value):
        with self.admin.cursor() as cursor:
            cursor.execute(sql, [value])
            return cursor.fetchone()[0]

    def rows(self, number):
        return self.ask("SELECT count(*) FROM t WHERE id = %s", number)

    def serves(self, backend):
        return self.ask("SELECT count(*) FROM information_schema.processlist WHERE id = %s", int(backend))

    def theirs(self, to_server, from_server, request, scenario):
        """Without what leasehold asks behind it on its own account."""
        at = 0
        for size in packets(from_server):
            if at and from_server[at + 3] == 1:  # another reply begins
                break
            at += size
        return to_server[:len(request)], from_server[:at]

    @staticmethod
    def servers_own(scenario, how, lost):
        return {1305} if "error" in scenario.name else set()


@pytest.fixture(scope="module")
def world(mysql_server):
    for sql in ("CREATE TABLE t (id int) ENGINE=InnoDB", "CREATE TABLE digits (n int PRIMARY KEY) ENGINE=InnoDB",
                "INSERT INTO digits VALUES (1), (2), (3), (4)", "CREATE PROCEDURE writes(n int) INSERT INTO t VALUES (n)",
                "CREATE FUNCTION writes_too(n int) RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (n); RETURN 1; END"):
        mysql_server.query(sql, database="shop")
    return mysql_server


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_what_a_client_is_told_of_a_cut_is_true(leasehold, world, behind, scenario):
    wrong = MysqlTable(leasehold, world, behind(world)).all_cuts(scenario)
    assert not wrong, "\n".join([str(scenario), *wrong])


@pytest.mark.parametrize("how", ["reset", "fin", "half"])
@pytest.mark.parametrize("sql", ["CALL writes({0})", "SELECT writes_too({0})"])
def test_what_stored_code_may_have_left_is_not_lost_in_silence(leasehold, world, behind, sql, how):
    # Its reply is the client's already when the server is asked what the code was.
    table = MysqlTable(leasehold, world, behind(world))
    number, backend = table.begin(Scenario("stored code", text(sql)))
    request = text(sql)(number, table.session)
    table.proxy.arm(TO_SERVER, len(request) + 3, how)
    table.send(request)
    assert table.told() == Told(None, False)
    table.proxy.wait_sprung()
    wait_until(lambda: not table.serves(backend), 10, "the backend's end")
    with pytest.raises(mywire.ServerError) as error:
        table.value("SELECT 1")
    assert error.value.code == 1927 and "stored routine" in error.value.message, error.value
    with pytest.raises((mywire.Closed, OSError)):
        table.value("SELECT 1")
    assert table.rows(number) == 1
