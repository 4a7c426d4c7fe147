# SPDX-License-Identifier: Apache-2.0
"""What a client of MySQL and MariaDB need not know of the backends behind it: that one was lost while a statement was being
prepared, and what others have left in them where the server does not report it."""
import struct

import mywire
import pytest
from conftest import PASSWORD, USER
from mybinary import METADATA_CHANGED, Statement, lenenc, send_long
from servers import wait_until

QUERY_ATTRIBUTES = 1 << 27
WHOLE = 0xFFFFFF


@pytest.fixture
def pooled(leasehold, mysql_server):
    """A factory of daemons with the pool `shop`; keys of the pool can be given."""
    def start(size=2, **keys):
        pool = {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": size, "max_overflow": 0, "pool_timeout": "20s"}
        return leasehold(pools={"shop": {**pool, **keys}})
    return start


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", **options)


def on_server(server, text):
    return [p for p in server.processes(USER) if text in str(p["info"]) and "metadata lock" in str(p["state"])]


def test_a_prepare_whose_backend_dies_is_prepared_on_another(pooled, mysql_server):
    mysql_server.query("DROP TABLE IF EXISTS shop.unseen")
    mysql_server.query("CREATE TABLE shop.unseen (a int) ENGINE=InnoDB")
    daemon = pooled()
    direct = {"port": mysql_server.port, "user": USER, "password": PASSWORD, "database": "shop", "timeout": 60}
    with mywire.connect(**direct) as holder, mywire.connect(**direct) as writer, login(daemon, timeout=60) as session:
        holder.query("BEGIN")
        holder.query("SELECT * FROM unseen")
        writer.command(mywire.COM_QUERY, b"TRUNCATE TABLE unseen")
        wait_until(lambda: on_server(mysql_server, "TRUNCATE"), 20, "the table to be closed to others")
        statement = Statement(session, "SELECT a + 7 FROM unseen", check=False)
        dead = set()
        for _ in range(2):
            # It waits for the table in each of them.
            wait_until(lambda: set(waiting(mysql_server)) - dead, 20, "a backend that prepares")
            victim = (set(waiting(mysql_server)) - dead).pop()
            dead.add(victim)
            mysql_server.query(f"KILL {victim}")
        wait_until(lambda: set(waiting(mysql_server)) - dead, 20, "one more backend that prepares")
        holder.query("COMMIT")
        writer.result()
        statement.prepared()
        assert len(statement.columns) == 1
        session.query("INSERT INTO unseen VALUES (1)")
        assert statement.value() == 8


def waiting(server):
    """The backends that wait for a table."""
    return [p["id"] for p in server.processes(USER)
            if "metadata lock" in str(p["state"]) and "TRUNCATE" not in str(p["info"])]


def test_a_branch_of_a_distributed_transaction_is_refused_in_statement_mode_as_begin_is(pooled):
    daemon = pooled(mode="statement")
    with login(daemon) as session:
        refusals = []
        for sql in ("BEGIN", "XA START 'unseen'", "XA BEGIN 'unseen'"):
            with pytest.raises(mywire.ServerError) as refused:
                session.query(sql)
            refusals.append((refused.value.code, refused.value.message.split("[")[0]))
        assert len(set(refusals)) == 1 and refusals[0][0] == 1179
        assert session.ping()


@pytest.mark.parametrize("tail", [1, 40, 5000])
def test_an_execute_of_16_megabytes_with_query_attributes_arrives_without_them(pooled, mysql_server, tail):
    if "MariaDB" in mysql_server.version:
        pytest.skip("MariaDB has no query attributes")
    with login(pooled(), capabilities=QUERY_ATTRIBUTES) as session:
        statement = Statement(session, "SELECT LENGTH(?), SHA2(?, 256) = SHA2(REPEAT('v', ?), 256)")
        attribute = b"\xfd\0\x04name"
        for _ in range(2):
            types = b"\xfd\0\0" * 2 + b"\x08\0\0" + attribute
            front = struct.pack("<BIBI", 0x17, statement.id, 8, 1) + b"\x04" + b"\0\x01" + types
            other = lenenc(6000) + b"w" * 6000
            size = WHOLE + tail - len(front) - len(other) - 4 - 8 - 3
            text = lenenc(size) + b"v" * size
            statement.packets = send_long(session, front + other + text + struct.pack("<q", size) + b"\x02me")
            assert statement.packets == 2
            assert statement.result().rows == [(6000, 1)]
        assert session.ping()


# --- state that servers do not report -----------------------------------------------------------------------------------

@pytest.fixture
def hiding(mysql_server):
    """Stored code that leaves user variables and locks unreported."""
    for sql in ["DROP TABLE IF EXISTS hides", "CREATE TABLE hides (a int) ENGINE=InnoDB", "DROP FUNCTION IF EXISTS hide_a",
                "CREATE FUNCTION hide_a() RETURNS INT NO SQL BEGIN SELECT 12 INTO @a; RETURN GET_LOCK('hidden', 0); END",
                "DROP FUNCTION IF EXISTS tell_a", "CREATE FUNCTION tell_a() RETURNS INT NO SQL RETURN @a",
                "CREATE TRIGGER hides_it BEFORE INSERT ON hides FOR EACH ROW SET NEW.a = (@a := 13) + GET_LOCK('hidden', 0)"]:
        mysql_server.query(sql, database="shop")
    return mysql_server


def free(server):
    return server.value("SELECT IS_FREE_LOCK('hidden')") == 1


ASK = "SELECT @a, RELEASE_LOCK('hidden')"


def asked(session, flavour):
    return session.query(ASK).rows[0] if flavour == "text" else Statement(session, ASK).execute().rows[0]


@pytest.mark.parametrize("flavour", ["text", "prepared"])
@pytest.mark.parametrize("made_by", ["SELECT hide_a()", "SELECT shop.hide_a ()", "INSERT INTO hides VALUES (1)"])
def test_what_stored_code_leaves_unreported_is_seen_by_nobody_else_not_even_in_a_transaction(pooled, hiding, made_by,
                                                                                             flavour):
    daemon = pooled(size=1)
    with login(daemon, timeout=30) as maker:
        for _ in range(2):
            maker.query(made_by)
            with login(daemon, timeout=30) as other:
                other.query("BEGIN")
                other.query("SELECT 1")
                assert asked(other, flavour) in [(None, None), (None, "0"), (None, 0)]
                assert free(hiding)
                other.query("ROLLBACK")


def test_what_a_stored_function_leaves_ends_with_the_lease(pooled, hiding):
    daemon = pooled(size=1)
    with login(daemon) as maker, login(daemon) as other:
        maker.query("BEGIN")
        assert maker.value("SELECT hide_a()") == "1"
        assert maker.value("SELECT tell_a()") == "12", "within its lease it is there"
        maker.query("COMMIT")
        maker.drop()
        wait_until(lambda: free(hiding), 10, "the lock to be given up")
        assert other.value("SELECT tell_a()") is None


def test_what_a_trigger_set_before_it_missed_a_table_is_nobody_elses(pooled, hiding):
    for sql in ["DROP TABLE IF EXISTS misses, missed", "CREATE TABLE misses (a int)", "CREATE TABLE missed (a int)",
                "CREATE TRIGGER misses_it BEFORE INSERT ON misses FOR EACH ROW BEGIN SET @a = 14; INSERT INTO missed VALUES (1);"
                " END", "DROP TABLE missed"]:
        hiding.query(sql, database="shop")
    daemon = pooled(size=1)
    with login(daemon, timeout=30) as maker:
        with pytest.raises(mywire.ServerError) as missing:
            maker.query("INSERT INTO misses VALUES (1)")
        assert missing.value.code == 1146
    with login(daemon, timeout=30) as other:
        other.query("BEGIN")
        assert other.value("SELECT tell_a()") is None
        other.query("ROLLBACK")


def test_who_uses_no_such_thing_leaves_its_backend_as_it_is(pooled, hiding):
    daemon = pooled(size=1)
    with login(daemon) as one, login(daemon) as two:
        statement = Statement(one, "SELECT COUNT(*) + 1 FROM hides WHERE a IN (?, 2)")
        for session in (one, two):
            session.query("INSERT INTO hides (a) VALUES (5), (6)")
            session.query("SELECT UPPER('x'), COALESCE(MAX(a), 0) FROM hides")
        opened = hiding.value("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME="
                              "'COM_STMT_PREPARE'") if "MariaDB" in hiding.version else None
        for _ in range(5):
            assert statement.value(1) >= 1
            two.query("SELECT 1")
        if opened is not None:
            assert hiding.value("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME="
                                "'COM_STMT_PREPARE'") == opened, "nobody had to prepare it again"


# --- definitions that change -------------------------------------------------------------------------------------------

def test_columns_that_changed_are_said_as_the_server_says_it_on_whichever_backend(pooled, mysql_server):
    daemon = pooled(size=2)

    def statuses(connect, busy):
        """Of EXECUTEs in front of and behind an ALTER TABLE."""
        mysql_server.query("DROP TABLE IF EXISTS shop.columned")
        mysql_server.query("CREATE TABLE shop.columned (a int) ENGINE=InnoDB")
        mysql_server.query("INSERT INTO shop.columned VALUES (1)")
        with connect() as session, connect() as other:
            statement = Statement(session, "SELECT * FROM columned")
            seen = [statement.execute().status & METADATA_CHANGED]
            mysql_server.query("ALTER TABLE shop.columned ADD b int")
            if busy:  # the backend that has the statement is somebody else's now
                other.query("BEGIN")
                other.query("SELECT 1")
            seen += [statement.execute().status & METADATA_CHANGED for _ in range(2)]
            return seen
    directly = statuses(lambda: mywire.connect(mysql_server.port, USER, PASSWORD, "shop"), False)
    assert directly == [0, METADATA_CHANGED, 0]
    for busy in (False, True):
        assert statuses(lambda: login(daemon), busy) == directly
